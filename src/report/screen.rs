//! The first screen: the verdict, the chain, then one block for each root cause with its fix. What is left out is named
//! in the last line; `--details` prints it all.

use anstyle::Style;

use super::Options;
use super::lines::{Page, styled};
use super::marks::{self, DOT, coloured};
use super::model::{FindingEntry, Report};
use super::picture::{self, Picture};
use super::roots::{Root, Roots};
use super::table::impact_words;
use crate::answers::chain::LinkState;
use crate::checks::node_view;
use crate::text::{self, count};

/// Root causes that get a block; further ones get a line.
const BLOCKS: usize = 5;
/// Column at which the text of a block begins.
const INDENT: usize = 5;
/// Commands that a block shows at most.
const MOST_COMMANDS: usize = 3;
/// Lines of other lists: what was not seen, what is accepted.
const LISTED: usize = 3;

/// Renders the first screen for lines of `width` characters.
pub fn render(report: &Report, options: &Options<'_>) -> String {
    let mut page = Page::for_options(options);
    let roots = Roots::of(report);
    page.verdict(report, options.elapsed);
    picture::draw(&mut page, &Picture::of(report, &roots));
    if let Some(effect) = &report.what_if {
        page.effect(effect);
    }
    if !roots.causes.is_empty() || report.checks.iter().any(|check| !check.gaps.is_empty()) {
        page.line("");
    }
    // With many root causes each takes fewer lines, so that all of them are on one screen.
    let by_remedy = remedies(report);
    let room = match roots.causes.len() + by_remedy.len().min(LISTED) {
        0..=1 => 4,
        2..=3 => 3,
        4 => 2,
        _ => 1,
    };
    for (at, root) in roots.causes.iter().enumerate() {
        head(&mut page, at + 1, root);
        if at < BLOCKS {
            block(&mut page, report, root, room);
        }
    }
    unseen(&mut page, &by_remedy);
    let accepted = !report.policy.is_empty() || (1..=LISTED).contains(&report.suppressed.len());
    if accepted {
        page.suppressed(report);
    }
    hidden(&mut page, report, &roots);
    page.finish()
}

/// The number, the mark, the rule, what it is about, and what it explains.
fn head(page: &mut Page, number: usize, root: &Root<'_>) {
    let finding = root.finding;
    let mark = coloured(marks::state(root.severity));
    let rule = page.linked(&styled(&finding.rule, Style::new().bold()), &finding.remediation.docs);
    let subject = text::clean(&text::bounded(&finding.subject.name, 80));
    page.line(&format!("{number:>2} {mark} {rule}  {subject}{}", explains(root)));
}

fn explains(root: &Root<'_>) -> String {
    let mut rules: Vec<(&str, usize)> = Vec::new();
    for symptom in &root.explains {
        match rules.iter_mut().find(|(rule, _)| *rule == symptom.rule) {
            Some((_, number)) => *number += 1,
            None => rules.push((&symptom.rule, 1)),
        }
    }
    let word = |(rule, number): &(&str, usize)| {
        if *number > 1 { format!("{number} {rule}") } else { (*rule).to_owned() }
    };
    let words: Vec<String> = rules.iter().take(2).map(word).collect();
    let more = if rules.len() > 2 { format!(" and {} more", rules.len() - 2) } else { String::new() };
    if words.is_empty() { String::new() } else { format!("  explains {}{more}", words.join(", ")) }
}

/// What is wrong, in so many lines, and what to do.
fn block(page: &mut Page, report: &Report, root: &Root<'_>, lines: usize) {
    let finding: &FindingEntry = root.finding;
    let indent = " ".repeat(INDENT);
    page.at_most(&indent, &text::clean(&finding.detail), INDENT, lines);
    let remediation = &finding.remediation;
    let (kind, commands) = (remediation.kind.replace('-', " "), &remediation.commands);
    let impact = impact_words(&remediation.impacts);
    let impact = if impact == "none" { String::new() } else { format!(" (impact: {impact})") };
    if commands.is_empty() {
        let what = text::clean(first_sentence(&remediation.summary));
        return page.at_most(&indent, &format!("Fix: {what}"), INDENT, 2);
    }
    let impact = impact + &conditions(report, finding);
    // Commands are shown all or not at all: the first of three may be the one that deletes.
    if commands.len() > (lines + 1).min(MOST_COMMANDS) {
        let pointer = format!("{}: --details shows them in order", count(commands.len(), "command"));
        return page.at_most(&indent, &format!("Fix: {kind}{impact}; {pointer}"), INDENT, 2);
    }
    page.at_most(&indent, &format!("Fix: {kind}{impact}"), INDENT, 2);
    commands.iter().for_each(|command| page.line(&format!("{indent}{}", text::clean(command))));
}

/// What must be so before the fix, as the plan says it.
fn conditions(report: &Report, finding: &FindingEntry) -> String {
    let step = report.plan.iter().find(|step| step.mends.contains(&finding.fingerprint));
    let Some(step) = step else { return String::new() };
    let first = (!step.pass_first.is_empty()).then(|| {
        let verb = if step.pass_first.len() == 1 { "passes" } else { "pass" };
        format!(", only once {} {verb}", step.pass_first.join(", "))
    });
    let locked = (!step.locks.is_empty()).then(|| ", locked: see --details".to_owned());
    text::clean(&[first, locked].into_iter().flatten().collect::<String>())
}

/// The first sentence of a text, as far as that can be seen.
fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

/// What to do, and what was not seen for want of it.
type Remedy<'r> = (Option<&'r String>, Vec<String>);

/// What was not seen, by what to do about it.
fn remedies(report: &Report) -> Vec<Remedy<'_>> {
    let mut by_remedy: Vec<Remedy<'_>> = Vec::new();
    for (gap, checks) in report.unseen() {
        let what = text::clean(&format!("could not check {}: {}", checks.join(", "), gap.detail));
        match by_remedy.iter_mut().find(|(remedy, _)| *remedy == gap.remedy.as_ref()) {
            Some((_, gaps)) => gaps.push(what),
            None => by_remedy.push((gap.remedy.as_ref(), vec![what])),
        }
    }
    by_remedy
}

/// What was not seen, each with what to do about it; what has the same remedy stands together.
fn unseen(page: &mut Page, by_remedy: &[Remedy<'_>]) {
    let first = format!("   {} ", coloured(LinkState::Unseen));
    let indent = " ".repeat(INDENT);
    for (remedy, gaps) in by_remedy.iter().take(LISTED) {
        gaps.iter().take(LISTED).for_each(|gap| page.at_most(&first, gap, INDENT, 2));
        if gaps.len() > LISTED {
            page.line(&format!("{indent}and {} like it: --details", count(gaps.len() - LISTED, "gap")));
        }
        if let Some(remedy) = remedy {
            page.at_most(&indent, &text::clean(remedy), INDENT, 3);
        }
    }
    let more: usize = by_remedy.iter().skip(LISTED).map(|(_, gaps)| gaps.len()).sum();
    if more > 0 {
        page.line(&format!("{indent}and {} more: --details", count(more, "gap")));
    }
}

/// The check that has nothing to look at without a probe file.
const NODE_VIEW: &str = node_view::CHECK.about.id;

/// What the first screen leaves out, and how to see it.
fn hidden(page: &mut Page, report: &Report, roots: &Roots<'_>) {
    let of = |status: &str| report.checks.iter().filter(|check| check.status == status).count();
    let mut parts = Vec::new();
    let mut part = |number: usize, noun: &str| {
        if number > 0 {
            parts.push(count(number, noun));
        }
    };
    part(of("passed"), "passed check");
    // That nobody gave a probe file is no news.
    let unasked = report.checks.iter().any(|check| check.status == "not-applicable" && check.id == NODE_VIEW);
    part(of("not-applicable") - usize::from(unasked && report.probes.is_empty()), "inapplicable check");
    part(roots.notes.len(), "note");
    if report.suppressed.len() > LISTED {
        part(report.suppressed.len(), "accepted finding");
    }
    if !report.findings.is_empty() {
        parts.push("evidence".to_owned());
    }
    let mut line = Vec::new();
    if !parts.is_empty() {
        line.push(format!("not shown: {} (--details)", parts.join(", ")));
    }
    if !report.plan.is_empty() {
        line.push("--plan plan.sh".to_owned());
    }
    if let Some(root) = roots.causes.first() {
        line.push(format!("aksiso explain {}", root.finding.rule));
    }
    if !line.is_empty() {
        page.line("");
        page.units(&line, DOT);
    }
}
