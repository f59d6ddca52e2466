//! Security groups and routes between a node subnet and an endpoint: evaluated as far as they can be decided.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::endpoints::{self, Candidate, Reach};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{SecurityGroup, SecurityRuleProperties, SubnetProperties, VirtualNetwork};
use crate::evidence::resource::Part;
use crate::evidence::{Evidence, Fact, Gap};
use crate::model::cluster::is;

/// The first and the last priority of a security rule.
const FIRST: u32 = 100;
const LAST: u32 = 4096;

/// What stands in the way of one endpoint.
pub struct Block {
    /// The security group or route table.
    pub id: ResourceId,
    /// The name of its rule or route, where the answer has one.
    pub name: Option<String>,
    /// How the rule or route is told apart without a name.
    pub otherwise: String,
    /// `securityRules` or `routes`.
    pub field: &'static str,
    /// `Outbound` at the nodes, `Inbound` at the endpoint; none for a route.
    pub direction: Option<&'static str>,
    /// The priority of a rule that could stand before the one that denies: free, and the nearest; none where the rule
    /// has the first one.
    pub room: Option<u32>,
}

impl Block {
    /// The rule or route as a text names it.
    pub fn rule(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.otherwise)
    }
}

/// Looks for a denial between any node subnet and the endpoint's addresses.
///
/// # Errors
/// The gaps, where a security group or route table could not be read.
pub fn blocked(evidence: &Evidence, candidate: &Candidate<'_>) -> Result<Option<Block>, Vec<Gap>> {
    let addresses = endpoints::addresses(candidate);
    let (nodes, _) = evidence.node_networks();
    let mut gaps: Vec<Gap> = nodes.iter().filter_map(|id| evidence.network(id).gap().cloned()).collect();
    for (id, subnet) in evidence.node_subnets() {
        let path = Path { evidence, source: prefixes(subnet), addresses: &addresses };
        let network = id.up_to("virtualNetworks").unwrap_or_else(|| id.clone());
        let checks = [path.outbound(subnet), path.routes(&network, subnet), path.inbound(candidate)];
        for check in checks {
            match check {
                Ok(Some(block)) => return Ok(Some(block)),
                Ok(None) => {}
                Err(gap) => gaps.push(gap),
            }
        }
    }
    if gaps.is_empty() { Ok(None) } else { Err(gaps) }
}

/// The security groups that guard the subnets of serving endpoints, where those enforce them.
pub fn endpoint_security_groups(evidence: &Evidence) -> BTreeSet<ResourceId> {
    let Some(registry) = evidence.known_registry() else { return BTreeSet::new() };
    let candidates = endpoints::candidates(evidence, registry);
    let serving = candidates.iter().filter(|candidate| candidate.reach == Reach::Serves);
    serving.filter_map(|candidate| guard(evidence, candidate)).collect()
}

/// The security group that an endpoint's subnet enforces on it.
fn guard(evidence: &Evidence, candidate: &Candidate<'_>) -> Option<ResourceId> {
    let id = candidate.endpoint.properties.subnet.as_ref()?.id.as_ref()?;
    let network = evidence.network(&id.up_to("virtualNetworks")?);
    let subnets = &network.known()?.properties.subnets;
    let subnet = &subnets.iter().find(|subnet| subnet.id.as_ref() == Some(id))?.properties;
    let policies = subnet.private_endpoint_network_policies.as_deref().unwrap_or("Disabled");
    let enforced = ["Enabled", "NetworkSecurityGroupEnabled"].iter().any(|word| word.eq_ignore_ascii_case(policies));
    subnet.network_security_group.as_ref()?.id.clone().filter(|_| enforced)
}

fn prefixes(subnet: &SubnetProperties) -> Vec<IpNet> {
    let all = subnet.address_prefix.iter().chain(&subnet.address_prefixes);
    all.filter_map(|prefix| prefix.parse().ok()).collect()
}

struct Path<'a> {
    evidence: &'a Evidence,
    source: Vec<IpNet>,
    addresses: &'a BTreeSet<IpAddr>,
}

/// What a rule says of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// It depends on something that cannot be seen.
    Unclear,
}

impl Match {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unclear,
        }
    }

    fn any(matches: impl Iterator<Item = Self>) -> Self {
        matches.fold(Self::No, |best, next| match (best, next) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unclear, _) | (_, Self::Unclear) => Self::Unclear,
            _ => Self::No,
        })
    }
}

impl Path<'_> {
    fn group(&self, id: &ResourceId) -> Result<&SecurityGroup, Gap> {
        match self.evidence.network.security_groups.get(id) {
            Some(Fact::Known(group)) => Ok(group),
            Some(Fact::Missing(gap)) => Err(gap.clone()),
            None => Err(Gap::not_collected().about("a network security group")),
        }
    }

    fn outbound(&self, subnet: &SubnetProperties) -> Result<Option<Block>, Gap> {
        let Some(id) = subnet.network_security_group.as_ref().and_then(|group| group.id.as_ref()) else {
            return Ok(None);
        };
        Ok(self.denied(self.group(id)?, "Outbound"))
    }

    fn inbound(&self, candidate: &Candidate<'_>) -> Result<Option<Block>, Gap> {
        let Some(id) = guard(self.evidence, candidate) else { return Ok(None) };
        Ok(self.denied(self.group(&id)?, "Inbound"))
    }

    /// The first rule that decides; one that cannot be decided ends the search without a finding.
    fn denied(&self, group: &SecurityGroup, direction: &'static str) -> Option<Block> {
        let own = |rule: &&Part<SecurityRuleProperties>| is(rule.properties.direction.as_ref(), direction);
        let mut rules: Vec<_> = group.properties.security_rules.iter().filter(own).collect();
        rules.sort_by_key(|rule| rule.properties.priority.unwrap_or(u32::MAX));
        let taken: BTreeSet<u32> = rules.iter().filter_map(|rule| rule.properties.priority).collect();
        for rule in rules {
            let denies = is(rule.properties.access.as_ref(), "Deny");
            match self.matches(&rule.properties) {
                Match::No => {}
                Match::Yes if denies => {
                    let priority = rule.properties.priority.unwrap_or(LAST);
                    let (name, otherwise) = (rule.name().map(str::to_owned), format!("with priority {priority}"));
                    let room = (FIRST..priority).rev().find(|free| !taken.contains(free));
                    let (id, direction) = (group.id.clone(), Some(direction));
                    return Some(Block { id, name, otherwise, field: "securityRules", direction, room });
                }
                Match::Yes | Match::Unclear => return None,
            }
        }
        None
    }

    fn matches(&self, rule: &SecurityRuleProperties) -> Match {
        let tcp =
            rule.protocol.as_deref().is_none_or(|protocol| protocol == "*" || protocol.eq_ignore_ascii_case("Tcp"));
        let ports = rule.destination_port_range.iter().chain(&rule.destination_port_ranges);
        if !tcp || !ports.into_iter().any(|range| covers_https(range)) {
            return Match::No;
        }
        let application_groups = !rule.source_application_security_groups.is_empty()
            || !rule.destination_application_security_groups.is_empty();
        if application_groups {
            return Match::Unclear;
        }
        let from = rule.source_address_prefix.iter().chain(&rule.source_address_prefixes);
        let to = rule.destination_address_prefix.iter().chain(&rule.destination_address_prefixes);
        Match::any(from.map(|prefix| self.from(prefix))).and(Match::any(to.map(|prefix| self.to(prefix))))
    }

    fn from(&self, prefix: &str) -> Match {
        match prefix.parse::<IpNet>() {
            Ok(net) if self.source.iter().any(|own| net.contains(own)) => Match::Yes,
            Ok(net) if self.source.iter().any(|own| own.contains(&net)) => Match::Unclear,
            Ok(_) if self.source.is_empty() => Match::Unclear,
            Ok(_) => Match::No,
            Err(_) => tag(prefix),
        }
    }

    fn to(&self, prefix: &str) -> Match {
        if let Ok(address) = prefix.parse::<IpAddr>() {
            return if self.addresses.contains(&address) { Match::Yes } else { Match::No };
        }
        match prefix.parse::<IpNet>() {
            Ok(_) if self.addresses.is_empty() => Match::Unclear,
            Ok(net) if self.addresses.iter().any(|address| net.contains(address)) => Match::Yes,
            Ok(_) => Match::No,
            Err(_) => tag(prefix),
        }
    }

    /// A None route that is the longest for an address: the network's own prefix and those of its peers are routes too.
    fn routes(&self, network: &ResourceId, subnet: &SubnetProperties) -> Result<Option<Block>, Gap> {
        let Some(table) = self.evidence.route_table(subnet)? else { return Ok(None) };
        let routes = table.properties.routes.iter().filter_map(|route| {
            let prefix = route.properties.address_prefix.as_deref()?.parse::<IpNet>().ok()?;
            Some((prefix, route))
        });
        let routes: Vec<_> = routes.collect();
        let system = self.system_prefixes(network);
        // Of two routes of one length the operator's own is taken.
        let best = |address: &IpAddr| {
            let given = longest(&system, address);
            let own = routes.iter().filter(|(prefix, _)| prefix.contains(address));
            let own = own.max_by_key(|(prefix, _)| prefix.prefix_len())?;
            given.is_none_or(|given| own.0.prefix_len() >= given).then_some(own)
        };
        let black_hole = self
            .addresses
            .iter()
            .filter_map(best)
            .find(|(_, route)| is(route.properties.next_hop_type.as_ref(), "None"));
        Ok(black_hole.map(|(prefix, route)| Block {
            id: table.id.clone(),
            name: route.name().map(str::to_owned),
            otherwise: format!("for {prefix}"),
            field: "routes",
            direction: None,
            room: None,
        }))
    }

    /// What Azure itself routes from a network: its own addresses, and those of connected peers. Where an address space
    /// cannot be read, the subnets' prefixes stand for it: these are at least as long.
    fn system_prefixes(&self, network: &ResourceId) -> Vec<IpNet> {
        let Fact::Known(own) = self.evidence.network(network) else { return Vec::new() };
        let mut prefixes = addresses_of(own);
        for peering in own.properties.virtual_network_peerings.iter().map(|peering| &peering.properties) {
            if !peering.connects() {
                continue;
            }
            match (&peering.remote_address_space, peering.remote_id().map(|remote| self.evidence.network(remote))) {
                (Some(space), _) => prefixes.extend(parsed(&space.address_prefixes)),
                (None, Some(Fact::Known(remote))) => prefixes.extend(addresses_of(remote)),
                // Whatever it is, it is longer than a default route.
                _ => prefixes.extend(self.addresses.iter().filter_map(half_of_all)),
            }
        }
        prefixes
    }
}

/// A network's own address space.
fn addresses_of(network: &VirtualNetwork) -> Vec<IpNet> {
    match &network.properties.address_space {
        Some(space) => parsed(&space.address_prefixes),
        None => network.properties.subnets.iter().flat_map(|subnet| prefixes(&subnet.properties)).collect(),
    }
}

fn parsed(prefixes: &[String]) -> Vec<IpNet> {
    prefixes.iter().filter_map(|prefix| prefix.parse().ok()).collect()
}

/// The length of the longest prefix that covers an address.
fn longest(prefixes: &[IpNet], address: &IpAddr) -> Option<u8> {
    prefixes.iter().filter(|prefix| prefix.contains(address)).map(IpNet::prefix_len).max()
}

/// The shortest prefix that is longer than a default route.
fn half_of_all(address: &IpAddr) -> Option<IpNet> {
    IpNet::new(*address, 1).ok()
}

/// What a tag stands for, as far as a private endpoint in a reachable network is concerned.
fn tag(prefix: &str) -> Match {
    match prefix.to_lowercase().as_str() {
        "*" | "any" | "virtualnetwork" => Match::Yes,
        "internet" | "azureloadbalancer" => Match::No,
        _ => Match::Unclear,
    }
}

/// Whether a port range covers 443.
fn covers_https(range: &str) -> bool {
    if range == "*" {
        return true;
    }
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.trim().parse::<u16>();
    matches!((number(low), number(high)), (Ok(low), Ok(high)) if (low..=high).contains(&443))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges_cover_443_or_do_not() {
        for yes in ["*", "443", "400-500", "1-65535"] {
            assert!(covers_https(yes), "{yes}");
        }
        for no in ["80", "444-500", "x", ""] {
            assert!(!covers_https(no), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_decided_stays_unclear() {
        assert!(Match::any([Match::No, Match::Unclear, Match::Yes].into_iter()) == Match::Yes);
        assert!(Match::Unclear.and(Match::Yes) == Match::Unclear);
        assert!(Match::Unclear.and(Match::No) == Match::No);
        assert!(tag("AzureContainerRegistry") == Match::Unclear && tag("Internet") == Match::No);
    }
}
