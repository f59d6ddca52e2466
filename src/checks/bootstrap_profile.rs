//! The cluster's own settings: is it isolated, through which registry, and does it meet the prerequisites.

mod isolation;
mod operations;
mod prerequisites;

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::{DOCS_ISOLATED, remedy};
use super::rule::RuleSet;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::rule::{GateRole, Rule};
use crate::evidence::{Evidence, Section};

pub const NOT_ISOLATED: Rule =
    Rule::warning("not-network-isolated", "The cluster is not network isolated").gate(GateRole::Standing);
pub const WITHOUT_CACHE: Rule =
    Rule::error("isolated-without-cache", "Egress is closed, but artifacts do not come from a registry")
        .breaking_pulls()
        .gate(GateRole::Standing);
pub const INCOMPLETE: Rule =
    Rule::info("isolation-incomplete", "Artifacts come from the registry, but egress is still open")
        .gate(GateRole::Standing);
pub const REGISTRY_UNSET: Rule =
    Rule::error("bootstrap-registry-unset", "The cluster names no bootstrap registry").breaking_pulls();
pub const REGISTRY_NOT_FOUND: Rule = Rule::error(
    "bootstrap-registry-not-found",
    "The bootstrap registry no longer exists under the id that the cluster names",
)
.breaking_pulls();
pub const VERSION: Rule =
    Rule::error("kubernetes-version-unsupported", "The Kubernetes version is too old for network isolation");
pub const SERVICE_PRINCIPAL: Rule =
    Rule::error("service-principal-cluster", "The cluster signs in with a service principal");
pub const NETWORK_PLUGIN: Rule =
    Rule::error("network-plugin-unsupported", "kubenet does not support network isolation");
pub const OS_CHANNEL: Rule = Rule::warning(
    "node-os-channel-unsupported",
    "The node OS upgrade channel Unmanaged does not support network isolation",
)
.gate(GateRole::Strict);
pub const WINDOWS: Rule =
    Rule::warning("windows-pool", "Windows node pools are not documented to work in a network isolated cluster")
        .gate(GateRole::Open);
pub const FAILED: Rule = Rule::warning("cluster-failed", "The last operation on the cluster failed");
pub const STOPPED: Rule = Rule::info("cluster-stopped", "The cluster is stopped");
pub const IN_PROGRESS: Rule =
    Rule::info("operation-in-progress", "An operation is running on the cluster or a pool").gate(GateRole::Standing);

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "bootstrap-profile",
        title: "The cluster's bootstrap profile and the prerequisites of network isolation",
        doc: include_str!("bootstrap-profile.md"),
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
    },
    needs: &[Section::AgentPools, Section::Registry],
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
    Finding::new(rule, Subject::new("Microsoft.ContainerService/managedClusters", &evidence.cluster.id), detail.into())
        .seen(fields.iter().map(|(path, value)| Observation::new(&source, *path, *value)).collect())
        .with_remediation(remediation)
}

fn update(summary: &str, commands: Vec<Command>) -> Remediation {
    remedy(RemediationKind::UpdateCluster, summary, commands, DOCS_ISOLATED)
}
