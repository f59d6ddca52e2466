//! One HTML page that needs nothing else: no request leaves it, only its own style and script run (by their hashes in
//! its content security policy), and whatever comes from a cluster is text.

mod chain;

use super::headline;
use super::marks::{self, mark};
use super::model::{FindingEntry, Report};
use super::picture::Picture;
use super::roots::{Root, Roots};
use super::table::impact_words;
use crate::text;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

pub fn render(report: &Report) -> String {
    let roots = Roots::of(report);
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    );
    let title = escape(&format!("{}: {}", report.cluster.name, headline::word(report)));
    let main = [
        head(report),
        chain::svg(&Picture::of(report, &roots)),
        causes(&roots),
        images(report),
        unseen(report),
        accepted(report),
        notes(&roots),
        plan(report),
        checks(report),
    ]
    .concat();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" \
         content=\"no-referrer\">\n<title>aksiso: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         {main}</main>\n<p id=\"status\" class=\"faint\" role=\"status\"></p>\n<script>{SCRIPT}</script>\n</body>\n\
         </html>\n"
    )
}

fn head(report: &Report) -> String {
    let state = headline::state(report);
    let assumed = report.what_if.as_ref().map_or_else(String::new, |effect| {
        format!("<p><strong>What if</strong>: {}. Nothing was changed; this report assumes these changes.</p>\n", {
            escape(&effect.changes.join("; "))
        })
    });
    format!(
        "<h1 class=\"{}\"><span class=\"mark\">{} {}</span> {}</h1>\n<p>{}</p>\n{assumed}<p class=\"faint\">Resource \
         group {}, collected at {}, aksiso {}</p>\n",
        state.as_str(),
        mark(state),
        headline::word(report),
        escape(&report.cluster.name),
        escape(&headline::counts(report)),
        escape(report.cluster.resource_group.as_deref().unwrap_or("?")),
        report.collected_at,
        escape(&report.tool.version)
    )
}

fn causes(roots: &Roots<'_>) -> String {
    if roots.causes.is_empty() {
        return String::new();
    }
    let articles = roots.causes.iter().enumerate().map(|(at, root)| article(&format!("{} ", at + 1), root));
    format!("<h2>Root causes</h2>\n{}", articles.collect::<String>())
}

fn article(number: &str, root: &Root<'_>) -> String {
    let finding = root.finding;
    let state = marks::state(root.severity);
    let explains = root
        .explains
        .iter()
        .map(|own| format!("<li><code>{}</code> {}{}</li>\n", escape(&own.rule), escape(&own.detail), evidence(own)));
    let explains: String = explains.collect();
    let explains = if explains.is_empty() { explains } else { format!("<p>Explains</p>\n<ul>\n{explains}</ul>\n") };
    let remediation = &finding.remediation;
    let commands: String = remediation.commands.iter().map(|command| one_command(command)).collect();
    format!(
        "<article class=\"{}\">\n<h3><span class=\"mark\">{number}{} {}</span> <code>{}</code></h3>\n<p \
         class=\"faint\">{}: {}</p>\n<p>{}</p>\n{}{explains}<p><strong>Fix</strong> ({}): {}</p>\n{commands}<p \
         class=\"faint\">Impact: {}. <a href=\"{}\" rel=\"noreferrer\">Documentation</a></p>\n</article>\n",
        state.as_str(),
        mark(state),
        root.severity.as_str(),
        escape(&finding.rule),
        escape(&finding.subject.kind),
        escape(&finding.subject.name),
        escape(&finding.detail),
        evidence(finding),
        escape(&remediation.kind),
        escape(&remediation.summary),
        escape(&impact_words(&remediation.impacts)),
        link(&remediation.docs)
    )
}

fn evidence(finding: &FindingEntry) -> String {
    if finding.evidence.is_empty() {
        return String::new();
    }
    let rows = finding.evidence.iter().map(|seen| {
        let (path, value, source) = (escape(&seen.path), escape(&seen.value), escape(&seen.source));
        format!("<tr><td><code>{path}</code></td><td>{value}</td><td class=\"faint\">{source}</td></tr>\n")
    });
    format!(
        "<details><summary>Evidence</summary>\n<table>\n<tr><th>Field</th><th>Value</th><th>Read \
         from</th></tr>\n{}</table></details>\n",
        rows.collect::<String>()
    )
}

fn one_command(command: &str) -> String {
    format!(
        "<div class=\"command\"><pre>{}</pre><button class=\"copy\" type=\"button\" hidden>Copy</button></div>\n",
        escape(command)
    )
}

/// The images of manifests, each with its verdict and the reference to write.
fn images(report: &Report) -> String {
    let Some(preflight) = &report.preflight else { return String::new() };
    let row = |image: &super::model::ImageEntry| {
        let instead = image.reference.as_deref().filter(|reference| *reference != image.image).unwrap_or_default();
        let (name, why) = (escape(&image.image), escape(&image.detail));
        let verdict = escape(&image.verdict);
        format!("<tr><td><code>{name}</code></td><td>{verdict}</td><td>{why}</td><td>{}</td></tr>\n", escape(instead))
    };
    let rows: String = preflight.images.iter().map(row).collect();
    let head = "<tr><th>Image</th><th>Verdict</th><th>Why</th><th>Write instead</th></tr>";
    format!("<h2>Images</h2>\n<table>\n{head}\n{rows}</table>\n")
}

fn unseen(report: &Report) -> String {
    let gaps = report.checks.iter().flat_map(|check| check.gaps.iter().map(move |gap| (check, gap)));
    let rows = gaps.map(|(check, gap)| {
        let needed = gap.needed.as_deref().map_or_else(String::new, |needed| format!(" (needs {needed})"));
        format!("<li><code>{}</code>: {}</li>\n", escape(&check.id), escape(&format!("{}{needed}", gap.detail)))
    });
    list("Could not check", rows.collect())
}

fn accepted(report: &Report) -> String {
    let rows = report.suppressed.iter().map(|entry| {
        let (finding, by) = (&entry.finding, &entry.suppressed_by);
        let what = format!("{} of {}: {} ({})", finding.rule, finding.subject.name, by.reason, by.file);
        format!("<li>{} {}</li>\n", escape(&finding.severity), escape(&what))
    });
    let policy = report.policy.iter().map(|notice| {
        format!("<li>{}</li>\n", escape(&format!("{}, line {}: {}", notice.file, notice.line, notice.message)))
    });
    list("Accepted", rows.collect()) + &list("Policy", policy.collect())
}

fn notes(roots: &Roots<'_>) -> String {
    let rows = roots.notes.iter().map(|note| {
        format!("<li><code>{}</code> {}{}</li>\n", escape(&note.rule), escape(&note.detail), evidence(note))
    });
    list("Notes", rows.collect())
}

fn plan(report: &Report) -> String {
    let rows = report.plan.iter().map(|step| {
        let first = report.findings.iter().find(|finding| step.mends.first() == Some(&finding.fingerprint));
        let what = first.map_or_else(String::new, |own| format!(" for {} of {}", own.rule, own.subject.name));
        let passed = if step.pass_first.is_empty() {
            String::new()
        } else {
            format!("; only once these checks pass: {}", step.pass_first.join(", "))
        };
        let line = format!("{}{what}; impact: {}{passed}", step.kind, impact_words(&step.impacts));
        let line = escape(&[&[line], step.locks.as_slice()].concat().join("; "));
        format!("<li>{line}<details><summary>Verify</summary>{}</details></li>\n", one_command(&step.verify))
    });
    let rows: String = rows.collect();
    if rows.is_empty() { rows } else { format!("<h2>Plan, in this order</h2>\n<ol>\n{rows}</ol>\n") }
}

fn checks(report: &Report) -> String {
    let row = |check: &super::model::CheckEntry| {
        let reason = check.reason.as_deref().unwrap_or_default();
        format!("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n", escape(&check.id), check.status, {
            escape(reason)
        })
    };
    let rows: String = report.checks.iter().map(row).collect();
    format!(
        "<details><summary>Checks</summary>\n<table>\n<tr><th>Check</th><th>Status</th><th></th></tr>\n{rows}</table></details>\n"
    )
}

fn list(title: &str, rows: String) -> String {
    if rows.is_empty() { rows } else { format!("<h2>{title}</h2>\n<ul>\n{rows}</ul>\n") }
}

/// A link to documentation; anything else than https leads nowhere.
fn link(address: &str) -> String {
    if address.starts_with("https://") { escape(address) } else { String::new() }
}

/// Text, and nothing but text, in an element or a quoted attribute; a CI log that shows the page obeys none of it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text::clean(text).chars() {
        match c {
            // Two colons at the start of a line would be a command for a CI system.
            ':' if out.ends_with(':') => out.push_str("&#58;"),
            '&' | '<' | '>' | '"' | '\'' | '`' | '#' => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// How a content security policy names an inline style or script: `sha256-…` in base64.
fn source(inline: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, inline.as_bytes());
    let mut out = "sha256-".to_owned();
    for bytes in digest.as_ref().chunks(3) {
        let number =
            bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - bytes.len()));
        for at in 0..4 {
            let digit = char::from(DIGITS[number >> (18 - 6 * at) & 63]);
            out.push(if at > bytes.len() { '=' } else { digit });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn the_hash_is_the_one_that_browsers_compute() {
        assert_eq!(source(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
