//! The cluster's own settings: is it isolated, through which registry, and does it meet the prerequisites.

use super::remedy::{self, DOCS_ISOLATED, DOCS_TROUBLESHOOT, remedy};
use super::{Check, Judge, NotApplicable};
use crate::evidence::cluster::ResourceStatus;
use crate::evidence::{Evidence, Ownership, PoolState, Section};
use crate::finding::{Finding, Observation, Remediation, RemediationKind, Rule, Severity, Subject};
use crate::text;

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
    isolation(judge);
    registry(judge);
    prerequisites(judge);
    operations(judge);
    pools(judge);
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

fn update(summary: &str, commands: Vec<crate::command::Command>) -> Remediation {
    remedy(RemediationKind::UpdateCluster, summary, commands, DOCS_ISOLATED)
}

/// The command that switches to the cache: to the registry that is named, or to a managed one.
fn to_cache(evidence: &Evidence) -> crate::command::Command {
    match evidence.registry_id().filter(|_| evidence.ownership() == Ownership::Byo) {
        Some(registry) => remedy::aks_update(evidence, &remedy::use_cache(&registry)),
        None => remedy::aks_update(evidence, &[("--bootstrap-artifact-source", "Cache")]),
    }
}

fn isolation(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let bootstrap = evidence.bootstrap();
    let source = bootstrap.artifact_source.as_deref().unwrap_or("(unset)");
    let outbound = evidence.outbound_type();
    let fields =
        [("properties.bootstrapProfile.artifactSource", source), ("properties.networkProfile.outboundType", outbound)];
    let finding = match (evidence.uses_cache(), evidence.egress_closed()) {
        (false, false) => on_cluster(
            evidence,
            &NOT_ISOLATED,
            format!(
                "Nodes take their artifacts from the internet (artifactSource {source}) and outboundType {outbound} gives them a way out, so there is no isolation to diagnose."
            ),
            &fields,
            update(
                "To isolate the cluster: switch the artifact source to Cache, reimage every pool while egress is still open, and only then set the outbound type to none.",
                vec![to_cache(evidence)],
            ),
        ),
        (false, true) => on_cluster(
            evidence,
            &WITHOUT_CACHE,
            format!(
                "outboundType {outbound} leaves the nodes no way out, yet artifactSource is {source}: a new or reimaged node cannot fetch its binaries, and no image can be pulled."
            ),
            &fields,
            update(
                "Switch the artifact source to Cache, then reimage every pool. Azure Resource Manager refuses this combination in an update, so it usually stems from an older API.",
                vec![to_cache(evidence)],
            ),
        ),
        (true, false) => on_cluster(evidence, &INCOMPLETE, incomplete_detail(evidence), &fields, next_step(evidence)),
        (true, true) => return,
    };
    judge.report(finding);
}

fn incomplete_detail(evidence: &Evidence) -> String {
    let outbound = evidence.outbound_type();
    if evidence.auto_provisioning() {
        format!(
            "The cluster takes its artifacts from the registry and keeps outboundType {outbound}. Node auto-provisioning is on, and with it the outbound type cannot be changed: egress can only be closed by the network around the cluster."
        )
    } else if outbound.eq_ignore_ascii_case("userDefinedRouting") {
        "The cluster takes its artifacts from the registry, and egress goes through a route of your own (userDefinedRouting): a resting state behind a firewall, or the step before outboundType none.".to_owned()
    } else {
        format!(
            "The cluster takes its artifacts from the registry, and outboundType {outbound} still has egress: a step of the cut-over. The next step is to see that every node was reimaged since the switch to Cache (check node-image), and then to set the outbound type to none."
        )
    }
}

fn next_step(evidence: &Evidence) -> Remediation {
    if evidence.auto_provisioning() {
        return update("Nothing to run: with node auto-provisioning the outbound type cannot be changed.", Vec::new());
    }
    let cut = remedy::aks_update(evidence, &[("--outbound-type", "none")]);
    update(
        "Once every pool is reimaged, close egress. Never together with the switch to Cache in one update: Azure Resource Manager refuses that.",
        vec![cut],
    )
}

fn registry(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    if !evidence.uses_cache() {
        return;
    }
    let Some(id) = evidence.registry_id() else {
        judge.report(on_cluster(
            evidence,
            &REGISTRY_UNSET,
            "artifactSource is Cache, but no registry is named: nodes do not know where to pull from.",
            &[("properties.bootstrapProfile.artifactSource", "Cache"), ("properties.bootstrapProfile.containerRegistryId", "(unset)")],
            update("Name the registry: for one of your own add --bootstrap-container-registry-resource-id REGISTRY_ID to the command (both flags together; the id alone is ignored); as printed, AKS makes a managed one. Then reimage every pool.", vec![to_cache(evidence)]),
        ));
        return;
    };
    let Some(None) = judge.know(&evidence.registry.registry, "the bootstrap registry") else {
        return;
    };
    let remediation = if evidence.ownership() == Ownership::Managed {
        remedy::reconcile(
            evidence,
            "AKS makes its registry again. If the registry's id is another one afterwards, reimage every pool.",
        )
    } else {
        update(
            "Create the registry again under the same id (its nodes then need no reimage) or name another one with both flags and reimage every pool. The command repeats the present id; put the other id in its place.",
            vec![to_cache(evidence)],
        )
    };
    let mut finding = on_cluster(
        evidence,
        &REGISTRY_NOT_FOUND,
        format!(
            "The registry {} no longer exists under this id. If it was deleted, no image can be pulled and no node can start; if it was moved to another resource group, nodes still pull, but the cluster names the old id.",
            id.name()
        ),
        &[("properties.bootstrapProfile.containerRegistryId", id.as_str())],
        remediation,
    );
    finding.evidence.push(Observation::new(format!("GET {id}"), "status", "404"));
    judge.report(finding);
}

fn prerequisites(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let properties = &evidence.cluster.properties;
    let version = properties.current_kubernetes_version.as_ref().or(properties.kubernetes_version.as_ref());
    if let Some(version) = version.filter(|version| minor(version).is_some_and(|minor| minor < (1, 30))) {
        judge.report(on_cluster(
            evidence,
            &VERSION,
            format!("Kubernetes {version} runs; network isolation needs 1.30 or newer."),
            &[("properties.currentKubernetesVersion", version)],
            update(
                "Upgrade the cluster while it still has egress; the command lists the versions it can go to.",
                vec![upgrades(evidence)],
            ),
        ));
    }
    if evidence.cluster.identity.is_none() {
        let client = properties.service_principal_profile.as_ref().and_then(|profile| profile.client_id.as_deref());
        judge.report(on_cluster(
            evidence,
            &SERVICE_PRINCIPAL,
            "The cluster has no managed identity. Azure Resource Manager refuses artifactSource Cache for clusters with a service principal (BootstrapArtifactSourceNotAllowed), and nodes have no identity to pull with.",
            &[("identity", "(unset)"), ("properties.servicePrincipalProfile.clientId", client.unwrap_or("(unset)"))],
            update("Switch the cluster to a managed identity, then reimage every pool.", vec![with_identity(evidence)]),
        ));
    }
    let plugin = properties.network_profile.as_ref().and_then(|profile| profile.network_plugin.as_deref());
    if plugin.is_some_and(|plugin| plugin.eq_ignore_ascii_case("kubenet")) {
        judge.report(on_cluster(
            evidence,
            &NETWORK_PLUGIN,
            "The cluster uses kubenet, which network isolation does not support.",
            &[("properties.networkProfile.networkPlugin", "kubenet")],
            update(
                "Migrate to Azure CNI Overlay; it reimages every node.",
                vec![remedy::aks_update(
                    evidence,
                    &[("--network-plugin", "azure"), ("--network-plugin-mode", "overlay")],
                )],
            ),
        ));
    }
    let channel =
        properties.auto_upgrade_profile.as_ref().and_then(|profile| profile.node_os_upgrade_channel.as_deref());
    if channel.is_some_and(|channel| channel.eq_ignore_ascii_case("Unmanaged")) {
        judge.report(on_cluster(
            evidence,
            &OS_CHANNEL,
            "With nodeOSUpgradeChannel Unmanaged the operating system fetches its own patches, which an isolated node cannot.",
            &[("properties.autoUpgradeProfile.nodeOSUpgradeChannel", "Unmanaged")],
            update("Choose the channel NodeImage (or SecurityPatch, or None).", vec![remedy::aks_update(evidence, &[("--node-os-upgrade-channel", "NodeImage")])]),
        ));
    }
}

/// Major and minor number; compared as numbers, because 1.9 is older than 1.30.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn upgrades(evidence: &Evidence) -> crate::command::Command {
    let command = remedy::addressed(crate::command::Command::new("az aks get-upgrades"), &evidence.cluster.id);
    remedy::in_subscription(command, &evidence.cluster.id)
}

fn with_identity(evidence: &Evidence) -> crate::command::Command {
    let command = remedy::addressed(crate::command::Command::new("az aks update"), &evidence.cluster.id);
    remedy::in_subscription(command.word("--enable-managed-identity"), &evidence.cluster.id)
}

fn operations(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let properties = &evidence.cluster.properties;
    let state = properties.provisioning_state.as_deref();
    if PoolState::of(state) == PoolState::Failed {
        let (code, message) = last_error(properties.status.as_ref());
        let policy =
            code.eq_ignore_ascii_case("RequestDisallowedByPolicy") || message.contains("RequestDisallowedByPolicy");
        let why = if policy {
            " An Azure Policy refused it (RequestDisallowedByPolicy): a reconcile fails in the same way until the policy has an exemption."
        } else {
            ""
        };
        let state = state.unwrap_or_default();
        judge.report(on_cluster(
            evidence,
            &FAILED,
            format!("provisioningState is {state}: {code}: {message}.{why}"),
            &[
                ("properties.provisioningState", state),
                ("properties.status.provisioningError.code", &code),
                ("properties.status.provisioningError.message", &message),
            ],
            remedy::reconcile(evidence, "Mend what the message names first."),
        ));
    }
    if evidence.stopped() {
        let start = remedy::addressed(crate::command::Command::new("az aks start"), &evidence.cluster.id);
        judge.report(on_cluster(
            evidence,
            &STOPPED,
            "The cluster is stopped: there are no nodes to look at, so only its settings are judged.",
            &[("properties.powerState.code", "Stopped")],
            remedy(
                RemediationKind::Investigate,
                "Start the cluster to have its nodes judged.",
                vec![remedy::in_subscription(start, &evidence.cluster.id)],
                DOCS_TROUBLESHOOT,
            ),
        ));
    }
}

/// Code and message of the last failure; "unknown" where the cluster carries none.
fn last_error(status: Option<&ResourceStatus>) -> (String, String) {
    let error = status.and_then(|status| status.provisioning_error.as_ref());
    let code = error.and_then(|error| error.code.clone()).unwrap_or_else(|| "unknown".to_owned());
    let message =
        error.and_then(|error| error.message.clone()).unwrap_or_else(|| "the cluster carries no message".to_owned());
    (text::bounded(&code, 80), text::bounded(text::without_secrets(&message).trim_end_matches('.'), 600))
}

fn pools(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let state = evidence.cluster.properties.provisioning_state.as_deref();
    let mut running = Vec::new();
    if PoolState::of(state) == PoolState::Transient {
        let state = state.unwrap_or_default().to_owned();
        running.push(Observation::new(evidence.cluster.source(), "properties.provisioningState", state));
    }
    for pool in judge.know(&evidence.pools.agent_pools, "the node pools").into_iter().flatten() {
        let path = |field: &str| format!("properties.agentPoolProfiles[{}].{field}", pool.name);
        if pool.state() == PoolState::Transient {
            let state = pool.provisioning_state.clone().unwrap_or_default();
            running.push(Observation::new(evidence.cluster.source(), path("provisioningState"), state));
        }
        if pool.os_type.as_deref().is_some_and(|os| os.eq_ignore_ascii_case("Windows")) {
            judge.report(Finding {
                rule: &WINDOWS,
                severity: WINDOWS.severity,
                detail: format!("Pool {} runs Windows. Microsoft's page says \"not yet supported\", although newer node images have the code for it: check the page before you rely on it.", pool.name),
                subject: Subject::new("Microsoft.ContainerService/managedClusters/agentPools", &evidence.cluster.id.child("agentPools").child(&pool.name)),
                evidence: vec![Observation::new(evidence.cluster.source(), path("osType"), "Windows")],
                remediation: remedy(RemediationKind::Investigate, "Read the limitations on Microsoft's page; move the workloads to another cluster if Windows is still listed there.", Vec::new(), DOCS_ISOLATED),
            });
        }
    }
    if !running.is_empty() {
        let mut finding = on_cluster(
            evidence,
            &IN_PROGRESS,
            "An operation is running; pools in it are judged when it is over.",
            &[],
            remedy(
                RemediationKind::Investigate,
                "Wait until the operation has ended and diagnose again.",
                Vec::new(),
                DOCS_TROUBLESHOOT,
            ),
        );
        finding.evidence = running;
        judge.report(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(minor("1.9.11") < minor("1.30"));
        assert_eq!(minor("1.30"), Some((1, 30)));
        assert_eq!(minor("latest"), None);
    }
}
