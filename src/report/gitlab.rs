//! GitLab's code quality report: a list of issues, each with a path, a line and a fingerprint; one more for
//! each check that could not see everything, and one for the verdict where findings alone do not say it all.

use serde::Serialize;

use super::headline;
use super::model::{GapEntry, Report};
use super::sarif::{file, path};
use crate::text;

#[derive(Serialize)]
struct Issue<'r> {
    description: String,
    check_name: &'r str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// Renders the report.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(report: &Report) -> serde_json::Result<String> {
    let issues = report.findings.iter().map(|finding| Issue {
        description: text::bounded(&format!("{}: {}", finding.title, finding.detail), 1_000),
        check_name: &finding.rule,
        fingerprint: finding.fingerprint.clone(),
        severity: severity(&finding.severity),
        location: finding.locations.first().map_or_else(
            || Location { path: path(&finding.subject.id), lines: Lines { begin: 1 } },
            |place| Location {
                path: file(place),
                lines: Lines { begin: u32::try_from(place.line).unwrap_or(1).max(1) },
            },
        ),
    });
    let verdict = headline::is_more_than_findings(report).then(|| Issue {
        description: text::bounded(&headline::line(report), 1_000),
        check_name: "aksiso",
        fingerprint: headline::fingerprint(report),
        severity: severity(headline::severity(report)),
        location: Location { path: path(&report.cluster.id), lines: Lines { begin: 1 } },
    });
    super::json::printed(&issues.chain(unseen(report)).chain(verdict).collect::<Vec<_>>())
}

/// What a check could not see is an issue too, and no silence.
fn unseen(report: &Report) -> impl Iterator<Item = Issue<'_>> {
    const NAME: &str = "could-not-check";
    report.checks.iter().filter(|check| !check.gaps.is_empty()).map(|check| {
        let gaps: Vec<String> = check.gaps.iter().map(GapEntry::line).collect();
        Issue {
            description: text::bounded(&format!("Could not check {}: {}", check.id, gaps.join(" ")), 1_000),
            check_name: NAME,
            fingerprint: text::hash(&format!("{NAME}\n{}\n{}", check.id, report.cluster.id.to_lowercase())),
            severity: "minor",
            location: Location { path: path(&report.cluster.id), lines: Lines { begin: 1 } },
        }
    })
}

fn severity(word: &str) -> &'static str {
    match word {
        "error" => "critical",
        "warning" => "major",
        _ => "info",
    }
}
