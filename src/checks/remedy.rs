//! The documented remediations, with the real names and ids filled in.
//!
//! Whose commands: on a managed registry everything belongs to AKS, so the remediation is a reconcile; on one of the
//! operator's own it is the operator's `az acr` and `az network` commands.

mod cache;

use super::command::Command;
use super::finding::{Remediation, RemediationKind};
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::model::cluster::Ownership;

/// Create, update and troubleshoot a network isolated cluster.
pub const DOCS_ISOLATED: &str = "https://learn.microsoft.com/azure/aks/network-isolated";
/// Troubleshooting of network isolated clusters.
pub const DOCS_TROUBLESHOOT: &str =
    "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/troubleshoot-network-isolated-cluster";
pub const DOCS_NODE_IMAGE: &str = "https://learn.microsoft.com/azure/aks/upgrade-node-image";
/// ACR and private endpoints.
pub const DOCS_PRIVATE_LINK: &str =
    "https://learn.microsoft.com/azure/container-registry/container-registry-private-endpoints";
/// Roles and permissions of a registry.
pub const DOCS_ROLES: &str =
    "https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview";
pub const DOCS_CACHE: &str = "https://learn.microsoft.com/azure/container-registry/artifact-cache-overview";

/// A remediation whose commands ask nothing.
pub fn remedy(
    kind: RemediationKind,
    summary: impl Into<String>,
    commands: Vec<Command>,
    docs: &'static str,
) -> Remediation {
    Remediation { kind, summary: summary.into(), commands, script: Vec::new(), docs }
}

/// `-g GROUP -n NAME --subscription SUB` of a resource.
pub fn addressed(command: Command, id: &ResourceId) -> Command {
    in_group(command, id).with("-n", id.name())
}

/// `aksiso COMMAND -g GROUP -n NAME -s SUB`: how one sees what became of a step.
pub fn aksiso(subcommand: &str, evidence: &Evidence) -> Command {
    let cluster = &evidence.cluster.id;
    let command = addressed(Command::new("aksiso").word(subcommand), cluster);
    command.with("-s", cluster.subscription().unwrap_or_default())
}

/// `-g GROUP` of a resource's group.
fn in_group(command: Command, id: &ResourceId) -> Command {
    command.with("-g", id.resource_group().unwrap_or_default())
}

/// `--subscription SUB`, last: the operator's default may be another one.
pub fn in_subscription(command: Command, id: &ResourceId) -> Command {
    match id.subscription() {
        Some(subscription) => command.with("--subscription", subscription),
        None => command,
    }
}

/// `az aks update -g GROUP -n NAME …`.
pub fn aks_update(evidence: &Evidence, options: &[(&str, &str)]) -> Command {
    let command = addressed(Command::new("az aks update"), &evidence.cluster.id);
    let command = options.iter().fold(command, |command, (option, value)| command.with(option, *value));
    in_subscription(command, &evidence.cluster.id)
}

/// The commands of a reconcile: for a person, and for a script without a terminal.
fn reconcile_commands(evidence: &Evidence) -> (Vec<Command>, Vec<Command>) {
    let person = vec![aks_update(evidence, &[])];
    let script = match (evidence.ownership(), evidence.registry_id()) {
        (Ownership::Byo, Some(registry)) => aks_update(evidence, &use_cache(&registry)),
        // The bootstrap flag alone would write the registry's id as null.
        _ => Command::new("az resource update").with("--ids", evidence.cluster.id.as_str()),
    };
    (person, vec![script])
}

/// Both flags, always: the id alone is ignored, and `Cache` alone writes the id as null.
pub fn use_cache(registry: &ResourceId) -> [(&'static str, &str); 2] {
    [("--bootstrap-artifact-source", "Cache"), ("--bootstrap-container-registry-resource-id", registry.as_str())]
}

/// AKS repairs what belongs to it.
pub fn reconcile(evidence: &Evidence, why: &str) -> Remediation {
    let (commands, script) = reconcile_commands(evidence);
    let summary = format!("{why} Reconcile the cluster: an update without parameters; answer y to its question.");
    Remediation { kind: RemediationKind::Reconcile, summary, commands, script, docs: DOCS_TROUBLESHOOT }
}

/// A managed registry that lost its rule: delete it, and AKS recreates it.
pub fn delete_registry_and_reconcile(evidence: &Evidence, registry: &ResourceId) -> Remediation {
    let automatic = evidence
        .cluster
        .sku
        .as_ref()
        .and_then(|sku| sku.name.as_deref())
        .is_some_and(|name| name.eq_ignore_ascii_case("Automatic"));
    let mut summary = "Delete the managed registry, then reconcile: AKS creates it again with its rule. Between the \
                       two steps no image can be pulled. Compare the registry's id before and after; if it changed, \
                       reimage every pool."
        .to_owned();
    let mut steps = Vec::new();
    if automatic {
        summary
            .push_str(" On AKS Automatic the node resource group is locked: open a support request for the deletion.");
    } else if evidence.node_group_locked() {
        summary.push_str(" The node resource group is locked (ReadOnly): the first command unlocks it.");
        steps.push(aks_update(evidence, &[("--nrg-lockdown-restriction-level", "Unrestricted")]));
    }
    let delete = Command::new("az acr delete").with("-n", registry.name());
    steps.push(in_subscription(in_group(delete, registry).word("--yes"), registry));
    let (person, script) = reconcile_commands(evidence);
    let show = in_subscription(addressed(Command::new("az aks show"), &evidence.cluster.id), &evidence.cluster.id)
        .with("--query", "bootstrapProfile.containerRegistryId");
    let whole = |reconcile: Vec<Command>| steps.iter().cloned().chain(reconcile).chain([show.clone()]).collect();
    Remediation {
        kind: RemediationKind::DeleteRegistryAndReconcile,
        summary,
        commands: whole(person),
        script: whole(script),
        docs: DOCS_TROUBLESHOOT,
    }
}

/// Reimages the nodes of a pool.
pub fn upgrade_pool(evidence: &Evidence, pool: &str) -> Command {
    let command =
        Command::new("az aks nodepool upgrade").with("-g", evidence.cluster.id.resource_group().unwrap_or_default());
    let command = command.with("--cluster-name", evidence.cluster.id.name()).with("-n", pool).word("--node-image-only");
    in_subscription(command, &evidence.cluster.id)
}

/// Reimages the nodes of every pool; returns before they are.
pub fn upgrade_all_pools(evidence: &Evidence) -> Command {
    let command = addressed(Command::new("az aks upgrade"), &evidence.cluster.id);
    in_subscription(command.word("--node-image-only").word("--yes"), &evidence.cluster.id)
}

/// `az acr cache … -r REGISTRY -g GROUP …`.
pub fn acr(words: &str, registry: &ResourceId) -> Command {
    in_group(Command::new(words).with("-r", registry.name()), registry)
}

/// The rule that the documentation prescribes.
pub fn create_cache_rule(evidence: &Evidence, registry: &ResourceId) -> Command {
    let create = acr("az acr cache create", registry).with("-n", "aks-managed-mcr");
    let source = format!("{}/*", evidence.mcr_hosts()[0]);
    in_subscription(create.with("-s", source).with("-t", "aks-managed-repository/*"), registry)
}

/// Deletes a cache rule.
pub fn delete_cache_rule(registry: &ResourceId, rule: &str) -> Command {
    in_subscription(acr("az acr cache delete", registry).with("-n", rule).word("--yes"), registry)
}
