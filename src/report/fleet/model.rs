//! The report of a fleet as data: what every format is made from, and what a former report is read back as.

mod accepted;
mod queries;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answers::fleet::{Cause, Judged, causes};
use crate::checks::catalogue;
use crate::checks::check::Check;
use crate::checks::command::{Command, Shell};
use crate::checks::finding::Finding;
use crate::checks::rule::Severity;
use crate::diagnosis::Verdict;
use crate::diagnosis::policy::Notice;
use crate::evidence::fleet::Fleet;
use crate::evidence::id::ResourceId;
use crate::evidence::snapshot::Tool;
use crate::report::model::{
    FindingEntry, GapEntry, RemediationEntry, SCHEMA_VERSION, SubjectEntry, SuppressedEntry, finding_entry, gap_entry,
    impacts, lines,
};
use crate::text;

use accepted::{notices, suppressed};
pub use queries::QueryEntry;
use queries::queries;

/// Many clusters, judged at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetReport {
    /// Version of this schema; within it fields are only added.
    pub schema_version: String,
    /// The program that wrote the report.
    pub tool: Tool,
    /// When Resource Graph was asked: what passed, passed as of then.
    pub as_of: Timestamp,
    /// `graph`, `confirm` or `deep`.
    pub depth: String,
    /// The checks that were asked for; of others nothing is known.
    #[serde(default)]
    pub checks: Vec<String>,
    /// `findings` where a cluster has an error or a warning, else `incomplete` where something could not be seen, else
    /// `accepted` where all of them are accepted, else `healthy`.
    pub verdict: String,
    pub summary: FleetSummary,
    pub scope: ScopeEntry,
    /// What Resource Graph was asked, and whether all of it came.
    pub queries: Vec<QueryEntry>,
    /// Root causes, worst first, then by the number of clusters.
    pub causes: Vec<CauseEntry>,
    /// Every finding once: causes and symptoms.
    pub findings: Vec<FindingEntry>,
    pub clusters: Vec<ClusterEntry>,
    /// Errors that Resource Graph showed and Azure Resource Manager did not confirm; they count nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<StaleEntry>,
    /// Clusters that Resource Graph still showed and that do not exist, as Azure Resource Manager says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// Findings that the policy or the baseline accepts, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<SuppressedEntry>,
    /// What is wrong with the policy itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<Notice>,
    /// What changed since the report of `--previous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend>,
    /// What `--what-if` would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<FleetEffect>,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetSummary {
    /// Clusters that were judged.
    pub clusters: usize,
    /// Of these, by verdict.
    pub verdicts: BTreeMap<String, usize>,
    /// Clusters of the scope that are not isolated and were not asked for.
    pub not_judged: usize,
    /// Checks that were asked for and that this depth does not cover.
    pub not_covered: Vec<String>,
    /// Findings that the policy or the baseline accepts.
    pub suppressed: usize,
}

/// Which subscriptions answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeEntry {
    /// Subscriptions that should answer.
    pub expected: Vec<String>,
    /// Those that did.
    pub seen: Vec<String>,
    /// Those that did not: the reader may not see them.
    pub hidden: Vec<String>,
    /// Why the list may not be whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<GapEntry>,
}

/// A root cause and its reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CauseEntry {
    pub fingerprint: String,
    pub rule: String,
    /// The worst of what it is and explains.
    pub severity: String,
    pub subject: SubjectEntry,
    /// Ids of the clusters that have it.
    pub clusters: Vec<String>,
    /// Those of them that have nothing else: the fix heals them.
    pub heals_alone: Vec<String>,
    /// What to do, with the commands for every cluster.
    pub remediation: RemediationEntry,
}

/// A cluster in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterEntry {
    pub id: String,
    pub name: String,
    pub location: Option<String>,
    /// ARM id of the bootstrap registry.
    pub registry_id: Option<String>,
    pub verdict: String,
    /// Whether Azure Resource Manager itself was asked about it.
    pub confirmed: bool,
    /// Fingerprints of its findings, causes first.
    pub findings: Vec<String>,
    /// Fingerprints of those that the policy or the baseline accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<String>,
    /// Checks that could not see everything.
    pub undetermined: Vec<UndeterminedEntry>,
    /// Checks that this depth does not cover.
    pub not_covered: Vec<String>,
}

/// A check that could not see everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndeterminedEntry {
    pub check: String,
    pub reason: String,
    pub gaps: Vec<GapEntry>,
}

/// An error that was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleEntry {
    pub cluster: String,
    pub rule: String,
    pub subject: SubjectEntry,
    pub fingerprint: String,
}

/// A finding of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    pub cluster: String,
    pub fingerprint: String,
}

/// What changed since a former run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    pub new: Vec<Hit>,
    /// Gone, and its check saw everything; or the cluster itself is gone for certain.
    pub fixed: Vec<Hit>,
    pub unchanged: Vec<Hit>,
    /// Not seen this time, and so not known to be gone.
    #[serde(default)]
    pub unseen: Vec<Hit>,
}

/// What changes would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FleetEffect {
    /// The changes, as they were given.
    pub changes: Vec<String>,
    /// The clusters that they concern.
    pub clusters: Vec<EffectEntry>,
}

/// What changes would do to one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectEntry {
    pub id: String,
    /// The verdict as it is.
    pub before: String,
    /// The verdict as it would be.
    pub after: String,
    /// Fingerprints of the findings that the changes bring.
    pub new_findings: Vec<String>,
    /// Images in use that could no longer be pulled; they are known only where the cluster itself was asked.
    pub stops: Vec<String>,
}

/// What a report is made from.
#[derive(Debug)]
pub struct FleetResults<'r> {
    pub fleet: &'r Fleet,
    pub depth: &'static str,
    /// The checks that were asked for.
    pub checks: &'r [&'static Check],
    pub clusters: &'r [Judged],
    /// Clusters that do not exist any longer, with what their rows show.
    pub gone: Vec<(&'r ResourceId, Vec<Finding>)>,
    pub effect: Option<FleetEffect>,
    /// Findings that only a change brings.
    pub brought: Vec<Finding>,
    /// Whether every check was asked for.
    pub shell: Shell,
}

impl FleetReport {
    /// The report of a run.
    pub fn of(results: &FleetResults<'_>) -> Self {
        let FleetResults { fleet, clusters, shell, .. } = results;
        let causes = causes(clusters);
        let whole = results.checks.len() == catalogue::ALL.len();
        let mut findings: BTreeMap<String, FindingEntry> = BTreeMap::new();
        for finding in clusters.iter().flat_map(|cluster| &cluster.findings).chain(&results.brought) {
            let entry = finding_entry(finding, *shell);
            let known = findings.entry(entry.fingerprint.clone()).or_insert_with(|| entry.clone());
            // Of one fault in many clusters the worst is shown.
            if Severity::of(&entry.severity) > Severity::of(&known.severity) {
                *known = entry;
            }
        }
        let (scope, queries) = (&fleet.scope, queries(fleet, results.checks));
        let missing = !fleet.whole() || queries.iter().any(QueryEntry::missing);
        let dropped = clusters.iter().flat_map(|own| own.stale.iter().map(|stale| (&own.cluster.id, stale)));
        let gone = results.gone.iter().flat_map(|(id, found)| found.iter().map(|stale| (*id, stale)));
        Self {
            schema_version: SCHEMA_VERSION.to_owned(),
            tool: Tool::this(),
            as_of: fleet.collected_at,
            depth: results.depth.to_owned(),
            checks: results.checks.iter().map(|check| check.about.id.to_owned()).collect(),
            verdict: verdict(clusters, missing).to_owned(),
            summary: summary(fleet, clusters),
            scope: ScopeEntry {
                expected: scope.expected.iter().cloned().collect(),
                seen: scope.seen.iter().cloned().collect(),
                hidden: scope.hidden().map(str::to_owned).collect(),
                gaps: fleet.scope_gaps().iter().map(gap_entry).collect(),
            },
            queries,
            causes: causes.iter().map(|cause| cause_entry(cause, whole, *shell)).collect(),
            findings: in_order(&causes, findings),
            clusters: clusters.iter().map(cluster_entry).collect(),
            stale: dropped.chain(gone).map(|(cluster, finding)| stale(cluster, finding)).collect(),
            gone: results.gone.iter().map(|(id, _)| id.to_string()).collect(),
            suppressed: suppressed(clusters, *shell),
            policy: notices(clusters),
            trend: None,
            effect: results.effect.clone(),
        }
    }

    /// The checks that nobody asked for; none in a report of before they were listed.
    pub fn not_asked(&self) -> Vec<&'static str> {
        let asked = |id: &str| self.checks.is_empty() || self.checks.iter().any(|own| own == id);
        catalogue::ALL.iter().map(|check| check.about.id).filter(|id| !asked(id)).collect()
    }

    /// A finding by its fingerprint.
    pub fn finding(&self, fingerprint: &str) -> Option<&FindingEntry> {
        self.findings.iter().find(|finding| finding.fingerprint == fingerprint)
    }

    /// Whether something of the scope was not seen: subscriptions, clusters, or parts of clusters.
    pub fn incomplete(&self) -> bool {
        !self.scope.hidden.is_empty()
            || !self.scope.gaps.is_empty()
            || self.queries.iter().any(QueryEntry::missing)
            || self.clusters.iter().any(|cluster| !cluster.undetermined.is_empty())
    }
}

/// The worst of all; `missing` = something of the scope was not seen.
fn verdict(clusters: &[Judged], missing: bool) -> &'static str {
    let worst = |severity: Severity| clusters.iter().any(|own| own.findings.iter().any(|own| own.severity >= severity));
    if worst(Severity::Warning) {
        "findings"
    } else if missing || clusters.iter().any(Judged::incomplete) {
        "incomplete"
    } else if clusters.iter().any(|cluster| cluster.verdict == Verdict::Accepted) {
        "accepted"
    } else if clusters.iter().any(|cluster| cluster.verdict == Verdict::Incomplete) {
        "incomplete"
    } else {
        "healthy"
    }
}

fn summary(fleet: &Fleet, clusters: &[Judged]) -> FleetSummary {
    let mut verdicts = BTreeMap::new();
    for cluster in clusters {
        *verdicts.entry(cluster.verdict.as_str().to_owned()).or_insert(0) += 1;
    }
    let not_covered: BTreeSet<&str> = clusters.iter().flat_map(|cluster| cluster.not_covered.iter().copied()).collect();
    FleetSummary {
        clusters: clusters.len(),
        verdicts,
        not_judged: fleet.rows.clusters.rows.len().saturating_sub(clusters.len() + fleet.gone.len()),
        not_covered: not_covered.into_iter().map(str::to_owned).collect(),
        suppressed: clusters.iter().map(|cluster| cluster.suppressed.len()).sum(),
    }
}

/// Causes in their order, then symptoms.
fn in_order(causes: &[Cause<'_>], mut findings: BTreeMap<String, FindingEntry>) -> Vec<FindingEntry> {
    let first = causes.iter().filter_map(|cause| findings.remove(cause.fingerprint.as_str()));
    let first: Vec<FindingEntry> = first.collect();
    let mut rest: Vec<FindingEntry> = findings.into_values().collect();
    rest.sort_by_key(|finding| std::cmp::Reverse(Severity::of(&finding.severity)));
    first.into_iter().chain(rest).collect()
}

/// `whole` = every check was asked for: else nobody knows what a cluster has besides.
fn cause_entry(cause: &Cause<'_>, whole: bool, shell: Shell) -> CauseEntry {
    let id = |cluster: &&Judged| cluster.cluster.id.to_string();
    let finding = finding_entry(cause.finding, shell);
    CauseEntry {
        fingerprint: finding.fingerprint,
        rule: finding.rule,
        severity: cause.severity.as_str().to_owned(),
        subject: finding.subject,
        clusters: cause.clusters.iter().map(id).collect(),
        heals_alone: cause.heals.iter().filter(|_| whole).map(id).collect(),
        remediation: RemediationEntry {
            impact: Command::worst(&cause.remediation.commands).as_str().to_owned(),
            impacts: impacts(&cause.remediation.commands),
            commands: lines(&cause.remediation.commands, shell),
            script_commands: lines(&cause.remediation.script, shell),
            ..finding.remediation
        },
    }
}

fn cluster_entry(judged: &Judged) -> ClusterEntry {
    let undetermined = judged.checks.iter().filter(|check| !check.gaps.is_empty()).map(|check| {
        let seen = || check.gaps.iter().map(|gap| gap.detail.as_str()).collect::<Vec<_>>().join("; ");
        let reason = check.reason.clone().unwrap_or_else(seen);
        UndeterminedEntry {
            check: check.check.id.to_owned(),
            reason: text::bounded(&reason, 2_000),
            gaps: check.gaps.iter().map(gap_entry).collect(),
        }
    });
    ClusterEntry {
        id: judged.cluster.id.to_string(),
        name: judged.cluster.id.name().to_owned(),
        location: judged.cluster.location.as_deref().map(|text| text::bounded(text, 200)),
        registry_id: judged.cluster.registry.as_ref().map(ToString::to_string),
        verdict: judged.verdict.as_str().to_owned(),
        confirmed: judged.confirmed,
        findings: judged.findings.iter().map(|finding| finding.fingerprint().to_string()).collect(),
        suppressed: judged.suppressed.iter().map(|(finding, _)| finding.fingerprint().to_string()).collect(),
        undetermined: undetermined.collect(),
        not_covered: judged.not_covered.iter().map(|id| (*id).to_owned()).collect(),
    }
}

fn stale(cluster: &ResourceId, finding: &Finding) -> StaleEntry {
    StaleEntry {
        cluster: cluster.to_string(),
        rule: finding.rule.id.to_owned(),
        subject: finding_entry(finding, Shell::Posix).subject,
        fingerprint: finding.fingerprint().to_string(),
    }
}
