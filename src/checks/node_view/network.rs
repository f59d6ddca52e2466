//! What a probe says of the network: names, connections, certificates, ways out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{
    API_UNREACHABLE, Case, DATA_UNREACHABLE, EGRESS_OPEN, REGISTRY_UNREACHABLE, RESOLVES_PUBLIC, RESOLVES_WRONG,
    TLS_INTERCEPTED,
};
use crate::checks::command::Command;
use crate::checks::finding::{Observation, Remediation, RemediationKind};
use crate::checks::judge::Judge;
use crate::checks::registry;
use crate::checks::remedy::{DOCS_ISOLATED, DOCS_PRIVATE_LINK, DOCS_TROUBLESHOOT, remedy};
use crate::checks::rule::Rule;
use crate::evidence::probe::{Connected, Distrust, LOCAL_DNS_ADDRESS, Outcome};
use crate::model::networks::AZURE_DNS;
use crate::model::node_view::{Dns, Role, Tcp, Wanted, Web};
use crate::text;

const DOCS_PRIVATE_CLUSTER: &str = "https://learn.microsoft.com/azure/aks/private-clusters";

pub(super) fn judge(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    if case.view.is_node() {
        resolution(judge, case);
        interception(judge, case);
        egress(judge, case);
    }
    for (role, rule) in
        [(Role::Registry, &REGISTRY_UNREACHABLE), (Role::Data, &DATA_UNREACHABLE), (Role::ApiServer, &API_UNREACHABLE)]
    {
        reachability(judge, case, role, rule);
    }
}

/// Names that resolve to the wrong kind of address.
fn resolution(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    let (mut public, mut wrong) = (Vec::new(), Vec::new());
    for wanted in case.names {
        match case.view.dns(wanted) {
            Dns::Public(addresses) => public.push((wanted, addresses)),
            Dns::Wrong(addresses) => wrong.push((wanted, addresses)),
            _ => {}
        }
    }
    if !public.is_empty() {
        let why = "The name servers that it asks do not know the private zone: the connection leaves for the \
                   internet, where it is dropped or refused.";
        report_resolution(judge, case, &RESOLVES_PUBLIC, &public, "a public address", why);
    }
    if !wrong.is_empty() {
        let why = "What answers there is another endpoint, a left-over of an earlier one, or nothing.";
        report_resolution(judge, case, &RESOLVES_WRONG, &wrong, "no address of its private endpoint", why);
    }
}

fn report_resolution(
    judge: &mut Judge<'_>,
    case: &Case<'_, '_>,
    rule: &'static Rule,
    names: &[(&Wanted, BTreeSet<IpAddr>)],
    what: &str,
    why: &str,
) {
    let each = names.iter().map(|(wanted, addresses)| format!("{} to {}", wanted.host, listed(addresses)));
    let detail = format!("{} resolves {} ({what}). {why}{}", case.place(), text::listed(each), stale(case));
    let mut seen: Vec<Observation> = names
        .iter()
        .map(|(wanted, addresses)| case.seen(format!("resolve {}", wanted.host), listed(addresses)))
        .collect();
    seen.extend(names.iter().filter(|(wanted, _)| !wanted.right.is_empty()).map(|(wanted, _)| {
        Observation::new("the private endpoint's interface", wanted.host.clone(), listed(&wanted.right))
    }));
    let hosts: Vec<&Wanted> = names.iter().map(|(wanted, _)| *wanted).collect();
    judge.report(case.finding(rule, detail, seen, &hosts).with_remediation(ask_servers(case, hosts[0])));
}

/// What may be an old answer.
fn stale(case: &Case<'_, '_>) -> &'static str {
    if case.view.supplied.probe.host.resolvers.iter().any(|own| own == LOCAL_DNS_ADDRESS) {
        " It asks LocalDNS, which may serve an old answer for up to an hour after a repair."
    } else {
        ""
    }
}

fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    text::listed(addresses.iter().map(ToString::to_string))
}

/// What to do where name servers answer wrongly: ask each of them.
fn ask_servers(case: &Case<'_, '_>, wanted: &Wanted) -> Remediation {
    let resolvers = &case.view.supplied.probe.host.resolvers;
    let asked = if resolvers.is_empty() {
        "its name servers".to_owned()
    } else {
        text::listed(resolvers.iter().map(|own| text::bounded(own, 60)))
    };
    let commands = resolvers.iter().take(3).map(|own| Command::new("nslookup").word(&wanted.host).word(own)).collect();
    let summary = format!(
        "Ask each of the node's name servers ({asked}) for {}, from the node. Azure's own ({AZURE_DNS}) needs the \
         private zone linked to the node network; servers of your own must forward to it from a network that the zone \
         is linked to. A node keeps the name servers that it booted with: after a change of the network's servers, \
         reimage.",
        wanted.host
    );
    let docs = if wanted.role == Role::ApiServer { DOCS_PRIVATE_CLUSTER } else { DOCS_PRIVATE_LINK };
    remedy(RemediationKind::Investigate, summary, commands, docs)
}

/// A host of one role that the machine does not get through to.
fn reachability(judge: &mut Judge<'_>, case: &Case<'_, '_>, role: Role, rule: &'static Rule) {
    let (mut said, mut seen, mut hosts, mut by_name) = (Vec::new(), Vec::new(), Vec::new(), false);
    for wanted in case.names.iter().filter(|wanted| wanted.role == role) {
        let mut failed = |why: String, path: String| {
            seen.push(case.seen(path, why.clone()));
            said.push(format!("{}: {why}", wanted.host));
            if hosts.last().is_none_or(|last: &&Wanted| last.host != wanted.host) {
                hosts.push(wanted);
            }
        };
        if let (Dns::None(word), true) = (case.view.dns(wanted), case.view.is_node()) {
            by_name = true;
            failed(format!("its name servers answer {word}"), format!("resolve {}", wanted.host));
        }
        if let Tcp::Closed(each) = case.view.tcp(wanted) {
            let words = each.iter().map(|(target, word)| format!("{} {word}", text::bounded(target, 60)));
            failed(format!("the connection fails ({})", text::listed(words)), format!("connect {}", wanted.host));
        }
        if let (Web::Failed(why), true) = (case.view.web(wanted), case.view.is_node()) {
            failed(why, format!("https {}", wanted.host));
        }
    }
    let Some(first) = hosts.first() else { return };
    let remediation = if by_name { ask_servers(case, first) } else { open_the_way(case, first) };
    let detail = format!("{} cannot use {}.{}", case.place(), text::listed(said), stale(case));
    judge.report(case.finding(rule, detail, seen, &hosts).with_remediation(remediation));
}

fn open_the_way(case: &Case<'_, '_>, wanted: &Wanted) -> Remediation {
    let subnet = case.view.place.subnet.map_or("the node subnet", |subnet| subnet.name());
    let summary = format!(
        "Look at what stands between subnet {subnet} and {} on TCP 443: security groups, routes, firewalls and \
         proxies. Timed out = dropped on the way; refused = the host or a firewall says no; 403 or another host's \
         answer = the connection ends somewhere else than at the private endpoint.",
        wanted.host
    );
    let docs = if wanted.role == Role::ApiServer { DOCS_PRIVATE_CLUSTER } else { DOCS_TROUBLESHOOT };
    remedy(RemediationKind::Investigate, summary, Vec::new(), docs)
}

/// Certificates that are somebody else's.
fn interception(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    let (mut said, mut seen, mut hosts) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in case.names {
        match case.view.web(wanted) {
            Web::Intercepted { why, issuer } => {
                let issuer = issuer.map_or_else(|| "unknown".to_owned(), |issuer| text::bounded(&issuer, 200));
                let why = match why {
                    Distrust::WrongName => "a certificate for other names",
                    _ => "a certificate that the node does not trust",
                };
                said.push(format!("{} shows {why} (issuer: {issuer})", wanted.host));
                seen.push(case.seen(format!("tls {}", wanted.host), format!("{why}; issuer: {issuer}")));
                hosts.push(wanted);
            }
            Web::Anonymous => {
                let seen = case.seen(format!("registry {}", wanted.host), "200 without credentials");
                judge.corroborate(&registry::ANONYMOUS, seen);
            }
            _ => {}
        }
    }
    if hosts.is_empty() {
        return;
    }
    let detail = format!(
        "{}: {}. Something on the path intercepts TLS, or the name resolves to another host.",
        case.place(),
        said.join("; ")
    );
    let summary = "Exempt the registry's login server and data endpoints, and the API server, from TLS inspection on \
                   every firewall and proxy between the nodes and the endpoints. Where the names resolve to a foreign \
                   address, fix that first.";
    let remediation = remedy(RemediationKind::Investigate, summary, Vec::new(), DOCS_ISOLATED);
    judge.report(case.finding(&TLS_INTERCEPTED, detail, seen, &hosts).with_remediation(remediation));
}

/// A way out that Azure's configuration denies.
fn egress(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    if !case.evidence.egress_closed() {
        return;
    }
    let results = case.view.supplied.probe.results.iter();
    let open = results.filter(|result| result.outcome == Outcome::Egress(Connected::Open));
    let hosts: BTreeSet<String> = open.map(|result| text::bounded(&result.target, 200)).collect();
    if hosts.is_empty() {
        return;
    }
    let detail = format!(
        "{} connects to {} although outboundType is {}: the operator's network has a way out. A broken cache goes \
         unnoticed as long as it is open.",
        case.place(),
        text::listed(&hosts),
        case.evidence.outbound_type()
    );
    let seen = hosts.iter().map(|host| case.seen(format!("egress {host}"), "open")).collect();
    let summary = "Nothing to do where this is meant (a firewall that allows Microsoft's registry). Otherwise look at \
                   the node subnet's default route, NAT gateway and firewall.";
    let remediation = remedy(RemediationKind::Investigate, summary, Vec::new(), DOCS_ISOLATED);
    judge.report(case.finding(&EGRESS_OPEN, detail, seen, &[]).with_remediation(remediation));
}
