//! What one check leaves open and another may answer: a node's own view settles what Azure does not show.

use super::finding::{Finding, Observation, SubjectId};
use super::rule::{Rule, RuleSet};
use crate::evidence::Gap;
use crate::evidence::id::ResourceId;

/// A question that Azure's answers leave open, and that a look from a node answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whether the nodes of a network resolve the registry's names to its endpoint.
    Resolution(ResourceId),
    /// Whether the nodes reach the registry's endpoint.
    Path,
    /// Whether the nodes of a network resolve the API server's private name to its endpoint.
    ApiServerName(ResourceId),
    /// Whether the nodes reach the API server.
    ApiServerPath,
}

/// What goes away once its questions are answered well.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    pub what: Doubt,
    /// All of them must be answered.
    pub until: Vec<Question>,
}

/// What a check says while a question is open.
#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    Gap(Gap),
    Finding(&'static Rule, SubjectId),
}

/// What a check says about the matters of others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// Questions whose answer is that all is well.
    pub settled: Vec<Question>,
    /// Questions whose answer is that it is as one feared.
    pub confirmed: Vec<Question>,
    /// Findings of another check's rules.
    pub findings: Vec<(&'static RuleSet, Finding)>,
    /// What stands beside a finding of another check, where there is one.
    pub corroborations: Vec<(&'static Rule, Observation)>,
    /// Findings of its own that hold only beside what another check says.
    pub contradictions: Vec<(Against, Finding)>,
}

/// What an observation contradicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Against {
    /// A field that says so.
    Stated,
    /// That a check passes, and saw everything.
    Passing(&'static RuleSet),
    /// That one of these rules stands as an error.
    Standing(&'static [&'static Rule]),
}
