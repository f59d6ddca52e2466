//! The plan as a script for a terminal: shows each step, asks, runs it and verifies it. aksiso writes it and never runs
//! it.

use std::fmt::Write as _;

use crate::checks::command::{Command, Shell};
use crate::checks::impact::Impact;
use crate::diagnosis::plan::{Plan, PlanStep};
use crate::text;

/// Width of the texts that it shows, in characters.
const WIDTH: usize = 100;

/// Renders the plan for a shell.
pub fn render(plan: &Plan, shell: Shell) -> String {
    let head = match shell {
        Shell::Posix => include_str!("script/head.sh"),
        Shell::Powershell => include_str!("script/head.ps1"),
    };
    let mut script = Script { out: head.to_owned(), shell };
    let Plan { cluster, collected_at, steps } = plan;
    script.call("step", &format!("Plan of aksiso for cluster {cluster}, from data collected at {collected_at}."));
    if steps.is_empty() {
        script.say("Steps", "none: there is nothing to do");
    }
    for (at, own) in steps.iter().enumerate() {
        let title = format!("Step {} of {}: {}", at + 1, steps.len(), own.remediation.kind.as_str());
        script.step(&title, own);
    }
    script.out
}

struct Script {
    out: String,
    shell: Shell,
}

impl Script {
    fn step(&mut self, title: &str, step: &PlanStep) {
        self.line("");
        self.call("step", title);
        for finding in &step.fixes {
            self.say("Finding", &format!("{} of {}: {}", finding.rule.id, finding.subject.name, finding.detail));
        }
        self.say("Fix", &step.remediation.summary);
        self.say("Impact", &format!("{} ({})", step.impact().as_str(), step.disturbs));
        for lock in &step.locks {
            self.say("Lock", lock);
        }
        let commands = &step.remediation.commands;
        // A place that is left open is for a person to fill in: such a command, and what rests on it, never runs as
        // it is.
        let runs = commands.iter().position(Command::is_open).unwrap_or(commands.len());
        for (at, command) in commands.iter().enumerate() {
            self.command(command, at < runs);
        }
        if commands.is_empty() {
            self.say("By hand", "nothing to run; answer yes to verify what you did");
        }
        self.run(&commands[..runs], step.gate().as_ref(), &step.verify());
    }

    /// What a command does.
    fn command(&mut self, command: &Command, runs: bool) {
        let label = if runs { "Command" } else { "By hand" };
        self.shown(label, &command.line(self.shell));
        if let Some(change) = command.change() {
            self.shown("  impact", change.impact.as_str());
            self.shown("  target", change.target.as_str());
            self.shown("  undo", &change.undo.line(self.shell));
        }
    }

    /// Runs the commands where they are wanted, and verifies them.
    fn run(&mut self, commands: &[Command], gate: Option<&Command>, verify: &Command) {
        let shell = self.shell;
        let deleted = commands.iter().filter_map(Command::change).filter(|change| change.impact == Impact::Deletes);
        let names = deleted.map(|change| Command::new("confirm").word(change.target.name()).line(shell));
        let gate = gate.map(|gate| match shell {
            Shell::Posix => format!("first {}", gate.line(shell)),
            Shell::Powershell => format!("First {{ {} }}", gate.line(shell)),
        });
        let conditions: Vec<String> = gate.into_iter().chain(["ask".to_owned()]).chain(names).collect();
        match shell {
            Shell::Posix => {
                self.line(&format!("if {}; then", conditions.join(" && ")));
                commands.iter().for_each(|command| self.line(&format!("  run {}", command.line(shell))));
                self.line(&format!("  verify {}\nfi", verify.line(shell)));
            }
            Shell::Powershell => {
                self.line(&format!("if (({})) {{", conditions.join(") -and (")));
                commands.iter().for_each(|command| self.line(&format!("  Run {{ {} }}", command.line(shell))));
                self.line(&format!("  Verify {{ {} }}\n}}", verify.line(shell)));
            }
        }
    }

    /// A label and a text beside it, in lines that a terminal can show.
    fn say(&mut self, label: &str, body: &str) {
        let clean = text::clean(body);
        let options = textwrap::Options::new(WIDTH).break_words(false);
        let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
        for (at, line) in textwrap::wrap(&clean, options).iter().enumerate() {
            self.shown(if at == 0 { label } else { "" }, line);
        }
    }

    /// A label and a text beside it on one line, whatever the text holds.
    fn shown(&mut self, label: &str, body: &str) {
        let say = Command::new("say").word(label).word(text::for_ci_log(&text::clean(body)));
        self.line(&say.line(self.shell));
    }

    fn call(&mut self, function: &str, body: &str) {
        let call = Command::new(function).word(text::for_ci_log(&text::clean(body)));
        self.line(&call.line(self.shell));
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }
}
