//! The live fleet: sign in, ask Resource Graph, then Resource Manager as deep as wanted; what was gathered is kept.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::answers::fleet::{self as answers, Projector, Terms};
use crate::app::cli::{Depth, FleetArgs};
use crate::app::exit::Exit;
use crate::app::output::{self, Interruption};
use crate::app::session::Session;
use crate::evidence::calls::azure as api;
use crate::evidence::calls::fleet::RESOURCE_GRAPH;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::fleet::scope::Wanted;
use crate::evidence::fleet::{Fleet, file};
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Fact, Reason, Section};
use crate::sources::azure::arm::Arm;
use crate::sources::azure::error::Failure;
use crate::sources::fleet::{Case, Confirmer, Gatherer};
use crate::sources::progress::Progress;
use crate::text::{self, problem::Problem};

/// Rounds in which ARM's answers may bring up further questions.
const ROUNDS: usize = 8;

/// What only the Kubernetes API tells.
const KUBERNETES: [Section; 4] = [Section::Nodes, Section::Events, Section::Pods, Section::Autoscaler];

/// How gathering ended.
pub(super) enum Gathered {
    Whole(Box<(Fleet, Gone)>),
    /// By Ctrl-C; what was gathered is saved where that was wanted.
    Interrupted(Exit),
}

/// Tells which clusters certainly exist no longer.
pub(super) struct Gone(Option<Arm>);

impl Gone {
    /// Nobody can be asked.
    pub(super) fn unknown() -> Self {
        Self(None)
    }

    /// Those of which ARM says 404, in lower case.
    pub(super) async fn of(&self, clusters: Vec<&str>) -> BTreeSet<String> {
        let mut gone = BTreeSet::new();
        for id in clusters {
            let Some(arm) = &self.0 else { break };
            let cluster: Fact<Option<ManagedCluster>> = arm.find(&api::MANAGED_CLUSTERS, &ResourceId::new(id)).await;
            if cluster == Fact::Known(None) {
                gone.insert(id.to_lowercase());
            }
        }
        gone
    }
}

pub(super) async fn gather(
    args: &FleetArgs,
    terms: &Terms<'_>,
    progress: &Progress,
    interruption: Interruption,
) -> anyhow::Result<Gathered> {
    let target = args.azure.target();
    let session = Session::new(&target, progress);
    let interrupted = interruption.requested();
    tokio::pin!(interrupted);
    let begin = async {
        let arm = session.arm().await?.for_many();
        let gatherer = Gatherer::new(arm.clone(), progress.clone());
        let fleet = gatherer.clusters(wanted(args), Timestamp::now()).await;
        let fleet = fleet.map_err(|failure| problem(&failure, &session))?;
        anyhow::Ok((arm, gatherer, fleet))
    };
    let (arm, gatherer, mut fleet) = tokio::select! {
        begun = begin => begun?,
        exit = &mut interrupted => return Ok(Gathered::Interrupted(exit)),
    };
    let confirmer = Confirmer {
        arm: arm.clone(),
        credential: session.credential().await?,
        limits: session.limits,
        progress: progress.clone(),
    };
    let exit = tokio::select! {
        () = everything(args, terms, &gatherer, &confirmer, &mut fleet) => None,
        exit = &mut interrupted => Some(exit),
    };
    if let Some(path) = &args.save {
        output::write_whole(path, file::render(&fleet)?.as_bytes())?;
    }
    progress.log(1, &format!("Azure Resource Manager: {} asked", text::count(arm.asked(), "thing")));
    arm.log_budgets();
    Ok(exit.map_or_else(|| Gathered::Whole(Box::new((fleet, Gone(Some(arm))))), Gathered::Interrupted))
}

fn wanted(args: &FleetArgs) -> Wanted {
    if !args.subscription.is_empty() {
        Wanted::Subscriptions(args.subscription.clone())
    } else if !args.management_group.is_empty() {
        Wanted::ManagementGroups(args.management_group.clone())
    } else {
        Wanted::Tenant
    }
}

/// Rows, then what they leave open, then what is in doubt.
async fn everything(
    args: &FleetArgs,
    terms: &Terms<'_>,
    gatherer: &Gatherer,
    confirmer: &Confirmer,
    fleet: &mut Fleet,
) {
    let clusters = answers::selected(fleet, args.which).len();
    if clusters == 0 {
        return;
    }
    confirmer.progress.log(1, &format!("{} to judge", text::count(clusters, "cluster")));
    gatherer.rows(fleet).await;
    let zone_groups = args.export_snapshots.is_some() || !args.what_if.is_empty();
    for _ in 0..ROUNDS {
        let open = answers::open_questions(fleet, args.which, zone_groups);
        if open.is_empty() {
            break;
        }
        gatherer.answer(fleet, open).await;
    }
    if args.depth != Depth::Graph {
        confirm(args, terms, confirmer, fleet).await;
    }
}

/// Asks ARM itself about the clusters that are in doubt, or about all.
async fn confirm(args: &FleetArgs, terms: &Terms<'_>, confirmer: &Confirmer, fleet: &mut Fleet) {
    let deep: BTreeSet<Section> = Section::ALL.into_iter().filter(|section| !KUBERNETES.contains(section)).collect();
    let answers = {
        let projector = Projector::new(fleet, args.export_snapshots.is_some() || !args.what_if.is_empty());
        let doubts = if args.depth == Depth::Deep {
            let all = answers::selected(fleet, args.which).into_iter();
            let doubt = |id: &ResourceId| answers::Doubt { cluster: id.clone(), sections: deep.clone(), itself: true };
            all.map(|cluster| doubt(&cluster.cluster.id)).collect()
        } else {
            answers::doubts(fleet, terms)
        };
        let cases = doubts.into_iter().filter_map(|doubt| {
            let cluster = fleet.rows.clusters.row(&doubt.cluster)?;
            let rows = if cluster.bootstrap_gap().is_some() {
                Evidence::new(fleet.collected_at, cluster.cluster.clone())
            } else {
                projector.project(cluster).evidence
            };
            Some(Case { cluster, rows, sections: doubt.sections, itself: doubt.itself })
        });
        let cases: Vec<Case<'_>> = cases.collect();
        let ids: Vec<String> = cases.iter().map(|case| case.cluster.cluster.id.normalized()).collect();
        let evidence = confirmer.confirm(cases, fleet.collected_at).await;
        ids.into_iter().zip(evidence).collect::<Vec<_>>()
    };
    fleet.confirmed.extend(answers);
}

/// Why Resource Graph answers nothing at all.
fn problem(failure: &Failure, session: &Session<'_>) -> anyhow::Error {
    let detail = text::clean(&failure.detail);
    let host = session.endpoints().map_or_else(|_| String::new(), |endpoints| endpoints.host());
    let problem = match failure.reason {
        Reason::Forbidden => Problem::new(
            format!("Azure Resource Graph may not be read: {detail}"),
            format!(
                "needs Reader on the subscriptions ({} and what the rows show), or on their management group",
                RESOURCE_GRAPH.action
            ),
        ),
        Reason::Unauthorized => Problem::new(
            format!("Azure does not accept the sign-in: {detail}"),
            "the token is for another tenant or has expired: az login --tenant TENANT, or check AZURE_TENANT_ID",
        ),
        Reason::Unreachable | Reason::TimedOut => Problem::new(
            format!("Azure Resource Manager cannot be reached: {detail}"),
            format!("{host} must be reachable over HTTPS from here (proxy: HTTPS_PROXY; other cloud: --cloud)"),
        ),
        _ => Problem::new(
            format!("Azure Resource Graph did not answer: {detail}"),
            "check --subscription and --management-group; -vv shows every call",
        ),
    };
    problem.into()
}
