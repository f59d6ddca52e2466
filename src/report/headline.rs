//! The verdict in one line, the same in every format: what counts, and what keeps the result from being a clean bill of
//! health: findings that were accepted, checks that could not see everything, checks that nobody asked for, changes that
//! are only assumed.

use super::model::{Report, WhatIfEntry};
use crate::text::{self, count};

/// The whole line: the verdict, the counts, and what changes are assumed.
pub(super) fn line(report: &Report) -> String {
    let assumed = report.what_if.as_ref().map_or_else(String::new, |effect| format!("; {}", assumed(effect)));
    text::clean(&format!("{} - {}{assumed}", report.verdict.to_uppercase(), counts(report)))
}

/// What counts, and what does not.
pub(super) fn counts(report: &Report) -> String {
    let summary = &report.summary;
    let mut parts =
        vec![format!("{}, {}, {} info", count(summary.error, "error"), count(summary.warning, "warning"), summary.info)];
    parts.extend(accepted(report).map(|accepted| format!("accepted: {accepted}")));
    let unseen = report.checks.iter().filter(|check| !check.gaps.is_empty()).count();
    if unseen > 0 {
        parts.push(format!("{} could not see everything", count(unseen, "check")));
    }
    if summary.not_asked > 0 {
        parts.push(format!("{} not asked for", count(summary.not_asked, "check")));
    }
    parts.join("; ")
}

/// How much was accepted of each severity; none where nothing was.
fn accepted(report: &Report) -> Option<String> {
    let of = |severity: &str| report.suppressed.iter().filter(|entry| entry.finding.severity == severity).count();
    let (errors, warnings, infos) = (of("error"), of("warning"), of("info"));
    let parts = [
        (errors > 0).then(|| count(errors, "error")),
        (warnings > 0).then(|| count(warnings, "warning")),
        (infos > 0).then(|| format!("{infos} info")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What changes one thinks of, and what they would do.
fn assumed(effect: &WhatIfEntry) -> String {
    let stops = effect.stops_pulling.len();
    let unclear = effect.unclear.len();
    let mut line = format!("assumes: {}", effect.changes.join("; "));
    if stops > 0 {
        line.push_str(&format!("; {} in use could no longer be pulled", count(stops, "image")));
    }
    if unclear > 0 {
        line.push_str(&format!("; {} in use could not be judged", count(unclear, "image")));
    }
    line + &format!("; new findings: {}", effect.brings.len())
}

/// Whether the findings alone do not say it all: a format that holds nothing but findings has one entry more then.
pub(super) fn is_more_than_findings(report: &Report) -> bool {
    let unseen = report.checks.iter().any(|check| !check.gaps.is_empty());
    !report.suppressed.is_empty() || unseen || report.summary.not_asked > 0 || report.what_if.is_some()
}

/// The severity of that entry: what was not seen is a warning.
pub(super) fn severity(report: &Report) -> &'static str {
    let unseen = report.checks.iter().any(|check| !check.gaps.is_empty());
    let stops = report.what_if.as_ref().is_some_and(|effect| !effect.stops_pulling.is_empty());
    if stops {
        "error"
    } else if unseen {
        "warning"
    } else {
        "info"
    }
}

/// What finds the entry again: there is one for a cluster.
pub(super) fn fingerprint(report: &Report) -> String {
    text::hash(&format!("verdict\n{}", report.cluster.id.to_lowercase()))
}
