//! What machines inside the network saw, beside the cluster: whose view each probe file is, whether it counts, and what
//! it says of the registry's names and of the API server's.

mod last_change;
mod place;
mod reading;
mod wanted;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::evidence::Evidence;
use crate::evidence::id::ResourceId;
use crate::evidence::probe::{HostFile, Outcome, STUBS, Supplied, Vantage};
use crate::model::networks::AZURE_DNS;
pub use last_change::last_change;
pub use place::Place;
pub use reading::{Dns, Tcp, Web, is_busy};
pub use wanted::{Role, Wanted, is_public, wanted};

/// A probe older than this says nothing of the cluster as it is.
const OLD: SignedDuration = SignedDuration::from_hours(24);
/// How far the clocks of two machines may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// One probe file, with what it may prove.
#[derive(Debug)]
pub struct View<'e> {
    pub supplied: &'e Supplied,
    pub place: Place<'e>,
    pub standing: Standing,
}

/// What a probe file may prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is a node's own view: what it says of that node counts.
    Node,
    /// Another machine's in a node subnet: its connections count, what its resolver says does not.
    Connections,
    /// It is shown, and decides nothing; why.
    Shown(String),
}

impl View<'_> {
    /// Whether anything of it counts.
    pub fn counts(&self) -> bool {
        !matches!(self.standing, Standing::Shown(_))
    }

    /// Whether it is a node's own view, and counts.
    pub fn is_node(&self) -> bool {
        self.standing == Standing::Node
    }
}

/// Every probe file in its order, with what it may prove.
pub fn views(evidence: &Evidence) -> Vec<View<'_>> {
    let changed = last_change(evidence);
    let names = wanted(evidence);
    let mut views: Vec<View<'_>> = evidence
        .probes
        .iter()
        .map(|supplied| {
            let place = place::of(evidence, &supplied.probe);
            let standing = standing(evidence, supplied, &place, changed.as_ref(), &names);
            View { supplied, place, standing }
        })
        .collect();
    only_the_newest(&mut views);
    views
}

fn standing(
    evidence: &Evidence,
    supplied: &Supplied,
    place: &Place<'_>,
    changed: Option<&(Timestamp, &'static str)>,
    names: &[Wanted],
) -> Standing {
    let probe = &supplied.probe;
    if probe.results.is_empty() {
        return Standing::Shown("it holds no results".to_owned());
    }
    if let Some(why) = about_another(supplied, names).or_else(|| place.contradiction.clone()) {
        return Standing::Shown(why);
    }
    if let Some(why) = out_of_time(evidence, probe.taken_at, place, changed) {
        return Standing::Shown(why);
    }
    match (probe.vantage, place.is_known(), place.subnet) {
        (Vantage::Node, true, _) => Standing::Node,
        (Vantage::Node, false, _) => {
            Standing::Shown("no node of the cluster has its name, and no node subnet holds its address".to_owned())
        }
        (_, _, Some(_)) => Standing::Connections,
        (vantage, _, None) => Standing::Shown(format!(
            "its vantage is {}, outside the node subnets: what it sees need not be what a node sees",
            vantage.as_str()
        )),
    }
}

/// Why the time at which it was taken keeps a file from counting.
fn out_of_time(
    evidence: &Evidence,
    taken: Timestamp,
    place: &Place<'_>,
    changed: Option<&(Timestamp, &'static str)>,
) -> Option<String> {
    let now = evidence.collected_at;
    if taken.duration_since(now) > SKEW {
        return Some(format!("it was taken at {taken}, after the cluster was looked at ({now})"));
    }
    if let Some((at, what)) = changed.filter(|(at, _)| taken <= *at) {
        return Some(format!("it was taken at {taken}, before {what} changed ({at})"));
    }
    if now.duration_since(taken) > OLD {
        return Some(format!("it was taken at {taken}, more than a day before the cluster was looked at ({now})"));
    }
    let created = place.node.and_then(|node| node.created).filter(|created| *created > taken)?;
    Some(format!("node {} was created at {created}, after the probe was taken ({taken})", place.name))
}

/// Whether it names registries or API servers, of which none is this cluster's, and holds nothing else that says
/// something of this cluster: what it says of the others is ignored by itself.
fn about_another(supplied: &Supplied, names: &[Wanted]) -> Option<String> {
    let named = supplied.probe.results.iter().filter(|result| {
        matches!(result.outcome, Outcome::Resolve(_) | Outcome::Tls(_) | Outcome::Registry(_) | Outcome::Identity(_))
    });
    let (mut own, mut others) = (false, None);
    for result in named {
        let host = reading::host_of(&result.target);
        if names.iter().any(|wanted| wanted.is(host)) {
            own = true;
        } else if !crate::evidence::cloud::is_mcr(host) {
            others.get_or_insert(host);
        }
    }
    let other = others.filter(|_| !own && !names.is_empty() && !says_something(supplied, names))?;
    let other = crate::text::bounded(other, 100);
    Some(format!("it is about another registry or API server ({other}), not about this cluster's"))
}

/// Whether a file says something beside names: of the node's own files, or of a connection to an endpoint of ours.
fn says_something(supplied: &Supplied, names: &[Wanted]) -> bool {
    supplied.probe.results.iter().any(|result| match &result.outcome {
        Outcome::HostFile(file) => !matches!(file, HostFile::NotTried { .. }),
        Outcome::Connect(_) => {
            reading::address_of(&result.target).is_some_and(|own| names.iter().any(|name| name.right.contains(&own)))
        }
        _ => false,
    })
}

/// Of several files for one place the newest counts; of the same moment all do, unless they are one and the same.
fn only_the_newest(views: &mut [View<'_>]) {
    let mut newest: BTreeMap<(bool, String), (Timestamp, Vec<&Supplied>)> = BTreeMap::new();
    let key = |view: &View<'_>| (view.is_node(), view.place.key());
    for view in views.iter_mut().filter(|view| view.counts()) {
        let own = view.supplied;
        let (taken, kept) = newest.entry(key(view)).or_insert_with(|| (own.probe.taken_at, Vec::new()));
        if *taken < own.probe.taken_at {
            (*taken, *kept) = (own.probe.taken_at, Vec::new());
        }
        if *taken > own.probe.taken_at {
            continue; // it is told below
        }
        match kept.iter().find(|other| other.probe == own.probe) {
            Some(same) => view.standing = Standing::Shown(format!("it is the same as {}", same.file)),
            None => kept.push(own),
        }
    }
    for view in views.iter_mut().filter(|view| view.counts()) {
        let (taken, kept) = &newest[&key(view)];
        if *taken > view.supplied.probe.taken_at {
            view.standing = Standing::Shown(format!("{} is a newer probe of the same place", kept[0].file));
        }
    }
}

/// Whether nodes of every subnet of a network proved that these names resolve to where they should. One whose name
/// servers are not the network's proves nothing of the others, and none does beside one that gets a bad answer.
pub fn resolves_everywhere(
    evidence: &Evidence,
    views: &[View<'_>],
    network: &ResourceId,
    are_meant: fn(&Wanted) -> bool,
) -> bool {
    let names = wanted(evidence);
    let needed: Vec<&Wanted> = names.iter().filter(|wanted| are_meant(wanted)).collect();
    let right = |view: &View<'_>| {
        shares_servers(evidence, network, view) && needed.iter().all(|wanted| view.resolves_right(wanted))
    };
    let wrong = |view: &View<'_>| needed.iter().any(|wanted| view.resolves_wrongly(wanted));
    !needed.is_empty()
        && everywhere(evidence, Some(network), |subnet| {
            let own = || views.iter().filter(|view| view.is_node() && view.place.subnet == Some(subnet));
            own().any(right) && !own().any(wrong)
        })
}

/// Whether the name servers that a node asks are those that the network gives its nodes; a stub on the node itself asks
/// these in its turn.
pub fn shares_servers(evidence: &Evidence, network: &ResourceId, view: &View<'_>) -> bool {
    let Some(network) = evidence.network(network).known().copied() else { return false };
    let given = network.properties.dhcp_options.iter().flat_map(|options| &options.dns_servers);
    let given: Vec<&str> = given.map(String::as_str).collect();
    let own = |server: &str| STUBS.contains(&server) || given.contains(&server);
    let own = |server: &String| own(server) || (given.is_empty() && server == AZURE_DNS);
    let servers = &view.supplied.probe.host.resolvers;
    !servers.is_empty() && servers.iter().all(own)
}

/// Whether from every node subnet a connection to the registry, or to the API server, was made.
pub fn reaches_everywhere(evidence: &Evidence, views: &[View<'_>], role: Role) -> bool {
    let names = wanted(evidence);
    let Some(server) = names.iter().find(|wanted| wanted.role == role) else { return false };
    // Where no address is known to be right, a node's own connection by the name counts.
    let by_name = |view: &View<'_>| server.right.is_empty() && view.is_node() && view.tcp(server) == Tcp::Open;
    everywhere(evidence, None, |subnet| {
        let own = || views.iter().filter(|view| view.counts() && view.place.subnet == Some(subnet));
        let reaches = |view: &View<'_>| view.connects_to_endpoint(server) || by_name(view) && role == Role::ApiServer;
        own().any(reaches) && !own().any(|view| !reaches(view) && matches!(view.tcp(server), Tcp::Closed(_)))
    })
}

/// Whether something holds for every node subnet (of a network), of which there is at least one.
fn everywhere(evidence: &Evidence, network: Option<&ResourceId>, holds: impl Fn(&ResourceId) -> bool) -> bool {
    let subnets = evidence.node_subnets();
    let own = |id: &ResourceId| network.is_none_or(|network| id.up_to("virtualNetworks").as_ref() == Some(network));
    let mut subnets = subnets.iter().map(|(id, _)| *id).filter(|id| own(id)).peekable();
    subnets.peek().is_some() && subnets.all(holds)
}
