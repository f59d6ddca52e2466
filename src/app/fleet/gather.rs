//! The live fleet: sign in, ask Resource Graph, then Resource Manager as deep as wanted; what was gathered is kept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::answers::fleet::{self as answers, Projector, Terms};
use crate::app::cli::{Depth, FleetArgs};
use crate::app::exit::Exit;
use crate::app::output::{self, Interruption};
use crate::app::session::Session;
use crate::evidence::calls::azure as api;
use crate::evidence::calls::fleet::RESOURCE_GRAPH;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::fleet::scope::{Scope, Wanted};
use crate::evidence::fleet::{Fleet, Question, file};
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
        let Some(arm) = &self.0 else { return BTreeSet::new() };
        let asked = clusters.into_iter().map(|id| async move {
            let cluster: Fact<Option<ManagedCluster>> = arm.find(&api::MANAGED_CLUSTERS, &ResourceId::new(id)).await;
            (cluster == Fact::Known(None)).then(|| id.to_lowercase())
        });
        futures::future::join_all(asked).await.into_iter().flatten().collect()
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
    let mut fleet = Fleet::new(Timestamp::now(), Scope::new(wanted(args)));
    let mut said = BTreeMap::new();
    let work = async {
        let arm = session.arm().await?.for_many();
        let gatherer = Gatherer::new(arm.clone(), progress.clone());
        gatherer.clusters(&mut fleet).await.map_err(|failure| problem(&failure, &session))?;
        let confirmer = Confirmer {
            arm: arm.clone(),
            credential: session.credential().await?,
            limits: session.limits,
            progress: progress.clone(),
        };
        everything(args, terms, &gatherer, &confirmer, &mut fleet, &mut said).await;
        anyhow::Ok(arm)
    };
    let ended = tokio::select! {
        arm = work => Ok(arm?),
        exit = &mut interrupted => Err(exit),
    };
    take(said, &mut fleet);
    // Interrupted before anything came, a file of a former run is left as it is.
    let nothing = ended.is_err() && fleet.scope.expected.is_empty() && fleet.rows.clusters.rows.is_empty();
    if let Some(path) = args.save.as_ref().filter(|_| !nothing) {
        output::write_whole(path, file::render(&fleet)?.as_bytes())?;
    }
    let arm = match ended {
        Ok(arm) => arm,
        Err(exit) => return Ok(Gathered::Interrupted(exit)),
    };
    progress.log(1, &format!("Azure Resource Manager: {} asked", text::count(arm.asked(), "thing")));
    arm.log_budgets();
    Ok(Gathered::Whole(Box::new((fleet, Gone(Some(arm))))))
}

/// What ARM said of clusters; none of those that it does not have.
type Said = BTreeMap<String, Fact<Option<Evidence>>>;

/// Puts ARM's answers in the place of the rows.
fn take(said: Said, fleet: &mut Fleet) {
    for (id, answer) in said {
        match answer {
            Fact::Known(Some(evidence)) => drop(fleet.confirmed.insert(id, Fact::Known(evidence))),
            Fact::Known(None) => drop(fleet.gone.insert(id)),
            Fact::Missing(gap) => drop(fleet.confirmed.insert(id, Fact::Missing(gap))),
        }
    }
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
    said: &mut Said,
) {
    let empty = fleet.without_clusters().into_iter().map(Question::Rights);
    gatherer.answer(fleet, empty).await;
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
        confirm(args, terms, confirmer, fleet, said).await;
        fleet.doubts_settled = true;
    }
}

/// Asks ARM itself about the clusters that are in doubt, or about all.
async fn confirm(args: &FleetArgs, terms: &Terms<'_>, confirmer: &Confirmer, fleet: &Fleet, said: &mut Said) {
    let deep: BTreeSet<Section> = Section::ALL.into_iter().filter(|section| !KUBERNETES.contains(section)).collect();
    let projector = Projector::new(fleet, args.export_snapshots.is_some() || !args.what_if.is_empty());
    let doubts = if args.depth == Depth::Deep {
        let all = answers::selected(fleet, args.which).into_iter();
        let doubt = |id: &ResourceId| answers::Doubt { cluster: id.clone(), sections: deep.clone() };
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
        Some(Case { cluster, rows, sections: doubt.sections })
    });
    let keep = |id: &ResourceId, answer| drop(said.insert(id.normalized(), answer));
    confirmer.confirm(cases.collect(), fleet.collected_at, keep).await;
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
