//! The three formats of `cutover`.

use anstyle::AnsiColor;

use super::{CutoverFormat, CutoverReport, way};
use crate::answers::cutover::gates::{Gate, Pass};
use crate::answers::cutover::names::StepKind;
use crate::answers::cutover::steps::CutoverStep;
use crate::answers::cutover::{Cutover, Safety, State};
use crate::checks::command::Shell;
use crate::diagnosis::gaps;
use crate::report::json::printed;
use crate::report::lines::{LABEL as INDENT, Page, styled};
use crate::report::markdown::{code, escape, fenced};
use crate::report::model::{cluster, gap_entry, impacts, lines};
use crate::report::table::impact_words;
use crate::text;

/// Nodes of a pool, and gates of a kind, that are listed.
const LISTED: usize = 20;

/// Renders where a cluster stands, with commands for a shell, for lines of `width` characters.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(cutover: &Cutover<'_>, format: CutoverFormat, shell: Shell, width: usize) -> serde_json::Result<String> {
    Ok(match format {
        CutoverFormat::Table => table(cutover, shell, width),
        CutoverFormat::Json => printed(&CutoverReport::of(cutover, shell))?,
        CutoverFormat::Markdown => markdown(&CutoverReport::of(cutover, shell)),
    })
}

/// For people.
fn table(cutover: &Cutover<'_>, shell: Shell, width: usize) -> String {
    let mut page = Page::new(width);
    let color = match cutover.state {
        State::S5 => AnsiColor::Red,
        State::S4 | State::S3 => AnsiColor::Green,
        _ => AnsiColor::Yellow,
    };
    let state = format!("State: {} - ", styled(cutover.state.as_str(), color.on_default().bold()));
    page.wrapped(&state, cutover.state.title(), 7);
    page.cluster(&cluster(cutover.evidence), cutover.evidence.collected_at);
    let to = cutover.goal.registry().map_or_else(String::new, |id| format!(" with registry {}", id.name()));
    page.field(
        "Goal",
        &format!("{}{to}; policy {}: {}", cutover.goal.as_str(), cutover.policy.as_str(), cutover.policy.why()),
        INDENT,
    );
    way::draw(&mut page, cutover.state, &cutover.goal);
    pools(&mut page, cutover);
    gates(&mut page, cutover, shell);
    match cutover.now() {
        Some(step) => next(&mut page, cutover, &step, shell),
        None => done(&mut page, cutover),
    }
    ahead(&mut page, cutover, shell);
    page.finish()
}

fn pools(page: &mut Page, cutover: &Cutover<'_>) {
    page.line("\nPools:");
    if let Some(gap) = &cutover.unseen {
        page.paragraph("  ", &format!("not seen: {}", gap_entry(gap).line()), 4);
    }
    for pool in &cutover.pools {
        page.paragraph("  ", &format!("{}: {}, {}", pool.name, pool.age.as_str(), pool.why), 4);
        for node in pool.nodes.iter().take(LISTED) {
            let created = node.created.map_or_else(|| "unknown".to_owned(), |created| created.to_string());
            page.paragraph("    ", &format!("{} {} {created}", node.name, node.age.as_str()), 6);
        }
        if pool.nodes.len() > LISTED {
            page.line(&format!("    and {} more", pool.nodes.len() - LISTED));
        }
    }
}

fn gates(page: &mut Page, cutover: &Cutover<'_>, shell: Shell) {
    let Some(step) = &cutover.next else {
        return notes(page, cutover);
    };
    page.line(&format!("\nGates of the next step, {}:", step.kind));
    if cutover.gates.is_empty() {
        page.line("  all open");
    }
    for pass in [Pass::Closed, Pass::Unknown, Pass::Caution, Pass::Open] {
        let own: Vec<_> = cutover.gates.iter().filter(|gate| gate.pass == pass).collect();
        for gate in own.iter().take(LISTED) {
            let missing = missing(gate);
            page.paragraph("  ", &format!("{} {}: {}{missing}", pass.as_str().to_uppercase(), gate.name, gate.why), 4);
            if let Some(remediation) = gate.remediation.as_ref().filter(|_| pass == Pass::Closed) {
                page.paragraph("    ", &format!("[{}] {}", remediation.kind.as_str(), remediation.summary), 6);
                page.commands("", &lines(&remediation.commands, shell));
            }
        }
        if own.len() > LISTED {
            page.line(&format!("  and {} more {}", own.len() - LISTED, pass.as_str()));
        }
    }
}

/// What to do to see what a gate lacks.
fn missing(gate: &Gate) -> String {
    gate.gap.as_ref().and_then(gaps::remedy).map_or_else(String::new, |remedy| format!(" {remedy}"))
}

/// What will stand in the way of closing egress.
fn ahead(page: &mut Page, cutover: &Cutover<'_>, shell: Shell) {
    if cutover.ahead.is_empty() {
        return;
    }
    page.line("\nAhead: gates of close-egress that are closed now:");
    for gate in cutover.ahead.iter().take(LISTED) {
        page.paragraph("  ", &format!("CLOSED {}: {}", gate.name, gate.why), 4);
        if let Some(remediation) = &gate.remediation {
            page.commands("", &lines(&remediation.commands, shell));
        }
    }
    if cutover.ahead.len() > LISTED {
        page.line(&format!("  and {} more", cutover.ahead.len() - LISTED));
    }
}

/// What stands in the way of having arrived, and what should be minded.
fn notes(page: &mut Page, cutover: &Cutover<'_>) {
    if cutover.gates.is_empty() {
        return;
    }
    page.line("\nWhat diagnose says of it:");
    for gate in cutover.gates.iter().take(LISTED) {
        let missing = missing(gate);
        page.paragraph("  ", &format!("{} {}: {}{missing}", gate.pass.as_str().to_uppercase(), gate.name, gate.why), 4);
    }
}

fn next(page: &mut Page, cutover: &Cutover<'_>, step: &CutoverStep, shell: Shell) {
    let (word, color) = match cutover.safety {
        Safety::Safe => ("safe", AnsiColor::Green),
        Safety::Undetermined => ("NOT VERIFIED SAFE: required data is missing", AnsiColor::Yellow),
        Safety::Unsafe => ("gates are closed; this one first", AnsiColor::Red),
    };
    let title = text::clean(&text::bounded(&step.title, 300));
    page.line("");
    page.wrapped("Next: ", &format!("{title} ({})", styled(word, color.on_default().bold())), 6);
    page.field("Why", &step.why, INDENT);
    page.commands("", &lines(&step.commands, shell));
    page.field("Impact", &impact_words(&impacts(&step.commands)), INDENT);
    page.field("Effect", &step.disturbs, INDENT);
    page.field("Duration", &step.takes, INDENT);
    page.field("Verify", "with:", INDENT);
    page.commands("", &lines(&step.verify, shell));
    page.field("Rollback", &step.back, INDENT);
    page.commands("", &lines(&step.back_commands, shell));
    page.field("More", step.docs, INDENT);
    let main = cutover.next.iter().map(|own| own.kind).filter(|kind| *kind != step.kind);
    let then: Vec<&str> = main.chain(cutover.after.iter().copied()).map(StepKind::as_str).collect();
    if !then.is_empty() {
        page.field("Then", &then.join(", "), INDENT);
    }
}

fn done(page: &mut Page, cutover: &Cutover<'_>) {
    let closed = cutover.gates.iter().any(|gate| gate.pass == Pass::Closed);
    let words = if closed {
        "no step can be run now; see the closed gates above."
    } else if cutover.safety == Safety::Safe {
        "nothing is left to do."
    } else {
        "could not be determined: see the missing data above, or run aksiso diagnose."
    };
    page.line("");
    page.wrapped("Next: ", words, 6);
}

/// Markdown, for a change request.
fn markdown(report: &CutoverReport) -> String {
    let mut out = format!(
        "## aksiso cutover: {} is at {}\n\n{}. Goal {}, policy {}, collected at {}.\n",
        escape(&report.cluster.name),
        report.state.id,
        escape(&report.state.title),
        report.goal,
        report.policy.id,
        report.collected_at
    );
    if !report.gates.is_empty() {
        out.push_str("\n| gate | status | why |\n|---|---|---|\n");
        for gate in &report.gates {
            out.push_str(&format!("| {} | {} | {} |\n", code(&gate.id), gate.status, escape(&gate.why)));
        }
    }
    for gate in &report.ahead {
        out.push_str(&format!("\nAhead, blocking egress closure: {} ({})\n", code(&gate.id), escape(&gate.why)));
    }
    if let Some(step) = &report.next {
        out.push_str(&format!("\n### Next: {} ({})\n\n{}\n", escape(&step.title), step.safety, escape(&step.why)));
        if !step.commands.is_empty() {
            out.push_str(&fenced(&step.commands.join("\n")));
        }
        out.push_str(&format!(
            "\n- Impact: {}\n- Effect: {}\n- Duration: {}\n- Rollback: {}\n",
            impact_words(&step.impacts),
            escape(&step.disturbs),
            escape(&step.takes),
            escape(&step.back)
        ));
        if !step.back_commands.is_empty() {
            out.push_str(&fenced(&step.back_commands.join("\n")));
        }
        out.push_str(&format!("\nVerify:\n{}", fenced(&step.verify.join("\n"))));
    } else {
        let closed = report.gates.iter().any(|gate| gate.status == "closed");
        out.push_str(if closed {
            "\nNothing that could be run; see the closed gates.\n"
        } else {
            "\nNothing is left to do.\n"
        });
    }
    if !report.pools.is_empty() {
        out.push_str("\n| pool | nodes | why |\n|---|---|---|\n");
        for pool in &report.pools {
            out.push_str(&format!("| {} | {} | {} |\n", code(&pool.name), pool.age, escape(&pool.why)));
        }
    }
    out
}
