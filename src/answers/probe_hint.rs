//! Where a probe would tell more: said on a machine that could run one.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::checks::command::Command;
use crate::checks::remedy;
use crate::diagnosis::Diagnosis;
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Fact};
use crate::model::node_view::{self, Role};
use crate::text;

/// What a probe from here would settle, with the commands; `None` where nothing is open that it would answer, or where
/// the machine with these addresses stands outside the node networks.
pub fn probe_hint(diagnosis: &Diagnosis<'_>, own: &[IpAddr]) -> Option<String> {
    let evidence = diagnosis.evidence;
    if diagnosis.answerable.is_empty() || !evidence.probes.is_empty() {
        return None;
    }
    let network = network_of(evidence, own)?;
    let checks = text::listed(diagnosis.answerable.iter().map(|check| check.id));
    let mut probe = Command::new("aksiso probe");
    for wanted in node_view::wanted(evidence) {
        probe = match wanted.role {
            Role::Registry => probe.with("--login-server", wanted.host),
            Role::Data => probe.with("--region", wanted.host.split('.').nth(1).unwrap_or_default()),
            Role::ApiServer => probe.with("--api-server", wanted.host),
        };
    }
    let diagnose = remedy::aksiso("diagnose", evidence).with("--probe", "probe.json");
    Some(format!(
        "{checks} left open what a probe can answer, and this machine is in the node network {}: {} && {} (its name \
         servers count only on a node: aksiso probe --how)",
        network.name(),
        probe.with("-o", "probe.json").posix(),
        diagnose.posix()
    ))
}

/// The node network that holds one of the addresses.
fn network_of(evidence: &Evidence, own: &[IpAddr]) -> Option<ResourceId> {
    let (networks, _) = evidence.node_networks();
    networks.into_iter().find(|id| {
        let Fact::Known(network) = evidence.network(id) else { return false };
        let prefixes = network.properties.address_space.iter().flat_map(|space| &space.address_prefixes);
        let mut nets = prefixes.filter_map(|prefix| prefix.parse::<IpNet>().ok());
        nets.any(|net| own.iter().any(|address| net.contains(address)))
    })
}
