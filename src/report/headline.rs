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
    let mut parts = vec![format!(
        "{}, {}, {} info",
        count(summary.error, "error"),
        count(summary.warning, "warning"),
        summary.info
    )];
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
    if effect.unseen.is_some() {
        line.push_str("; the images in use were not seen");
    }
    if unclear > 0 {
        line.push_str(&format!("; {} in use could not be judged", count(unclear, "image")));
    }
    line + &format!("; new findings: {}", effect.brings.len())
}

/// What is said where no image is seen to stop; none where one is, or may be.
pub(super) fn nothing_stops(effect: &WhatIfEntry) -> Option<String> {
    let moved = effect.stops_pulling.len() + effect.unclear.len();
    if let Some(gap) = &effect.unseen {
        return Some(format!("could not be determined, because the images in use were not seen: {}", gap.line()));
    }
    match (moved, effect.images_in_use) {
        (0, 0) => Some("no image in use was seen".to_owned()),
        (0, images) if effect.still_not_pulled == 0 => Some(format!("none of {} in use", count(images, "image"))),
        (0, images) => Some(format!(
            "no further image; {} of {} in use could not be pulled, or not be judged, before either",
            effect.still_not_pulled,
            count(images, "image")
        )),
        _ => None,
    }
}

/// Whether the findings alone do not say it all: a format that holds nothing but findings has one entry more then.
pub(super) fn is_more_than_findings(report: &Report) -> bool {
    let unseen = report.checks.iter().any(|check| !check.gaps.is_empty());
    !report.suppressed.is_empty() || unseen || report.summary.not_asked > 0 || report.what_if.is_some()
}

/// The severity of that entry: what was not seen is a warning.
pub(super) fn severity(report: &Report) -> &'static str {
    let effect = report.what_if.as_ref();
    let unclear = effect.is_some_and(|effect| effect.unseen.is_some() || !effect.unclear.is_empty());
    let unseen = unclear || report.checks.iter().any(|check| !check.gaps.is_empty());
    if effect.is_some_and(|effect| !effect.stops_pulling.is_empty()) {
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
