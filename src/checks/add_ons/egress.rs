//! `addon-needs-egress` and `gpu-driver-needs-egress`: what an isolated cluster turned on and cannot reach.

use super::{GPU_DRIVER, NEEDS_EGRESS, unsupported};
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::remedy;
use crate::checks::rule::Severity;
use crate::evidence::Evidence;
use crate::evidence::pools::AgentPool;
use crate::model::egress::own_egress;
use crate::model::gpu;

const DOCS_EGRESS: &str = "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress";
const DOCS_GPU: &str = "https://learn.microsoft.com/azure/aks/use-nvidia-gpu";

/// A feature that is on and has no private link.
struct Feature {
    subject: Subject,
    title: String,
    hosts: String,
    seen: Observation,
    severity: Severity,
    /// What is said besides.
    more: &'static str,
}

/// Judges both; a way out of the operator's own makes either moot, and one that cannot be seen leaves them open.
pub(super) fn judge(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    if !evidence.egress_closed() {
        return;
    }
    let features = features(evidence);
    let pools = judge.know(&evidence.pools.agent_pools, "the node pools").into_iter().flatten();
    let pools: Vec<(&AgentPool, &str)> = pools.filter_map(|pool| Some((pool, gpu::fetched_driver(pool)?))).collect();
    if features.is_empty() && pools.is_empty() {
        return;
    }
    let (egress, gaps) = own_egress(evidence);
    let urgent = !pools.is_empty() || features.iter().any(|feature| feature.severity > Severity::Info);
    if egress {
        gaps.into_iter().filter(|_| urgent).for_each(|gap| judge.note(gap));
        return;
    }
    for feature in features {
        judge.report(needs_egress(feature));
    }
    for (pool, driver) in pools {
        judge.report(fetches_driver(evidence, pool, driver));
    }
}

/// The features that are on, with the hosts that the documentation lists for them.
fn features(evidence: &Evidence) -> Vec<Feature> {
    let properties = &evidence.cluster.properties;
    let cloud = evidence.cloud();
    let id = &evidence.cluster.id;
    let feature = |name: &str, path: &str, title: &str, hosts: String| Feature {
        subject: Subject::new("add-on", &id.child("addonProfiles").child(name)),
        title: title.to_owned(),
        hosts,
        seen: Observation::new(evidence.cluster.source(), format!("properties.{path}.enabled"), "true"),
        severity: Severity::Warning,
        more: "",
    };
    let (arm, login) = (host(cloud.arm), host(cloud.authority));
    let mut found = Vec::new();
    let add_on = |name: &str| {
        let own = properties.addon_profiles.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        own.is_some_and(|(_, profile)| profile.enabled == Some(true))
    };
    if add_on("azurepolicy") {
        let policy = feature("azurepolicy", "addonProfiles.azurepolicy", "Azure Policy", cloud.policy_hosts.join(", "));
        // Nobody can turn it off there.
        found.push(if evidence.automatic() {
            Feature { severity: Severity::Info, more: " AKS Automatic brings it along.", ..policy }
        } else {
            policy
        });
    }
    if add_on("ingressApplicationGateway") {
        let path = "addonProfiles.ingressApplicationGateway";
        let title = "The Application Gateway ingress controller";
        found.push(feature("ingressApplicationGateway", path, title, format!("{arm}, {login}")));
    }
    let security = properties.security_profile.as_ref();
    let defender = security.and_then(|security| security.defender.as_ref()?.security_monitoring.as_ref());
    if defender.is_some_and(|defender| defender.enabled == Some(true)) {
        let path = "securityProfile.defender.securityMonitoring";
        let hosts = format!("*.cloud.defender.microsoft.com, {login}");
        found.push(feature("defender", path, "Microsoft Defender for Containers", hosts));
    }
    let cost = properties.metrics_profile.as_ref().and_then(|metrics| metrics.cost_analysis.as_ref());
    if cost.is_some_and(|cost| cost.enabled == Some(true)) {
        let hosts = format!("{arm}, {login}");
        found.push(feature("costAnalysis", "metricsProfile.costAnalysis", "Cost analysis", hosts));
    }
    found.extend(extensions(evidence));
    let identity = security.and_then(|security| security.workload_identity.as_ref());
    if identity.is_some_and(|identity| identity.enabled == Some(true)) {
        let path = "securityProfile.workloadIdentity";
        let own = feature("workloadIdentity", path, "Workload identity", login.to_owned());
        let more = " Pods that use it get their tokens from there; other pods are not affected.";
        found.push(Feature { severity: Severity::Info, more, ..own });
    }
    found
}

/// Every extension talks to the same service; those that do not work at all are told as such.
fn extensions(evidence: &Evidence) -> Vec<Feature> {
    let region = evidence.cluster.location.as_deref().unwrap_or("REGION").to_lowercase();
    let own = evidence.pools.extensions.known().into_iter().flatten();
    let supported = own
        .filter(|extension| unsupported(extension.properties.extension_type.as_deref().unwrap_or_default()).is_none());
    supported
        .map(|extension| {
            let kind = extension.properties.extension_type.clone().unwrap_or_default();
            Feature {
                subject: Subject::new("Microsoft.KubernetesConfiguration/extensions", &extension.id),
                title: format!("Extension {}", extension.name()),
                hosts: format!("{region}.{}", evidence.cloud().extension_host),
                seen: Observation::new(extension.source(), "properties.extensionType", kind),
                severity: Severity::Warning,
                more: " A marketplace extension also pulls its images from arcmktplaceprod.azurecr.io.",
            }
        })
        .collect()
}

/// The host of an endpoint.
fn host(endpoint: &'static str) -> &'static str {
    endpoint.trim_start_matches("https://")
}

fn needs_egress(feature: Feature) -> Finding {
    let Feature { subject, title, hosts, seen, severity, more } = feature;
    let detail = format!(
        "{title} is on, and there is no private link to the hosts it needs, which are unreachable: {hosts}.{more}"
    );
    let summary = format!(
        "Turn it off, or allow the nodes egress to these hosts only (a firewall or proxy of your own): {hosts}. What \
         is left on keeps retrying."
    );
    Finding::new(&NEEDS_EGRESS, subject, detail).with_severity(severity).seen(vec![seen]).with_remediation(remedy(
        RemediationKind::Investigate,
        summary,
        Vec::new(),
        DOCS_EGRESS,
    ))
}

fn fetches_driver(evidence: &Evidence, pool: &AgentPool, driver: &str) -> Finding {
    let size = pool.vm_size.as_deref().unwrap_or_default();
    let detail = format!(
        "Pool {} has machines of size {size}: {driver}, which is downloaded when a node is provisioned and does not \
         come through the registry. New nodes probably fail, or come without a driver.",
        pool.name
    );
    let field = |field: &str| format!("properties.agentPoolProfiles[{}].{field}", pool.name);
    let mut seen = vec![Observation::new(evidence.cluster.source(), field("vmSize"), size)];
    if let Some(sku) = &pool.os_sku {
        seen.push(Observation::new(evidence.cluster.source(), field("osSKU"), sku.as_str()));
    }
    let summary = "Make the pool with gpuProfile.driver None and install the driver yourself from a registry that the \
                   nodes reach (the NVIDIA GPU operator, with its images rewritten), or give the pool's subnet a way \
                   out of your own. The setting cannot be changed on an existing pool.";
    Finding::new(&GPU_DRIVER, Subject::pool(&evidence.cluster.id, &pool.name), detail)
        .seen(seen)
        .with_remediation(remedy(RemediationKind::Investigate, summary, Vec::new(), DOCS_GPU))
}
