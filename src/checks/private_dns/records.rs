//! The records themselves: is there one for each name, and does it point at an endpoint that the nodes can reach.

mod elsewhere;
mod wanted;

use std::collections::BTreeSet;

use super::{Answering, LOCAL_DNS, RECORD_MISMATCH, RECORD_MISSING, ambiguous, remedy};
use crate::checks::command::Command;
use crate::checks::finding::{Facts, Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::impact::Impact;
use crate::checks::judge::Judge;
use crate::checks::open::Question;
use crate::checks::remedy::DOCS_PRIVATE_LINK;
use crate::checks::rule::{Rule, Severity};
use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::network::AddressRecord;
use crate::evidence::registry::Registry;
use crate::model::cluster::Ownership;
use crate::model::endpoints;
use crate::model::names::{RegistryNames, record_of, region};
use crate::model::networks::has_own_servers;
use crate::model::zones::Zone;
use crate::model::zones::choice::Chain;
use elsewhere::{Doubt, doubt};
use wanted::wanted;

/// Judges every name of the registry against the zones that answer.
pub(super) fn judge<'e>(
    judge: &mut Judge<'e>,
    registry: &'e Registry,
    names: &RegistryNames,
    chain: &Chain<'_, 'e>,
    answering: &Answering<'_, 'e>,
) {
    if answering.zones.is_empty() {
        return;
    }
    let evidence = judge.evidence;
    // Which zone servers of the operator's own answer from, they alone know: a node that asks them refutes a record.
    let network = answering.network;
    let own_servers = has_own_servers(evidence, network);
    let question = Question::Resolution(network.clone());
    let candidates = endpoints::candidates(evidence, registry);
    let unread = endpoints::unread_addresses(evidence, registry, &candidates);
    for (name, addresses) in wanted(judge, registry, names, &candidates) {
        let fitting = answering.fitting(names, &name);
        if !wanting(judge, &fitting, names, (&name, &addresses), &question) {
            continue;
        }
        // What one of several zones holds is no finding, and what none holds may still come from elsewhere.
        let sure = answering.certain && fitting.len() <= 1;
        let zone = if let [zone] = fitting[..] { Some(zone) } else { chain.zone(&fitting) };
        // A network is linked to one zone of a name: of two, only one can be meant.
        let other = |own: &&ResourceId, zone: Zone<'_>| zone.id != *own && zone.name().eq_ignore_ascii_case(own.name());
        let rival = answering.own.filter(|own| zone.is_some_and(|zone| other(own, zone)));
        let case = Case { evidence, names, name: &name, addresses, sure, rival };
        let mut finding = match zone {
            Some(zone) => case.problem(zone),
            None if fitting.is_empty() => case.unanswered(answering),
            None => case.in_none(answering.network, &fitting),
        };
        if finding.is(&RECORD_MISMATCH) && !unread.is_empty() {
            unread.iter().for_each(|gap| judge.note_until(gap.clone(), std::slice::from_ref(&question)));
            continue;
        }
        let wrong = case.wrong(&fitting);
        if let Some(doubt) = finding.is(&RECORD_MISMATCH).then(|| doubt(evidence, &candidates, &wrong)).flatten() {
            match doubt {
                Doubt::Hidden(gap) => judge.suspect(finding, gap),
                Doubt::Unread(gap) => judge.note_until(gap, std::slice::from_ref(&question)),
            }
            continue;
        }
        match case.relevance(judge) {
            Relevance::Needed if sure => {}
            Relevance::Needed => finding.facts.unsure = true,
            Relevance::Remote => {}
            Relevance::Off => continue,
        }
        if !sure || matches!(case.relevance(judge), Relevance::Remote) {
            finding.severity = finding.severity.min(Severity::Warning);
        }
        if own_servers {
            judge.report_until(finding, question.clone());
        } else {
            judge.report(finding);
        }
    }
}

impl<'e> Answering<'_, 'e> {
    /// The zones that answer for a name: those of the longest name that fits. Where it is not certain which zones
    /// answer, all that fit.
    fn fitting(&self, names: &RegistryNames, name: &str) -> Vec<Zone<'e>> {
        let fits = |zone: &&Zone<'e>| names.record(zone.name(), name).is_some();
        let mut fitting: Vec<Zone<'e>> = self.zones.iter().filter(fits).copied().collect();
        // A zone of the name itself answers before its public alias is ever seen.
        let itself = |zone: &Zone<'e>| record_of(&zone.name().to_lowercase(), name).is_some();
        if self.certain && fitting.iter().any(itself) {
            fitting.retain(itself);
        }
        let longest = fitting.iter().map(|zone| zone.name().len()).max();
        let answers = |zone: &Zone<'e>| !self.certain || Some(zone.name().len()) == longest;
        fitting.into_iter().filter(answers).collect()
    }
}

/// Whether none of the zones has a name right. One that could not be read may have it: that is noted.
fn wanting<'e>(
    judge: &mut Judge<'e>,
    zones: &[Zone<'e>],
    names: &RegistryNames,
    (name, addresses): (&str, &BTreeSet<String>),
    question: &Question,
) -> bool {
    let read = |zone: &Zone<'e>| zone.facts.records.known().map(|records| found(records, *zone, names, name));
    if zones.iter().filter_map(read).any(|found| is_right(&found, addresses)) {
        return false;
    }
    let unread: Vec<_> = zones.iter().filter_map(|zone| zone.facts.records.gap()).collect();
    for gap in &unread {
        judge.note_until((*gap).clone().about("the zone's A records"), std::slice::from_ref(question));
    }
    unread.is_empty()
}

/// The addresses that a zone answers for a name.
fn found(records: &[AddressRecord], zone: Zone<'_>, names: &RegistryNames, name: &str) -> BTreeSet<String> {
    let label = names.record(zone.name(), name).unwrap_or_default();
    let record = lookup(records, &label).into_iter().flat_map(|record| &record.properties.a_records);
    record.filter_map(|record| record.ipv4_address.clone()).collect()
}

/// Whether a name has an address, and none that it must not have (where that is known).
fn is_right(found: &BTreeSet<String>, addresses: &BTreeSet<String>) -> bool {
    !found.is_empty() && (addresses.is_empty() || found.is_subset(addresses))
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
    name: &'a str,
    addresses: BTreeSet<String>,
    /// Whether it is certain that the zone answers.
    sure: bool,
    /// Another zone, which the cluster's chain leads to: which of the two is meant, cannot be seen.
    rival: Option<&'e ResourceId>,
}

/// A record of a zone.
struct Record<'e> {
    zone: Zone<'e>,
    label: String,
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

    /// The addresses that zones answer and no reachable endpoint has.
    fn wrong(&self, zones: &[Zone<'e>]) -> BTreeSet<String> {
        let records = zones.iter().filter_map(|zone| Some((zone, zone.facts.records.known()?)));
        let all = records.flat_map(|(zone, records)| found(records, *zone, self.names, self.name));
        all.filter(|address| !self.addresses.contains(address)).collect()
    }

    /// What is wrong with the name's record in the zone that answers.
    fn problem(&self, zone: Zone<'e>) -> Finding {
        let label = self.names.record(zone.name(), self.name).unwrap_or_default();
        let records = zone.facts.records.known().map_or(&[] as &[AddressRecord], Vec::as_slice);
        let found = found(records, zone, self.names, self.name);
        let record = Record { zone, label };
        if found.is_empty() { self.missing(&record) } else { self.mismatch(&record, &found) }
    }

    fn finding(&self, rule: &'static Rule, record: &Record<'_>, detail: String, value: String) -> Finding {
        let Record { zone, label } = record;
        let id = zone.id.child(&format!("A/{label}"));
        let source = format!("GET {}/A", zone.id);
        let mut evidence = vec![Observation::new(source, format!("value[{label}].properties.aRecords"), value)];
        if !self.addresses.is_empty() {
            let addresses = join(&self.addresses);
            evidence.push(Observation::new("the private endpoint's interface", self.name, addresses));
        }
        self.about(rule, &id, detail).seen(evidence)
    }

    fn about(&self, rule: &'static Rule, id: &ResourceId, mut detail: String) -> Finding {
        if !self.sure {
            detail.push_str(
                " Probably: what the network's own DNS servers answer cannot be seen; a failed pull confirms it.",
            );
        }
        let subject = Subject::new("Microsoft.Network/privateDnsZones/A", id).named(self.name);
        let facts = Facts { data_endpoint: Some(self.names.region_of(self.name).is_some()), ..Facts::default() };
        Finding::new(rule, subject, detail).with_facts(facts)
    }

    /// No zone answers for the name: those that are linked hold other names of the registry.
    fn unanswered(&self, answering: &Answering<'_, 'e>) -> Finding {
        let linked: Vec<&str> = answering.zones.iter().map(Zone::name).collect();
        let detail = format!(
            "None of the zones that answer the nodes ({}) is one for {}: the name resolves to the registry's public \
             address.",
            linked.join(", "),
            self.name
        );
        let seen = answering.zones.iter().map(|zone| {
            Observation::new(format!("GET {}", zone.id), "name", format!("{}: not a suffix of it", zone.name()))
        });
        let remediation = self.records(
            format!(
                "Link a zone that has a record for this name to the network too: usually privatelink.{}, which the \
                 endpoint's DNS zone group fills with every name of the registry. {LOCAL_DNS}",
                self.names.suffix
            ),
            Vec::new(),
        );
        let id = answering.network.child(&format!("A/{}", self.name));
        self.about(&RECORD_MISSING, &id, detail).seen(seen.collect()).with_remediation(remediation)
    }

    /// None of several zones has the name right, and the chain leads to none of them in particular.
    fn in_none(&self, network: &ResourceId, zones: &[Zone<'e>]) -> Finding {
        let detail =
            format!("{} zones may answer the nodes, and none has the right address for {}.", zones.len(), self.name);
        let seen = zones.iter().map(|zone| {
            let records = zone.facts.records.known().map_or(&[] as &[AddressRecord], Vec::as_slice);
            let found = join(&found(records, *zone, self.names, self.name));
            let label = self.names.record(zone.name(), self.name).unwrap_or_default();
            let value = if found.is_empty() { "none".to_owned() } else { found };
            Observation::new(format!("GET {}/A", zone.id), format!("value[{label}].properties.aRecords"), value)
        });
        let summary = format!("Create the record in the zone that the servers ask. {}", ambiguous(zones));
        let remediation = self.records(summary, Vec::new());
        let id = network.child(&format!("A/{}", self.name));
        self.about(&RECORD_MISSING, &id, detail).seen(seen.collect()).with_remediation(remediation)
    }

    fn missing(&self, record: &Record<'e>) -> Finding {
        let detail = format!(
            "Zone {} answers the nodes, but record {} has no address: {} does not resolve to the private endpoint.",
            record.zone.name(),
            record.label,
            self.name
        );
        let commands = self.addresses.iter().map(|address| record.add(address)).collect();
        let remediation = self.remediation(record, "Create the record.", commands);
        self.finding(&RECORD_MISSING, record, detail, "none".to_owned()).with_remediation(remediation)
    }

    fn mismatch(&self, record: &Record<'e>, found: &BTreeSet<String>) -> Finding {
        let wrong: Vec<&String> = found.difference(&self.addresses).collect();
        let all = wrong.len() == found.len();
        let some = if all { "" } else { "also " };
        let detail = format!(
            "{} {some}resolves to {}, which is no address of an endpoint that the nodes can reach ({}). Two endpoints \
             that share one zone overwrite each other's record.",
            self.name,
            wrong.iter().map(|address| address.as_str()).collect::<Vec<_>>().join(", "),
            join(&self.addresses)
        );
        // The right address first: at no time is there none.
        let add = self.addresses.difference(found).map(|address| record.add(address));
        let commands = add.chain(wrong.iter().map(|address| record.remove(address))).collect();
        let what = "Add the right address, then remove the wrong one: anything else that asks this zone and uses the \
                    endpoint behind it loses access, and needs its own zone.";
        let remediation = self.remediation(record, what, commands);
        let finding = self.finding(&RECORD_MISMATCH, record, detail, join(found)).with_remediation(remediation);
        if all { finding } else { finding.with_severity(Severity::Warning) }
    }

    fn remediation(&self, record: &Record<'e>, what: &str, commands: Vec<Command>) -> Remediation {
        if let Some(rival) = self.rival {
            let summary = format!(
                "No command is printed, because two zones could be meant: {} answers the nodes, and {rival} is the one \
                 that holds the registry's records or is named by its endpoint's DNS zone group. Link that one instead, \
                 or write the records to the first. {LOCAL_DNS}",
                record.zone.id
            );
            return self.records(summary, Vec::new());
        }
        let mut summary = match record.zone_group(self.evidence) {
            Some(endpoint) => format!(
                "{what} The records of this zone are written by the DNS zone group of endpoint {}, which rewrites \
                 them: if the change does not last, delete that zone group and create it again instead.",
                endpoint.name()
            ),
            None => format!("{what} An old answer may be kept for the record's time to live."),
        };
        if commands.is_empty() {
            summary.push_str(" The endpoint's addresses could not be read: take them from its network interface.");
        }
        self.records(format!("{summary} {LOCAL_DNS}"), commands)
    }

    /// What makes the records right: AKS writes those of its own registry itself.
    fn records(&self, summary: String, commands: Vec<Command>) -> Remediation {
        if self.evidence.ownership() == Ownership::Managed {
            return remedy::reconcile(self.evidence, RECONCILED);
        }
        remedy::remedy(RemediationKind::CreateDnsRecord, summary, commands, DOCS_PRIVATE_LINK)
    }
}

/// What a reconcile does about records.
const RECONCILED: &str = "AKS writes the records of its registry's endpoint again.";

impl<'e> Record<'e> {
    fn add(&self, address: &str) -> Command {
        self.words("add-record", address).changing(Impact::Access, &self.id(), self.words("remove-record", address))
    }

    fn remove(&self, address: &str) -> Command {
        let remove = self.words("remove-record", address).word("--keep-empty-record-set");
        remove.changing(Impact::CutsTraffic, &self.id(), self.words("add-record", address))
    }

    fn words(&self, verb: &str, address: &str) -> Command {
        let zone = self.zone.id;
        let command = Command::new("az network private-dns record-set a").word(verb);
        let command = command.with("-g", zone.resource_group().unwrap_or_default()).with("-z", zone.name());
        remedy::in_subscription(command.with("-n", self.label.as_str()).with("-a", address), zone)
    }

    fn id(&self) -> ResourceId {
        self.zone.id.child("A").child(&self.label)
    }

    /// The endpoint whose zone group keeps the records of this zone.
    fn zone_group(&self, evidence: &'e Evidence) -> Option<&'e ResourceId> {
        evidence.network.private_endpoints.iter().find_map(|(id, facts)| {
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
