//! The pseudonyms that were given, and the file that translates them back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::addresses::Addresses;
use crate::text::problem::Problem;

/// What every pseudonym of a name begins with.
pub(super) const MARK: &str = "anon";
/// What every map calls itself.
const FORMAT: &str = "aksiso-anonymize-map";
const VERSION: u32 = 1;

/// Words that hosts, paths and addresses share in every cluster.
const WORDS: &str = include_str!("words.txt");
/// Names that stand alone and are Azure's own.
const NAMES: [&str; 10] = [
    "aks-managed-mcr",
    "kube-apiserver",
    "default",
    "latest",
    "msi",
    "acrpull",
    "acrpush",
    "contributor",
    "owner",
    "reader",
];
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
    /// Reads a map that was written before; `name` names its file in messages.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(json: &[u8], name: &str) -> Result<Self, Problem> {
        let own_map = |map: &MapFile| map.format == FORMAT && map.version <= VERSION;
        let map = serde_json::from_slice::<MapFile>(json).ok().filter(own_map).ok_or_else(|| {
            Problem::new(
                format!("{name} is not a map that aksiso collect --anonymize wrote"),
                "expected the file that aksiso collect --anonymize --anonymize-map FILE wrote",
            )
        })?;
        let mut own = Self::default();
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
