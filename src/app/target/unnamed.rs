//! No cluster is named: the one that the current context leads to, else the only one in az's default resource group.

use futures::future::join_all;

use super::subscription::{named, subscription};
use super::{Target, Why};
use crate::app::session::Session;
use crate::evidence::cluster::ManagedCluster;
use crate::sources::azure::arm::Arm;
use crate::sources::azure::defaults::{self, Default};
use crate::sources::azure::error::Failure;
use crate::sources::kubernetes::current::{Contexts, Current};
use crate::text::{self, problem::Problem};

const HINT: &str =
    "name it with -g GROUP -n NAME, or with --cluster-id ARM_ID (diagnose also reads a snapshot: --from FILE)";

/// What lists of clusters said.
struct Listed {
    clusters: Vec<ManagedCluster>,
    subscriptions: usize,
    failures: Vec<Failure>,
}

pub(super) async fn choose(session: &Session<'_>) -> anyhow::Result<Target> {
    let args = session.args;
    let current = Contexts::read(args.kubeconfig.as_ref()).current(args.context.as_deref());
    let group = defaults::resource_group();
    let mut looked = Vec::new();
    match current {
        Some(current) => match by_context(session, current).await? {
            Ok(target) => return Ok(target),
            Err(why) => looked.push(why),
        },
        None => looked.push("the kubeconfig has no current context".to_owned()),
    }
    match group {
        Some(group) => match by_group(session, group).await? {
            Ok(target) => return Ok(target),
            Err(why) => looked.push(why),
        },
        None => looked.push("az has no default resource group".to_owned()),
    }
    Err(Problem::new(format!("no cluster is named; {}", looked.join("; ")), HINT).into())
}

/// The cluster whose API server the context leads to, else why there is none.
async fn by_context(session: &Session<'_>, current: Current) -> anyhow::Result<Result<Target, String>> {
    let arm = session.arm().await?;
    let listed = match named(session).await? {
        Some(subscription) => clusters(&arm, vec![subscription.id]).await,
        None => match arm.subscriptions().await {
            Ok(all) => clusters(&arm, all.into_iter().map(|one| one.subscription_id).collect()).await,
            Err(failure) => Listed { clusters: Vec::new(), subscriptions: 0, failures: vec![failure] },
        },
    };
    let leads = |cluster: &&ManagedCluster| cluster.properties.is_api_server(&current.host);
    let Current { context, host } = &current;
    if let Some(cluster) = listed.clusters.iter().find(leads) {
        let why = Why::Context { context: context.clone(), host: host.clone() };
        return Ok(Ok(Target { id: cluster.id.clone(), why, subscription_from: "the cluster's id" }));
    }
    let unread = listed.failures.first().map_or_else(String::new, |failure| {
        format!(", and {} could not be read ({})", text::count(listed.failures.len(), "list"), failure.detail)
    });
    Ok(Err(format!(
        "context {} leads to {}, which is the API server of none of the {} that this sign-in sees in {}{}",
        text::clean(context),
        text::clean(host),
        text::count(listed.clusters.len(), "cluster"),
        text::count(listed.subscriptions, "subscription"),
        text::clean(&unread)
    )))
}

/// The only cluster of the group, else why there is none.
async fn by_group(session: &Session<'_>, group: Default) -> anyhow::Result<Result<Target, String>> {
    let subscribed = subscription(session).await?;
    let listed = clusters(&session.arm().await?, vec![subscribed.id]).await;
    let inside = |cluster: &&ManagedCluster| {
        cluster.id.resource_group().is_some_and(|own| own.eq_ignore_ascii_case(&group.value))
    };
    let own: Vec<&ManagedCluster> = listed.clusters.iter().filter(inside).collect();
    let name = text::clean(&group.value);
    Ok(match (own.as_slice(), listed.failures.first()) {
        ([cluster], _) => Ok(Target {
            id: cluster.id.clone(),
            why: Why::DefaultGroup { place: group.place },
            subscription_from: subscribed.from,
        }),
        ([], Some(failure)) => Err(format!("the clusters cannot be listed: {}", text::clean(&failure.detail))),
        ([], None) => Err(format!("az's default resource group {name} shows no cluster to this sign-in")),
        (several, _) => Err(format!(
            "az's default resource group {name} has {} clusters: {}",
            several.len(),
            text::listed(several.iter().map(|cluster| text::clean(cluster.id.name())))
        )),
    })
}

/// One list for each subscription.
async fn clusters(arm: &Arm, subscriptions: Vec<String>) -> Listed {
    let answers = join_all(subscriptions.iter().map(|subscription| arm.clusters(subscription))).await;
    let mut listed = Listed { clusters: Vec::new(), subscriptions: answers.len(), failures: Vec::new() };
    for answer in answers {
        match answer {
            Ok(clusters) => listed.clusters.extend(clusters),
            Err(failure) => listed.failures.push(failure),
        }
    }
    listed
}
