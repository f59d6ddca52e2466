//! `aksiso.toml`, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::checks::rule::Severity;

/// `aksiso.toml`, as it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Severity by rule, instead of the rule's own.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, SeverityWord>")]
    pub(super) severity: BTreeMap<Spanned<String>, SeverityWord>,
    /// Findings that are accepted for a time.
    #[serde(default)]
    #[schemars(with = "Vec<SuppressionEntry>")]
    pub(super) suppress: Vec<Spanned<SuppressionEntry>>,
    /// What preflight reads besides what it knows.
    #[serde(default)]
    pub(super) preflight: PreflightSection,
}

/// What preflight reads besides what it knows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreflightSection {
    /// Where images stand in custom resources.
    #[serde(default)]
    #[schemars(with = "Vec<ImagePathEntry>")]
    pub(super) images: Vec<Spanned<ImagePathEntry>>,
    /// Registries that the nodes reach by a way of the operator's own.
    #[serde(default)]
    #[schemars(with = "Vec<HostEntry>")]
    pub(super) reachable: Vec<Spanned<HostEntry>>,
    /// Registries that the nodes do not reach, or are not meant to use.
    #[serde(default)]
    #[schemars(with = "Vec<HostEntry>")]
    pub(super) unreachable: Vec<Spanned<HostEntry>>,
}

/// A registry, and what Azure can't tell of the way to it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HostEntry {
    /// The host as images name it, with its port if they do: `harbor.example.com`. Unreachable ones may be a pattern:
    /// `*` for every host, `*.example.com`.
    pub(super) host: String,
    /// Which way leads there, or why none does.
    pub(super) reason: String,
}

/// Where images stand in a custom resource.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImagePathEntry {
    /// The kind, with or without its group: `Widget.example.com`.
    pub(super) kind: String,
    /// Keys separated by dots, `[]` for every item of a list, `*` for every key: `spec.parts[].image`.
    pub(super) path: String,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SeverityWord {
    Error,
    Warning,
    Info,
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::Error => Self::Error,
            SeverityWord::Warning => Self::Warning,
            SeverityWord::Info => Self::Info,
        }
    }
}

/// One finding, or several, that are accepted for a time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SuppressionEntry {
    pub(super) rule: String,
    /// The subject's ARM id or image; `*` stands for any run of characters. Without it: every subject.
    #[serde(default)]
    pub(super) subject: Option<String>,
    /// Why it is accepted.
    pub(super) reason: String,
    /// The last day on which it is, such as `"2027-01-31"`.
    pub(super) until: String,
}
