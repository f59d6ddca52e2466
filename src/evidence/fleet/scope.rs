//! Which subscriptions a run is about, and which of them answered.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::fact::Gap;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Wanted {
    /// Everything that the sign-in can see.
    Tenant,
    /// Everything below these management groups.
    ManagementGroups(Vec<String>),
    Subscriptions(Vec<String>),
}

/// Subscription ids are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    pub wanted: Wanted,
    /// The subscriptions that should answer.
    pub expected: BTreeSet<String>,
    /// Those of which Resource Graph shows something.
    pub seen: BTreeSet<String>,
    /// Why the list of expected ones may not be whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// How a subscription stands to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Resource Graph shows it.
    Seen,
    /// It should have answered, and did not.
    Hidden,
    /// Nobody asked for it.
    Outside,
}

impl Scope {
    /// A scope of which nobody answered yet.
    pub fn new(wanted: Wanted) -> Self {
        let expected = match &wanted {
            Wanted::Subscriptions(ids) => ids.iter().map(|id| id.to_lowercase()).collect(),
            Wanted::Tenant | Wanted::ManagementGroups(_) => BTreeSet::new(),
        };
        Self { wanted, expected, seen: BTreeSet::new(), gaps: Vec::new() }
    }

    /// How a subscription stands.
    pub fn standing(&self, subscription: &str) -> Standing {
        let subscription = subscription.to_lowercase();
        if self.seen.contains(&subscription) {
            Standing::Seen
        } else if self.expected.contains(&subscription) {
            Standing::Hidden
        } else {
            Standing::Outside
        }
    }

    /// Subscriptions that should have answered and did not: the reader may not see them.
    pub fn hidden(&self) -> impl Iterator<Item = &str> {
        self.expected.difference(&self.seen).map(String::as_str)
    }
}
