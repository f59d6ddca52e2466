//! Ways out that the outbound type does not show: subnets, public addresses, a proxy, a public API server.

mod own_egress;

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::{self, DOCS_ISOLATED, remedy};
use super::rule::RuleSet;
use super::{cache_rules, kubelet_acrpull, node_image, private_dns, private_endpoint};
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind, Subject};
use crate::checks::impact::Impact;
use crate::checks::rule::{GateRole, Rule};
use crate::evidence::id::ResourceId;
use crate::evidence::network::SubnetProperties;
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Section};
use crate::model::egress::own_default_route;
use crate::model::names::RegistryNames;

/// What pulls without a way out rest on.
const PULLS: &[&RuleSet] = &[
    &cache_rules::CHECK.about,
    &private_endpoint::CHECK.about,
    &private_dns::CHECK.about,
    &kubelet_acrpull::CHECK.about,
    &node_image::CHECK.about,
];

pub const DEFAULT_OUTBOUND: Rule =
    Rule::warning("subnet-default-outbound", "A node subnet still has Azure's default outbound access")
        .hardening(PULLS);
pub const PUBLIC_IP: Rule = Rule::warning("node-public-ip", "A pool's nodes have public addresses").hardening(PULLS);
pub const PROXY: Rule = Rule::warning("proxy-covers-registry", "The nodes' proxy gets the traffic to the registry")
    .risking_pulls()
    .gate(GateRole::Closing);
pub const PUBLIC_API: Rule =
    Rule::info("api-server-public", "The API server has a public address").gate(GateRole::Aside);

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "outbound",
        title: "Egress paths",
        doc: include_str!("outbound.md"),
        rules: &[&DEFAULT_OUTBOUND, &own_egress::OPEN, &PUBLIC_IP, &PROXY, &PUBLIC_API],
    },
    needs: &[Section::AgentPools, Section::Registry, Section::VirtualNetworks, Section::RouteTables],
    run,
};

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    judge.is_isolated_or_cached()?;
    subnets(judge);
    own_egress::judge(judge);
    public_addresses(judge);
    proxy(judge);
    api_server(judge);
    Ok(())
}

fn subnets(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let Some(pools) = judge.know(&evidence.pools.agent_pools, "the node pools") else { return };
    if !evidence.outbound_type().eq_ignore_ascii_case("none") {
        return;
    }
    let mut named: Vec<&ResourceId> = pools.iter().filter_map(|pool| pool.vnet_subnet_id.as_ref()).collect();
    named.sort();
    named.dedup();
    let known = evidence.node_subnets();
    for id in named {
        let Some(network) = id.up_to("virtualNetworks") else { continue };
        if let Fact::Missing(gap) = evidence.network(&network) {
            judge.note(gap.about("the node network"));
            continue;
        }
        let Some((_, subnet)) = known.iter().find(|(known, _)| *known == id) else { continue };
        if subnet.default_outbound_access == Some(false)
            || subnet.nat_gateway.as_ref().is_some_and(|gateway| gateway.id.is_some())
        {
            continue;
        }
        match own_default_route(evidence, subnet) {
            Ok(true) => {}
            Ok(false) => judge.report(default_outbound(evidence, id, subnet)),
            Err(gap) => judge.note(gap),
        }
    }
}

fn default_outbound(evidence: &Evidence, id: &ResourceId, subnet: &SubnetProperties) -> Finding {
    let access = subnet.default_outbound_access.map_or_else(|| "(unset)".to_owned(), |access| access.to_string());
    let network = id.up_to("virtualNetworks").unwrap_or_default();
    let show = Command::new("az network vnet subnet show").with("-g", id.resource_group().unwrap_or_default());
    let show = show.with("--vnet-name", network.name()).with("-n", id.name());
    Finding::new(
        &DEFAULT_OUTBOUND,
        Subject::new("Microsoft.Network/virtualNetworks/subnets", id),
        format!(
            "outboundType is {}, but subnet {} does not turn off Azure's default outbound access, and neither a NAT \
             gateway nor a default route takes its place: nodes may still get out, over Azure's shared \
             default outbound IP.",
            evidence.outbound_type(),
            id.name()
        ),
    )
    .seen(vec![Observation::new(
        format!("GET {network}"),
        format!("properties.subnets[{}].properties.defaultOutboundAccess", id.name()),
        access,
    )])
    .with_remediation(remedy(
        RemediationKind::Investigate,
        format!(
            "Make subnet {} of network {} private: set defaultOutboundAccess to false (az network vnet subnet update \
             --default-outbound false), once pulls over the private path are seen to work. Nodes keep their way out \
             until they are stopped and started, or replaced.",
            id.name(),
            network.name()
        ),
        vec![remedy::in_subscription(show, id)],
        "https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access",
    ))
}

fn public_addresses(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let pools = evidence.pools.agent_pools.known().into_iter().flatten();
    for pool in pools.filter(|pool| pool.enable_node_public_ip == Some(true)) {
        let path = format!("properties.agentPoolProfiles[{}].enableNodePublicIP", pool.name);
        let detail = format!(
            "enableNodePublicIP gives each node of pool {} a public address, and with it egress whatever the \
             outbound type.",
            pool.name
        );
        judge.report(
            Finding::new(
                &PUBLIC_IP,
                Subject::pool(&evidence.cluster.id, &pool.name),
                detail,
            )
            .seen(vec![Observation::new(evidence.cluster.source(), path, "true")])
            .with_remediation(remedy(
                RemediationKind::Investigate,
                "The setting cannot be changed on a pool: add a pool without it, move the workloads, delete this one.",
                Vec::new(),
                "https://learn.microsoft.com/azure/aks/concepts-network-isolated",
            )),
        );
    }
}

fn proxy(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let Some(config) =
        evidence.cluster.properties.http_proxy_config.as_ref().filter(|config| config.enabled != Some(false))
    else {
        return;
    };
    let Some(proxy) = &config.https_proxy else { return };
    let Ok(Some(registry)) = judge.registry() else { return };
    let names = registry_names(registry);
    let uncovered: Vec<&String> =
        names.iter().filter(|name| !config.no_proxy.iter().any(|entry| bypasses(entry, name))).collect();
    if uncovered.is_empty() {
        return;
    }
    let uncovered = uncovered.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let suffix = names
        .first()
        .and_then(|name| name.split_once('.'))
        .map_or(evidence.cloud().registry_suffix, |(_, suffix)| suffix)
        .to_owned();
    let update = remedy::aks_update(evidence, &[("--http-proxy-config", "proxy.json")]);
    let undo = "the same command with the former proxy configuration";
    let update = update.changing(Impact::RollsNodes, &evidence.cluster.id, undo);
    judge.report(
        Finding::new(
            &PROXY,
            Subject::new("Microsoft.ContainerService/managedClusters", &evidence.cluster.id),
            format!(
                "Nodes use the proxy {proxy} for HTTPS, and noProxy does not cover {uncovered}: pulls and bootstrap \
                 go to the proxy instead of the private endpoint. (An address range in noProxy matches no host name, \
                 and a wildcard such as *.{suffix} matches nothing.)"
            ),
        )
        .seen(vec![Observation::new(
            evidence.cluster.source(),
            "properties.httpProxyConfig.noProxy",
            config.no_proxy.join(", "),
        )])
        .with_remediation(remedy(
            RemediationKind::UpdateCluster,
            format!(
                "Write the proxy configuration to proxy.json with .{suffix} added to noProxy, and update the cluster: \
                 it reimages the nodes by itself."
            ),
            vec![update],
            "https://learn.microsoft.com/azure/aks/http-proxy",
        )),
    );
}

/// The login server and the home region's data endpoint.
fn registry_names(registry: &Registry) -> Vec<String> {
    let names = RegistryNames::of(registry);
    names.map_or_else(Vec::new, |names| vec![names.data(&names.home), names.server])
}

/// Whether an entry of noProxy covers a host: itself, a domain above it, or everything. A wildcard before a domain is
/// documented as unsupported, and matches nothing.
fn bypasses(entry: &str, host: &str) -> bool {
    let entry = entry.trim().to_lowercase();
    let domain = entry.trim_start_matches('.');
    entry == "*" || (!domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}"))))
}

fn api_server(judge: &mut Judge<'_>) {
    let evidence = judge.evidence;
    let profile = evidence.cluster.properties.api_server_access_profile.clone().unwrap_or_default();
    if profile.enable_private_cluster == Some(true) || profile.enable_vnet_integration == Some(true) {
        return;
    }
    judge.report(
        Finding::new(
            &PUBLIC_API,
            Subject::new("Microsoft.ContainerService/managedClusters", &evidence.cluster.id),
            "The cluster is neither private nor uses API server VNet integration: its nodes reach the API server over \
             a public address, which an isolated network has to allow."
                .to_owned(),
        )
        .seen(vec![Observation::new(
            evidence.cluster.source(),
            "properties.apiServerAccessProfile",
            "neither enablePrivateCluster nor enableVnetIntegration",
        )])
        .with_remediation(remedy(
            RemediationKind::Investigate,
            "Consider API server VNet integration, which can be turned on for an existing cluster.",
            Vec::new(),
            DOCS_ISOLATED,
        )),
    );
}

#[cfg(test)]
mod tests {
    use super::bypasses;

    #[test]
    fn no_proxy_entries_cover_hosts_and_domains_but_no_addresses() {
        let host = "contoso.eastus.data.azurecr.io";
        for yes in ["*", ".azurecr.io", "azurecr.io", "contoso.eastus.data.azurecr.io", " .AzureCR.io "] {
            assert!(bypasses(yes, host), "{yes}");
        }
        for no in ["", "10.0.0.0/8", "contoso.azurecr.io", "cr.io", ".", "*.azurecr.io", "*azurecr.io"] {
            assert!(!bypasses(no, host), "{no}");
        }
    }
}
