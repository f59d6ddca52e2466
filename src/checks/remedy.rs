//! The documented remediations, with the real names and ids filled in.
//!
//! Whose commands: on a managed registry everything belongs to AKS, so the remediation is a reconcile; on one of the
//! operator's own it is the operator's `az acr` and `az network` commands.

pub mod cache;
pub mod dns;

use super::command::Command;
use super::finding::{Remediation, RemediationKind};
use super::impact::Impact;
use crate::evidence::Evidence;
use crate::evidence::cloud;
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

/// `aksiso COMMAND -g GROUP -n NAME -s SUB`, in the cluster's cloud: how one sees what became of a step.
pub fn aksiso(subcommand: &str, evidence: &Evidence) -> Command {
    let cluster = &evidence.cluster.id;
    let command = addressed(Command::new("aksiso").word(subcommand), cluster);
    let command = command.with("-s", cluster.subscription().unwrap_or_default());
    match evidence.cloud().name {
        name if name == cloud::PUBLIC.name => command,
        name => command.with("--cloud", name),
    }
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

/// What a reconcile leaves as it was.
const RECONCILED: &str = "nothing to undo: the cluster's settings stay as they are";

/// `az aks update -g GROUP -n NAME …`: settings only; a caller whose options do more says so.
pub fn aks_update(evidence: &Evidence, options: &[(&str, &str)]) -> Command {
    let cluster = &evidence.cluster.id;
    let command = addressed(Command::new("az aks update"), cluster);
    let command = options.iter().fold(command, |command, (option, value)| command.with(option, *value));
    let undo = if options.is_empty() { RECONCILED } else { "the same command with the former values" };
    in_subscription(command, cluster).changing(Impact::Access, cluster, undo)
}

/// Gives the cluster managed identities instead of a service principal.
pub fn with_managed_identity(evidence: &Evidence) -> Command {
    let cluster = &evidence.cluster.id;
    let command = addressed(Command::new("az aks update"), cluster).word("--enable-managed-identity");
    let undo = "not possible: there is no way back to a service principal";
    in_subscription(command, cluster).changing(Impact::Access, cluster, undo)
}

/// The commands of a reconcile: for a person, and for a script without a terminal.
fn reconcile_commands(evidence: &Evidence) -> (Vec<Command>, Vec<Command>) {
    let person = vec![aks_update(evidence, &[])];
    let script = match (evidence.ownership(), evidence.registry_id()) {
        (Ownership::Byo, Some(registry)) => aks_update(evidence, &use_cache(&registry)),
        // The bootstrap flag alone would write the registry's id as null.
        _ => Command::new("az resource update").with("--ids", evidence.cluster.id.as_str()).changing(
            Impact::Access,
            &evidence.cluster.id,
            RECONCILED,
        ),
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
    let summary = format!("{why} Reconcile the cluster: an update without parameters; answer y when prompted.");
    Remediation { kind: RemediationKind::Reconcile, summary, commands, script, docs: DOCS_TROUBLESHOOT }
}

/// The same for a finding whose kind names what is repaired, whoever does it.
pub fn reconcile_as(kind: RemediationKind, evidence: &Evidence, why: &str) -> Remediation {
    Remediation { kind, ..reconcile(evidence, why) }
}

/// A managed registry that lost its rule: delete it, and AKS recreates it.
pub fn delete_registry_and_reconcile(evidence: &Evidence, registry: &ResourceId) -> Remediation {
    let mut summary = "Delete the managed registry, then reconcile: AKS creates it again with its rule. Between the \
                       two steps no image can be pulled. Compare the registry's id before and after; if it changed, \
                       reimage every pool."
        .to_owned();
    let mut steps = Vec::new();
    if evidence.automatic() {
        summary
            .push_str(" On AKS Automatic the node resource group is locked: open a support request for the deletion.");
        let (kind, docs) = (RemediationKind::DeleteRegistryAndReconcile, DOCS_TROUBLESHOOT);
        return Remediation { kind, summary, commands: Vec::new(), script: Vec::new(), docs };
    }
    let mut relock = None;
    if evidence.node_group_locked() {
        summary.push_str(
            " The node resource group is locked (ReadOnly): the first command unlocks it, and the last one locks it \
             again.",
        );
        let lockdown = |level| aks_update(evidence, &[("--nrg-lockdown-restriction-level", level)]);
        let change = |level, back| lockdown(level).changing(Impact::Access, &evidence.cluster.id, lockdown(back));
        steps.push(change("Unrestricted", "ReadOnly"));
        relock = Some(change("ReadOnly", "Unrestricted"));
    }
    let delete = in_group(Command::new("az acr delete").with("-n", registry.name()), registry).word("--yes");
    let undo = "not possible; the reconcile creates the registry again";
    steps.push(in_subscription(delete, registry).changing(Impact::Deletes, registry, undo));
    let (person, script) = reconcile_commands(evidence);
    let show = in_subscription(addressed(Command::new("az aks show"), &evidence.cluster.id), &evidence.cluster.id)
        .with("--query", "bootstrapProfile.containerRegistryId");
    let last = [show].into_iter().chain(relock);
    let whole = |reconcile: Vec<Command>| steps.iter().cloned().chain(reconcile).chain(last.clone()).collect();
    Remediation {
        kind: RemediationKind::DeleteRegistryAndReconcile,
        summary,
        commands: whole(person),
        script: whole(script),
        docs: DOCS_TROUBLESHOOT,
    }
}

/// What is said instead of undoing a reimage.
const REIMAGED: &str = "not possible, and not needed: nodes get what the cluster is set to";

/// Reimages the nodes of a pool.
pub fn upgrade_pool(evidence: &Evidence, pool: &str) -> Command {
    let command = node_pool(evidence, "az aks nodepool upgrade", pool).word("--node-image-only");
    let target = evidence.cluster.id.child("agentPools").child(pool);
    in_subscription(command, &evidence.cluster.id).changing(Impact::RollsNodes, &target, REIMAGED)
}

/// Starts a stopped pool.
pub fn start_pool(evidence: &Evidence, pool: &str) -> Command {
    let whole = |words| in_subscription(node_pool(evidence, words, pool), &evidence.cluster.id);
    let target = evidence.cluster.id.child("agentPools").child(pool);
    whole("az aks nodepool start").changing(Impact::Access, &target, whole("az aks nodepool stop"))
}

/// A command on a pool, by its names.
fn node_pool(evidence: &Evidence, words: &'static str, pool: &str) -> Command {
    let command = Command::new(words).with("-g", evidence.cluster.id.resource_group().unwrap_or_default());
    command.with("--cluster-name", evidence.cluster.id.name()).with("-n", pool)
}

/// Replaces the nodes of a NodePool of node auto-provisioning.
pub fn delete_node_claims(evidence: &Evidence, node_pool: &str) -> Command {
    // The current context may be another cluster's, whose NodePool has the same name: which one, a person says.
    let command = Command::new("kubectl delete nodeclaims").with("--context", "<CONTEXT>");
    let command = command.with("-l", format!("karpenter.sh/nodepool={node_pool}"));
    let undo = "not possible, and not needed: node auto-provisioning makes new nodes";
    command.changing(Impact::Deletes, &evidence.cluster.id.child("nodePools").child(node_pool), undo)
}

/// Reimages the nodes of every pool; returns before they are.
pub fn upgrade_all_pools(evidence: &Evidence) -> Command {
    let command = addressed(Command::new("az aks upgrade"), &evidence.cluster.id);
    let command = in_subscription(command.word("--node-image-only").word("--yes"), &evidence.cluster.id);
    command.changing(Impact::RollsNodes, &evidence.cluster.id, REIMAGED)
}

/// `az acr cache … -r REGISTRY -g GROUP …`.
pub fn acr(words: &str, registry: &ResourceId) -> Command {
    in_group(Command::new(words).with("-r", registry.name()), registry)
}

/// Creates a cache rule, with a credential set where it needs one.
pub fn create_cache_rule(registry: &ResourceId, rule: &RuleWords<'_>) -> Command {
    let id = registry.child("cacheRules").child(rule.name);
    written_rule(registry, rule).changing(Impact::Access, &id, removed_rule(registry, rule.name))
}

/// Deletes a cache rule.
pub fn delete_cache_rule(registry: &ResourceId, rule: &RuleWords<'_>) -> Command {
    let id = registry.child("cacheRules").child(rule.name);
    removed_rule(registry, rule.name).changing(Impact::Deletes, &id, written_rule(registry, rule))
}

/// What makes up a cache rule.
#[derive(Debug, Clone, Copy)]
pub struct RuleWords<'r> {
    pub name: &'r str,
    pub source: &'r str,
    pub target: &'r str,
    /// The name of its credential set.
    pub credentials: Option<&'r str>,
    /// The identity that it signs in with.
    pub identity: Option<&'r str>,
}

fn written_rule(registry: &ResourceId, rule: &RuleWords<'_>) -> Command {
    let create = acr("az acr cache create", registry).with("-n", rule.name);
    let create = create.with("-s", rule.source).with("-t", rule.target);
    let create = rule.credentials.into_iter().fold(create, |create, set| create.with("-c", set));
    let create = rule.identity.into_iter().fold(create, |create, id| create.with("--identity", id));
    in_subscription(create, registry)
}

fn removed_rule(registry: &ResourceId, name: &str) -> Command {
    in_subscription(acr("az acr cache delete", registry).with("-n", name).word("--yes"), registry)
}

/// The rule that the documentation prescribes.
pub fn create_documented_rule(evidence: &Evidence, registry: &ResourceId) -> Command {
    let source = format!("{}/*", evidence.mcr_hosts()[0]);
    let (name, target) = ("aks-managed-mcr", "aks-managed-repository/*");
    create_cache_rule(registry, &RuleWords { name, source: &source, target, credentials: None, identity: None })
}

/// Assigns a role to a service principal by its object id; with the type no look-up in Microsoft Graph is needed.
pub fn assign_role(role: &str, principal: &str, scope: &str) -> Command {
    let words = |verb: &str| {
        let command = Command::new("az role assignment").word(verb).with("--role", role).with("--scope", scope);
        command.with("--assignee-object-id", principal)
    };
    let create = words("create").with("--assignee-principal-type", "ServicePrincipal");
    create.changing(Impact::Access, &ResourceId::new(scope.to_owned()), words("delete"))
}
