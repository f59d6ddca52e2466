//! Add-ons, extensions, storage and GPU drivers: what a network isolated cluster cannot use as it is.

mod egress;
mod storage;

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, DOCS_ISOLATED, remedy};
use super::rule::RuleSet;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::rule::{GateRole, Rule};
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Section};

pub const NEEDS_PRIVATE_LINK: Rule =
    Rule::info("addon-needs-private-link", "An add-on needs a private endpoint of its own");
pub const UNSUPPORTED: Rule =
    Rule::warning("extension-unsupported", "An extension does not support network isolated clusters")
        .gate(GateRole::Strict);
pub const NEEDS_EGRESS: Rule =
    Rule::warning("addon-needs-egress", "A feature that is on needs egress, and there is no private link for it");
pub const STORAGE: Rule = Rule::warning("storage-without-private-endpoint", "Storage is reached over public addresses");
pub const GPU_DRIVER: Rule =
    Rule::warning("gpu-driver-needs-egress", "A GPU pool's driver is fetched from the internet");

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "add-ons",
        title: "Add-ons and extensions",
        doc: include_str!("add-ons.md"),
        rules: &[&NEEDS_PRIVATE_LINK, &NEEDS_EGRESS, &STORAGE, &GPU_DRIVER, &UNSUPPORTED],
    },
    needs: &[
        Section::Extensions,
        Section::AgentPools,
        Section::VirtualNetworks,
        Section::RouteTables,
        Section::Storage,
    ],
    run,
};

/// Extension types that the documentation lists as unsupported.
const EXTENSIONS: [(&str, &str); 5] = [
    ("microsoft.dapr", "Dapr"),
    ("microsoft.appconfiguration", "App Configuration"),
    ("microsoft.azureml.kubernetes", "Azure Machine Learning"),
    ("microsoft.flux", "Flux (GitOps)"),
    ("microsoft.dataprotection.kubernetes", "Azure Backup"),
];

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    judge.is_isolated_or_cached()?;
    let evidence = judge.evidence;
    for add_on in enabled(evidence) {
        judge.report(needs_private_link(evidence, add_on));
    }
    for extension in judge.know(&evidence.pools.extensions, "the cluster's extensions").into_iter().flatten() {
        let kind = extension.properties.extension_type.as_deref().unwrap_or_default();
        let Some(title) = unsupported(kind) else { continue };
        let id = &evidence.cluster.id;
        let command = Command::new("az k8s-extension show").with("-g", id.resource_group().unwrap_or_default());
        let command = command.with("-c", id.name()).with("-t", "managedClusters").with("-n", extension.name());
        judge.report(
            Finding::new(
                &UNSUPPORTED,
                Subject::new("Microsoft.KubernetesConfiguration/extensions", &extension.id),
                format!(
                    "Extension {} is {title}, which is documented not to work on a network isolated cluster.",
                    extension.name()
                ),
            )
            .seen(vec![Observation::new(extension.source(), "properties.extensionType", kind)])
            .with_remediation(remedy(
                RemediationKind::Investigate,
                format!(
                    "Check the page's limitations; where the extension is still listed and does not work, delete \
                     extension {} of the cluster. az k8s-extension needs: az extension add -n k8s-extension.",
                    extension.name()
                ),
                vec![remedy::in_subscription(command, id)],
                DOCS_ISOLATED,
            )),
        );
    }
    egress::judge(judge);
    storage::judge(judge);
    Ok(())
}

/// What an unsupported extension is called.
fn unsupported(kind: &str) -> Option<&'static str> {
    EXTENSIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)).map(|(_, title)| *title)
}

/// An add-on that talks to an Azure service of its own.
struct AddOn {
    name: &'static str,
    /// Where it is turned on.
    path: String,
    /// The private DNS zones of the service's endpoints.
    zones: String,
}

/// The enabled add-ons that talk to a service of their own.
fn enabled(evidence: &Evidence) -> Vec<AddOn> {
    let properties = &evidence.cluster.properties;
    let cloud = evidence.cloud();
    let profile = |name: &str| {
        properties.addon_profiles.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, enabled)| enabled)
    };
    let monitor = properties.azure_monitor_profile.as_ref();
    let metrics = monitor.and_then(|monitor| monitor.metrics.as_ref());
    let insights = monitor.and_then(|monitor| monitor.container_insights.as_ref());
    let (vault, monitor) = (&[cloud.vault_zone][..], cloud.monitor_zones);
    let add_on = |name, parent: &str| profile(name).map(|enabled| (name, format!("{parent}.{name}"), enabled));
    let all = [
        (add_on("azureKeyvaultSecretsProvider", "addonProfiles"), vault),
        (add_on("omsagent", "addonProfiles"), monitor),
        (metrics.map(|on| ("azureMonitorMetrics", "azureMonitorProfile.metrics".to_owned(), on)), monitor),
        (insights.map(|on| ("containerInsights", "azureMonitorProfile.containerInsights".to_owned(), on)), monitor),
    ];
    let enabled = all.into_iter().filter_map(|(add_on, zones)| Some((add_on?, zones)));
    enabled
        .filter(|((_, _, enabled), _)| enabled.enabled == Some(true))
        .map(|((name, path, _), zones)| AddOn {
            name,
            path: format!("properties.{path}.enabled"),
            zones: if zones.is_empty() { format!("those that {} has for it", cloud.title) } else { zones.join(", ") },
        })
        .collect()
}

fn needs_private_link(evidence: &Evidence, add_on: AddOn) -> Finding {
    let AddOn { name, path, zones } = add_on;
    let id: ResourceId = evidence.cluster.id.child("addonProfiles").child(name);
    Finding::new(
        &NEEDS_PRIVATE_LINK,
        Subject::new("add-on", &id),
        format!(
            "{name} talks to an Azure service that an isolated network reaches only by a private endpoint, with these \
             private DNS zones: {zones}."
        ),
    )
    .seen(vec![Observation::new(evidence.cluster.source(), path, "true")])
    .with_remediation(remedy(
        RemediationKind::Investigate,
        format!(
            "See that the service has a private endpoint, and that these zones are linked to the node network: {zones}."
        ),
        vec![zone_list(evidence)],
        "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
    ))
}

fn zone_list(evidence: &Evidence) -> Command {
    remedy::in_subscription(Command::new("az network private-dns zone list"), &evidence.cluster.id)
}
