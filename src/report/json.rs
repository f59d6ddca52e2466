//! The JSON report: its own types, so that what is inside may change while what is printed does not.

use jiff::Timestamp;
use serde::Serialize;

use crate::check;
use crate::command::{Command, Shell};
use crate::correlate::{Diagnosis, Judged, plan};
use crate::evidence::Gap;
use crate::finding::{Finding, Observation, Severity};
use crate::text;

/// The version of the schema: additions keep it, everything else raises it.
pub const SCHEMA_VERSION: &str = "1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    schema_version: &'static str,
    tool: Tool,
    collected_at: Timestamp,
    cluster: Cluster,
    verdict: &'static str,
    summary: Summary,
    checks: Vec<CheckEntry>,
    findings: Vec<FindingEntry>,
    plan: Vec<StepEntry>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    id: String,
    name: String,
    resource_group: Option<String>,
    location: Option<String>,
    kubernetes_version: Option<String>,
    artifact_source: Option<String>,
    outbound_type: Option<String>,
    registry_id: Option<String>,
    registry_ownership: &'static str,
}

#[derive(Serialize)]
struct Summary {
    error: usize,
    warning: usize,
    info: usize,
    undetermined: usize,
}

#[derive(Serialize)]
struct CheckEntry {
    id: &'static str,
    status: &'static str,
    reason: Option<String>,
    gaps: Vec<GapEntry>,
}

#[derive(Serialize)]
struct GapEntry {
    needed: Option<String>,
    scope: Option<String>,
    role: Option<String>,
    detail: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FindingEntry {
    rule: &'static str,
    check: &'static str,
    severity: &'static str,
    title: &'static str,
    detail: String,
    subject: SubjectEntry,
    evidence: Vec<ObservationEntry>,
    remediation: RemediationEntry,
    fingerprint: String,
    caused_by: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepEntry {
    step: usize,
    kind: &'static str,
    summary: String,
    /// Fingerprints of what the step mends.
    mends: Vec<String>,
    commands: Vec<String>,
    script_commands: Vec<String>,
    disturbs: &'static str,
    verify: String,
}

#[derive(Serialize)]
struct SubjectEntry {
    kind: &'static str,
    id: String,
    name: String,
}

#[derive(Serialize)]
struct ObservationEntry {
    source: String,
    path: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemediationEntry {
    kind: &'static str,
    summary: String,
    commands: Vec<String>,
    /// The same without a question to answer; empty where `commands` ask none.
    script_commands: Vec<String>,
    docs: &'static str,
}

/// The report as JSON, ending in a line break.
///
/// # Errors
/// A report that is no JSON, which does not happen.
pub fn render(diagnosis: &Diagnosis<'_>, shell: Shell) -> serde_json::Result<String> {
    let prints: Vec<String> = diagnosis.findings.iter().map(Finding::fingerprint).collect();
    let report = Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "aksiso", version: env!("CARGO_PKG_VERSION") },
        collected_at: diagnosis.evidence.collected_at,
        cluster: cluster(diagnosis),
        verdict: diagnosis.verdict().as_str(),
        summary: Summary {
            error: diagnosis.count(Severity::Error),
            warning: diagnosis.count(Severity::Warning),
            info: diagnosis.count(Severity::Info),
            undetermined: diagnosis.undetermined(),
        },
        checks: diagnosis.checks.iter().map(check_entry).collect(),
        findings: diagnosis
            .findings
            .iter()
            .zip(&diagnosis.caused_by)
            .map(|(finding, causes)| {
                finding_entry(finding, causes.iter().map(|cause| prints[*cause].clone()).collect(), shell)
            })
            .collect(),
        plan: plan::steps(diagnosis).iter().enumerate().map(|(at, step)| step_entry(at + 1, step, shell)).collect(),
    };
    printed(&report)
}

/// The checks and their rules as JSON.
///
/// # Errors
/// As [`render`].
pub fn render_checks() -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct RuleEntry {
        id: &'static str,
        severity: &'static str,
        title: &'static str,
    }
    #[derive(Serialize)]
    struct Entry {
        id: &'static str,
        title: &'static str,
        rules: Vec<RuleEntry>,
    }
    let rule = |rule: &&'static crate::finding::Rule| RuleEntry {
        id: rule.id,
        severity: rule.severity.as_str(),
        title: rule.title,
    };
    let entries = check::ALL.iter().map(|check| Entry {
        id: check.id,
        title: check.title,
        rules: check.rules.iter().map(rule).collect(),
    });
    printed(&entries.collect::<Vec<_>>())
}

/// JSON that no terminal and no pipeline obeys: what could steer them is written as an escape, so nothing is lost.
fn printed(value: &impl Serialize) -> serde_json::Result<String> {
    let json = serde_json::to_string_pretty(value)? + "\n";
    Ok(text::escape_json(&json))
}

fn cluster(diagnosis: &Diagnosis<'_>) -> Cluster {
    let evidence = diagnosis.evidence;
    let properties = &evidence.cluster.properties;
    Cluster {
        id: evidence.cluster.id.to_string(),
        name: evidence.cluster.name().to_owned(),
        resource_group: evidence.cluster.id.resource_group().map(str::to_owned),
        location: word(evidence.cluster.location.as_ref()),
        kubernetes_version: word(
            properties.current_kubernetes_version.as_ref().or(properties.kubernetes_version.as_ref()),
        ),
        artifact_source: word(evidence.bootstrap().artifact_source.as_ref()),
        outbound_type: word(properties.network_profile.as_ref().and_then(|profile| profile.outbound_type.as_ref())),
        registry_id: evidence.registry_id().map(|id| id.to_string()),
        registry_ownership: evidence.ownership().as_str(),
    }
}

/// One of ARM's words, cut where it is none.
fn word(text: Option<&String>) -> Option<String> {
    text.map(|text| text::bounded(text, 200))
}

fn check_entry(judged: &Judged) -> CheckEntry {
    CheckEntry {
        id: judged.check.id,
        status: judged.status.as_str(),
        reason: judged.reason.as_deref().map(|reason| text::bounded(reason, 2_000)),
        gaps: judged.gaps.iter().map(gap_entry).collect(),
    }
}

fn gap_entry(gap: &Gap) -> GapEntry {
    GapEntry {
        needed: gap.needed.clone(),
        scope: Some(gap.scope.clone()).filter(|scope| !scope.is_empty()),
        role: gap.role.clone(),
        detail: gap.detail.clone(),
    }
}

fn step_entry(number: usize, step: &plan::Step<'_>, shell: Shell) -> StepEntry {
    let mut mends: Vec<String> = step.mends.iter().map(|finding| finding.fingerprint()).collect();
    mends.dedup();
    StepEntry {
        step: number,
        kind: step.kind.as_str(),
        summary: step.remediation.summary.clone(),
        mends,
        commands: lines(&step.remediation.commands, shell),
        script_commands: lines(&step.remediation.script, shell),
        disturbs: step.disturbs,
        verify: step.verify.line(shell),
    }
}

fn lines(commands: &[Command], shell: Shell) -> Vec<String> {
    commands.iter().map(|command| command.line(shell)).collect()
}

fn finding_entry(finding: &Finding, caused_by: Vec<String>, shell: Shell) -> FindingEntry {
    FindingEntry {
        rule: finding.rule.id,
        check: check::of_rule(finding.rule.id).map(|(check, _)| check.id).unwrap_or_default(),
        severity: finding.severity.as_str(),
        title: finding.rule.title,
        detail: finding.detail.clone(),
        subject: SubjectEntry {
            kind: finding.subject.kind,
            id: finding.subject.id.to_string(),
            name: finding.subject.name.clone(),
        },
        evidence: finding.evidence.iter().map(observation_entry).collect(),
        remediation: RemediationEntry {
            kind: finding.remediation.kind.as_str(),
            summary: finding.remediation.summary.clone(),
            commands: lines(&finding.remediation.commands, shell),
            script_commands: lines(&finding.remediation.script, shell),
            docs: finding.remediation.docs,
        },
        fingerprint: finding.fingerprint(),
        caused_by,
    }
}

fn observation_entry(observation: &Observation) -> ObservationEntry {
    ObservationEntry {
        source: observation.source.clone(),
        path: observation.path.clone(),
        value: observation.value.clone(),
    }
}
