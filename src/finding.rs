//! What a check reports: a finding with its evidence and its documented remediation.

use crate::azure::id::ResourceId;
use crate::command::Command;
use crate::text;

/// Longest text of a report, in characters; whoever needs more finds it where the evidence says.
const TEXT: usize = 2_000;

/// How bad a finding is. The order is that of the report: worst last, so that `max` is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; never fails a gate by default.
    Info,
    /// Works today, but is at risk, unsupported, or weakens the isolation.
    Warning,
    /// Pulls or node bootstrap fail now, or will at the next pull or the next node.
    Error,
}

impl Severity {
    /// Reads the word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Error].into_iter().find(|severity| severity.as_str() == word)
    }

    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A rule: its name is public and stable.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Kebab-case; names the problem, not the remedy.
    pub id: &'static str,
    /// The usual severity; a finding may deviate, as the rule's page says.
    pub severity: Severity,
    /// One line.
    pub title: &'static str,
}

/// What a finding is about; with the rule, what its fingerprint is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// ARM resource type, or `NodePool`.
    pub kind: &'static str,
    /// Resource id.
    pub id: ResourceId,
    /// Name for people.
    pub name: String,
}

impl Subject {
    /// A subject that is named by its id's last segment.
    pub fn new(kind: &'static str, id: &ResourceId) -> Self {
        Self { kind, id: id.clone(), name: id.name().to_owned() }
    }
}

/// One observation that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The call that gave it: `GET /subscriptions/…`.
    pub source: String,
    /// The field: `properties.targetRepository`.
    pub path: String,
    /// What was there.
    pub value: String,
}

impl Observation {
    /// An observation.
    pub fn new(source: impl Into<String>, path: impl Into<String>, value: impl Into<String>) -> Self {
        Self { source: source.into(), path: path.into(), value: value.into() }
    }
}

/// The kinds of remediation. Public and stable: what a runbook keys on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum RemediationKind {
    UpdateCluster,
    Reconcile,
    Reimage,
    UpgradeNodeImage,
    RecreateCacheRule,
    DeleteRegistryAndReconcile,
    FixUpstreamCredentials,
    CreatePrivateEndpoint,
    ApprovePrivateEndpoint,
    CreateDnsZone,
    LinkDnsZone,
    CreateDnsRecord,
    AssignRole,
    UpdateRegistry,
    RewriteImage,
    Investigate,
}

impl RemediationKind {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpdateCluster => "update-cluster",
            Self::Reconcile => "reconcile",
            Self::Reimage => "reimage",
            Self::UpgradeNodeImage => "upgrade-node-image",
            Self::RecreateCacheRule => "recreate-cache-rule",
            Self::DeleteRegistryAndReconcile => "delete-registry-and-reconcile",
            Self::FixUpstreamCredentials => "fix-upstream-credentials",
            Self::CreatePrivateEndpoint => "create-private-endpoint",
            Self::ApprovePrivateEndpoint => "approve-private-endpoint",
            Self::CreateDnsZone => "create-dns-zone",
            Self::LinkDnsZone => "link-dns-zone",
            Self::CreateDnsRecord => "create-dns-record",
            Self::AssignRole => "assign-role",
            Self::UpdateRegistry => "update-registry",
            Self::RewriteImage => "rewrite-image",
            Self::Investigate => "investigate",
        }
    }
}

/// What to do. Printed, never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remediation {
    /// The kind of the first step.
    pub kind: RemediationKind,
    /// What to do and what to mind, in sentences.
    pub summary: String,
    /// The commands, in order, for a person at a terminal.
    pub commands: Vec<Command>,
    /// The same for a script, where the commands above would ask for an answer.
    pub script: Vec<Command>,
    /// Where this is documented.
    pub docs: &'static str,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// How bad it is here.
    pub severity: Severity,
    /// What is wrong here, and why it matters, in sentences.
    pub detail: String,
    /// What it is about.
    pub subject: Subject,
    /// What it rests on.
    pub evidence: Vec<Observation>,
    /// What to do.
    pub remediation: Remediation,
}

impl Finding {
    /// A hash of the rule and the subject, and of nothing that varies from run to run.
    pub fn fingerprint(&self) -> String {
        text::hash(&format!("{}\n{}", self.rule.id, self.subject.id.normalized()))
    }

    /// The same finding with every text cut to a length that a report can bear.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let observed = self.evidence.iter_mut().flat_map(|seen| [&mut seen.source, &mut seen.path, &mut seen.value]);
        let own = [&mut self.detail, &mut self.subject.name, &mut self.remediation.summary];
        for text in own.into_iter().chain(observed) {
            *text = text::bounded(text, TEXT);
        }
        self
    }
}
