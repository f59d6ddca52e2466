//! A gathered fleet as a file: `fleet --save` writes it, `fleet --from` reads it. Nothing secret is part of it.

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::evidence::snapshot::{Header, Tool};
use crate::text::problem::Problem;

const FORMAT: &str = "aksiso-fleet";
/// The version that this program writes, and the newest that it reads.
const VERSION: u32 = 1;
/// Largest file that is read, in bytes.
const LIMIT: u64 = 4 << 30;
const SAVE: &str = "write one with: aksiso fleet --save FILE";

#[derive(Serialize)]
struct Written<'f> {
    format: &'static str,
    version: u32,
    tool: Tool,
    fleet: &'f Fleet,
}

#[derive(Deserialize)]
struct Envelope {
    fleet: Fleet,
}

/// The file's text.
///
/// # Errors
/// A fleet that is no JSON, which does not happen.
pub fn render(fleet: &Fleet) -> serde_json::Result<String> {
    let written = Written { format: FORMAT, version: VERSION, tool: Tool::this(), fleet };
    serde_json::to_string(&written).map(|text| text + "\n")
}

/// Reads a fleet from wherever.
///
/// # Errors
/// What is wrong with it.
pub fn read_from(from: impl Read, name: &str) -> Result<Fleet, Problem> {
    let mut bytes = Vec::new();
    let read = from.take(LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| Problem::new(format!("{name} cannot be read: {error}"), "check the path"))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Problem::new(format!("{name} is larger than {} GiB", LIMIT >> 30), SAVE));
    }
    let header = serde_json::from_slice::<Header>(&bytes).ok();
    match header.map(|header| (header.format, header.version)) {
        Some((Some(format), Some(version))) if format == FORMAT && version <= VERSION => {}
        Some((Some(format), Some(version))) if format == FORMAT => {
            let message = format!("{name} has fleet version {version}; this aksiso reads versions up to {VERSION}");
            return Err(Problem::new(message, "update aksiso, or gather the fleet with this version"));
        }
        _ => return Err(Problem::new(format!("{name} is not a saved fleet"), SAVE)),
    }
    let envelope = serde_json::from_slice::<Envelope>(&bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(format!("{name} is not a whole saved fleet ({place})"), SAVE)
    })?;
    Ok(envelope.fleet)
}
