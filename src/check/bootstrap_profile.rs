//! The cluster's own settings: is it isolated, through which registry, and does it meet the prerequisites.

mod isolation;
mod operations;
mod prerequisites;

use super::remedy::{DOCS_ISOLATED, remedy};
use super::{Check, Judge, NotApplicable};
use crate::command::Command;
use crate::evidence::{Evidence, Section};
use crate::finding::{Finding, Observation, Remediation, RemediationKind, Rule, Severity, Subject};

const NOT_ISOLATED: Rule =
    Rule { id: "not-network-isolated", severity: Severity::Warning, title: "The cluster is not network isolated" };
const WITHOUT_CACHE: Rule = Rule {
    id: "isolated-without-cache",
    severity: Severity::Error,
    title: "Egress is closed, but artifacts do not come from a registry",
};
const INCOMPLETE: Rule = Rule {
    id: "isolation-incomplete",
    severity: Severity::Info,
    title: "Artifacts come from the registry, but egress is still open",
};
const REGISTRY_UNSET: Rule = Rule {
    id: "bootstrap-registry-unset",
    severity: Severity::Error,
    title: "The cluster names no bootstrap registry",
};
const REGISTRY_NOT_FOUND: Rule = Rule {
    id: "bootstrap-registry-not-found",
    severity: Severity::Error,
    title: "The bootstrap registry no longer exists under the id that the cluster names",
};
const VERSION: Rule = Rule {
    id: "kubernetes-version-unsupported",
    severity: Severity::Error,
    title: "The Kubernetes version is too old for network isolation",
};
const SERVICE_PRINCIPAL: Rule = Rule {
    id: "service-principal-cluster",
    severity: Severity::Error,
    title: "The cluster signs in with a service principal",
};
const NETWORK_PLUGIN: Rule = Rule {
    id: "network-plugin-unsupported",
    severity: Severity::Error,
    title: "kubenet does not support network isolation",
};
const OS_CHANNEL: Rule = Rule {
    id: "node-os-channel-unsupported",
    severity: Severity::Warning,
    title: "The node OS upgrade channel Unmanaged does not support network isolation",
};
const WINDOWS: Rule = Rule {
    id: "windows-pool",
    severity: Severity::Warning,
    title: "Windows node pools are not documented to work in a network isolated cluster",
};
const FAILED: Rule =
    Rule { id: "cluster-failed", severity: Severity::Warning, title: "The last operation on the cluster failed" };
const STOPPED: Rule = Rule { id: "cluster-stopped", severity: Severity::Info, title: "The cluster is stopped" };
const IN_PROGRESS: Rule = Rule {
    id: "operation-in-progress",
    severity: Severity::Info,
    title: "An operation is running on the cluster or a pool",
};

/// The check.
pub const CHECK: Check = Check {
    id: "bootstrap-profile",
    title: "The cluster's bootstrap profile and the prerequisites of network isolation",
    doc: include_str!("bootstrap-profile.md"),
    needs: &[Section::AgentPools, Section::Registry],
    rules: &[
        &NOT_ISOLATED,
        &WITHOUT_CACHE,
        &INCOMPLETE,
        &REGISTRY_UNSET,
        &REGISTRY_NOT_FOUND,
        &VERSION,
        &SERVICE_PRINCIPAL,
        &NETWORK_PLUGIN,
        &OS_CHANNEL,
        &WINDOWS,
        &FAILED,
        &STOPPED,
        &IN_PROGRESS,
    ],
    run,
};

#[expect(clippy::unnecessary_wraps, reason = "the signature of every check")]
fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    isolation::isolation(judge);
    isolation::registry(judge);
    prerequisites::prerequisites(judge);
    operations::operations(judge);
    operations::pools(judge);
    Ok(())
}

/// A finding about the cluster that rests on fields of the cluster.
fn on_cluster(
    evidence: &Evidence,
    rule: &'static Rule,
    detail: impl Into<String>,
    fields: &[(&str, &str)],
    remediation: Remediation,
) -> Finding {
    let source = evidence.cluster.source();
    Finding {
        rule,
        severity: rule.severity,
        detail: detail.into(),
        subject: Subject::new("Microsoft.ContainerService/managedClusters", &evidence.cluster.id),
        evidence: fields.iter().map(|(path, value)| Observation::new(&source, *path, *value)).collect(),
        remediation,
    }
}

fn update(summary: &str, commands: Vec<Command>) -> Remediation {
    remedy(RemediationKind::UpdateCluster, summary, commands, DOCS_ISOLATED)
}
