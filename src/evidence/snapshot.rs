//! Snapshots: what was gathered, in a versioned envelope. Nothing secret is ever part of the evidence.

use std::io::{self, Read};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::text::problem::Problem;

/// What every snapshot calls itself.
const FORMAT: &str = "aksiso-snapshot";
/// The version that this program writes, and the newest that it reads.
const VERSION: u32 = 1;
/// Largest snapshot that is read, in bytes.
const LIMIT: u64 = 512 << 20;
/// What to do where a file is no snapshot.
const COLLECT: &str = "write a snapshot with: aksiso collect -g GROUP -n NAME -o FILE";

/// A snapshot as its schema describes it.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub struct Snapshot {
    /// `aksiso-snapshot`.
    format: String,
    /// Version of the format; within it fields are only added.
    version: u32,
    /// The program that wrote it.
    tool: Tool,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `aksiso`.
    pub name: String,
    pub version: String,
}

impl Tool {
    /// This very program.
    pub fn this() -> Self {
        Self { name: "aksiso".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// The part that is read first: whatever else has changed, these two have not.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) format: Option<String>,
    pub(super) version: Option<u32>,
}

#[derive(Deserialize)]
struct Envelope {
    evidence: Evidence,
}

/// The snapshot as text, ending in a line break.
///
/// # Errors
/// Evidence that is no JSON, which does not happen.
pub fn render(evidence: &Evidence) -> serde_json::Result<String> {
    let written = Written { format: FORMAT, version: VERSION, tool: Tool::this(), evidence };
    serde_json::to_string_pretty(&written).map(|text| text + "\n")
}

/// Reads a snapshot from wherever.
///
/// # Errors
/// What is wrong with it.
pub fn read_from(from: impl Read, name: &str) -> Result<Evidence, Problem> {
    let mut from = from.take(LIMIT + 1);
    let mut bytes = vec![0; 4096];
    let mut filled = 0;
    // The first character tells a snapshot from a gigabyte of anything else.
    while filled == 0 || bytes[..filled].iter().all(u8::is_ascii_whitespace) {
        match from.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(source) => return Err(unreadable(name, &source)),
        }
    }
    bytes.truncate(filled);
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => {
            return Err(foreign(name, "it is empty"));
        }
        Some(b'{') => {}
        Some(_) => {
            return Err(foreign(name, "it is not a JSON object"));
        }
    }
    if let Err(source) = from.read_to_end(&mut bytes) {
        return Err(unreadable(name, &source));
    }
    if bytes.len() as u64 > LIMIT {
        let message = format!("{name} is larger than {} MiB, which no snapshot is", LIMIT >> 20);
        return Err(Problem::new(message, COLLECT));
    }
    parse(&bytes, name)
}

fn parse(bytes: &[u8], name: &str) -> Result<Evidence, Problem> {
    let wrong = |error: &serde_json::Error| {
        if error.is_eof() {
            let message = format!("{name} is cut short: the snapshot ends in line {}", error.line());
            Problem::new(message, COLLECT)
        } else {
            foreign(name, &format!("line {}: {}", error.line(), cause(error)))
        }
    };
    let header: Header = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
    match (header.format.as_deref(), header.version) {
        (Some(FORMAT), Some(found)) if found > VERSION => Err(Problem::new(
            format!("{name} has snapshot version {found}; this aksiso reads versions up to {VERSION}"),
            "update aksiso, or collect the snapshot with this version",
        )),
        (Some(FORMAT), Some(_)) => {
            serde_json::from_slice::<Envelope>(bytes).map(|envelope| envelope.evidence).map_err(|error| wrong(&error))
        }
        _ => Err(foreign(name, &format!("it does not say \"format\": \"{FORMAT}\""))),
    }
}

fn foreign(name: &str, why: &str) -> Problem {
    Problem::new(format!("{name} is not a snapshot: {why}"), COLLECT)
}

/// A file or stream that cannot be opened or read.
pub fn unreadable(name: &str, source: &io::Error) -> Problem {
    Problem::new(format!("{name} cannot be read: {source}"), "check the path; - reads standard input")
}

/// serde's message without its place; bounded, because it may quote the file.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line").map_or(text.as_str(), |(cause, _)| cause);
    crate::text::clean(&crate::text::bounded(text, 160))
}
