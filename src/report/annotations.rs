//! Lines that CI systems turn into annotations: GitHub's workflow commands and Azure Pipelines' logging commands.

use super::headline;
use super::model::{FindingEntry, Report};
use crate::text;

/// GitHub shows ten errors, ten warnings and ten notices of a step; ten in all are what a person reads.
const MOST: usize = 10;

/// GitHub: the most severe first, root causes before symptoms.
pub fn github(report: &Report) -> String {
    let command = |severity: &str| match severity {
        "error" => "error",
        "warning" => "warning",
        _ => "notice",
    };
    let verdict = |line: &str| {
        let command = command(headline::severity(report));
        format!("::{command} title=aksiso {}::{}\n", github_property(&report.cluster.name), github_value(line))
    };
    let unseen = |text: &str| format!("::warning title={UNSEEN}::{}\n", github_value(text));
    lines(report, verdict, unseen, |finding| {
        let command = command(&finding.severity);
        let title = github_property(&format!("{}: {}", finding.rule, finding.title));
        let place =
            finding.locations.first().filter(|place| place.file != "-").map_or_else(String::new, |place| {
                format!("file={},line={},", github_property(&place.file), place.line)
            });
        format!("::{command} {place}title={title}::{}\n", github_value(&message(finding)))
    })
}

/// Azure Pipelines: errors and warnings; it has no level for infos.
pub fn azure_pipelines(report: &Report) -> String {
    let verdict = |line: &str| {
        let kind = if headline::severity(report) == "error" { "error" } else { "warning" };
        format!("##vso[task.logissue type={kind};code=aksiso]{}\n", azure_value(line))
    };
    let unseen = |text: &str| format!("##vso[task.logissue type=warning;code={UNSEEN}]{}\n", azure_value(text));
    lines(report, verdict, unseen, |finding| {
        let kind = if finding.severity == "error" { "error" } else { "warning" };
        if finding.severity == "info" {
            return String::new();
        }
        let place = finding.locations.first().filter(|place| place.file != "-").map_or_else(String::new, |place| {
            format!("sourcepath={};linenumber={};", azure_property(&place.file), place.line)
        });
        format!(
            "##vso[task.logissue type={kind};{place}code={}]{}\n",
            azure_property(&finding.rule),
            azure_value(&message(finding))
        )
    })
}

/// What could not be seen has one line, however many checks that concerns.
const UNSEEN: &str = "could-not-check";

/// The verdict first, where findings alone do not say it all; what could not be seen last.
fn lines(
    report: &Report,
    verdict: impl Fn(&str) -> String,
    unseen: impl Fn(&str) -> String,
    line: impl Fn(&FindingEntry) -> String,
) -> String {
    let gaps = report.unseen();
    let gaps: Vec<String> = gaps.iter().map(|(gap, checks)| format!("{}: {}", checks.join(", "), gap.line())).collect();
    let last = (!gaps.is_empty()).then(|| unseen(&text::clean(&text::bounded(&gaps.join(" "), 3_000))));
    let rank = |finding: &&FindingEntry| match finding.severity.as_str() {
        "error" => 0,
        "warning" => 1,
        _ => 2,
    };
    let mut findings: Vec<&FindingEntry> = report.findings.iter().collect();
    findings.sort_by_key(|finding| (rank(finding), !finding.caused_by.is_empty()));
    let verdict =
        headline::is_more_than_findings(report).then(|| verdict(&text::bounded(&headline::line(report), 3_000)));
    let findings = findings.into_iter().map(line).filter(|line| !line.is_empty());
    let room = MOST - usize::from(last.is_some());
    verdict.into_iter().chain(findings).take(room).chain(last).collect()
}

fn message(finding: &FindingEntry) -> String {
    let first = finding.remediation.commands.first().map_or_else(String::new, |command| format!(" Do: {command}"));
    let piped = finding.locations.first().filter(|place| place.file == "-");
    let piped = piped.map_or_else(String::new, |place| format!("{}, {}: ", place.object, place.container));
    text::clean(&text::bounded(&format!("{piped}{}{first}", finding.detail), 3_000))
}

/// What stands after the last `::` is text; only these three would end it or start an escape.
/// GitHub reads one command a line; the log may be shown where `##` begins one.
fn github_value(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    text::break_hashes(&text, "# ")
}

fn github_property(text: &str) -> String {
    github_value(&text::clean(text)).replace(':', "%3A").replace(',', "%2C")
}

/// `##` would begin another command in the same line.
fn azure_value(text: &str) -> String {
    let text = text.replace('%', "%AZP25").replace('\r', "%0D").replace('\n', "%0A");
    text::break_hashes(&text, "# ")
}

fn azure_property(text: &str) -> String {
    azure_value(text).replace(';', "%3B").replace(']', "%5D")
}
