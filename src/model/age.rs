//! How old nodes are beside the configuration that they should have: fresh, stale, or not to be told.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan as _};

use super::cluster::{Ownership, PoolState};
use super::history;
use super::image_version::ImageVersion;
use super::nodes::{FIXED, Group, groups};
use crate::evidence::cluster::{BootstrapProfile, BootstrapWrite};
use crate::evidence::kubernetes::{MirrorFailure, Node};
use crate::evidence::pools::AgentPool;
use crate::evidence::{Evidence, Fact, Gap};
use crate::model::cluster::is;
use crate::text::count;

/// How far back the Activity Log is read.
const LOG_HOURS: i64 = 89 * 24;

/// Whether nodes were made with the configuration that the cluster has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// They were.
    Fresh,
    /// There are no nodes to tell by.
    Empty,
    /// It cannot be told.
    Unknown,
    /// They were not.
    Stale,
}

impl Age {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Empty => "no-nodes",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
        }
    }
}

#[derive(Debug, Clone)]
pub struct NodeAge {
    pub name: String,
    /// When it registered.
    pub created: Option<Timestamp>,
    /// Its age beside the configuration.
    pub age: Age,
    pub why: String,
}

#[derive(Debug, Clone)]
pub struct PoolAge {
    pub name: String,
    /// Whether it is a NodePool of node auto-provisioning, which a node image upgrade does not touch.
    pub provisioned: bool,
    /// Whether it is stopped.
    pub stopped: bool,
    /// Deallocated nodes that have, or may have, the former configuration.
    pub put_away: usize,
    /// The worst of its nodes.
    pub age: Age,
    pub why: String,
    pub nodes: Vec<NodeAge>,
    /// Nodes that are added while others are reimaged, as the pool says; `None` = AKS' default.
    pub max_surge: Option<String>,
    /// Whether a node's image is older than the fixes for network isolated bootstrap (2025-08).
    pub old_image: bool,
}

/// What is known of when the cluster's configuration changed.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// The last change of the bootstrap profile that the Activity Log shows.
    pub changed: Option<Timestamp>,
    /// The profile before that change.
    pub former: Option<BootstrapProfile>,
    /// The oldest write in the log that sets the present profile, where none before it differs.
    pub seen_since: Option<Timestamp>,
    /// When egress was closed, at the latest.
    pub closed: Option<Timestamp>,
    /// The younger of the registry's and its rule's creation.
    pub created: Option<Timestamp>,
    /// The registry's own.
    pub registry: Option<Timestamp>,
    /// Since when the log would show a change; `None` where it could not be read.
    pub log_from: Option<Timestamp>,
}

impl Times {
    /// Reads the times of a cluster.
    pub fn of(evidence: &Evidence) -> Self {
        let created = history::created(evidence).map(|(at, _)| at).filter(|_| evidence.uses_cache());
        let registry = evidence.known_registry().and_then(|registry| registry.properties.creation_date);
        let Fact::Known(writes) = &evidence.pools.bootstrap_writes else {
            return Self { created, registry, ..Self::default() };
        };
        let present = evidence.bootstrap();
        let (changed, since) = history::changes(writes, &present, evidence.ownership());
        let former = writes.iter().rev().find(|write| !history::same(&write.profile, &present, evidence.ownership()));
        Self {
            changed,
            former: former.filter(|_| changed.is_some()).map(|write| write.profile.clone()),
            seen_since: since.filter(|_| changed.is_none()),
            closed: closed(writes).filter(|_| evidence.egress_closed()),
            created,
            registry,
            log_from: evidence.collected_at.checked_sub(LOG_HOURS.hours()).ok(),
        }
    }
}

/// The first of the last writes that all close egress.
fn closed(writes: &[BootstrapWrite]) -> Option<Timestamp> {
    let said = writes.iter().rev().filter_map(|write| Some((write.at, write.outbound_type.as_deref()?)));
    let is_closed = |kind: &str| ["none", "block"].iter().any(|word| kind.eq_ignore_ascii_case(word));
    said.take_while(|(_, kind)| is_closed(kind)).last().map(|(at, _)| at)
}

/// The pools and their nodes; `proved` are nodes whose pulls prove that they were not reimaged.
///
/// # Errors
/// Why pools or nodes are not known.
pub fn pools(evidence: &Evidence, times: &Times, proved: &BTreeSet<String>) -> Result<Vec<PoolAge>, Gap> {
    let Fact::Known(pools) = &evidence.pools.agent_pools else {
        let gap = evidence.pools.agent_pools.gap().cloned().unwrap_or_else(Gap::not_collected);
        return Err(gap.about("the node pools"));
    };
    let nodes: &[Node] = match &evidence.kubernetes.nodes {
        Fact::Known(nodes) => nodes,
        Fact::Missing(_) if evidence.stopped() => &[],
        Fact::Missing(gap) => return Err(gap.clone().about("the nodes")),
    };
    Ok(groups(pools, nodes).iter().map(|group| pool(evidence, times, group, proved)).collect())
}

fn pool(evidence: &Evidence, times: &Times, group: &Group<'_>, proved: &BTreeSet<String>) -> PoolAge {
    let mut nodes: Vec<NodeAge> = group.nodes.iter().map(|own| node(evidence, times, own)).collect();
    for node in nodes.iter_mut().filter(|node| node.age != Age::Stale && proved.contains(&node.name)) {
        node.age = Age::Stale;
        "its pulls or its own files show that its mirror is missing or names another registry"
            .clone_into(&mut node.why);
    }
    // Beside nodes of the former configuration a newer one may come from the former scale set model.
    if nodes.iter().any(|node| node.age > Age::Empty) {
        for node in nodes.iter_mut().filter(|node| node.age == Age::Fresh) {
            node.age = Age::Unknown;
            "it was added since, while its pool was not reimaged: it may have the former configuration"
                .clone_into(&mut node.why);
        }
    }
    let put_away = put_away(evidence, group).filter(|own| judge(evidence, times, own).0 > Age::Empty).count();
    let stopped = group.pool.is_some_and(AgentPool::stopped);
    let transient = group.pool.is_some_and(|pool| pool.state() == PoolState::Transient);
    let worst = nodes.iter().map(|node| node.age).max();
    let (age, why) = match worst {
        Some(Age::Fresh) if transient => (Age::Unknown, "an operation is running on it".to_owned()),
        Some(worst) => {
            let first = nodes.iter().find(|node| node.age == worst).map(|node| node.why.clone()).unwrap_or_default();
            let number = nodes.iter().filter(|node| node.age == worst).count();
            (worst, format!("{number} of {}: {first}", count(nodes.len(), "node")))
        }
        None if stopped => (Age::Empty, "it is stopped: its nodes start with what they had".to_owned()),
        None => (
            Age::Empty,
            "it has no nodes: its next ones are made with what was last pushed to its scale set".to_owned(),
        ),
    };
    let old =
        |image: &str| ImageVersion::parse(image).and_then(|version| version.date()).is_some_and(|date| date < FIXED);
    let images = group.nodes.iter().filter_map(|node| node.image_version.as_deref());
    PoolAge {
        name: group.name.to_owned(),
        provisioned: group.pool.is_none(),
        stopped,
        put_away,
        age,
        why,
        old_image: images.into_iter().any(old),
        nodes,
        max_surge: group.pool.and_then(|pool| pool.upgrade_settings.as_ref()?.max_surge.clone()),
    }
}

/// The nodes that a pool deallocated when it was scaled down: they start again as they were.
fn put_away<'e>(evidence: &'e Evidence, group: &Group<'e>) -> impl Iterator<Item = &'e Node> {
    let pool = group.pool.filter(|pool| is(pool.scale_down_mode.as_ref(), "Deallocate"));
    let nodes = evidence.kubernetes.nodes.known().into_iter().flatten();
    nodes.filter(move |node| pool.is_some_and(|pool| !node.ready && is(node.agent_pool.as_ref(), &pool.name)))
}

fn node(evidence: &Evidence, times: &Times, node: &Node) -> NodeAge {
    let (age, why) = judge(evidence, times, node);
    NodeAge { name: node.name.clone(), created: node.created, age, why }
}

fn judge(evidence: &Evidence, times: &Times, node: &Node) -> (Age, String) {
    let Some(created) = node.created else {
        return (Age::Unknown, "when it registered is not known".to_owned());
    };
    if let Some(judged) = by_mirror(evidence, node) {
        return judged;
    }
    if let Some(changed) = times.changed {
        // The log tells when the write began; what registered in that very second came before it took effect.
        return if created <= changed {
            (Age::Stale, format!("registered before the bootstrap profile was changed on {changed}"))
        } else {
            (Age::Fresh, format!("registered since the bootstrap profile was changed on {changed}"))
        };
    }
    if !evidence.uses_cache() {
        return (Age::Fresh, "no change of the bootstrap profile is seen".to_owned());
    }
    if times.closed.is_some_and(|closed| created > closed) && node.ready {
        return (Age::Fresh, "came up after egress was closed, so it bootstrapped from the registry".to_owned());
    }
    // While egress is open, nodes from before the registry are those of the way there. Later the registry may have been
    // created again under the same name, which needs no reimage.
    if !evidence.egress_closed() && times.registry.is_some_and(|limit| created <= limit) {
        return (Age::Stale, "registered before the registry was created".to_owned());
    }
    if times.created.is_some_and(|limit| created <= limit) {
        return (
            Age::Unknown,
            "registered before the registry or its cache rule was created, so it probably has the former configuration"
                .to_owned(),
        );
    }
    by_log(evidence, times, created)
}

/// The newest failed pull of a node. One from before it was made is about its predecessor of the same name.
pub fn newest_pull<'e>(failures: &'e [MirrorFailure], node: &Node) -> Option<&'e MirrorFailure> {
    let since =
        |failure: &&MirrorFailure| node.created.zip(failure.last_seen).is_none_or(|(created, seen)| seen >= created);
    let own = failures.iter().filter(|failure| failure.node == node.name);
    own.filter(since).max_by_key(|failure| failure.last_seen)
}

/// Pull events name the registry that a node is sent to.
fn by_mirror(evidence: &Evidence, node: &Node) -> Option<(Age, String)> {
    let server = evidence.login_server()?;
    let newest = newest_pull(evidence.kubernetes.mirror_failures.known()?, node)?;
    Some(if newest.host.eq_ignore_ascii_case(server) {
        (Age::Fresh, format!("its pulls go to {server}"))
    } else {
        (Age::Stale, format!("its pulls go to {}, and the registry is {server}", newest.host))
    })
}

/// No change is seen: what that says depends on how far back one would have seen it.
fn by_log(evidence: &Evidence, times: &Times, created: Timestamp) -> (Age, String) {
    // AKS makes its registry in the same operation that switches to it.
    if evidence.ownership() == Ownership::Managed && times.created.is_some() {
        return (Age::Fresh, "registered after AKS created the registry".to_owned());
    }
    match (times.seen_since, times.log_from) {
        (_, None) => (
            Age::Unknown,
            "the Activity Log could not be read, so that nobody knows when the profile was changed".to_owned(),
        ),
        (Some(since), _) if created > since => {
            (Age::Fresh, format!("registered after the write of {since}, which set the present profile"))
        }
        (Some(since), _) => (
            Age::Unknown,
            format!(
                "the oldest write in the Activity Log, of {since}, set the present profile, and may have been the \
                 change"
            ),
        ),
        (None, Some(from)) if created >= from => {
            (Age::Fresh, "no change of the bootstrap profile since it registered".to_owned())
        }
        (None, Some(_)) => (Age::Unknown, "it is older than the Activity Log reaches back".to_owned()),
    }
}
