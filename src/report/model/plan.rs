//! The plan of a report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{impacts, lines};
use crate::checks::command::Shell;
use crate::diagnosis::plan::PlanStep;

/// A step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepEntry {
    /// Its number, from 1.
    pub step: usize,
    /// The kind of remediation.
    pub kind: String,
    /// What to do.
    pub summary: String,
    /// Fingerprints of what the step fixes.
    pub mends: Vec<String>,
    pub commands: Vec<String>,
    /// The same without a question to answer.
    pub script_commands: Vec<String>,
    pub disturbs: String,
    /// `restore`, `look` or `harden`: the steps come in that order.
    #[serde(default)]
    pub phase: String,
    /// The worst of `impacts`.
    #[serde(default)]
    pub impact: String,
    /// What each of `commands` does to what runs, in their order, as in a remediation.
    #[serde(default)]
    pub impacts: Vec<String>,
    /// The ARM ids that the commands write to.
    #[serde(default)]
    pub targets: Vec<String>,
    /// How each of `commands` is undone, in their order: a command, or words; null for one that only looks.
    #[serde(default)]
    pub undo: Vec<Option<String>>,
    /// The checks that must pass before the step is taken.
    #[serde(default)]
    pub pass_first: Vec<String>,
    /// Locks that stand in the way, and locks that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    /// The command that shows whether it worked.
    pub verify: String,
}

pub(super) fn step_entry(number: usize, step: &PlanStep, shell: Shell) -> StepEntry {
    let mut fixes: Vec<String> = step.fixes.iter().map(|finding| finding.fingerprint().to_string()).collect();
    fixes.dedup();
    let remediation = &step.remediation;
    let undo = remediation.commands.iter().map(|command| command.change().map(|change| change.undo.line(shell)));
    StepEntry {
        step: number,
        kind: remediation.kind.as_str().to_owned(),
        summary: remediation.summary.clone(),
        mends: fixes,
        commands: lines(&remediation.commands, shell),
        script_commands: lines(&remediation.script, shell),
        disturbs: step.disturbs.to_owned(),
        phase: step.phase.as_str().to_owned(),
        impact: step.impact().as_str().to_owned(),
        impacts: impacts(&remediation.commands),
        targets: step.targets().into_iter().map(ToString::to_string).collect(),
        undo: undo.collect(),
        pass_first: step.pass_first.iter().map(|check| check.id.to_owned()).collect(),
        locks: step.locks.clone(),
        verify: step.verify().line(shell),
    }
}
