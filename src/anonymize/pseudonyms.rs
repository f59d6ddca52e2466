//! The pseudonyms that were given, and the file that translates them back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::addresses::Addresses;

/// What every pseudonym of a name begins with.
pub(super) const MARK: &str = "anon";
/// What every map calls itself.
const FORMAT: &str = "aksiso-anonymize-map";
const VERSION: u32 = 1;
/// Largest map that is read, in bytes.
const LIMIT: u64 = 256 << 20;

/// Words that hosts, paths and addresses share in every cluster.
const WORDS: &str = include_str!("words.txt");
/// Names that stand alone and are Azure's own.
const NAMES: [&str; 9] =
    ["aks-managed-mcr", "default", "latest", "msi", "acrpull", "acrpush", "contributor", "owner", "reader"];
/// Sentences of container runtimes and of Azure; their words stay in free text.
const PHRASES: &str = include_str!("phrases.txt");

/// Pseudonyms in the order in which they were given.
#[derive(Debug)]
pub struct Pseudonyms {
    /// By the name in lower case: Azure compares without case.
    names: HashMap<String, String>,
    /// Pseudonym to name, as it was first written.
    originals: BTreeMap<String, String>,
    addresses: BTreeMap<IpAddr, IpAddr>,
    tree: Addresses,
    pub(super) words: BTreeSet<String>,
    pub(super) alone: BTreeSet<String>,
    pub(super) phrases: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct MapFile {
    format: String,
    version: u32,
    /// Pseudonym to name.
    names: BTreeMap<String, String>,
    /// Address to pseudonym.
    addresses: BTreeMap<IpAddr, IpAddr>,
}

/// Why a map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// It cannot be read.
    #[error("{0} cannot be read: {1}")]
    Io(String, io::Error),
    /// It is something else.
    #[error("{0} is not a map that aksiso collect --anonymize wrote")]
    Foreign(String),
}

impl Default for Pseudonyms {
    fn default() -> Self {
        let lower = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<BTreeSet<String>>();
        let phrases = PHRASES.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
        Self {
            names: HashMap::new(),
            originals: BTreeMap::new(),
            addresses: BTreeMap::new(),
            tree: Addresses::new(),
            words: lower(WORDS),
            alone: NAMES.iter().map(|name| (*name).to_owned()).collect(),
            phrases: phrases.map(str::to_lowercase).collect(),
        }
    }
}

/// What a name is made of.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

impl Pseudonyms {
    /// The pseudonyms of an earlier run; none where the file does not exist yet.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, MapError> {
        let name = crate::text::clean(&path.display().to_string());
        let mut own = Self::default();
        let size = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(own),
            Err(error) => return Err(MapError::Io(name, error)),
        };
        if size > LIMIT {
            return Err(MapError::Foreign(name));
        }
        let bytes = std::fs::read(path).map_err(|error| MapError::Io(name.clone(), error))?;
        let Ok(map) = serde_json::from_slice::<MapFile>(&bytes) else { return Err(MapError::Foreign(name)) };
        if map.format != FORMAT || map.version > VERSION {
            return Err(MapError::Foreign(name));
        }
        for (real, pseudonym) in map.addresses {
            own.tree.learn(real, pseudonym);
            own.addresses.insert(real, pseudonym);
        }
        own.names = map.names.iter().map(|(pseudonym, name)| (name.to_lowercase(), pseudonym.clone())).collect();
        own.originals = map.names;
        Ok(own)
    }

    /// The file that translates back. It is as confidential as the cluster's own names.
    ///
    /// # Errors
    /// Data that is no JSON, which does not happen.
    pub fn render(&self) -> serde_json::Result<String> {
        let (names, addresses) = (self.originals.clone(), self.addresses.clone());
        let map = MapFile { format: FORMAT.to_owned(), version: VERSION, names, addresses };
        serde_json::to_string_pretty(&map).map(|text| text + "\n")
    }

    /// A word that stays as it is from now on.
    pub(super) fn keep(&mut self, word: &str) {
        self.words.insert(word.to_lowercase());
        self.alone.insert(word.to_lowercase());
    }

    /// The pseudonym of a name.
    pub(super) fn name(&mut self, name: &str) -> String {
        self.given(name, |number| format!("{MARK}{number}"))
    }

    /// The pseudonym of a GUID is a GUID.
    pub(super) fn guid(&mut self, guid: &str) -> String {
        self.given(guid, |number| format!("00000000-0000-4000-8000-{number:012x}"))
    }

    /// The pseudonym of a digest is a digest.
    pub(super) fn digest(&mut self, digest: &str) -> String {
        self.given(digest, |number| format!("{number:064x}"))
    }

    fn given(&mut self, name: &str, pseudonym: impl Fn(usize) -> String) -> String {
        let key = name.to_lowercase();
        if let Some(known) = self.names.get(&key) {
            return known.clone();
        }
        let new = pseudonym(self.originals.len() + 1);
        self.originals.insert(new.clone(), name.to_owned());
        self.names.insert(key, new.clone());
        new
    }

    /// The pseudonym of an address.
    pub(super) fn address(&mut self, address: IpAddr) -> IpAddr {
        let pseudonym = self.tree.address(address);
        self.addresses.insert(address, pseudonym);
        pseudonym
    }

    /// The name behind a pseudonym.
    pub(super) fn original(&self, pseudonym: &str) -> Option<&str> {
        self.originals.get(pseudonym).map(String::as_str)
    }

    /// The address behind a pseudonym.
    pub(super) fn original_address(&self, pseudonym: IpAddr) -> Option<IpAddr> {
        self.addresses.iter().find(|(_, given)| **given == pseudonym).map(|(real, _)| *real)
    }
}
