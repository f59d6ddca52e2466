//! What a probe says of the node's own files: which registry they send it to, and how its bootstrap ended.

use super::{Case, MIRROR_STALE};
use crate::checks::finding::{Finding, Observation, Remediation, RemediationKind, Subject};
use crate::checks::judge::Judge;
use crate::checks::node_bootstrap;
use crate::checks::remedy::{self, DOCS_NODE_IMAGE, remedy};
use crate::checks::rule::Severity;
use crate::evidence::pools::AgentPool;
use crate::evidence::probe::{CREDENTIAL_PROVIDER, HOSTS_TOML, HostFile, Outcome, PROVISION, Read};
use crate::model::cluster::is;
use crate::text;

pub(super) fn judge(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    mirror(judge, case);
    bootstrap(judge, case);
}

/// What the probe read of a file.
fn file<'c>(case: &'c Case<'_, '_>, name: &str) -> Option<&'c HostFile> {
    case.view.supplied.probe.results.iter().find_map(|result| match &result.outcome {
        Outcome::HostFile(file) if result.target == name => Some(file),
        _ => None,
    })
}

/// The registries that a file names, without what stands around them.
fn registries(read: &Read) -> Vec<String> {
    let hosts = read.mirrors.iter().filter_map(|mirror| {
        let rest = mirror.rsplit("://").next()?;
        let before = rest.split('/').next()?;
        // `mcr.microsoft.com:<login server>`, or the option that it is the value of.
        Some(before.rsplit(['=', ':']).find(|part| part.contains('.'))?.to_lowercase())
    });
    let mut hosts: Vec<String> = hosts.filter(|host| !crate::evidence::cloud::is_mcr(host)).collect();
    hosts.dedup();
    hosts
}

fn mirror(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    let Some(server) = case.evidence.login_server().filter(|_| case.evidence.uses_cache()) else { return };
    let server = server.trim_end_matches('.').to_lowercase();
    let mut said = Vec::new();
    let mut seen = Vec::new();
    for name in [HOSTS_TOML, CREDENTIAL_PROVIDER] {
        let (what, value) = match file(case, name) {
            Some(HostFile::Absent) if name == HOSTS_TOML => {
                ("containerd has no mirror for Microsoft's registry".to_owned(), "absent".to_owned())
            }
            Some(HostFile::Present(read)) => {
                let named = registries(read);
                // A hosts.toml that names nobody is no proof: only one that names another registry is.
                if named.contains(&server) || (named.is_empty() && name == HOSTS_TOML) {
                    continue;
                }
                let others = text::listed(named.iter().map(|host| text::bounded(host, 100)));
                match (named.is_empty(), name) {
                    (true, _) => ("the credential provider has no mirror".to_owned(), "no mirror".to_owned()),
                    (false, HOSTS_TOML) => (format!("containerd's mirror is {others}"), others),
                    (false, _) => (format!("the credential provider signs in to {others}"), others),
                }
            }
            _ => continue,
        };
        said.push(what);
        seen.push(case.seen(format!("host-file {name}"), value));
    }
    if !said.is_empty() {
        judge.report(stale(case, &server, &said, seen));
    }
}

fn stale(case: &Case<'_, '_>, server: &str, said: &[String], seen: Vec<Observation>) -> Finding {
    let detail = format!(
        "{}: {}; the cluster's registry is {server}. The node was bootstrapped with another configuration than the \
         cluster has now.",
        case.place(),
        said.join("; ")
    );
    let closed = case.evidence.egress_closed();
    let severity = if closed { Severity::Error } else { MIRROR_STALE.severity };
    case.finding(&MIRROR_STALE, detail, seen, &[]).with_severity(severity).with_remediation(reimage(case))
}

/// The pool of the node is reimaged; NodePools have no pool of ARM's.
fn reimage(case: &Case<'_, '_>) -> Remediation {
    let pools = case.evidence.pools.agent_pools.known().into_iter().flatten();
    let own = pools.filter(|pool| case.view.place.pools.iter().any(|name| name.eq_ignore_ascii_case(&pool.name)));
    let commands = own.map(|pool| remedy::upgrade_pool(case.evidence, &pool.name)).collect();
    let summary = "Reimage the nodes of the pool: only then do they get the cluster's present configuration. While \
                   egress is closed and the registry itself is broken, fix the registry first.";
    remedy(RemediationKind::Reimage, summary, commands, DOCS_NODE_IMAGE)
}

/// A code in the node's own report of its bootstrap is a finding of that check, where ARM shows none. It is the pool's
/// where only one pool can be meant, else the node's.
fn bootstrap(judge: &mut Judge<'_>, case: &Case<'_, '_>) {
    let Some(HostFile::Present(Read { exit_code: Some(code), .. })) = file(case, PROVISION) else { return };
    if *code == 0 {
        return;
    }
    let place = &case.view.place;
    let pools = case.evidence.pools.agent_pools.known().into_iter().flatten();
    let own: Vec<&AgentPool> =
        pools.filter(|pool| place.pools.iter().any(|name| name.eq_ignore_ascii_case(&pool.name))).collect();
    let windows = !own.is_empty() && own.iter().all(|pool| is(pool.os_type.as_ref(), "Windows"));
    let seen = case.seen(format!("host-file {PROVISION}"), format!("exit status={code}"));
    let failed = |name: &str| node_bootstrap::bootstrap_failed(case.evidence, name, windows, *code, seen);
    let mut finding = match own.as_slice() {
        [pool] => failed(&pool.name),
        _ => of_node(case, failed(&place.name)),
    };
    finding.facts.nodes.insert(place.name.clone());
    judge.hand(&node_bootstrap::CHECK.about, finding);
}

/// The same about the node alone: which pool's it is, nothing says.
fn of_node(case: &Case<'_, '_>, finding: Finding) -> Finding {
    let name = &case.view.place.name;
    let detail = finding.detail.replace(&format!("Nodes of pool {name} fail"), &format!("Node {name} failed"));
    let remediation = Remediation { commands: Vec::new(), ..finding.remediation };
    Finding { subject: Subject::node(&case.evidence.cluster.id, name), detail, remediation, ..finding }
}
