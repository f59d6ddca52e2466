//! The exit codes: a public contract, the same in every format.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::answers::cutover::gates::Pass;
use crate::answers::cutover::{Cutover, Goal, Safety, State};
use crate::answers::whatif::Effect;
use crate::checks::rule::Severity;
use crate::diagnosis::Diagnosis;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: nothing at or above the threshold, and everything was seen.
    Clean,
    /// 1: a finding at or above the threshold.
    Findings,
    /// 2: could not run: wrong usage, no sign-in, no such cluster.
    CouldNotRun,
    /// 3: nothing at or above the threshold, but something could not be seen.
    Incomplete,
    /// 130 or 143: ended by Ctrl-C or a request to terminate, as a shell counts it.
    Interrupted(u8),
}

impl Exit {
    /// The exit code of a diagnosis.
    pub fn of(diagnosis: &Diagnosis<'_>, fail_on: FailOn, allow_incomplete: bool) -> Self {
        if diagnosis.findings.iter().any(|finding| fail_on.includes(finding.severity)) {
            Self::Findings
        } else if diagnosis.incomplete() && !allow_incomplete {
            Self::Incomplete
        } else {
            Self::Clean
        }
    }

    /// The exit code of what changes would do: an image in use that could no longer be pulled is as bad as an error.
    pub fn of_effect(effect: &Effect, fail_on: FailOn, allow_incomplete: bool) -> Self {
        if !effect.stops.is_empty() && fail_on.includes(Severity::Error) {
            Self::Findings
        } else if effect.incomplete() && !allow_incomplete {
            Self::Incomplete
        } else {
            Self::Clean
        }
    }

    /// The worse of two: findings before what is not known.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Findings, _) | (_, Self::Findings) => Self::Findings,
            (Self::Clean, other) => other,
            (own, _) => own,
        }
    }

    /// The exit code of a cut-over: findings where something is broken or stands in the way, incomplete where something
    /// is not known.
    pub fn of_cutover(cutover: &Cutover<'_>) -> Self {
        // Who wants to go back, and is back, asks nothing of the way forward.
        let back = cutover.goal == Goal::Direct && cutover.next.is_none();
        match (cutover.state, cutover.safety) {
            (State::S0 | State::S1 | State::S0OrS1, Safety::Safe) if back => {
                if cutover.gates.is_empty() {
                    Self::Clean
                } else {
                    Self::Incomplete
                }
            }
            (State::S5, _) | (_, Safety::Unsafe) => Self::Findings,
            (State::S0OrS1 | State::S2OrS3 | State::S4OrS5, _) | (_, Safety::Undetermined) => Self::Incomplete,
            _ if cutover.next.is_none() && cutover.gates.iter().any(|gate| gate.pass == Pass::Closed) => Self::Findings,
            _ => Self::Clean,
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::CouldNotRun => 2,
            Self::Incomplete => 3,
            Self::Interrupted(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// From which severity on a finding fails the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors only
    Error,
    /// Errors and warnings
    Warning,
    /// Every finding
    Info,
    /// No finding
    Never,
}

impl FailOn {
    /// Whether a finding of this severity fails the run.
    pub fn includes(self, severity: Severity) -> bool {
        self.least().is_some_and(|least| severity >= least)
    }

    /// The least severity that fails the run; none where nothing does.
    pub fn least(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Info => Some(Severity::Info),
            Self::Never => None,
        }
    }
}
