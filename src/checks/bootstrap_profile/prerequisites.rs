//! What network isolation demands of the cluster.

use super::{NETWORK_PLUGIN, OS_CHANNEL, SERVICE_PRINCIPAL, VERSION, on_cluster, update};
use crate::checks::command::Command;
use crate::checks::finding::Finding;
use crate::checks::impact::Impact;
use crate::checks::judge::Judge;
use crate::checks::remedy;
use crate::evidence::Evidence;

pub(super) fn prerequisites(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let findings = [version(evidence), identity(evidence), network_plugin(evidence), os_channel(evidence)];
    findings.into_iter().flatten().for_each(|finding| judge.report(finding));
}

fn version(evidence: &Evidence) -> Option<Finding> {
    let properties = &evidence.cluster.properties;
    let version = properties.current_kubernetes_version.as_ref().or(properties.kubernetes_version.as_ref());
    let version = version.filter(|version| minor(version).is_some_and(|minor| minor < (1, 30)))?;
    Some(on_cluster(
        evidence,
        &VERSION,
        format!("Kubernetes {version} runs; network isolation needs 1.30 or newer."),
        &[("properties.currentKubernetesVersion", version)],
        update(
            "Upgrade the cluster while it still has egress; the command lists the versions it can go to.",
            vec![upgrades(evidence)],
        ),
    ))
}

fn identity(evidence: &Evidence) -> Option<Finding> {
    let profile = evidence.cluster.properties.service_principal_profile.as_ref();
    evidence.cluster.identity.is_none().then(|| {
        let client = profile.and_then(|profile| profile.client_id.as_deref());
        on_cluster(
            evidence,
            &SERVICE_PRINCIPAL,
            "The cluster has no managed identity. Azure Resource Manager refuses artifactSource Cache for clusters \
             with a service principal (BootstrapArtifactSourceNotAllowed), and nodes have no identity to pull with.",
            &[("identity", "(unset)"), ("properties.servicePrincipalProfile.clientId", client.unwrap_or("(unset)"))],
            update(
                "Switch the cluster to a managed identity, then reimage every pool.",
                vec![remedy::with_managed_identity(evidence)],
            ),
        )
    })
}

fn network_plugin(evidence: &Evidence) -> Option<Finding> {
    let profile = evidence.cluster.properties.network_profile.as_ref();
    let plugin = profile.and_then(|profile| profile.network_plugin.as_deref())?;
    plugin.eq_ignore_ascii_case("kubenet").then(|| {
        on_cluster(
            evidence,
            &NETWORK_PLUGIN,
            "The cluster uses kubenet, which network isolation does not support.",
            &[("properties.networkProfile.networkPlugin", "kubenet")],
            update("Migrate to Azure CNI Overlay; it reimages every node.", vec![to_overlay(evidence)]),
        )
    })
}

fn to_overlay(evidence: &Evidence) -> Command {
    let update = remedy::aks_update(evidence, &[("--network-plugin", "azure"), ("--network-plugin-mode", "overlay")]);
    update.changing(Impact::RollsNodes, &evidence.cluster.id, "not possible: there is no way back to kubenet")
}

fn os_channel(evidence: &Evidence) -> Option<Finding> {
    let profile = evidence.cluster.properties.auto_upgrade_profile.as_ref();
    let channel = profile.and_then(|profile| profile.node_os_upgrade_channel.as_deref())?;
    channel.eq_ignore_ascii_case("Unmanaged").then(|| {
        on_cluster(
            evidence,
            &OS_CHANNEL,
            "With nodeOSUpgradeChannel Unmanaged the operating system fetches its own patches, which an isolated node \
             cannot.",
            &[("properties.autoUpgradeProfile.nodeOSUpgradeChannel", "Unmanaged")],
            update(
                "Choose the channel NodeImage (or SecurityPatch, or None).",
                vec![remedy::aks_update(evidence, &[("--node-os-upgrade-channel", "NodeImage")])],
            ),
        )
    })
}

/// Major and minor number; compared as numbers, because 1.9 is older than 1.30.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn upgrades(evidence: &Evidence) -> Command {
    let command = remedy::addressed(Command::new("az aks get-upgrades"), &evidence.cluster.id);
    remedy::in_subscription(command, &evidence.cluster.id)
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
