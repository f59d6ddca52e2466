//! What is known and what is not: the two are never mixed up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text;

/// A fact that was asked for: known, or missing with the reason.
///
/// A confirmed absence (a 404 on a thing that should exist, an empty list) is [`Fact::Known`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fact<T> {
    Known(T),
    /// No answer, and why.
    Missing(Gap),
}

impl<T> Fact<T> {
    /// The answer, where there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Missing(_) => None,
        }
    }

    /// The gap, where there is one.
    pub fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Known(_) => None,
            Self::Missing(gap) => Some(gap),
        }
    }

    /// The same fact with its answer turned into another form.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(turn(value)),
            Self::Missing(gap) => Fact::Missing(gap),
        }
    }

    /// All answers, or the first gap: a part of them would look like the whole.
    pub fn all(facts: impl IntoIterator<Item = Self>) -> Fact<Vec<T>> {
        let answers = facts.into_iter().map(|fact| match fact {
            Self::Known(value) => Ok(value),
            Self::Missing(gap) => Err(gap),
        });
        answers.collect::<Result<_, _>>().map_or_else(Fact::Missing, Fact::Known)
    }

    /// Whether nobody asked, as against: asked and not answered.
    pub fn not_collected(&self) -> bool {
        self.gap().is_some_and(|gap| gap.reason == Reason::NotCollected)
    }
}

impl<T> Default for Fact<T> {
    /// Nothing is known until somebody asks.
    fn default() -> Self {
        Self::Missing(Gap::not_collected())
    }
}

/// Why a fact is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// 403: signed in, but without the permission.
    Forbidden,
    /// 401: the sign-in itself was refused.
    Unauthorized,
    /// 404 where absence is no answer (a subscription or tenant that cannot be seen).
    NotFound,
    /// 429: the server asks to wait longer than a run may take.
    Throttled,
    /// 5xx, after the retries.
    ServerError,
    /// No complete answer within the time limit.
    TimedOut,
    /// Name resolution, connection or TLS failed.
    Unreachable,
    /// An answer that could not be read.
    Malformed,
    /// No call that aksiso makes shows it: what a DNS server of the operator's own answers, for example.
    NotVisible,
    /// The answer is about another cluster.
    WrongCluster,
    /// Nobody asked: not in the snapshot, or left out on purpose.
    NotCollected,
}

/// One thing that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    pub reason: Reason,
    /// The permission that reads it, for example `Microsoft.Authorization/roleAssignments/read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<String>,
    /// The scope at which that permission is needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The smallest built-in role that grants it; only where the permission is what was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// One sentence for a person.
    pub detail: String,
    /// The call that brought nothing: `GET /subscriptions/…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<str>>,
    /// Whether it is the cluster's Kubernetes API that was asked, and not Azure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kubernetes: bool,
}

impl Gap {
    /// A gap that is about no single permission.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { reason, needed: None, scope: String::new(), role: None, detail, call: None, kubernetes: false }
    }

    /// The gap of a fact that nobody asked for.
    pub fn not_collected() -> Self {
        Self::new(Reason::NotCollected, "it was not collected")
    }

    /// The same gap with every text cut to a length that a report can bear.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.call = self.call.map(|call| text::bounded(&call, 2_000).into());
        for text in [&mut self.detail, &mut self.scope].into_iter().chain(&mut self.needed).chain(&mut self.role) {
            *text = text::bounded(text, 2_000);
        }
        self
    }

    /// The same gap, saying what it was that was not collected.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        if self.reason == Reason::NotCollected && self.detail == "it was not collected" {
            self.detail = format!("{what}: not collected");
        }
        self
    }
}
