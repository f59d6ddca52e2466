//! The operator's policy, apart from the checks: other severities, findings that are accepted for a time, and a baseline
//! of what is known already.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check;
use crate::finding::{Finding, Severity};
use crate::image;
use crate::manifest::paths::ImagePath;
use crate::report::model::Report;
use crate::text;
pub use file::PolicyFile;

/// The name under which a policy is looked for.
pub const FILE: &str = "aksiso.toml";
/// Largest policy that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// A policy that was read and makes sense.
#[derive(Debug, Default)]
pub struct Policy {
    file: String,
    severities: BTreeMap<String, Severity>,
    suppressions: Vec<Suppression>,
    image_paths: Vec<ImagePath>,
    reachable: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Suppression {
    line: usize,
    rule: String,
    subject: String,
    reason: String,
    until: Date,
}

/// What takes a finding out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuppressedBy {
    /// The policy or baseline file.
    pub file: String,
    /// The line in the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The reason that it gives.
    pub reason: String,
    /// The last day on which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// Something that is wrong with the policy itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// The policy file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a policy or a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    message: String,
    /// What to do.
    pub hint: String,
}

fn problem(message: impl Into<String>, hint: impl Into<String>) -> PolicyError {
    PolicyError { message: message.into(), hint: hint.into() }
}

/// The policy of the folder, or of the nearest one above it, as a path from there: a report does not tell where on a
/// machine it was made.
pub fn find(from: &Path) -> Option<PathBuf> {
    let above = from.ancestors().position(|folder| folder.join(FILE).is_file())?;
    Some((0..above).map(|_| "..").chain([FILE]).collect())
}

/// Reads a bounded text file.
fn read_text(path: &Path, limit: u64) -> Result<String, PolicyError> {
    let name = text::clean(&path.display().to_string());
    let hint = "check the path";
    let size = std::fs::metadata(path).map_err(|error| problem(format!("{name} cannot be read: {error}"), hint))?;
    if size.len() > limit {
        return Err(problem(format!("{name} is larger than {} MiB", limit >> 20), hint));
    }
    std::fs::read_to_string(path).map_err(|error| problem(format!("{name} cannot be read: {error}"), hint))
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong in which line, and what was meant.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let name = text::clean(&path.display().to_string());
        Self::parse(&read_text(path, LIMIT)?, &name)
    }

    /// Reads a policy's text.
    ///
    /// # Errors
    /// As [`Policy::read`].
    pub fn parse(toml: &str, name: &str) -> Result<Self, PolicyError> {
        let line = |at: usize| toml[..at.min(toml.len())].matches('\n').count() + 1;
        let file: PolicyFile = toml::from_str(toml).map_err(|error| {
            let at = error.span().map_or(1, |span| line(span.start));
            // The first line of the message; the others quote the file.
            let message = text::clean(&text::bounded(error.message(), 200));
            problem(format!("{name}, line {at}: {message}"), unknown_key(error.message()))
        })?;
        let mut policy = Self { file: name.to_owned(), ..Self::default() };
        for (rule, severity) in file.severity {
            known_rule(rule.get_ref(), name, line(rule.span().start))?;
            policy.severities.insert(rule.into_inner(), severity.into());
        }
        for entry in file.suppress {
            let at = line(entry.span().start);
            let entry = entry.into_inner();
            known_rule(&entry.rule, name, at)?;
            let until = entry.until.parse::<Date>().map_err(|_| {
                let wrong = text::clean(&text::bounded(&entry.until, 40));
                problem(
                    format!("{name}, line {at}: until = \"{wrong}\" is no date"),
                    "expected a day such as \"2027-01-31\"",
                )
            })?;
            if entry.reason.trim().is_empty() {
                return Err(problem(format!("{name}, line {at}: the reason is empty"), "say why this is accepted"));
            }
            policy.suppressions.push(Suppression {
                line: at,
                rule: entry.rule,
                subject: entry.subject.unwrap_or_else(|| "*".to_owned()),
                reason: text::bounded(&entry.reason, 500),
                until,
            });
        }
        for entry in file.preflight.images {
            let at = line(entry.span().start);
            let entry = entry.into_inner();
            let path = ImagePath::new(&entry.kind, &entry.path).map_err(|why| {
                let why = text::clean(&text::bounded(&why, 300));
                problem(
                    format!("{name}, line {at}: {why}"),
                    "for example: kind = \"Widget.example.com\", path = \"spec.server.image\"",
                )
            })?;
            policy.image_paths.push(path);
        }
        for entry in file.preflight.reachable {
            let at = line(entry.span().start);
            let entry = entry.into_inner();
            let host = image::host(&entry.host).map_err(|why| {
                let wrong = text::clean(&text::bounded(&entry.host, 100));
                problem(format!("{name}, line {at}: host = \"{wrong}\": {why}"), "without https:// and without a path")
            })?;
            if entry.reason.trim().is_empty() {
                return Err(problem(format!("{name}, line {at}: the reason is empty"), "say which way leads there"));
            }
            policy.reachable.insert(host, text::bounded(&entry.reason, 500));
        }
        Ok(policy)
    }

    /// Where images stand in custom resources, as far as the operator says so.
    pub fn image_paths(&self) -> &[ImagePath] {
        &self.image_paths
    }

    /// Registries that the nodes reach, as the operator says, and by which way.
    pub fn reachable(&self) -> &BTreeMap<String, String> {
        &self.reachable
    }

    /// The severity that the policy gives a rule.
    pub fn severity(&self, rule: &str) -> Option<Severity> {
        self.severities.get(rule).copied()
    }

    /// The suppression that covers a finding on a day.
    pub fn suppresses(&self, finding: &Finding, today: Date) -> Option<SuppressedBy> {
        let by = self.suppressions.iter().find(|entry| entry.until >= today && entry.covers(finding))?;
        Some(SuppressedBy {
            file: self.file.clone(),
            line: Some(by.line),
            reason: by.reason.clone(),
            until: Some(by.until.to_string()),
        })
    }

    /// What is wrong with the policy: suppressions that have expired, and those that match nothing although their rule's
    /// check saw everything.
    pub fn notices(&self, findings: &[Finding], complete: &BTreeSet<&str>, today: Date) -> Vec<Notice> {
        let wrong = self.suppressions.iter().filter_map(|entry| {
            let matched = findings.iter().any(|finding| entry.covers(finding));
            let seen = check::of_rule(&entry.rule).is_some_and(|(check, _)| complete.contains(check.id));
            let message = match (entry.until < today, matched) {
                (true, true) => {
                    format!("the suppression of {} expired on {}: its finding counts again", entry.rule, entry.until)
                }
                (true, false) => format!("the suppression of {} expired on {}: take it out", entry.rule, entry.until),
                (false, false) if seen => format!("the suppression of {} matches nothing: take it out", entry.rule),
                _ => return None,
            };
            Some(Notice { file: self.file.clone(), line: entry.line, message })
        });
        wrong.collect()
    }
}

impl Suppression {
    fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule.id && text::matches(&self.subject, finding.subject.id.as_str())
    }
}

fn known_rule(rule: &str, file: &str, line: usize) -> Result<(), PolicyError> {
    if check::of_rule(rule).is_some() {
        return Ok(());
    }
    let rules = check::everything().flat_map(|check| check.rules.iter().map(|rule| rule.id));
    let near = text::nearest(rule, rules).map_or_else(String::new, |near| format!("did you mean {near}? "));
    let shown = text::clean(&text::bounded(rule, 60));
    Err(problem(
        format!("{file}, line {line}: there is no rule \"{shown}\""),
        format!("{near}aksiso checks lists them all"),
    ))
}

/// What was meant by a key that does not exist: the message names it and those that do.
fn unknown_key(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let general =
        "expected [severity] with RULE = \"error|warning|info\", and [[suppress]] with rule, subject, reason and until";
    match quoted.split_first() {
        Some((wrong, known)) if message.starts_with("unknown field") => {
            let near = text::nearest(wrong, known.iter().copied());
            near.map_or_else(|| general.to_owned(), |near| format!("did you mean {near}?"))
        }
        _ => general.to_owned(),
    }
}

/// What was known already: the fingerprints of a former report.
#[derive(Debug)]
pub struct Baseline {
    file: String,
    fingerprints: BTreeSet<String>,
}

impl Baseline {
    /// Reads a former JSON report.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let report = read_report(path)?;
        let fingerprints = report.findings.into_iter().map(|finding| finding.fingerprint);
        Ok(Self { file: text::clean(&path.display().to_string()), fingerprints: fingerprints.collect() })
    }

    /// Whether the finding was there before.
    pub fn knows(&self, finding: &Finding) -> Option<SuppressedBy> {
        self.fingerprints.contains(&finding.fingerprint()).then(|| SuppressedBy {
            file: self.file.clone(),
            line: None,
            reason: "known from the baseline".to_owned(),
            until: None,
        })
    }
}

/// Reads a JSON report that aksiso wrote.
///
/// # Errors
/// What is wrong with it.
pub fn read_report(path: &Path) -> Result<Report, PolicyError> {
    const HINT: &str = "expected a report that aksiso diagnose --output json wrote";
    let name = text::clean(&path.display().to_string());
    let json = read_text(path, 256 << 20)?;
    let version = serde_json::from_str::<serde_json::Value>(&json).ok();
    match version.as_ref().and_then(|report| report["schemaVersion"].as_str()) {
        Some(crate::report::model::SCHEMA_VERSION) => {}
        Some(other) => {
            let other = text::clean(&text::bounded(other, 20));
            return Err(problem(
                format!("{name} has report schema version {other}, which this aksiso does not read"),
                HINT,
            ));
        }
        None => return Err(problem(format!("{name} is not a report"), HINT)),
    }
    serde_json::from_str(&json).map_err(|error| {
        problem(format!("{name} is not a whole report (line {}, column {})", error.line(), error.column()), HINT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(toml: &str) -> (String, String) {
        let error = Policy::parse(toml, "aksiso.toml").expect_err("a wrong policy");
        (error.to_string(), error.hint)
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_what_was_meant() {
        let (message, hint) = wrong("[severity]\nregistry-public-acces = \"info\"\n");
        assert_eq!(message, "aksiso.toml, line 2: there is no rule \"registry-public-acces\"");
        assert!(hint.starts_with("did you mean registry-public-access?"), "{hint}");
        let entry = |more: &str| format!("\n[[suppress]]\nrule = \"registry-public-access\"\nreason = \"r\"\n{more}\n");
        let (message, hint) = wrong(&entry("until = \"2027-01-31\"\nsubjekt = \"*\""));
        assert!(message.starts_with("aksiso.toml, line 6: unknown field `subjekt`"), "{message}");
        assert_eq!(hint, "did you mean subject?");
        let (message, _) = wrong(&entry("until = \"soon\""));
        assert_eq!(message, "aksiso.toml, line 2: until = \"soon\" is no date");
        assert!(wrong(&entry("")).0.contains("missing field `until`"));
        assert!(wrong("suppress = 3").0.starts_with("aksiso.toml, line 1:"));
        assert!(wrong("[severity]\nregistry-public-access = \"bad\"\n").0.contains("line 2"));
        assert!(wrong("[[suppres]]\n").1.contains("did you mean suppress?"));
        assert!(wrong("\u{1b}[31m").0.chars().all(|c| !c.is_control()));
    }
}
