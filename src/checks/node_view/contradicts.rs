//! Where a probe says the opposite of what Azure's configuration says with certainty. Neither side is dropped.

use super::{CONTRADICTS, Case};
use crate::checks::finding::{Finding, Observation, RemediationKind};
use crate::checks::judge::Judge;
use crate::checks::open::Against;
use crate::checks::remedy::{DOCS_TROUBLESHOOT, remedy};
use crate::checks::rule::{Rule, RuleSet};
use crate::checks::{api_server, kubelet_acrpull, node_network, private_dns, private_endpoint};
use crate::evidence::probe::{Identity, Outcome};
use crate::model::networks::own_servers;
use crate::model::node_view::{self, Dns, Role, Tcp, Wanted, Web};
use crate::text;

/// Names of one kind, and what Azure's configuration says of them.
struct Names {
    what: &'static str,
    are: fn(&Wanted) -> bool,
    /// What says that they do not resolve.
    wrong: &'static [&'static Rule],
    /// What passes where they do.
    right: &'static RuleSet,
}

const NAMES: [Names; 2] = [
    Names {
        what: "the registry's names",
        are: Wanted::needed_for_pulls,
        wrong: &[
            &private_dns::ZONE_MISSING,
            &private_dns::NOT_LINKED,
            &private_dns::RECORD_MISSING,
            &private_dns::RECORD_MISMATCH,
        ],
        right: &private_dns::CHECK.about,
    },
    Names {
        what: "the API server's name",
        are: |wanted| wanted.role == Role::ApiServer,
        wrong: &[
            &api_server::ZONE_MISSING,
            &api_server::NOT_LINKED,
            &api_server::RECORD_MISSING,
            &api_server::RECORD_MISMATCH,
        ],
        right: &api_server::CHECK.about,
    },
];
/// What says that a way is barred, and to what.
const PATHS: [(Role, &[&Rule]); 2] =
    [(Role::Registry, &[&private_endpoint::PATH_BLOCKED]), (Role::ApiServer, &[&api_server::PATH_BLOCKED])];
/// What says that no endpoint carries connections.
const NO_ENDPOINT: &[&Rule] = &[&private_endpoint::MISSING, &private_endpoint::NOT_APPROVED];
/// What says that the kubelet identity may not pull.
const ROLES: &[&Rule] =
    &[&kubelet_acrpull::MISSING, &kubelet_acrpull::IGNORED_BY_ABAC, &kubelet_acrpull::REPOSITORY_IGNORED];

pub(super) fn judge(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    NAMES.iter().for_each(|names| resolution(judge, case, names));
    queries(judge, case);
    endpoint(judge, case);
    anonymous(judge, case);
    identity(judge, case);
    PATHS.iter().for_each(|(role, barred)| path(judge, case, *role, barred));
}

fn finding(case: &Case<'_, '_>, detail: String, seen: Vec<Observation>) -> Finding {
    let summary = "Look at both sides. The node may use other name servers or another way than Azure's configuration \
                   shows (a hosts file, a cached answer, a firewall), or the configuration changed after the probe: \
                   run the probe again, then diagnose again.";
    let remediation = remedy(RemediationKind::Investigate, summary, Vec::new(), DOCS_TROUBLESHOOT);
    case.finding(&CONTRADICTS, detail, seen, &[]).with_remediation(remediation)
}

/// Zones and records under Azure's own DNS say what a node must get.
fn resolution(judge: &mut Judge<'_>, case: &Case<'_, '_>, kind: &'static Names) {
    let mut others = Vec::new();
    for wanted in case.names.iter().filter(|wanted| (kind.are)(wanted)) {
        let got = match case.view.dns(wanted) {
            Dns::Public(addresses) | Dns::Wrong(addresses) => text::listed(addresses.iter().map(ToString::to_string)),
            Dns::None(word) => word.to_owned(),
            Dns::Right | Dns::Unjudged(_) | Dns::Unasked => continue,
        };
        others.push((wanted, got));
    }
    let names = case.names.iter().filter(|wanted| (kind.are)(wanted));
    let all_right = names.clone().count() > 0 && names.clone().all(|wanted| case.view.dns(wanted) == Dns::Right);
    if all_right {
        let seen = names.map(|wanted| case.seen(format!("resolve {}", wanted.host), "the endpoint's address"));
        let detail = format!(
            "{} resolves {} to its endpoint, although zones, links and records say that it cannot.",
            case.place(),
            kind.what
        );
        judge.contradict(Against::Standing(kind.wrong), finding(case, detail, seen.collect()));
        return;
    }
    let network = case.view.place.subnet.and_then(|subnet| subnet.up_to("virtualNetworks"));
    let Some(network) = network else { return };
    let azure = case.evidence.network(&network).known().is_some_and(|network| own_servers(network).is_empty());
    if azure && !others.is_empty() {
        let each = others.iter().map(|(wanted, got)| format!("{} ({got})", wanted.host));
        let detail = format!(
            "Zone, link and records answer network {} rightly under Azure's DNS. {} gets another answer for {}.",
            network.name(),
            case.place(),
            text::listed(each)
        );
        let seen = others.iter().map(|(wanted, got)| case.seen(format!("resolve {}", wanted.host), got.as_str()));
        judge.contradict(Against::Passing(kind.right), finding(case, detail, seen.collect()));
    }
}

/// Name servers answer, although a rule or a route keeps the subnet from them: the only one, so that no other is meant.
fn queries(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    let network = case.view.place.subnet.and_then(|subnet| subnet.up_to("virtualNetworks"));
    let shares = network.is_some_and(|network| node_view::shares_servers(case.evidence, &network, case.view));
    if !shares || case.evidence.node_subnets().len() != 1 {
        return;
    }
    let Some(right) = case.names.iter().find(|wanted| case.view.dns(wanted) == Dns::Right) else { return };
    let detail = format!(
        "{} resolves {} to its endpoint, although a security rule or a route keeps its subnet from its DNS servers.",
        case.place(),
        right.host
    );
    let seen = vec![case.seen(format!("resolve {}", right.host), "the endpoint's address")];
    judge.contradict(Against::Standing(&[&node_network::DNS_BLOCKED]), finding(case, detail, seen));
}

/// The registry answers at a private address, although Azure knows no endpoint in use.
fn endpoint(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    let Some(server) = case.names.iter().find(|wanted| wanted.role == Role::Registry) else { return };
    let answers = matches!(case.view.web(server), Web::Right | Web::Anonymous) && case.view.tcp(server) == Tcp::Open;
    if !answers || !case.view.resolves_right(server) {
        return;
    }
    let detail = format!(
        "{} gets an answer of the registry from {} at a private address, although no approved private endpoint of it \
         is known.",
        case.place(),
        server.host
    );
    let seen = vec![case.seen(format!("registry {}", server.host), "the registry answers")];
    judge.contradict(Against::Standing(NO_ENDPOINT), finding(case, detail, seen));
}

/// The registry lets anybody pull, although ARM says that it does not.
fn anonymous(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    let registry = case.evidence.known_registry();
    let denied = registry.is_some_and(|registry| registry.properties.anonymous_pull_enabled == Some(false));
    let server = case.names.iter().find(|wanted| wanted.role == Role::Registry);
    let Some(server) = server.filter(|server| denied && case.view.web(server) == Web::Anonymous) else { return };
    let detail = format!(
        "{} gets an answer from {} without credentials, although anonymousPullEnabled is false: what answers may be \
         another registry.",
        case.place(),
        server.host
    );
    let seen = vec![case.seen(format!("registry {}", server.host), "200 without credentials")];
    judge.contradict(Against::Stated, finding(case, detail, seen));
}

/// What the identity's token allows, beside its role assignments.
fn identity(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    for result in &case.view.supplied.probe.results {
        let Outcome::Identity(identity) = &result.outcome else { continue };
        let ours = case.names.iter().any(|wanted| wanted.role == Role::Registry && wanted.is(&result.target));
        let (value, against, text) = match identity {
            _ if !ours => continue,
            Identity::MayNotPull { actions } => (
                format!("may not pull; actions: {}", text::listed(actions.iter().map(|own| text::bounded(own, 60)))),
                Against::Passing(&kubelet_acrpull::CHECK.about),
                "the registry gives the kubelet identity a token that may not pull, although its role assignments \
                 allow it. A role takes minutes to propagate.",
            ),
            Identity::MayPull { actions } => (
                format!("may pull; actions: {}", text::listed(actions.iter().map(|own| text::bounded(own, 60)))),
                Against::Standing(ROLES),
                "the registry gives the kubelet identity a token that may pull, although no role assignment that \
                 aksiso sees allows it.",
            ),
            Identity::Refused { status } => (
                format!("refused with status {status}"),
                Against::Passing(&kubelet_acrpull::CHECK.about),
                "the kubelet identity's sign-in is refused, although its role assignments allow it to pull: bootstraps \
                 end with exit code 212.",
            ),
            Identity::Unreachable => (
                "unreachable".to_owned(),
                Against::Passing(&kubelet_acrpull::CHECK.about),
                "the metadata service or the registry's token exchange does not answer: bootstraps end with exit code \
                 210 or 211.",
            ),
            _ => continue,
        };
        let seen = case.seen(format!("identity {}", result.target), value);
        if matches!(identity, Identity::MayNotPull { .. } | Identity::Refused { .. }) {
            ROLES.iter().for_each(|rule| judge.corroborate(rule, seen.clone()));
        }
        judge.contradict(against, finding(case, format!("{}: {text}", case.place()), vec![seen]));
    }
}

/// A connection to the endpoint, although a rule or a route forbids it.
fn path(judge: &mut Judge<'_>, case: &Case<'_, '_>, role: Role, barred: &'static [&'static Rule]) {
    let Some(server) = case.names.iter().find(|wanted| wanted.role == role) else { return };
    if case.view.tcp(server) != Tcp::Open || !case.view.connects_to_endpoint(server) {
        return;
    }
    let detail = format!(
        "{} connects to the endpoint of {}, although a security rule or a route keeps its subnet from it.",
        case.place(),
        server.host
    );
    let seen = vec![case.seen(format!("connect {}", server.host), "open")];
    judge.contradict(Against::Standing(barred), finding(case, detail, seen));
}
