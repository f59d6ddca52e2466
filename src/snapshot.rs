//! Snapshots: what was gathered, in a versioned envelope. Nothing secret is ever part of the evidence.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::output;

/// What every snapshot calls itself.
const FORMAT: &str = "aksiso-snapshot";
/// The version that this program writes, and the newest that it reads.
const VERSION: u32 = 1;
/// Largest snapshot that is read, in bytes.
const LIMIT: u64 = 512 << 20;

/// A snapshot as its schema describes it.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Snapshot {
    /// `aksiso-snapshot`.
    format: String,
    /// Version of the format; within it fields are only added.
    version: u32,
    /// The program that wrote it.
    tool: crate::report::model::Tool,
    /// What was gathered.
    evidence: Evidence,
}

#[derive(Serialize)]
struct Written<'e> {
    format: &'static str,
    version: u32,
    tool: Tool,
    evidence: &'e Evidence,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// The part that is read first: whatever else has changed, these two have not.
#[derive(Deserialize)]
struct Header {
    format: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Envelope {
    evidence: Evidence,
}

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("{name} cannot be read: {source}")]
    Io {
        /// The file's name.
        name: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file ends in the middle.
    #[error("{name} is cut short: the snapshot ends in line {line}")]
    Cut {
        /// The file's name.
        name: String,
        /// Where it ends.
        line: usize,
    },
    /// The file is something else.
    #[error("{name} is not a snapshot: {why}")]
    Foreign {
        /// The file's name.
        name: String,
        /// What was found.
        why: String,
    },
    /// The file comes from a newer aksiso.
    #[error("{name} has snapshot version {found}; this aksiso reads versions up to {VERSION}")]
    Newer {
        /// The file's name.
        name: String,
        /// Its version.
        found: u32,
    },
    /// The file is too large to be a snapshot.
    #[error("{name} is larger than {} MiB, which no snapshot is", LIMIT >> 20)]
    TooLarge {
        /// The file's name.
        name: String,
    },
}

impl ReadError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "update aksiso, or collect the snapshot with this version",
            Self::Io { .. } => "check the path; - reads standard input",
            _ => "write a snapshot with: aksiso collect -g GROUP -n NAME -o FILE",
        }
    }
}

/// The snapshot as text, ending in a line break.
///
/// # Errors
/// Evidence that is no JSON, which does not happen.
pub fn render(evidence: &Evidence) -> serde_json::Result<String> {
    let tool = Tool { name: "aksiso", version: env!("CARGO_PKG_VERSION") };
    let written = Written { format: FORMAT, version: VERSION, tool, evidence };
    serde_json::to_string_pretty(&written).map(|text| text + "\n")
}

/// Writes a snapshot whole or not at all; only the owner may read it (it describes a network).
///
/// # Errors
/// The file cannot be written.
pub fn write(evidence: &Evidence, path: &Path) -> anyhow::Result<()> {
    output::write_whole(path, render(evidence)?.as_bytes())
}

/// Reads a snapshot from a file, or from standard input where the path is `-`.
///
/// # Errors
/// What is wrong with it; memory stays bounded whatever it is.
pub fn read(path: &Path) -> Result<Evidence, ReadError> {
    if path == Path::new("-") {
        return read_from(io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => read_from(BufReader::new(file), &name),
        Err(source) => Err(ReadError::Io { name, source }),
    }
}

/// Reads a snapshot from wherever.
///
/// # Errors
/// What is wrong with it.
pub fn read_from(from: impl Read, name: &str) -> Result<Evidence, ReadError> {
    let name = name.to_owned();
    let mut from = from.take(LIMIT + 1);
    let mut bytes = vec![0; 4096];
    let mut filled = 0;
    // The first character tells a snapshot from a gigabyte of anything else.
    while filled == 0 || bytes[..filled].iter().all(u8::is_ascii_whitespace) {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(source) => return Err(ReadError::Io { name, source }),
        }
    }
    bytes.truncate(filled);
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => {
            return Err(ReadError::Foreign { name, why: "it is empty".to_owned() });
        }
        Some(b'{') => {}
        Some(_) => {
            return Err(ReadError::Foreign { name, why: "it is not a JSON object".to_owned() });
        }
    }
    if let Err(source) = from.read_to_end(&mut bytes) {
        return Err(ReadError::Io { name, source });
    }
    if bytes.len() as u64 > LIMIT {
        return Err(ReadError::TooLarge { name });
    }
    parse(&bytes, name)
}

fn parse(bytes: &[u8], name: String) -> Result<Evidence, ReadError> {
    let wrong = |error: &serde_json::Error| {
        if error.is_eof() {
            ReadError::Cut { name: name.clone(), line: error.line() }
        } else {
            ReadError::Foreign { name: name.clone(), why: format!("line {}: {}", error.line(), cause(error)) }
        }
    };
    let header: Header = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
    match (header.format.as_deref(), header.version) {
        (Some(FORMAT), Some(found)) if found > VERSION => Err(ReadError::Newer { name, found }),
        (Some(FORMAT), Some(_)) => {
            serde_json::from_slice::<Envelope>(bytes).map(|envelope| envelope.evidence).map_err(|error| wrong(&error))
        }
        _ => Err(ReadError::Foreign { name, why: format!("it does not say \"format\": \"{FORMAT}\"") }),
    }
}

/// serde's message without its place; bounded, because it may quote the file.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line").map_or(text.as_str(), |(cause, _)| cause);
    crate::text::clean(&crate::text::bounded(text, 160))
}
