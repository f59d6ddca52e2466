//! Markdown for a step summary, a pull request or a ticket: at most 1 MiB, and nothing in it is obeyed.

use super::headline;
use super::mermaid;
use super::model::{FindingEntry, Report};
use super::table::impact_words;
use crate::answers::pull::ImageVerdict;
use crate::text;

/// What GitHub takes as a step summary, in bytes, with room for the last line.
const LIMIT: usize = (1 << 20) - 4_096;

pub fn render(report: &Report) -> String {
    let mut out = head(report) + &chain(report) + &what_if(report) + &images(report);
    for finding in &report.findings {
        let section = section(finding, report);
        if out.len() + section.len() > LIMIT {
            out.push_str("\n*The report is longer than a summary may be; the rest is in the other formats.*\n");
            return out;
        }
        out.push_str(&section);
    }
    let tail = checks(report) + &suppressed(report);
    if out.len() + tail.len() <= LIMIT {
        out.push_str(&tail);
    }
    out
}

fn head(report: &Report) -> String {
    format!(
        "## aksiso: {} — {}\n\n{}. Cluster {} in {}, collected at {}.\n",
        escape(&report.cluster.name),
        headline::word(report),
        escape(&headline::counts(report)),
        code(&report.cluster.name),
        code(report.cluster.resource_group.as_deref().unwrap_or("?")),
        report.collected_at
    )
}

/// The chain, which GitHub, GitLab and Azure DevOps draw.
fn chain(report: &Report) -> String {
    mermaid::chain(report).map_or_else(String::new, |chain| format!("\n```mermaid\n{}```\n", text::for_ci_log(&chain)))
}

/// What changes would do that one thinks of.
fn what_if(report: &Report) -> String {
    let Some(effect) = &report.what_if else { return String::new() };
    let changes = effect.changes.iter().map(|change| code(change)).collect::<Vec<_>>().join(", ");
    let mut out = format!("\n**What if**: {changes}. Nothing was changed; the report below assumes these changes.\n\n");
    for (word, moved) in [
        ("stops pulling", &effect.stops_pulling),
        ("starts pulling", &effect.starts_pulling),
        ("unclear", &effect.unclear),
    ] {
        for moved in moved.iter().take(IMAGES) {
            out.push_str(&format!("- {word}: {} ({})\n", code(&moved.image), escape(&moved.workloads.join(", "))));
        }
    }
    if let Some(nothing) = headline::nothing_stops(effect) {
        out.push_str(&format!("- {}\n", escape(&nothing)));
    }
    out.push_str(&format!("- New findings: {}\n", effect.brings.len()));
    out
}

/// Most rows of the table of images, and most images of a list.
const IMAGES: usize = 200;

/// One row an image, those that cannot be pulled first.
fn images(report: &Report) -> String {
    let Some(preflight) = &report.preflight else { return String::new() };
    let mut rows: Vec<_> = preflight.images.iter().collect();
    rows.sort_by_key(|image| ImageVerdict::rank(&image.verdict));
    let mut out = "\n| image | verdict | write instead | where |\n|---|---|---|---|\n".to_owned();
    for image in rows.iter().take(IMAGES) {
        let place = image
            .locations
            .first()
            .map_or_else(String::new, |place| format!("{}:{}, {}", place.file, place.line, place.object));
        let instead = image.reference.as_deref().map(code).unwrap_or_default();
        out.push_str(&format!("| {} | {} | {instead} | {} |\n", code(&image.image), image.verdict, escape(&place)));
    }
    if rows.len() > IMAGES {
        out.push_str(&format!("\n*And {} more images.*\n", rows.len() - IMAGES));
    }
    out
}

fn section(finding: &FindingEntry, report: &Report) -> String {
    let mut out = format!(
        "\n### {} `{}`: {}\n\n{}\n",
        icon(&finding.severity),
        finding.rule,
        escape(&finding.title),
        escape(&finding.detail)
    );
    out.push_str(&format!("\n- Resource: {} {}\n", escape(&finding.subject.kind), code(&finding.subject.name)));
    for seen in &finding.evidence {
        out.push_str(&format!("- {} = {} ({})\n", code(&seen.path), code(&seen.value), code(&seen.source)));
    }
    let all = if finding.caused_by.is_empty() { &[] } else { report.findings.as_slice() };
    let causes = all.iter().filter(|cause| finding.caused_by.contains(&cause.fingerprint));
    for cause in causes {
        out.push_str(&format!("- Caused by `{}` of {}\n", cause.rule, code(&cause.subject.name)));
    }
    if finding.caused_by.is_empty() {
        out.push_str(&format!(
            "\n**Fix** (`{}`): {}\n",
            finding.remediation.kind,
            escape(&finding.remediation.summary)
        ));
        if !finding.remediation.commands.is_empty() {
            out.push_str(&fenced(&finding.remediation.commands.join("\n")));
            out.push_str(&format!("\n**Impact**: {}\n", impact_words(&finding.remediation.impacts)));
        }
        let own = report.plan.iter().filter(|step| step.mends.contains(&finding.fingerprint));
        for step in own {
            if !step.pass_first.is_empty() {
                out.push_str(&format!("\n**Only once these checks pass**: {}\n", step.pass_first.join(", ")));
            }
            step.locks.iter().for_each(|lock| out.push_str(&format!("\n{}\n", escape(lock))));
        }
        out.push_str(&format!("\n[Documentation]({})\n", finding.remediation.docs));
    }
    out
}

fn icon(severity: &str) -> &'static str {
    match severity {
        "error" => "🔴 error",
        "warning" => "🟡 warning",
        _ => "🔵 info",
    }
}

fn checks(report: &Report) -> String {
    let mut out = "\n| check | status | |\n|---|---|---|\n".to_owned();
    for check in &report.checks {
        let reason = check.reason.as_deref().unwrap_or_default();
        out.push_str(&format!("| `{}` | {} | {} |\n", check.id, check.status, escape(reason)));
    }
    let unseen = report.unseen();
    if !unseen.is_empty() {
        out.push_str("\nCould not check:\n\n");
    }
    for (gap, checks) in unseen {
        out.push_str(&format!("- {}: {}\n", escape(&checks.join(", ")), escape(&gap.line())));
    }
    out
}

fn suppressed(report: &Report) -> String {
    let mut out = String::new();
    for entry in &report.suppressed {
        let (finding, by) = (&entry.finding, &entry.suppressed_by);
        let line = by.line.map_or_else(String::new, |line| format!(", line {line}"));
        out.push_str(&format!(
            "- Accepted by {}{line}: {} `{}` of {} ({})\n",
            code(&by.file),
            finding.severity,
            finding.rule,
            code(&finding.subject.name),
            escape(&by.reason)
        ));
    }
    for notice in &report.policy {
        out.push_str(&format!("- {}, line {}: {}\n", code(&notice.file), notice.line, escape(&notice.message)));
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

/// A fence that is longer than any run of backticks in it.
pub(super) fn fenced(commands: &str) -> String {
    let longest = commands.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n{fence}sh\n{}{fence}\n", clean_lines(commands))
}

fn clean_lines(text: &str) -> String {
    text.lines().map(|line| text::for_ci_log(&text::clean(line)) + "\n").collect()
}

/// A code span, whatever is in it.
pub(super) fn code(text: &str) -> String {
    let text = text::break_hashes(&text::clean(text), "# ").replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    if longest == 0 {
        return format!("`{text}`");
    }
    let ticks = "`".repeat(longest + 1);
    format!("{ticks} {text} {ticks}")
}

/// Text in which nothing is Markdown, HTML, a mention or a reference to an issue.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let clean = text::clean(text);
    let mut chars = clean.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Mentions and issue references are found in the finished text, so that a backslash does not stop them.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            ':' if chars.peek() == Some(&':') => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
