//! Security rules, evaluated for one connection as far as they can be decided.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::evidence::network::{SecurityGroup, SecurityRuleProperties};
use crate::model::cluster::is;
use crate::model::paths::Block;

/// The first and the last priority of a security rule.
const FIRST: u32 = 100;
const LAST: u32 = 4096;

/// The two protocols that nodes use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// As rules name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// Where a connection begins or ends, as far as tags can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the node network or one that it is joined with.
    Network,
    /// Somewhere else: which tags it belongs to cannot be seen.
    Elsewhere,
    /// Azure's own resolver, which no rule touches but one that names its tag.
    PlatformDns,
}

/// One end of a connection.
#[derive(Debug, Clone)]
pub struct End {
    /// The addresses that it may have; none = they are not known.
    pub nets: Vec<IpNet>,
    pub place: Place,
}

impl End {
    /// One address.
    pub fn host(address: IpAddr, place: Place) -> Self {
        Self { nets: vec![address.into()], place }
    }

    /// Azure's own resolver.
    pub fn platform_dns() -> Self {
        Self { nets: Vec::new(), place: Place::PlatformDns }
    }

    /// Whether a rule's prefix or tag means this end.
    fn in_prefix(&self, prefix: &str) -> Match {
        if self.place == Place::PlatformDns {
            return if prefix.eq_ignore_ascii_case("AzurePlatformDNS") { Match::Yes } else { Match::No };
        }
        let Some(net) = prefix.parse::<IpNet>().ok().or_else(|| Some(prefix.parse::<IpAddr>().ok()?.into())) else {
            return self.in_tag(prefix);
        };
        if self.nets.iter().any(|own| net.contains(own)) {
            Match::Yes
        } else if self.nets.is_empty() || self.nets.iter().any(|own| own.contains(&net)) {
            Match::Unclear
        } else {
            Match::No
        }
    }

    /// Whether all its addresses are of private ranges, which no public tag means.
    fn is_private(&self) -> bool {
        let private = |net: &IpNet| matches!(net.addr(), IpAddr::V4(address) if address.is_private());
        !self.nets.is_empty() && self.nets.iter().all(private)
    }

    /// What a tag means for private addresses.
    fn in_tag(&self, tag: &str) -> Match {
        match (tag.to_lowercase().as_str(), self.place) {
            ("*" | "any", _) | ("virtualnetwork", Place::Network) => Match::Yes,
            ("internet" | "azureloadbalancer", Place::Network) => Match::No,
            ("internet", Place::Elsewhere) if self.is_private() => Match::No,
            (platform, _) if platform.starts_with("azureplatform") => Match::No,
            _ => Match::Unclear,
        }
    }
}

/// A connection that nodes must be able to make.
#[derive(Debug, Clone)]
pub struct Flow {
    pub from: End,
    pub to: End,
    pub protocol: Protocol,
    pub port: u16,
}

/// What a rule says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// The first rule that decides, where it denies; one that cannot be decided ends the search without a finding.
pub fn denied(group: &SecurityGroup, direction: &'static str, flow: &Flow) -> Option<Block> {
    let own = group.properties.security_rules.iter();
    let mut rules: Vec<_> = own.filter(|rule| is(rule.properties.direction.as_ref(), direction)).collect();
    rules.sort_by_key(|rule| rule.properties.priority.unwrap_or(u32::MAX));
    let taken: BTreeSet<u32> = rules.iter().filter_map(|rule| rule.properties.priority).collect();
    for rule in rules {
        let denies = is(rule.properties.access.as_ref(), "Deny");
        match matches(&rule.properties, flow) {
            Match::No => {}
            Match::Yes if denies => {
                let priority = rule.properties.priority.unwrap_or(LAST);
                return Some(Block {
                    id: group.id.clone(),
                    rule: rule.name().map_or_else(|| format!("with priority {priority}"), str::to_owned),
                    is_named: rule.name().is_some(),
                    direction: Some(direction),
                    room: (FIRST..priority).rev().find(|free| !taken.contains(free)),
                    protocol: flow.protocol,
                    port: flow.port,
                });
            }
            Match::Yes | Match::Unclear => return None,
        }
    }
    None
}

fn matches(rule: &SecurityRuleProperties, flow: &Flow) -> Match {
    let protocol = rule.protocol.as_deref();
    let protocol = protocol.is_none_or(|own| own == "*" || own.eq_ignore_ascii_case(flow.protocol.as_str()));
    let mut ports = rule.destination_port_range.iter().chain(&rule.destination_port_ranges);
    if !protocol || !ports.any(|range| covers(range, flow.port)) {
        return Match::No;
    }
    let application_groups =
        !rule.source_application_security_groups.is_empty() || !rule.destination_application_security_groups.is_empty();
    if application_groups {
        return Match::Unclear;
    }
    let sources = rule.source_port_range.iter().chain(&rule.source_port_ranges);
    let sources = sources.map(|range| of_ephemeral(range)).reduce(|one, other| Match::any([one, other].into_iter()));
    let from = rule.source_address_prefix.iter().chain(&rule.source_address_prefixes);
    let to = rule.destination_address_prefix.iter().chain(&rule.destination_address_prefixes);
    Match::any(from.map(|prefix| flow.from.in_prefix(prefix)))
        .and(Match::any(to.map(|prefix| flow.to.in_prefix(prefix))))
        .and(sources.unwrap_or(Match::Yes))
}

/// Whether a range of source ports means connections, which begin at any port that the kernel picks.
fn of_ephemeral(range: &str) -> Match {
    const PICKED: (u16, u16) = (32768, 60999);
    match ports(range) {
        Some((first, last)) if first <= PICKED.0 && last >= PICKED.1 => Match::Yes,
        Some((first, last)) if last < PICKED.0 || first > PICKED.1 => Match::No,
        _ => Match::Unclear,
    }
}

/// Whether a port range covers a port.
fn covers(range: &str, port: u16) -> bool {
    ports(range).is_some_and(|(low, high)| (low..=high).contains(&port))
}

/// The first and the last port of a range; none where it is none.
fn ports(range: &str) -> Option<(u16, u16)> {
    if range == "*" {
        return Some((0, u16::MAX));
    }
    let (low, high) = range.split_once('-').unwrap_or((range, range));
    Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges_cover_a_port_or_do_not() {
        for yes in ["*", "443", "400-500", "1-65535"] {
            assert!(covers(yes, 443), "{yes}");
        }
        for no in ["80", "444-500", "x", ""] {
            assert!(!covers(no, 443), "{no}");
        }
    }

    #[test]
    fn what_cannot_be_decided_stays_unclear() {
        assert!(Match::any([Match::No, Match::Unclear, Match::Yes].into_iter()) == Match::Yes);
        assert!(Match::Unclear.and(Match::Yes) == Match::Unclear);
        assert!(Match::Unclear.and(Match::No) == Match::No);
        let inside = End::host("10.1.0.4".parse().expect("an address"), Place::Network);
        assert_eq!(inside.in_prefix("AzureContainerRegistry"), Match::Unclear);
        assert_eq!((inside.in_prefix("Internet"), inside.in_prefix("10.1.0.0/16")), (Match::No, Match::Yes));
        let elsewhere = End { place: Place::Elsewhere, ..inside };
        assert_eq!((elsewhere.in_prefix("VirtualNetwork"), elsewhere.in_prefix("*")), (Match::Unclear, Match::Yes));
    }

    #[test]
    fn the_platform_s_dns_is_touched_by_its_tag_alone() {
        let dns = End::platform_dns();
        for no in ["*", "Internet", "VirtualNetwork", "168.63.129.16", "0.0.0.0/0"] {
            assert_eq!(dns.in_prefix(no), Match::No, "{no}");
        }
        assert_eq!(dns.in_prefix("AzurePlatformDNS"), Match::Yes);
    }
}
