//! The verdict in one line, the same in every format: what counts, and what keeps the result from being a clean bill of
//! health: findings that were accepted, checks that could not see everything, checks that nobody asked for, changes that
//! are only assumed.

use super::model::{Report, WhatIfEntry};
use super::roots::Roots;
use crate::answers::chain::LinkState;
use crate::answers::pull::ImageVerdict;
use crate::checks::rule::Severity;
use crate::text::{self, count};

/// The verdict in one word for people; the JSON has the one of the contract.
pub(super) fn word(report: &Report) -> &'static str {
    let images = report.preflight.is_some();
    match report.verdict.as_str() {
        "healthy" if images => "READY",
        "healthy" => "HEALTHY",
        "incomplete" => "INCOMPLETE",
        "accepted" => "ACCEPTED",
        _ if images => "NOT READY",
        _ => "UNHEALTHY",
    }
}

/// How bad the verdict is, in the states of a link.
pub(super) fn state(report: &Report) -> LinkState {
    match report.verdict.as_str() {
        "healthy" => LinkState::Ok,
        "incomplete" | "accepted" => LinkState::Warning,
        _ if report.findings.iter().any(|finding| finding.severity == "error") => LinkState::Broken,
        _ => LinkState::Warning,
    }
}

/// The whole line: the verdict, the counts, and what changes are assumed.
pub(super) fn line(report: &Report) -> String {
    let assumed = report.what_if.as_ref().map_or_else(String::new, |effect| format!("; {}", assumed(effect)));
    text::clean(&format!("{}: {}{assumed}", word(report), counts(report)))
}

/// What counts, what it costs, and what does not count.
pub(super) fn counts(report: &Report) -> String {
    let mut parts = vec![found(report)];
    parts.extend(cost(report));
    parts.extend(accepted(report).map(|accepted| format!("accepted: {accepted}")));
    let unseen = report.checks.iter().filter(|check| !check.gaps.is_empty()).count();
    if unseen > 0 {
        parts.push(format!("{} could not see everything", count(unseen, "check")));
    }
    if report.summary.not_asked > 0 {
        parts.push(format!("{} not asked for", count(report.summary.not_asked, "check")));
    }
    parts.join("; ")
}

/// Root causes, what they explain, and notes: together all findings.
fn found(report: &Report) -> String {
    let roots = Roots::of(report);
    let causes = roots.causes.len();
    let of =
        |severity, noun| Some(roots.count(severity)).filter(|number| *number > 0).map(|number| count(number, noun));
    let kinds: Vec<String> =
        [of(Severity::Error, "error"), of(Severity::Warning, "warning")].into_iter().flatten().collect();
    let mut parts = Vec::new();
    match causes {
        0 if !report.suppressed.is_empty() => parts.push("nothing new".to_owned()),
        0 => parts.push("no problem found".to_owned()),
        // Where all are errors, the marks say so.
        _ if roots.count(Severity::Warning) == 0 => parts.push(count(causes, "root cause")),
        _ => parts.push(format!("{} ({})", count(causes, "root cause"), kinds.join(", "))),
    }
    let symptoms = roots.symptoms();
    if symptoms > 0 {
        parts.push(count(symptoms, "symptom"));
    }
    if !roots.notes.is_empty() {
        parts.push(count(roots.notes.len(), "note"));
    }
    parts.join(", ")
}

/// What cannot be done now.
pub(super) fn cost(report: &Report) -> Option<String> {
    if let Some(preflight) = &report.preflight {
        let well = [ImageVerdict::Pullable.as_str(), ImageVerdict::NotPulled.as_str()];
        let open = |verdict: &str| verdict == ImageVerdict::Unknown.as_str();
        let verdicts = preflight.images.iter().map(|image| image.verdict.as_str());
        let unknown = verdicts.clone().filter(|verdict| open(verdict)).count();
        let stuck = verdicts.filter(|verdict| !well.contains(verdict) && !open(verdict)).count();
        let stuck = format!("{stuck} of {} cannot be pulled as written", count(preflight.images.len(), "image"));
        let unknown = if unknown > 0 { format!(", {unknown} could not be determined") } else { String::new() };
        return Some(stuck + &unknown);
    }
    let parts = [(report.affected.pods, "pod", "cannot pull"), (report.affected.pools, "pool", "cannot add nodes")];
    let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, noun, what)| format!("{} {what}", count(number, noun))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
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
