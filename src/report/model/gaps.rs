//! What could not be seen, as a report tells it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;
use crate::diagnosis::gaps;
use crate::evidence::Gap;

/// Something that could not be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GapEntry {
    /// The permission that reads it.
    pub needed: Option<String>,
    /// Where it is needed.
    pub scope: Option<String>,
    /// The smallest built-in role that grants it, where the permission is what was missing.
    pub role: Option<String>,
    /// What happened.
    pub detail: String,
    /// `permission`, `sign-in`, `not-found`, `throttled`, `server-error`, `time-out`, `unreachable`, `malformed`,
    /// `not-visible`, `wrong-cluster` or `not-collected`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The call that brought nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What to do to see it the next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A gap, as a report names it.
pub fn gap_entry(gap: &Gap) -> GapEntry {
    GapEntry {
        needed: gap.needed.clone(),
        scope: Some(gap.scope.clone()).filter(|scope| !scope.is_empty()),
        role: gap.role.clone(),
        detail: gap.detail.clone(),
        kind: gaps::kind(gap).to_owned(),
        call: gap.call.as_deref().map(str::to_owned),
        remedy: gaps::remedy(gap),
    }
}

impl GapEntry {
    /// What happened and what to do, in one line.
    pub fn line(&self) -> String {
        let call = self.call.as_ref().map_or_else(String::new, |call| format!("{call}: "));
        let remedy = self.remedy.as_ref().map_or_else(String::new, |remedy| format!(" {remedy}"));
        format!("{call}{}.{remedy}", self.detail.trim_end_matches('.'))
    }
}

impl Report {
    /// Each gap once, with the checks that met it.
    pub fn unseen(&self) -> Vec<(&GapEntry, Vec<&str>)> {
        let mut seen: Vec<(&GapEntry, Vec<&str>)> = Vec::new();
        for (gap, check) in self.checks.iter().flat_map(|check| check.gaps.iter().map(move |gap| (gap, check))) {
            match seen.iter_mut().find(|(known, _)| *known == gap) {
                Some((_, checks)) => checks.push(&check.id),
                None => seen.push((gap, vec![&check.id])),
            }
        }
        seen
    }
}
