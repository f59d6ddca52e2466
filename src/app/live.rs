//! The live cluster: sign in, gather, and say what is wrong where there is nothing to gather.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::session::Session;
use super::target;
use crate::checks::check::Check;
use crate::evidence::calls::azure as api;
use crate::evidence::id::ResourceId;
use crate::evidence::manifests::Asked;
use crate::evidence::resource::Named;
use crate::evidence::{Evidence, Reason, Section};
use crate::report::model::whole_seconds;
use crate::sources::azure::arm::Arm;
use crate::sources::azure::error::Failure;
use crate::sources::collect::Collector;
use crate::sources::kubernetes::connect::Wish;
use crate::text::{self, problem::Problem};

/// Signs in and gathers the evidence of a live cluster.
pub(super) async fn live(
    session: &Session<'_>,
    checks: &[&'static Check],
    others: &[ResourceId],
) -> anyhow::Result<Evidence> {
    let Session { args, progress, limits, .. } = session;
    let host = session.endpoints()?.host();
    let kubernetes =
        Wish::read(args.kubeconfig.as_ref(), args.context.as_deref(), args.no_kubernetes).map_err(|why| {
            Problem::new(why, "check --kubeconfig and --context, or leave the Kubernetes API out with --no-kubernetes")
        })?;
    let (target, arm) = tokio::join!(target::choose(session), session.arm());
    let (id, arm, credential) = (target?.id, arm?, session.credential().await?);
    let sections: BTreeSet<Section> = checks.iter().flat_map(|check| check.needs).copied().collect();
    let progress = (*progress).clone();
    let collector = Collector { arm, credential, limits: *limits, progress, kubernetes, sections };
    let collected = collector.collect(&id, others, whole_seconds(Timestamp::now())).await;
    collector.arm.log_budgets();
    match collected {
        Ok(evidence) => Ok(evidence),
        Err(failure) => Err(cluster_problem(&collector.arm, &id, &failure, &host).await.into()),
    }
}

/// Asks the bootstrap registry for the repositories, tags and digests that nodes would pull from it.
pub(super) async fn ask_registry(
    session: &Session<'_>,
    evidence: &Evidence,
    wanted: Vec<(String, Vec<String>)>,
) -> anyhow::Result<Asked> {
    let Some(server) = evidence.login_server() else { return Ok(Asked::default()) };
    let asked = session.data_plane(server).await?.ask(wanted).await;
    session.progress.finish();
    Ok(asked)
}

/// Why the cluster itself could not be read, with what a person would look up next.
pub(super) async fn cluster_problem(arm: &Arm, id: &ResourceId, failure: &Failure, host: &str) -> Problem {
    let name = format!("cluster {} in resource group {}", id.name(), id.resource_group().unwrap_or_default());
    let detail = text::clean(&failure.detail);
    match failure.reason {
        Reason::NotFound if failure.absent() => {
            Problem::new(format!("{name} does not exist ({detail})"), similar_clusters(arm, id).await)
        }
        Reason::NotFound => Problem::new(
            format!("{name} cannot be seen: {detail}"),
            "the subscription is unknown to this sign-in: check --subscription, or sign in to its tenant: az login \
             --tenant TENANT",
        ),
        Reason::Forbidden => Problem::new(
            format!("{name} may not be read: {detail}"),
            format!("needs {} on {id}; smallest role: {}", api::MANAGED_CLUSTERS.action, api::MANAGED_CLUSTERS.role),
        ),
        Reason::Unauthorized => Problem::new(
            format!("Azure Resource Manager does not accept the sign-in: {detail}"),
            "the token is for another tenant or has expired: az login --tenant TENANT, or check AZURE_TENANT_ID",
        ),
        Reason::Unreachable | Reason::TimedOut => Problem::new(
            format!("Azure Resource Manager cannot be reached: {detail}"),
            format!(
                "{host} must be reachable over HTTPS from here (proxy: HTTPS_PROXY; private certificate authority: \
                 SSL_CERT_FILE; other cloud: --cloud or --arm-endpoint)"
            ),
        ),
        _ => Problem::new(format!("{name} could not be read: {detail}"), "try again; -vv shows every call"),
    }
}

/// The clusters of that name, or of names nearby, that this sign-in can see.
async fn similar_clusters(arm: &Arm, id: &ResourceId) -> String {
    let Some(subscription) = id.subscription() else {
        return String::new();
    };
    let path = format!("/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters");
    let Ok(clusters) = arm.read_list::<Named>(&api::MANAGED_CLUSTERS, &path, &[]).await else {
        return format!("check the names and the subscription ({subscription})");
    };
    let same: Vec<&Named> =
        clusters.iter().filter(|cluster| cluster.id.name().eq_ignore_ascii_case(id.name())).collect();
    if !same.is_empty() {
        let places = same.iter().take(5).map(|cluster| text::clean(cluster.id.as_str())).collect::<Vec<_>>().join(", ");
        return format!("a cluster of that name is at: {places}");
    }
    if let Some(near) = text::nearest(id.name(), clusters.iter().map(|cluster| cluster.id.name())) {
        let place =
            clusters.iter().find(|cluster| cluster.id.name() == near).and_then(|cluster| cluster.id.resource_group());
        return format!(
            "did you mean {} in resource group {}?",
            text::clean(near),
            text::clean(place.unwrap_or_default())
        );
    }
    let names = clusters.iter().take(10).map(|cluster| text::clean(cluster.id.name())).collect::<Vec<_>>().join(", ");
    if names.is_empty() {
        format!("subscription {subscription} shows no cluster to this sign-in; check --subscription")
    } else {
        format!("subscription {subscription} has: {names}")
    }
}
