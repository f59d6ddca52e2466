//! What the reader may do: Azure is asked at each place, the cluster by what it answers.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use crate::app::session::Session;
use crate::checks::check::Check;
use crate::evidence::access::Permission;
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Fact, Section};
use crate::report::doctor::{Place, Places, Right, Rights};
use crate::report::permissions::Permissions;
use crate::sources::azure::arm::Arm;
use crate::sources::collect::Collector;
use crate::sources::kubernetes::connect::Wish;

/// Judges each permission that the checks need.
pub(super) async fn rights(
    session: &Session<'_>,
    arm: Arm,
    wish: Wish,
    evidence: &mut Evidence,
    checks: &[&'static Check],
    has_context: bool,
) -> anyhow::Result<Vec<Right>> {
    if let Some(pools) = evidence.cluster.properties.agent_pool_profiles.clone() {
        evidence.pools.agent_pools = Fact::Known(pools);
    }
    let places = places(evidence);
    let sections: BTreeSet<Section> = checks.iter().flat_map(|check| check.needs).copied().collect();
    let collector = Collector {
        arm: arm.clone(),
        credential: session.credential().await?,
        limits: session.limits,
        progress: session.progress.clone(),
        kubernetes: wish,
        sections,
    };
    let (own, kubernetes) = tokio::join!(own_permissions(&arm, &places), collector.kubernetes(evidence));
    evidence.kubernetes = kubernetes;
    let rights = Rights { places: &places, own: &own, kubernetes: &evidence.kubernetes, has_context };
    Ok(rights.judge(&Permissions::of(checks)))
}

/// Where the permissions count, as far as the cluster itself names it.
fn places(evidence: &Evidence) -> Places {
    let cluster = evidence.cluster.id.clone();
    let subscription = |id: &ResourceId| id.up_to("subscriptions");
    let group = evidence.cluster.properties.node_resource_group.as_deref();
    let node_group =
        subscription(&cluster).zip(group).map(|(own, group)| own.child(&format!("resourceGroups/{group}")));
    let registry = evidence.registry_id();
    let (networks, _) = evidence.node_networks();
    let all = [Some(&cluster), registry.as_ref()].into_iter().flatten().chain(&networks);
    let subscriptions: BTreeSet<ResourceId> = all.filter_map(subscription).collect();
    BTreeMap::from([
        (Place::Cluster, vec![cluster.clone()]),
        (Place::NodeGroup, node_group.into_iter().collect()),
        (Place::Registry, registry.into_iter().collect()),
        (Place::Networks, networks.into_iter().collect()),
        (Place::Subscriptions, subscriptions.into_iter().collect()),
    ])
}

async fn own_permissions(arm: &Arm, places: &Places) -> BTreeMap<ResourceId, Fact<Vec<Permission>>> {
    let scopes: BTreeSet<&ResourceId> = places.values().flatten().collect();
    let read = scopes.into_iter().map(|scope| async move {
        let path = scope.child("providers/Microsoft.Authorization/permissions");
        (scope.clone(), arm.list::<Permission>(&api::OWN_PERMISSIONS, path.as_str(), &[]).await)
    });
    join_all(read).await.into_iter().collect()
}
