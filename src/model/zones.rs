//! The private DNS zones that could answer for the registry, and which networks they answer.

pub mod choice;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::names::RegistryNames;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{ListedZones, NetworkLink, VirtualNetwork, ZoneFacts};
use crate::evidence::{Evidence, Fact, Gap, Reason};

#[derive(Debug, Clone, Copy)]
pub struct Zone<'e> {
    pub id: &'e ResourceId,
    /// What was read of it.
    pub facts: &'e ZoneFacts,
}

impl<'e> Zone<'e> {
    /// The zone's DNS name.
    pub fn name(&self) -> &'e str {
        self.id.name()
    }

    fn links(&self) -> impl Iterator<Item = &'e NetworkLink> + use<'e> {
        self.facts.links.known().into_iter().flatten()
    }

    /// The links to one network.
    pub fn links_to<'n>(&self, network: &'n ResourceId) -> impl Iterator<Item = &'e NetworkLink> + use<'e, 'n> {
        self.links().filter(move |link| link.properties.network_id() == Some(network))
    }

    /// The networks that the zone answers.
    pub fn linked_networks(&self) -> impl Iterator<Item = &'e ResourceId> + use<'e> {
        self.links().filter_map(|link| link.properties.network_id())
    }

    /// Whether any network is linked.
    pub fn has_links(&self) -> bool {
        self.links().next().is_some()
    }

    /// The addresses that the zone has for a name of the registry, as far as its records were read.
    pub fn addresses(&self, names: &RegistryNames, name: &str) -> BTreeSet<IpAddr> {
        names.record(self.name(), name).map(|label| self.addresses_at(&label)).unwrap_or_default()
    }

    /// The addresses of one of its records, as far as they were read.
    pub fn addresses_at(&self, label: &str) -> BTreeSet<IpAddr> {
        let records = self.facts.records.known().into_iter().flatten();
        let own = records.filter(|record| record.name().eq_ignore_ascii_case(label));
        let addresses = own.flat_map(|record| &record.properties.a_records);
        addresses.filter_map(|record| record.ipv4_address.as_deref()?.parse().ok()).collect()
    }
}

/// All zones that could answer for the registry's names, longest name first.
#[derive(Debug)]
pub struct Zones<'e> {
    evidence: &'e Evidence,
    zones: Vec<Zone<'e>>,
}

/// Where the operator's own DNS servers sit.
pub struct Sites<'e> {
    /// The zones that are linked to the servers' networks.
    pub zones: Vec<Zone<'e>>,
    /// The networks in which they sit.
    pub homes: BTreeSet<&'e ResourceId>,
    /// Whether each server sits in one of the nodes' own network and its peers: others may use the same addresses.
    pub near: bool,
    /// Servers in none of the linked networks that could be read.
    pub unplaced: Vec<String>,
    /// Linked networks that could not be read: an unplaced server may sit there.
    pub gaps: Vec<Gap>,
}

impl<'e> Zones<'e> {
    /// The zones in the evidence whose name could answer.
    pub fn of(evidence: &'e Evidence, names: &RegistryNames) -> Self {
        Self::among(evidence, &evidence.network.dns_zones, |zone| names.could_be_in(zone))
    }

    /// Those of some zones whose name could answer.
    pub fn among(
        evidence: &'e Evidence,
        all: &'e BTreeMap<ResourceId, ZoneFacts>,
        could_answer: impl Fn(&str) -> bool,
    ) -> Self {
        let zones = all.iter().filter(|(id, _)| could_answer(id.name())).map(|(id, facts)| Zone { id, facts });
        let mut zones: Vec<Zone<'e>> = zones.collect();
        zones.sort_by_key(|zone| std::cmp::Reverse(zone.name().len()));
        Self { evidence, zones }
    }

    /// The zones that exist, as far as is known.
    pub fn existing(&self) -> Vec<Zone<'e>> {
        self.zones.iter().filter(|zone| matches!(zone.facts.zone, Fact::Known(Some(_)))).copied().collect()
    }

    /// Zones that something names and that do not exist.
    pub fn absent(&self) -> impl Iterator<Item = &'e ResourceId> {
        self.zones.iter().filter(|zone| matches!(zone.facts.zone, Fact::Known(None))).map(|zone| zone.id)
    }

    /// The zones that are linked to a network.
    pub fn linked_to(&self, network: &ResourceId) -> Vec<Zone<'e>> {
        self.existing().into_iter().filter(|zone| zone.links_to(network).next().is_some()).collect()
    }

    /// What keeps "no zone is linked to this network" from being certain.
    pub fn unseen(&self, network: &ResourceId) -> Vec<Gap> {
        self.unreadable().into_iter().chain(self.links_unread()).chain(self.forwarded(network)).collect()
    }

    /// Zones whose links could not be read.
    pub fn links_unread(&self) -> Vec<Gap> {
        let links = self.existing().into_iter().filter_map(|zone| zone.facts.links.gap());
        links.map(|gap| gap.clone().about("the zone's links")).collect()
    }

    /// Forwarding rulesets that answer a network, or that could not be read.
    pub fn forwarded(&self, network: &ResourceId) -> Vec<Gap> {
        let links = self.evidence.network.forwarding_links.values();
        let gaps = links.filter_map(|fact| match fact {
            Fact::Known(networks) => networks.contains(network).then(|| {
                Gap::new(
                    Reason::NotVisible,
                    format!(
                        "a DNS forwarding ruleset is linked to network {}: what it answers cannot be seen",
                        network.name()
                    ),
                )
            }),
            Fact::Missing(gap) => Some(gap.clone().about("DNS forwarding rulesets")),
        });
        gaps.collect()
    }

    /// The same, where it also counts that nobody asked for the rulesets of the network's subscription.
    pub fn forwarded_surely(&self, network: &ResourceId) -> Vec<Gap> {
        let subscription = network.subscription().unwrap_or_default().to_lowercase();
        if self.evidence.network.forwarding_links.contains_key(&subscription) {
            return self.forwarded(network);
        }
        vec![Gap::not_collected().about("DNS forwarding rulesets")]
    }

    /// Subscriptions whose zones could not be listed at all.
    pub fn unlisted(&self) -> Vec<Gap> {
        let lists = &self.evidence.network.dns_zone_lists;
        let gaps = lists.values().filter_map(Fact::gap).map(|gap| gap.clone().about("private DNS zones"));
        let never = lists.is_empty().then(|| Gap::not_collected().about("private DNS zones"));
        gaps.chain(never).collect()
    }

    /// Zones, and lists of zones, that could not be read in full.
    pub fn unreadable(&self) -> Vec<Gap> {
        let network = &self.evidence.network;
        let mut gaps = self.unlisted();
        for (subscription, list) in &network.dns_zone_lists {
            match list {
                Fact::Missing(_) => {}
                // A zone of the registry's that was found needs no complete list; somebody else's says nothing.
                Fact::Known(listed) if self.found(listed) => {}
                Fact::Known(listed) => match &listed.whole_subscription {
                    Fact::Known(true) => {}
                    Fact::Known(false) => gaps.push(filtered(subscription)),
                    Fact::Missing(gap) => gaps.push(gap.clone().about("the reader's own permissions")),
                },
            }
        }
        gaps.extend(self.zones_unread());
        gaps
    }

    /// Whether a zone was found that makes it needless to see the rest: in a list that was cut it holds the registry's
    /// own records.
    fn found(&self, listed: &ListedZones) -> bool {
        let cut = listed.whole_subscription == Fact::Known(false);
        let holds = |zone: &Zone<'e>| zone.facts.records.known().is_none_or(|records| !records.is_empty());
        self.existing().iter().any(|zone| !cut || holds(zone))
    }

    /// Zones of which it could not be read whether they exist.
    pub fn zones_unread(&self) -> Vec<Gap> {
        self.zones.iter().filter_map(|zone| zone.facts.zone.gap()).map(|gap| gap.clone().about("the zone")).collect()
    }

    /// Places DNS servers in the networks that a zone is linked to.
    pub fn networks_of(&self, servers: &[&str], node: &VirtualNetwork, evidence: &Evidence) -> Sites<'e> {
        let existing = self.existing();
        let linked: BTreeSet<&ResourceId> = existing.iter().flat_map(Zone::linked_networks).collect();
        let mut sites =
            Sites { zones: Vec::new(), homes: BTreeSet::new(), near: true, unplaced: Vec::new(), gaps: Vec::new() };
        for server in servers {
            let holding =
                |id: &&ResourceId| address_space(id, node, evidence).is_some_and(|space| holds(&space, server));
            let all: Vec<&ResourceId> = linked.iter().copied().filter(holding).collect();
            // Networks that do not know each other may use the same addresses: those that the nodes reach come first.
            let near: Vec<&ResourceId> = all.iter().copied().filter(|id| **id == node.id || peers(node, id)).collect();
            if all.is_empty() {
                sites.unplaced.push((*server).to_owned());
            }
            sites.near &= !near.is_empty();
            sites.homes.extend(if near.is_empty() { all } else { near });
        }
        let unread = linked.iter().filter(|id| address_space(id, node, evidence).is_none());
        sites.gaps = unread.filter_map(|id| evidence.network(id).gap().cloned()).collect();
        let answers = |zone: &Zone<'e>| zone.linked_networks().any(|network| sites.homes.contains(network));
        sites.zones = existing.into_iter().filter(answers).collect();
        sites
    }
}

fn filtered(subscription: &str) -> Gap {
    Gap {
        needed: Some("Microsoft.Network/privateDnsZones/read".to_owned()),
        scope: format!("/subscriptions/{subscription}"),
        role: Some("Reader".to_owned()),
        ..Gap::new(
            Reason::Forbidden,
            "the list of zones holds only those that the reader may see, and the reader may not read the whole \
             subscription",
        )
    }
}

/// The addresses of a network: its own answer, or what a peering of the node network says of it.
fn address_space(id: &ResourceId, node: &VirtualNetwork, evidence: &Evidence) -> Option<Vec<String>> {
    if let Fact::Known(network) = evidence.network(id) {
        return Some(network.properties.address_space.clone().unwrap_or_default().address_prefixes);
    }
    let peerings = node.properties.virtual_network_peerings.iter().map(|peering| &peering.properties);
    let peering = peerings.into_iter().find(|peering| peering.remote_id() == Some(id))?;
    Some(peering.remote_address_space.clone()?.address_prefixes)
}

fn peers(node: &VirtualNetwork, other: &ResourceId) -> bool {
    node.properties.virtual_network_peerings.iter().any(|peering| peering.properties.remote_id() == Some(other))
}

/// Whether one of the prefixes holds an address.
pub fn holds(prefixes: &[String], address: &str) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    prefixes.iter().filter_map(|prefix| prefix.parse::<IpNet>().ok()).any(|net| net.contains(&address))
}
