//! What a check reports: a finding with its evidence and its documented remediation.

use std::collections::BTreeSet;

use super::command::Command;
use super::rule::{Rule, RuleSet, Severity};
use crate::evidence::id::{self, ResourceId};
use crate::evidence::kubernetes::Node;
use crate::model::bootstrap_code::Fault;
use crate::model::message::Reading;
use crate::text;

/// Longest text of a report, in characters; whoever needs more finds it where the evidence says.
const TEXT: usize = 2_000;

/// What a finding is about; with the rule, what its fingerprint is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// ARM resource type, `NodePool`, `add-on`, `image` or `object`.
    pub kind: &'static str,
    pub id: SubjectId,
    /// Name for people.
    pub name: String,
}

/// Which thing a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectId {
    /// A resource, by its id.
    Resource(ResourceId),
    /// An image, by its reference.
    Image(String),
    /// An object of a manifest, or a field of it, by its name there.
    Object(String),
}

impl SubjectId {
    /// The id or reference as it was read.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Resource(id) => id.as_str(),
            Self::Image(name) | Self::Object(name) => name,
        }
    }
}

impl Subject {
    /// A resource that is named by its id's last segment.
    pub fn new(kind: &'static str, id: &ResourceId) -> Self {
        Self { kind, id: SubjectId::Resource(id.clone()), name: id.name().to_owned() }
    }

    /// A node pool of a cluster.
    pub fn pool(cluster: &ResourceId, name: &str) -> Self {
        let id = cluster.child("agentPools").child(name);
        Self::new("Microsoft.ContainerService/managedClusters/agentPools", &id)
    }

    /// A NodePool of node auto-provisioning, which has no ARM id of its own.
    pub fn node_pool(cluster: &ResourceId, name: &str) -> Self {
        Self::new("NodePool", &cluster.child("nodePools").child(name))
    }

    /// A node, or a machine that should have become one, which has no ARM id of its own.
    pub fn node(cluster: &ResourceId, name: &str) -> Self {
        Self::new("Node", &cluster.child("nodes").child(&name.replace('/', "_"))).named(name)
    }

    pub fn image(reference: &str, name: &str) -> Self {
        Self { kind: "image", id: SubjectId::Image(id::bounded(reference)), name: name.to_owned() }
    }

    /// An object of a manifest: kind, namespace and name, as one text.
    pub fn object(name: &str) -> Self {
        Self { kind: "object", id: SubjectId::Object(id::bounded(name)), name: name.to_owned() }
    }

    /// The same subject under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The resource, where it is one.
    pub fn resource(&self) -> Option<&ResourceId> {
        match &self.id {
            SubjectId::Resource(id) => Some(id),
            SubjectId::Image(_) | SubjectId::Object(_) => None,
        }
    }

    /// The image's reference, where it is one.
    pub fn reference(&self) -> Option<&str> {
        match &self.id {
            SubjectId::Image(reference) => Some(reference),
            SubjectId::Resource(_) | SubjectId::Object(_) => None,
        }
    }
}

/// What later stages need of a finding, whole: texts and evidence are cut for people, these never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The nodes that it is about, all of them.
    pub nodes: BTreeSet<String>,
    /// The pools of machines that it is about, also of such as never became nodes.
    pub pools: BTreeSet<String>,
    /// The hosts that it is about: names of the registry or of the API server.
    pub hosts: BTreeSet<String>,
    /// The exit code of the node bootstrap that it rests on.
    pub exit_code: Option<u32>,
    /// The kind of fault behind that code, where it is known.
    pub fault: Option<Fault>,
    /// What the newest message of a failed pull says.
    pub message: Option<Reading>,
    /// The registry to whose mirror that message, or an event, says the node was sent.
    pub mirror: Option<String>,
    /// For a DNS record: whether its name is a data endpoint's, which only layers and artifacts need.
    pub data_endpoint: Option<bool>,
    /// Whether it rests on something that cannot be seen, until a failed pull confirms it.
    pub unsure: bool,
    /// The cache rules that it concerns, by name.
    pub cache_rules: Vec<String>,
    /// Whether a message says that a subnet has no addresses left.
    pub no_addresses: bool,
    /// The repository of the registry that gets other images than it should.
    pub repository: Option<String>,
}

/// The identity of a finding: a hash of its rule and its subject, and of nothing that varies from run to run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The hash, in hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One observation that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The call that gave it: `GET /subscriptions/…`.
    pub source: String,
    /// The field: `properties.targetRepository`.
    pub path: String,
    pub value: String,
}

impl Observation {
    pub fn new(source: impl Into<String>, path: impl Into<String>, value: impl Into<String>) -> Self {
        Self { source: source.into(), path: path.into(), value: value.into() }
    }
}

/// The kinds of remediation. Public and stable: what a runbook keys on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Remediation {
    /// Nothing to do: what stands in a finding until its own remediation is put there.
    fn none() -> Self {
        let kind = RemediationKind::Investigate;
        Self { kind, summary: String::new(), commands: Vec::new(), script: Vec::new(), docs: "" }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static Rule,
    /// The set that the rule belongs to: the check that reports it, or the answer.
    pub check: &'static RuleSet,
    /// How bad it is here.
    pub severity: Severity,
    /// What is wrong here, and why it matters, in sentences.
    pub detail: String,
    /// What it is about.
    pub subject: Subject,
    /// What it rests on, for people.
    pub evidence: Vec<Observation>,
    /// The same for later stages.
    pub facts: Facts,
    pub remediation: Remediation,
    /// The findings that explain it; filled by the diagnosis.
    pub caused_by: Vec<Fingerprint>,
}

impl Finding {
    /// A finding of a rule's usual severity, to which evidence and a remediation are to be added.
    pub fn new(rule: &'static Rule, subject: Subject, detail: impl Into<String>) -> Self {
        Self {
            rule,
            check: &RuleSet::NONE,
            severity: rule.severity,
            detail: detail.into(),
            subject,
            evidence: Vec::new(),
            facts: Facts::default(),
            remediation: Remediation::none(),
            caused_by: Vec::new(),
        }
    }

    /// With another severity than the rule's usual one.
    #[must_use]
    pub fn with_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// With what it rests on.
    #[must_use]
    pub fn seen(self, evidence: Vec<Observation>) -> Self {
        Self { evidence, ..self }
    }

    /// With what later stages need.
    #[must_use]
    pub fn with_facts(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }

    /// With the nodes that it is about, all of them.
    #[must_use]
    pub fn about_nodes<'n>(mut self, nodes: impl IntoIterator<Item = &'n Node>) -> Self {
        self.facts.nodes = nodes.into_iter().map(|node| node.name.clone()).collect();
        self
    }

    /// With what to do.
    #[must_use]
    pub fn with_remediation(self, remediation: Remediation) -> Self {
        Self { remediation, ..self }
    }

    /// Whether the rule is this one.
    pub fn is(&self, rule: &Rule) -> bool {
        self.rule == rule
    }

    /// Its identity: a ticket is found again by it tomorrow.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(text::hash(&format!("{}\n{}", self.rule.id, self.subject.id.as_str().to_lowercase())))
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
