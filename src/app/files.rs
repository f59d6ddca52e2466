//! The operator's files: snapshots, policies, former reports and maps of pseudonyms.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::cli::PolicyArgs;
use super::output;
use crate::answers;
use crate::checks::rule::RuleSet;
use crate::diagnosis::policy::{self, Policy};
use crate::evidence::anonymize::Pseudonyms;
use crate::evidence::probe::{self, Supplied};
use crate::evidence::{Evidence, snapshot};
use crate::report::model::Report;
use crate::report::old;
use crate::text::{self, problem::Problem};

/// Largest policy that is read, in bytes.
const POLICY: u64 = 1 << 20;
/// Largest report, and largest map of pseudonyms, that is read, in bytes.
const REPORT: u64 = 256 << 20;

/// How a file is named in messages.
fn named(path: &Path) -> String {
    text::clean(&path.display().to_string())
}

/// Reads a bounded file.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Problem> {
    let cannot = |error: io::Error| Problem::new(format!("{} cannot be read: {error}", named(path)), "check the path");
    if std::fs::metadata(path).map_err(cannot)?.len() > limit {
        return Err(Problem::new(format!("{} is larger than {} MiB", named(path), limit >> 20), "check the path"));
    }
    std::fs::read(path).map_err(cannot)
}

/// Reads a snapshot from a file, or from standard input where the path is `-`.
///
/// # Errors
/// What is wrong with it; memory stays bounded whatever it is.
pub fn read_snapshot(path: &Path) -> Result<Evidence, Problem> {
    if path == Path::new("-") {
        return snapshot::read_from(io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => snapshot::read_from(BufReader::new(file), &name),
        Err(source) => Err(snapshot::unreadable(&name, &source)),
    }
}

/// Writes a snapshot whole or not at all; only the owner may read it (it describes a network).
///
/// # Errors
/// The file cannot be written.
pub fn write_snapshot(evidence: &Evidence, path: &Path) -> anyhow::Result<()> {
    output::write_whole(path, snapshot::render(evidence)?.as_bytes())
}

/// Reads a JSON report that aksiso wrote.
///
/// # Errors
/// What is wrong with it.
pub fn read_report(path: &Path) -> Result<Report, Problem> {
    old::read(&read(path, REPORT)?, &named(path))
}

/// Reads a report of whatever kind, within bounds.
///
/// # Errors
/// The file cannot be read.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    read(path, REPORT)
}

/// Reads a file that a probe wrote. Nothing but a regular file is opened: a pipe could keep a run waiting for ever.
///
/// # Errors
/// What is wrong with it.
pub fn read_probe(path: &Path) -> Result<Supplied, Problem> {
    let regular = std::fs::metadata(path).map_or(true, |there| there.is_file());
    if !regular {
        return Err(Problem::new(format!("{} is not a regular file", named(path)), "check the path"));
    }
    let probe = probe::parse(&read(path, probe::LIMIT)?, &named(path))?;
    Ok(Supplied { file: path.display().to_string(), probe })
}

/// Reads the probe files of a command line, before anything is asked.
///
/// # Errors
/// What is wrong with the first that cannot be used.
pub fn read_probes(paths: &[PathBuf]) -> Result<Vec<Supplied>, Problem> {
    paths.iter().map(|path| read_probe(path)).collect()
}

/// Reads a map of pseudonyms.
///
/// # Errors
/// What is wrong with it.
pub fn read_pseudonyms(path: &Path) -> Result<Pseudonyms, Problem> {
    Pseudonyms::parse(&read(path, REPORT)?, &named(path))
}

/// Reads a policy.
///
/// # Errors
/// What is wrong in which line, and what was meant.
pub fn read_policy(path: &Path) -> Result<Policy, Problem> {
    let name = named(path);
    let text = String::from_utf8(read(path, POLICY)?)
        .map_err(|_| Problem::new(format!("{name} is not UTF-8"), "expected a policy in TOML"))?;
    let known: Vec<&'static RuleSet> = answers::rule_sets().collect();
    Policy::parse(&text, &name, &known)
}

/// The policy that counts: the one that is named, else the one that is found; none where none is wanted.
///
/// # Errors
/// What is wrong with it.
pub fn policy(args: &PolicyArgs) -> Result<Policy, Problem> {
    let found = match &args.config {
        Some(file) => Some(file.clone()),
        None if args.no_config => None,
        None => std::env::current_dir().ok().and_then(|folder| find_policy(&folder)),
    };
    found.map_or_else(|| Ok(Policy::default()), |file| read_policy(&file))
}

/// The policy of the folder, or of the nearest one above it, as a path from there: a report does not tell where on a
/// machine it was made.
pub fn find_policy(from: &Path) -> Option<PathBuf> {
    let above = from.ancestors().position(|folder| folder.join(policy::FILE).is_file())?;
    Some((0..above).map(|_| "..").chain([policy::FILE]).collect())
}
