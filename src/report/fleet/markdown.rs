//! The fleet in Markdown: causes with their reach, then clusters; at most 1 MiB, and nothing in it is obeyed.

use super::model::{CauseEntry, FleetReport};
use super::words;
use super::{FleetOptions, GroupBy};
use crate::report::markdown::{code, escape, fenced};
use crate::text;

/// What GitHub takes as a step summary, in bytes, with room for the last line.
const LIMIT: usize = (1 << 20) - 4_096;

/// Renders the report.
pub fn render(report: &FleetReport, options: &FleetOptions<'_>) -> String {
    let mut out = head(report);
    let causes = report.causes.iter().enumerate().map(|(at, cause)| section(at + 1, cause, report));
    let table = if matches!(options.group_by, GroupBy::Cause | GroupBy::Cluster) {
        clusters(report)
    } else {
        groups(report, options.group_by)
    };
    let causes: Vec<String> = causes.collect();
    let parts = if options.group_by == GroupBy::Cause {
        causes.into_iter().chain([table]).collect::<Vec<_>>()
    } else {
        std::iter::once(table).chain(causes).collect()
    };
    for part in parts
        .into_iter()
        .chain([list("Could not check", &words::unseen(report)), list("Not shown", &words::notes(report))])
    {
        if out.len() + part.len() > LIMIT {
            out.push_str("\n*The report is longer than a summary may be; the rest is in the other formats.*\n");
            break;
        }
        out.push_str(&part);
    }
    out
}

fn head(report: &FleetReport) -> String {
    let mut out = format!(
        "## aksiso fleet: {}\n\n{}. {}, as of {:.0}.\n",
        words::verdict(&report.verdict),
        escape(&words::headline(report)),
        escape(&words::verdicts(report)),
        report.as_of
    );
    if let Some(effect) = &report.effect {
        let changes: Vec<String> = effect.changes.iter().map(|change| code(change)).collect();
        let bad: Vec<&str> = words::worse(report, effect).map(|own| own.name).collect();
        out.push_str(&format!(
            "\n**What if**: {}. Nothing was changed. {} would have new findings: {}.\n",
            changes.join(", "),
            text::count(bad.len(), "cluster"),
            escape(&text::listed(bad))
        ));
        words::open(effect).iter().for_each(|open| out.push_str(&format!("{}\n", escape(open))));
    }
    out
}

fn section(number: usize, cause: &CauseEntry, report: &FleetReport) -> String {
    let finding = report.finding(&cause.fingerprint);
    let names = cause.clusters.iter().map(|id| words::name(id));
    let mut out = format!(
        "\n### {number}. {} `{}` {}\n\n{}.\n\n{}\n\n- Clusters: {}\n\n**Fix** (`{}`): {}\n",
        cause.severity,
        cause.rule,
        code(&cause.subject.name),
        escape(&words::reach(cause)),
        escape(finding.map_or("", |finding| &finding.detail)),
        escape(&text::listed(names)),
        cause.remediation.kind,
        escape(&cause.remediation.summary)
    );
    if !cause.remediation.commands.is_empty() {
        out.push_str(&fenced(&cause.remediation.commands.join("\n")));
    }
    out
}

fn clusters(report: &FleetReport) -> String {
    let mut out = "\n| cluster | where | verdict | |\n|---|---|---|---|\n".to_owned();
    for cluster in words::by_verdict(report) {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            code(&cluster.name),
            escape(&words::place(cluster)),
            words::verdict(&cluster.verdict),
            escape(&words::has(report, cluster))
        ));
    }
    out
}

fn groups(report: &FleetReport, by: GroupBy) -> String {
    let mut out = "\n| group | clusters | unhealthy | causes |\n|---|---|---|---|\n".to_owned();
    for group in words::groups(report, by) {
        let rules: Vec<&str> = group.causes.iter().map(|cause| cause.rule.as_str()).collect();
        let unhealthy = words::unhealthy(&group.clusters);
        out.push_str(&format!(
            "| {} | {} | {unhealthy} | {} |\n",
            code(&group.name),
            group.clusters.len(),
            escape(&rules.join(", "))
        ));
    }
    out
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items: Vec<String> = lines.iter().map(|line| format!("- {}\n", escape(line))).collect();
    format!("\n**{title}**\n\n{}", items.concat())
}
