//! Answers to questions that a diagnosis leaves: would these images be pulled, which step of the cut-over is next, what
//! would a change do. Each is a pure function of the evidence and its diagnosis.

pub mod chain;
pub mod cutover;
pub mod fleet;
pub mod preflight;
pub mod probe_hint;
pub mod pull;
pub mod whatif;

use crate::checks::catalogue;
use crate::checks::rule::{Rule, RuleSet};

/// Every set of rules that there is: those of the checks, and those of the answers.
pub fn rule_sets() -> impl Iterator<Item = &'static RuleSet> {
    catalogue::ALL.iter().map(|check| &check.about).chain([&preflight::RULES])
}

/// A rule by its name, with its set.
pub fn rule_named(name: &str) -> Option<(&'static RuleSet, &'static Rule)> {
    rule_sets().find_map(|set| set.rules.iter().find(|rule| rule.id == name).map(|rule| (set, *rule)))
}
