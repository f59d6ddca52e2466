//! The report as data: what every format is made from, and what a former report is read back as. Its types are its own:
//! what is inside may change while what is printed does not.

mod chain;
mod cluster;
mod gaps;
mod images;
mod plan;
mod probes;

use std::collections::HashMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answers::chain as chain_answer;
use crate::answers::preflight::Preflight;
use crate::answers::whatif::Effect;
use crate::checks::command::{Command, Shell};
use crate::checks::finding::{Finding, Observation};
use crate::checks::rule::Severity;
use crate::diagnosis::plan::Plan;
use crate::diagnosis::policy::{Notice, Ruling, SuppressedBy};
use crate::diagnosis::{CheckResult, Diagnosis};
use crate::evidence::snapshot::Tool;
use crate::text;
pub use chain::{Affected, LinkEntry};
use chain::{causes_and_symptoms, link_entry};
pub use cluster::{Cluster, cluster};
pub use gaps::{GapEntry, gap_entry};
pub use images::{ImageEntry, LocationEntry, MovedEntry, PreflightEntry, RemedyEntry, WhatIfEntry};
use images::{LOCATIONS, preflight_entry, what_if_entry};
pub use plan::StepEntry;
use plan::step_entry;
pub use probes::ProbeEntry;
use probes::probe_entries;

/// The version of the schema: additions keep it, everything else raises it.
pub const SCHEMA_VERSION: &str = "1";

/// One diagnosis of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of this schema; within it fields are only added.
    pub schema_version: String,
    /// The program that wrote the report.
    pub tool: Tool,
    /// When the facts were gathered.
    pub collected_at: Timestamp,
    pub cluster: Cluster,
    /// `findings` (an error or a warning), else `incomplete` (something was not seen), else `accepted` (errors or warnings
    /// that policy or baseline accept), else `incomplete` (checks were not asked for), else `healthy`.
    pub verdict: String,
    /// How many findings of each severity, how many were accepted, and how many checks are undetermined.
    pub summary: Summary,
    /// The chain from the nodes to Microsoft's registry, link by link; not in a report of `preflight`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<LinkEntry>,
    /// What cannot be done now, as far as it was seen.
    #[serde(default, skip_serializing_if = "Affected::is_nothing")]
    pub affected: Affected,
    /// What became of each check.
    pub checks: Vec<CheckEntry>,
    /// What is wrong: causes first, worst first.
    pub findings: Vec<FindingEntry>,
    /// The steps that fix the findings, in their order.
    pub plan: Vec<StepEntry>,
    /// Findings that the policy or the baseline accepts; they count in `summary.accepted` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<SuppressedEntry>,
    /// What is wrong with the policy: suppressions that have expired or that nothing matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<Notice>,
    /// What `--what-if` would do; absent where the cluster was judged as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what_if: Option<WhatIfEntry>,
    /// The images of manifests; only in a report of `preflight`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflight: Option<PreflightEntry>,
    /// The probe files that were supplied, and whether each counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeEntry>,
    /// Only in a baseline: findings of the former one that this run could not see, and so does not forget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsettled: Vec<FindingEntry>,
}

/// Counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub error: usize,
    pub warning: usize,
    pub info: usize,
    /// Errors and warnings that nothing else explains.
    #[serde(default, rename = "rootCauses", skip_serializing_if = "is_zero")]
    pub root_causes: usize,
    /// Findings that a root cause explains.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub symptoms: usize,
    /// Checks that could not see everything and found nothing.
    pub undetermined: usize,
    /// Findings that the policy or the baseline accepts: they are still there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accepted: usize,
    /// Checks that were not asked for.
    #[serde(default, rename = "notAsked", skip_serializing_if = "is_zero")]
    pub not_asked: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckEntry {
    pub id: String,
    /// `passed`, `failed`, `undetermined`, `accepted` or `not-applicable`.
    pub status: String,
    /// Why it is undetermined or does not apply, or what was accepted.
    pub reason: Option<String>,
    /// What it could not see.
    pub gaps: Vec<GapEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingEntry {
    pub rule: String,
    /// The check that reports it.
    pub check: String,
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// The rule in one line.
    pub title: String,
    /// What is wrong here, and why it matters.
    pub detail: String,
    /// What it is about.
    pub subject: SubjectEntry,
    /// What it rests on.
    pub evidence: Vec<ObservationEntry>,
    /// What to do.
    pub remediation: RemediationEntry,
    /// A hash of the rule and the subject and of nothing else: the same finding has it tomorrow.
    pub fingerprint: String,
    /// Fingerprints of the findings that explain this one.
    pub caused_by: Vec<String>,
    /// Where in manifests it stands, the first hundred places; only in a report of `preflight`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<LocationEntry>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectEntry {
    /// ARM resource type, `image` or `NodePool`.
    pub kind: String,
    /// ARM id, or the reference of an image.
    pub id: String,
    /// Name for people.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObservationEntry {
    /// The call that gave it.
    pub source: String,
    /// The field.
    pub path: String,
    /// What was there.
    pub value: String,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemediationEntry {
    /// The kind of the first step.
    pub kind: String,
    /// What to do and what to mind.
    pub summary: String,
    /// The commands, quoted for the shell that was asked for.
    pub commands: Vec<String>,
    /// The same without a question to answer; empty where `commands` ask none.
    pub script_commands: Vec<String>,
    /// The worst of `impacts`; absent in a report of an older version.
    #[serde(default)]
    pub impact: String,
    /// What each of `commands` does to what runs, in their order: `none`, `access`, `restarts`, `rolls-nodes`,
    /// `cuts-traffic` or `deletes`. Those of `scriptCommands` do the same.
    #[serde(default)]
    pub impacts: Vec<String>,
    /// Where it is documented.
    pub docs: String,
}

/// A finding that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuppressedEntry {
    #[serde(flatten)]
    pub finding: FindingEntry,
    /// Who accepts it, and why.
    pub suppressed_by: SuppressedBy,
}

/// Everything that a run found out.
#[derive(Debug)]
pub struct Results<'r> {
    /// The diagnosis under the policy.
    pub ruling: &'r Ruling<'r>,
    /// The steps that fix what it found.
    pub plan: &'r Plan,
    /// The images of manifests, where it is about these.
    pub preflight: Option<&'r Preflight<'r>>,
    /// What changes would do that one thinks of.
    pub effect: Option<&'r Effect>,
}

impl Report {
    /// The report of a diagnosis under no policy, with commands for a shell.
    pub fn of_diagnosis(diagnosis: Diagnosis<'_>, shell: Shell) -> Self {
        let plan = Plan::of(&diagnosis);
        let ruling = Ruling::none(diagnosis);
        Self::of(&Results { ruling: &ruling, plan: &plan, preflight: None, effect: None }, shell)
    }

    /// The report of a run, with commands for a shell.
    pub fn of(results: &Results<'_>, shell: Shell) -> Self {
        let Ruling { diagnosis, suppressed, notices } = results.ruling;
        let accepted = suppressed.iter().map(|(finding, _)| finding);
        let is_cluster = results.preflight.is_none();
        let chain = if is_cluster { chain_answer::of(diagnosis, accepted) } else { Vec::new() };
        let preflight = results.preflight.map(|preflight| preflight_entry(preflight, diagnosis, shell));
        let places = Places::of(preflight.as_ref());
        let entry = |finding: &Finding| places.located(finding_entry(finding, shell));
        let suppressed = suppressed.iter().map(|(finding, by)| {
            let finding = FindingEntry { caused_by: Vec::new(), ..entry(finding) };
            SuppressedEntry { finding, suppressed_by: by.clone() }
        });
        let suppressed: Vec<_> = suppressed.collect();
        let findings = diagnosis.findings.iter().map(entry).collect();
        let steps = results.plan.steps.iter().enumerate();
        let (root_causes, symptoms) = causes_and_symptoms(diagnosis);
        Self {
            schema_version: SCHEMA_VERSION.to_owned(),
            tool: Tool::this(),
            collected_at: whole_seconds(diagnosis.evidence.collected_at),
            cluster: cluster(diagnosis.evidence),
            verdict: diagnosis.verdict().as_str().to_owned(),
            summary: Summary {
                error: diagnosis.count(Severity::Error),
                warning: diagnosis.count(Severity::Warning),
                info: diagnosis.count(Severity::Info),
                root_causes,
                symptoms,
                undetermined: diagnosis.undetermined(),
                accepted: suppressed.len(),
                not_asked: diagnosis.not_asked,
            },
            chain: chain.into_iter().map(link_entry).collect(),
            affected: if is_cluster { Affected::of(diagnosis) } else { Affected::default() },
            checks: diagnosis.checks.iter().map(check_entry).collect(),
            findings,
            plan: steps.map(|(at, step)| step_entry(at + 1, step, shell)).collect(),
            suppressed,
            policy: notices.clone(),
            what_if: results.effect.map(what_if_entry),
            preflight,
            probes: probe_entries(diagnosis.evidence),
            unsettled: Vec::new(),
        }
    }
}

/// A time without its fraction, which tells nobody anything.
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Where images stand, by image.
struct Places<'p>(HashMap<&'p str, &'p ImageEntry>);

impl<'p> Places<'p> {
    fn of(preflight: Option<&'p PreflightEntry>) -> Self {
        let images = preflight.into_iter().flat_map(|preflight| &preflight.images);
        Self(images.map(|image| (image.image.as_str(), image)).collect())
    }

    /// A finding about an image, with the first places in which it stands.
    fn located(&self, mut entry: FindingEntry) -> FindingEntry {
        let places = self.0.get(entry.subject.id.as_str()).map(|image| &image.locations);
        entry.locations = places.into_iter().flatten().take(LOCATIONS).cloned().collect();
        entry
    }
}

fn check_entry(judged: &CheckResult) -> CheckEntry {
    CheckEntry {
        id: judged.check.id.to_owned(),
        status: judged.status.as_str().to_owned(),
        reason: judged.reason.as_deref().map(|reason| text::bounded(reason, 2_000)),
        gaps: judged.gaps.iter().map(gap_entry).collect(),
    }
}

/// What each command does to what runs.
pub fn impacts(commands: &[Command]) -> Vec<String> {
    commands.iter().map(|command| command.impact().as_str().to_owned()).collect()
}

/// Commands as lines for a shell.
pub fn lines(commands: &[Command], shell: Shell) -> Vec<String> {
    commands.iter().map(|command| command.line(shell)).collect()
}

/// A finding, as a report names it.
pub fn finding_entry(finding: &Finding, shell: Shell) -> FindingEntry {
    FindingEntry {
        rule: finding.rule.id.to_owned(),
        check: finding.check.id.to_owned(),
        severity: finding.severity.as_str().to_owned(),
        title: finding.rule.title.to_owned(),
        detail: finding.detail.clone(),
        subject: SubjectEntry {
            kind: finding.subject.kind.to_owned(),
            id: finding.subject.id.as_str().to_owned(),
            name: finding.subject.name.clone(),
        },
        evidence: finding.evidence.iter().map(observation_entry).collect(),
        remediation: RemediationEntry {
            kind: finding.remediation.kind.as_str().to_owned(),
            summary: finding.remediation.summary.clone(),
            commands: lines(&finding.remediation.commands, shell),
            script_commands: lines(&finding.remediation.script, shell),
            impact: Command::worst(&finding.remediation.commands).as_str().to_owned(),
            impacts: impacts(&finding.remediation.commands),
            docs: finding.remediation.docs.to_owned(),
        },
        fingerprint: finding.fingerprint().to_string(),
        caused_by: finding.caused_by.iter().map(ToString::to_string).collect(),
        locations: Vec::new(),
    }
}

fn observation_entry(observation: &Observation) -> ObservationEntry {
    ObservationEntry {
        source: observation.source.clone(),
        path: observation.path.clone(),
        value: observation.value.clone(),
    }
}
