//! The records themselves: is there one for each name, and does it point at an endpoint that the nodes can reach.

use std::collections::{BTreeMap, BTreeSet};

use super::{RECORD_MISMATCH, RECORD_MISSING, remedy};
use crate::checks::command::Command;
use crate::checks::finding::{Facts, Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::remedy::DOCS_PRIVATE_LINK;
use crate::checks::rule::{Rule, Severity};
use crate::evidence::id::ResourceId;
use crate::evidence::network::AddressRecord;
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact};
use crate::model::cluster::Ownership;
use crate::model::endpoints::{self, Candidate, Reach};
use crate::model::names::{RegistryNames, region};
use crate::model::zones::Zone;

/// A name that must resolve, and the addresses it may resolve to (none = not known).
type Wanted = BTreeMap<String, BTreeSet<String>>;

/// Judges every name of the registry against the zones that answer.
pub fn judge<'e>(judge: &mut Judge<'e>, registry: &'e Registry, names: &RegistryNames, answering: &[Zone<'e>]) {
    if answering.is_empty() {
        return;
    }
    let evidence = judge.evidence;
    for (name, addresses) in wanted(judge, registry, names) {
        // The zones come longest name first: the longest that matches is the one that answers.
        let Some((zone, label)) = answering.iter().find_map(|zone| Some((zone, names.record(zone.name(), &name)?)))
        else {
            continue;
        };
        let Some(records) = judge.know(&zone.facts.records, "the zone's A records") else {
            continue;
        };
        let case = Case { evidence, names, zone: *zone, name: &name, label, addresses };
        let Some(mut finding) = case.problem(records) else {
            continue;
        };
        match case.relevance(judge) {
            Relevance::Needed => {}
            Relevance::Remote => finding.severity = Severity::Warning,
            Relevance::Off => continue,
        }
        judge.report(finding);
    }
}

/// The names that the reachable endpoints' interfaces list; else the two that every registry has.
fn wanted(judge: &mut Judge<'_>, registry: &Registry, names: &RegistryNames) -> Wanted {
    let candidates = endpoints::candidates(judge.evidence, registry);
    if candidates.is_empty() {
        endpoints::unreadable(judge.evidence, registry).into_iter().for_each(|gap| judge.note(gap));
    }
    let serving: Vec<&Candidate<'_>> = candidates.iter().filter(|candidate| candidate.reach == Reach::Serves).collect();
    let used = if serving.is_empty() { candidates.iter().collect() } else { serving };
    let mut wanted = Wanted::new();
    for candidate in used {
        let configs = &candidate.endpoint.properties.custom_dns_configs;
        for interface in candidate.facts.interfaces.values() {
            match interface {
                Fact::Known(interface) => {
                    for configuration in &interface.properties.ip_configurations {
                        let link = configuration.properties.private_link_connection_properties.as_ref();
                        for fqdn in link.into_iter().flat_map(|link| &link.fqdns) {
                            add(&mut wanted, fqdn, configuration.properties.private_ip_address.as_ref());
                        }
                    }
                }
                Fact::Missing(gap) if configs.is_empty() => judge.note(gap.clone().about("the endpoint's interface")),
                Fact::Missing(_) => {}
            }
        }
        for config in configs {
            for address in &config.ip_addresses {
                add(&mut wanted, config.fqdn.as_deref().unwrap_or_default(), Some(address));
            }
        }
    }
    wanted.retain(|name, _| *name == names.server || names.region_of(name).is_some());
    if wanted.is_empty() {
        wanted.insert(names.server.clone(), BTreeSet::new());
        wanted.insert(names.data(&names.home), BTreeSet::new());
    }
    wanted
}

fn add(wanted: &mut Wanted, fqdn: &str, address: Option<&String>) {
    let name = fqdn.trim_end_matches('.').to_lowercase();
    if !name.is_empty() {
        wanted.entry(name).or_default().extend(address.cloned());
    }
}

/// How much a name matters to this cluster.
enum Relevance {
    /// The home region's, the cluster's own region's, or the login server.
    Needed,
    /// A replica's in another region.
    Remote,
    /// A replica's that gets no requests.
    Off,
}

struct Case<'a, 'e> {
    evidence: &'e Evidence,
    names: &'a RegistryNames,
    zone: Zone<'e>,
    name: &'a str,
    label: String,
    addresses: BTreeSet<String>,
}

impl<'e> Case<'_, 'e> {
    fn relevance(&self, judge: &mut Judge<'e>) -> Relevance {
        let Some(replica) = self.names.region_of(self.name).filter(|replica| *replica != self.names.home) else {
            return Relevance::Needed;
        };
        let Some(replicas) = judge.know(&self.evidence.registry.replications, "the registry's geo-replicas") else {
            return Relevance::Off;
        };
        let entry =
            replicas.iter().find(|entry| region(entry.location.as_deref().unwrap_or_else(|| entry.name())) == replica);
        let off = entry.is_some_and(|entry| {
            let state = entry.properties.provisioning_state.as_deref().unwrap_or("Succeeded");
            entry.properties.region_endpoint_enabled == Some(false) || !state.eq_ignore_ascii_case("Succeeded")
        });
        if off {
            Relevance::Off
        } else if region(self.evidence.cluster.location.as_deref().unwrap_or_default()) == replica {
            Relevance::Needed
        } else {
            Relevance::Remote
        }
    }

    fn problem(&self, records: &[AddressRecord]) -> Option<Finding> {
        let found: BTreeSet<String> = lookup(records, &self.label)
            .map(|record| record.properties.a_records.iter().filter_map(|record| record.ipv4_address.clone()).collect())
            .unwrap_or_default();
        if found.is_empty() {
            return Some(self.missing());
        }
        let right: BTreeSet<&String> = found.intersection(&self.addresses).collect();
        if self.addresses.is_empty() || right.len() == found.len() {
            return None;
        }
        Some(self.mismatch(&found, right.is_empty()))
    }

    fn finding(
        &self,
        rule: &'static Rule,
        severity: Severity,
        detail: String,
        value: String,
        remediation: Remediation,
    ) -> Finding {
        let id = self.zone.id.child(&format!("A/{}", self.label));
        let source = format!("GET {}/A", self.zone.id);
        let mut evidence = vec![Observation::new(source, format!("value[{}].properties.aRecords", self.label), value)];
        if !self.addresses.is_empty() {
            let addresses = join(&self.addresses);
            evidence.push(Observation::new("the private endpoint's interface", self.name, addresses));
        }
        let subject = Subject::new("Microsoft.Network/privateDnsZones/A", &id).named(self.name);
        let facts = Facts { data_endpoint: Some(self.names.region_of(self.name).is_some()), ..Facts::default() };
        let finding = Finding::new(rule, subject, detail).with_severity(severity).with_facts(facts);
        finding.seen(evidence).with_remediation(remediation)
    }

    fn missing(&self) -> Finding {
        let detail = format!(
            "Zone {} answers the nodes, but record {} has no address: {} does not resolve to the private endpoint.",
            self.zone.name(),
            self.label,
            self.name
        );
        let commands = self.addresses.iter().map(|address| self.record("add-record", address)).collect();
        let remediation = self.remediation("Create the record.", commands);
        self.finding(&RECORD_MISSING, RECORD_MISSING.severity, detail, "none".to_owned(), remediation)
    }

    fn mismatch(&self, found: &BTreeSet<String>, all: bool) -> Finding {
        let wrong: Vec<&String> = found.difference(&self.addresses).collect();
        let some = if all { "" } else { "also " };
        let detail = format!(
            "{} {some}resolves to {}, which is no address of an endpoint that the nodes can reach ({}). Two endpoints \
             that share one zone overwrite each other's record.",
            self.name,
            wrong.iter().map(|address| address.as_str()).collect::<Vec<_>>().join(", "),
            join(&self.addresses)
        );
        let add = self.addresses.difference(found).map(|address| self.record("add-record", address));
        let remove = wrong.iter().map(|address| self.record("remove-record", address).word("--keep-empty-record-set"));
        let remediation =
            self.remediation("Put the right address in place of the wrong one.", remove.chain(add).collect());
        let severity = if all { Severity::Error } else { Severity::Warning };
        self.finding(&RECORD_MISMATCH, severity, detail, join(found), remediation)
    }

    fn record(&self, verb: &str, address: &str) -> Command {
        let command = Command::new("az network private-dns record-set a").word(verb);
        let command =
            command.with("-g", self.zone.id.resource_group().unwrap_or_default()).with("-z", self.zone.name());
        remedy::in_subscription(command.with("-n", self.label.as_str()).with("-a", address), self.zone.id)
    }

    fn remediation(&self, what: &str, commands: Vec<Command>) -> Remediation {
        if self.evidence.ownership() == Ownership::Managed {
            return remedy::reconcile(self.evidence, "AKS writes the records of its registry's endpoint again.");
        }
        let summary = match self.zone_group() {
            Some(endpoint) => format!(
                "{what} The records of this zone are written by the DNS zone group of endpoint {}, which rewrites \
                 them: if the change does not last, delete that zone group and create it again instead.",
                endpoint.name()
            ),
            None => format!("{what} An old answer may be kept for the record's time to live."),
        };
        let summary = if commands.is_empty() {
            format!("{summary} The endpoint's addresses could not be read: take them from its network interface.")
        } else {
            summary
        };
        remedy::remedy(RemediationKind::CreateDnsRecord, summary, commands, DOCS_PRIVATE_LINK)
    }

    /// The endpoint whose zone group keeps the records of this zone.
    fn zone_group(&self) -> Option<&'e ResourceId> {
        self.evidence.network.private_endpoints.iter().find_map(|(id, facts)| {
            let configs =
                facts.zone_groups.known()?.iter().flat_map(|group| &group.properties.private_dns_zone_configs);
            let mut zones = configs.filter_map(|config| config.properties.private_dns_zone_id.as_ref());
            zones.any(|zone| zone == self.zone.id).then_some(id)
        })
    }
}

/// The record set of a label, or the wildcard that stands for it.
fn lookup<'r>(records: &'r [AddressRecord], label: &str) -> Option<&'r AddressRecord> {
    let named = |wanted: &str| records.iter().find(|record| record.name().eq_ignore_ascii_case(wanted));
    named(label).or_else(|| {
        let parents = label.match_indices('.').map(|(at, _)| format!("*{}", &label[at..]));
        parents.into_iter().find_map(|wildcard| named(&wildcard)).or_else(|| named("*").filter(|_| label != "@"))
    })
}

fn join(addresses: &BTreeSet<String>) -> String {
    addresses.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
