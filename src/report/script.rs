//! The plan as a script: commented, stops at the first failure, asks before each step. aksiso writes it and never runs
//! it.

use std::fmt::Write as _;

use crate::checks::command::Shell;
use crate::diagnosis::plan::{Plan, PlanStep};
use crate::text;

/// Renders the plan for a shell.
pub fn render(plan: &Plan, shell: Shell) -> String {
    let mut out = head(shell).to_owned();
    let Plan { cluster, collected_at, steps } = plan;
    comment(&mut out, &format!("Plan of aksiso for cluster {cluster}, from what was seen at {collected_at}."));
    if steps.is_empty() {
        comment(&mut out, "There is nothing to do.");
    }
    for (at, own) in steps.iter().enumerate() {
        let title = format!("Step {} of {}: {}", at + 1, steps.len(), own.remediation.kind.as_str());
        step(&mut out, &title, own, shell);
    }
    out
}

fn step(out: &mut String, title: &str, step: &PlanStep, shell: Shell) {
    out.push('\n');
    comment(out, title);
    for finding in &step.fixes {
        comment(out, &format!("fixes {} of {}: {}", finding.rule.id, finding.subject.name, finding.detail));
    }
    comment(out, &format!("do: {}", step.remediation.summary));
    comment(out, &format!("disturbs: {}", step.disturbs));
    comment(out, &format!("verify: {}", step.verify.line(shell)));
    ask(out, title, shell);
    let commands = &step.remediation.commands;
    for command in commands {
        // A placeholder is for a person to fill in: such a line never runs as it is.
        let open = command.words().iter().any(|word| word.starts_with('<') && word.ends_with('>'));
        let prefix = if open { "# fill in, then remove the #: " } else { "" };
        let line = command.line(shell);
        let stop = if open || shell == Shell::Posix { "" } else { "\nif ($LASTEXITCODE -ne 0) { exit 1 }" };
        let _ = writeln!(out, "{prefix}{line}{stop}");
    }
    if commands.is_empty() {
        comment(out, "nothing to run: do it by hand");
    }
}

fn head(shell: Shell) -> &'static str {
    match shell {
        Shell::Posix => {
            "#!/bin/sh\n# Read it before you run it. It stops at the first failure and asks before each step.\nset \
             -eu\nask() { printf '%s\\nGo on? [y/N] ' \"$1\"; read -r answer; [ \"$answer\" = y ] || exit 1; }\n"
        }
        Shell::Powershell => {
            "# Read it before you run it. It stops at the first failure and asks before each \
             step.\n$ErrorActionPreference = 'Stop'\nfunction Ask($title) { if ((Read-Host \"$title - go on? [y/N]\") \
             -ne 'y') { exit 1 } }\n"
        }
    }
}

/// A comment on one line, whatever the text holds.
fn comment(out: &mut String, text: &str) {
    let _ = writeln!(out, "# {}", text::for_ci_log(&text::clean(text)));
}

fn ask(out: &mut String, title: &str, shell: Shell) {
    let _ = match shell {
        Shell::Posix => writeln!(out, "ask '{title}'"),
        Shell::Powershell => writeln!(out, "Ask '{title}'"),
    };
}
