//! Private DNS: do the nodes resolve the registry's names to its private endpoint.

mod records;

use super::check::Check;
use super::judge::{Judge, NotApplicable};
use super::remedy::dns::LOCAL_DNS;
use super::remedy::{self, DOCS_PRIVATE_LINK, remedy};
use super::rule::RuleSet;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::open::Question;
use crate::checks::rule::Rule;
use crate::evidence::id::ResourceId;
use crate::evidence::network::{NetworkLink, VirtualNetwork};
use crate::evidence::{Evidence, Fact, Gap, Reason, Section};
use crate::model::cluster::Ownership;
use crate::model::names::RegistryNames;
use crate::model::networks::{AZURE_DNS, own_servers};
use crate::model::zones::choice::Chain;
use crate::model::zones::{Zone, Zones};

pub const ZONE_MISSING: Rule =
    Rule::error("dns-zone-missing", "No private DNS zone can answer for the registry").breaking_pulls();
pub const NOT_LINKED: Rule =
    Rule::error("dns-zone-not-linked", "The registry's private DNS zone is not linked to the node network")
        .breaking_pulls();
pub const CUSTOM_SERVERS: Rule = Rule::warning(
    "custom-dns-servers",
    "The node network uses its own DNS servers, and they may not know the registry's zone",
)
.breaking_pulls()
.risking_pulls();
pub const LINK_INCOMPLETE: Rule =
    Rule::warning("dns-link-incomplete", "The link between the zone and the node network is not completed")
        .breaking_pulls();
pub const RECORD_MISSING: Rule =
    Rule::error("dns-record-missing", "A name of the registry has no address in the private DNS zone").breaking_pulls();
pub const RECORD_MISMATCH: Rule = Rule::error(
    "dns-record-mismatch",
    "A name of the registry points at an address that is not its private endpoint's",
)
.breaking_pulls();

pub const CHECK: Check = Check {
    about: RuleSet {
        id: "private-dns",
        title: "Private DNS for the registry's names",
        doc: include_str!("private-dns.md"),
        rules: &[&ZONE_MISSING, &NOT_LINKED, &CUSTOM_SERVERS, &LINK_INCOMPLETE, &RECORD_MISSING, &RECORD_MISMATCH],
    },
    needs: &[
        Section::AgentPools,
        Section::Registry,
        Section::PrivateEndpoints,
        Section::VirtualNetworks,
        Section::RouteTables,
        Section::PrivateDns,
    ],
    run,
};

fn run(judge: &mut Judge<'_>) -> Result<(), NotApplicable> {
    let Some(registry) = judge.registry()? else {
        return Ok(());
    };
    let evidence = judge.evidence;
    let Some(names) = RegistryNames::of(registry) else {
        judge.note(Gap::new(Reason::Malformed, "the registry's loginServer is not a host name"));
        return Ok(());
    };
    let (networks, gap) = evidence.node_networks();
    if let Some(gap) = gap {
        judge.note(gap.clone().about("the node network"));
    } else if networks.is_empty() {
        judge.note(Gap::new(Reason::NotFound, "the node resource group holds no virtual network"));
    }
    let zones = Zones::of(evidence, &names);
    let all: Vec<Question> = networks.iter().cloned().map(Question::Resolution).collect();
    // A zone that was not listed could be linked too, and answer instead of those that were.
    zones.unlisted().into_iter().for_each(|gap| judge.note_until(gap, &all));
    let groups = crate::model::endpoints::candidates(evidence, registry)
        .into_iter()
        .filter_map(|candidate| candidate.facts.zone_groups.gap());
    groups.for_each(|gap| judge.note_until(gap.clone().about("the endpoint's zone groups"), &all));
    let chain = Chain::of(evidence, registry, &names);
    for network in &networks {
        let answering = Resolver { evidence, names: &names, zones: &zones, chain: &chain, network }.judge(judge);
        records::judge(judge, registry, &names, &chain, &answering);
    }
    Ok(())
}

/// How one node network resolves names.
struct Resolver<'a, 'e> {
    evidence: &'e Evidence,
    names: &'a RegistryNames,
    zones: &'a Zones<'e>,
    chain: &'a Chain<'a, 'e>,
    network: &'a ResourceId,
}

/// The zones that answer a network's queries.
struct Answering<'a, 'e> {
    network: &'a ResourceId,
    zones: Vec<Zone<'e>>,
    /// The zone that the cluster's chain leads to, of all that exist.
    own: Option<&'e ResourceId>,
    /// Whether it is certain that they answer: behind servers of the operator's own that sit elsewhere it is not.
    certain: bool,
}

impl<'a, 'e> Resolver<'a, 'e> {
    /// Judges zone and link, and gives the zones that answer the network's queries.
    fn judge(&self, judge: &mut Judge<'e>) -> Answering<'a, 'e> {
        let (zones, certain) = match self.evidence.network(self.network) {
            Fact::Known(network) => {
                let servers: Vec<&str> = own_servers(network);
                if servers.is_empty() {
                    (self.azure_dns(judge, true), true)
                } else {
                    self.own_dns(judge, network, &servers)
                }
            }
            Fact::Missing(gap) => {
                judge.note(gap.about("the node network"));
                (self.azure_dns(judge, false), true)
            }
        };
        let own = self.chain.zone(&self.zones.existing()).map(|zone| zone.id);
        Answering { network: self.network, zones, own, certain }
    }

    /// Azure-provided DNS: a zone must be linked. `certain` = that it is Azure's DNS is known.
    fn azure_dns(&self, judge: &mut Judge<'e>, certain: bool) -> Vec<Zone<'e>> {
        let linked = self.zones.linked_to(self.network);
        if linked.iter().any(|zone| self.names.record(zone.name(), &self.names.server).is_some()) {
            for link in linked.iter().flat_map(|zone| zone.links_to(self.network)).filter(|link| incomplete(link)) {
                judge.report(Self::link_incomplete(link));
            }
            return linked;
        }
        let unseen = self.zones.unseen(self.network);
        if !unseen.is_empty() || !certain {
            unseen.into_iter().for_each(|gap| judge.note_until(gap, &[self.question()]));
            return linked;
        }
        let existing = self.zones.existing();
        judge.report(match existing.first() {
            Some(_) => self.not_linked(&existing),
            None => self.zone_missing(),
        });
        Vec::new()
    }

    /// The operator's own servers must sit in a network that the zone is linked to, or forward into one.
    fn own_dns(&self, judge: &mut Judge<'e>, network: &VirtualNetwork, servers: &[&str]) -> (Vec<Zone<'e>>, bool) {
        let sites = self.zones.networks_of(servers, network, self.evidence);
        if sites.unplaced.is_empty() && sites.near {
            let links = sites.zones.iter().flat_map(|zone| sites.homes.iter().flat_map(|home| zone.links_to(home)));
            for finding in links.filter(|link| incomplete(link)).map(Self::link_incomplete) {
                // The servers of two node networks may sit in the same one.
                if !judge.findings().iter().any(|known| known.fingerprint() == finding.fingerprint()) {
                    judge.report(finding);
                }
            }
            return (sites.zones, true);
        }
        let mut unseen = self.zones.unreadable();
        unseen.extend(sites.gaps);
        if !unseen.is_empty() {
            // What could not be read may be what answers: the records of other zones prove nothing.
            unseen.into_iter().for_each(|gap| judge.note_until(gap, &[self.question()]));
            return (Vec::new(), false);
        }
        if sites.unplaced.is_empty() {
            return (sites.zones, false);
        }
        judge.report_until(self.custom_servers(servers, &sites.unplaced), self.question());
        // The servers most likely forward into a network that the zone is linked to, so its records still count.
        (self.zones.existing().into_iter().filter(Zone::has_links).collect(), false)
    }

    /// What a node of the network could answer.
    fn question(&self) -> Question {
        Question::Resolution(self.network.clone())
    }

    fn on_network(
        &self,
        rule: &'static Rule,
        detail: String,
        evidence: Vec<Observation>,
        remediation: Remediation,
    ) -> Finding {
        let subject = Subject::new("Microsoft.Network/virtualNetworks", self.network);
        Finding::new(rule, subject, detail).seen(evidence).with_remediation(remediation)
    }

    fn link(&self, zone: &ResourceId) -> Command {
        remedy::dns::link_zone(zone, self.network)
    }

    fn zone_missing(&self) -> Finding {
        let wanted = format!("privatelink.{}", self.names.suffix);
        let listed: Vec<&str> = self.evidence.network.dns_zone_lists.keys().map(String::as_str).collect();
        let seen = self.zones.absent().map(|id| Observation::new(format!("GET {id}"), "status", "404"));
        let mut seen: Vec<Observation> = seen.collect();
        seen.extend(listed.iter().map(|subscription| {
            Observation::new(
                format!("GET /subscriptions/{subscription}/providers/Microsoft.Network/privateDnsZones"),
                "value[].id",
                format!("no zone for {}", self.names.server),
            )
        }));
        let remediation = if self.evidence.ownership() == Ownership::Managed {
            remedy::reconcile(self.evidence, "AKS creates the zone of its registry again.")
        } else {
            let zone = ResourceId::new(format!(
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/privateDnsZones/{wanted}",
                self.network.subscription().unwrap_or_default(),
                self.network.resource_group().unwrap_or_default()
            ));
            let create = remedy::dns::create_zone(&zone);
            remedy(
                RemediationKind::CreateDnsZone,
                "Create the zone and link it to the node network, then give it the endpoint's records (a DNS zone \
                 group on the endpoint does so). Where your organization keeps central zones, use that one and only \
                 link it.",
                vec![create, self.link(&zone)],
                DOCS_PRIVATE_LINK,
            )
        };
        let detail = format!(
            "No zone {wanted} (nor any other that could answer {}) exists: nodes get the registry's public address, \
             which they cannot reach.",
            self.names.server
        );
        self.on_network(&ZONE_MISSING, detail, seen, remediation)
    }

    fn not_linked(&self, existing: &[Zone<'e>]) -> Finding {
        let own = self.chain.zone(existing);
        let seen = existing.iter().map(|zone| {
            let links = zone.linked_networks().map(ResourceId::name).collect::<Vec<_>>().join(", ");
            Observation::new(
                format!("GET {}/virtualNetworkLinks", zone.id),
                "value[].properties.virtualNetwork.id",
                if links.is_empty() { "none".to_owned() } else { links },
            )
        });
        let remediation = if self.evidence.ownership() == Ownership::Managed {
            remedy::reconcile(self.evidence, "AKS links the zone of its registry again.")
        } else {
            let (summary, commands) = match own {
                Some(zone) => {
                    (format!("Link zone {} to the node network. {ONE_OF_A_NAME}", zone.id), vec![self.link(zone.id)])
                }
                None => (format!("{} {ONE_OF_A_NAME}", ambiguous(existing)), Vec::new()),
            };
            remedy(RemediationKind::LinkDnsZone, format!("{summary} {LOCAL_DNS}"), commands, DOCS_PRIVATE_LINK)
        };
        let (exists, linked) = match (own, existing) {
            (Some(zone), _) => (format!("Zone {} exists", zone.name()), "not linked to it"),
            (None, [zone]) => (format!("Zone {} exists", zone.name()), "not linked to it"),
            (None, _) => (format!("{} zones that could answer exist", existing.len()), "linked to none of them"),
        };
        let detail = format!(
            "{exists}, but network {} is {linked}: nodes get the registry's public address, which they cannot reach.",
            self.network.name()
        );
        self.on_network(&NOT_LINKED, detail, seen.collect(), remediation)
    }

    fn link_incomplete(link: &NetworkLink) -> Finding {
        let state = link.properties.virtual_network_link_state.as_deref().unwrap_or("unknown");
        let show = Command::new("az network private-dns link vnet show")
            .with("-g", link.id.resource_group().unwrap_or_default());
        let show = show.with("-z", link.id.after("privateDnsZones").unwrap_or_default()).with("-n", link.id.name());
        Finding::new(
            &LINK_INCOMPLETE,
            Subject::new("Microsoft.Network/privateDnsZones/virtualNetworkLinks", &link.id),
            format!(
                "The state of link {} is {state}: until it is Completed the zone may not answer the nodes.",
                link.id.name()
            ),
        )
        .seen(vec![Observation::new(link.source(), "properties.virtualNetworkLinkState", state)])
        .with_remediation(remedy(
            RemediationKind::Investigate,
            "Wait some minutes; if the state stays, delete the link and create it again.",
            vec![remedy::in_subscription(show, &link.id)],
            DOCS_PRIVATE_LINK,
        ))
    }

    fn custom_servers(&self, servers: &[&str], unplaced: &[String]) -> Finding {
        let detail = format!(
            "Network {} sends its queries to {}. For {} it cannot be seen that they answer for the registry's zone: \
             they must sit in, or forward to {AZURE_DNS} from, a network that the zone is linked to. A link to the \
             node network itself does not help.",
            self.network.name(),
            servers.join(", "),
            unplaced.join(", ")
        );
        let seen = vec![Observation::new(
            format!("GET {}", self.network),
            "properties.dhcpOptions.dnsServers",
            servers.join(", "),
        )];
        let mut commands =
            vec![Command::new("nslookup").word(&self.names.server).word(unplaced.first().map_or("", String::as_str))];
        let existing = self.zones.existing();
        let own = self.chain.zone(&existing);
        if let Some(zone) = own {
            let list = Command::new("az network private-dns link vnet list")
                .with("-g", zone.id.resource_group().unwrap_or_default())
                .with("-z", zone.name());
            commands.push(remedy::in_subscription(list, zone.id));
        }
        let mut summary = format!(
            "Ask the servers, from inside the network, for {}: a private address is right. Else link the zone to the \
             servers' network and let them forward {} to {AZURE_DNS}. {LOCAL_DNS} {NEW_SERVERS}",
            self.names.server, self.names.suffix
        );
        if own.is_none() && !existing.is_empty() {
            summary = format!("{summary} {}", ambiguous(&existing));
        }
        self.on_network(
            &CUSTOM_SERVERS,
            detail,
            seen,
            remedy(RemediationKind::Investigate, summary, commands, DOCS_PRIVATE_LINK),
        )
    }
}

const ONE_OF_A_NAME: &str = "A network can be linked to one zone of a name only: if the link is refused for that \
                             reason, put the registry's records into the zone that is linked.";
/// When nodes learn of other DNS servers.
const NEW_SERVERS: &str = "Where the network's DNS servers are changed, nodes with LocalDNS need a reimage.";

/// Most zones that are listed.
const LISTED: usize = 8;

/// Says that none of these zones is known to be the cluster's own; with their whole ids, which tell them apart.
fn ambiguous(zones: &[Zone<'_>]) -> String {
    let mut ids: Vec<&str> = zones.iter().map(|zone| zone.id.as_str()).collect();
    ids.sort_unstable();
    let more = ids.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    ids.truncate(LISTED);
    format!(
        "No command is printed, because it cannot be seen which zone is this cluster's: exactly one must hold the \
         registry's records, or be named by the DNS zone group of its endpoint. Candidates: {}{more}.",
        ids.join(", ")
    )
}

fn incomplete(link: &NetworkLink) -> bool {
    link.properties.virtual_network_link_state.as_deref().is_some_and(|state| !state.eq_ignore_ascii_case("Completed"))
}
