//! The reader of probe files: what cannot be used is refused whole.

use serde::Deserialize;

use super::{Probe, SCHEMA_VERSION};
use crate::text::{self, problem::Problem};

/// Largest file that is read, in bytes.
pub const LIMIT: u64 = 1 << 20;
/// Most results of one file.
const RESULTS: usize = 4_096;
/// What to do where a file is no probe's.
const PROBE: &str = "expected the file that aksiso probe, or its script, wrote";

/// The part that is read first: whatever else changes, this does not.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "schemaVersion")]
    schema_version: Option<String>,
}

/// Reads a probe file; `name` names it in messages.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8], name: &str) -> Result<Probe, Problem> {
    let wrong = |error: &serde_json::Error| {
        let why = if error.is_eof() { "it is cut short".to_owned() } else { cause(error) };
        Problem::new(format!("{name} is not a probe file: {why}"), PROBE)
    };
    let header: Header = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
    match header.schema_version.as_deref() {
        Some(SCHEMA_VERSION) => {}
        Some(other) => {
            let other = text::clean(&text::bounded(other, 40));
            let message = format!("{name} has probe schema version {other}; this aksiso reads {SCHEMA_VERSION}");
            return Err(Problem::new(message, "run the probe with this version of aksiso"));
        }
        None => return Err(Problem::new(format!("{name} is not a probe file: it has no schemaVersion"), PROBE)),
    }
    let probe: Probe = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
    if probe.results.len() > RESULTS {
        let message = format!("{name} holds {} results; at most {RESULTS} are read", probe.results.len());
        return Err(Problem::new(message, PROBE));
    }
    Ok(probe)
}

/// serde's message; bounded, because it may quote the file.
fn cause(error: &serde_json::Error) -> String {
    text::clean(&text::bounded(&error.to_string(), 200))
}
