//! `doctor`: whether a diagnosis can be made from here, step by step; each step needs those before it.

mod gather;

use std::path::PathBuf;

use super::cli::DoctorArgs;
use super::exit::Exit;
use super::session::Session;
use super::target::{self, Target, Why};
use super::{chosen, live, output, width};
use crate::evidence::calls::azure as api;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::{Evidence, Fact, Gap, Reason};
use crate::report::doctor::{Doctor, Right, State, Step, Versions};
use crate::sources::azure::arm::Arm;
use crate::sources::azure::claims::Identity;
use crate::sources::azure::error::Failure;
use crate::sources::azure::subscriptions::Subscription;
use crate::sources::kubernetes::connect::Wish;
use crate::sources::kubernetes::current::Contexts;
use crate::sources::progress::Progress;
use crate::sources::proxy;
use crate::text::{self, problem::Problem};

/// The command-line tools that sign in and that people work with.
const TOOLS: [&str; 3] = ["az", "kubectl", "kubelogin"];

/// The ways on from an API server that cannot be reached: it is private, and this machine is outside.
const WAYS_ON: [&str; 3] = [
    "on a jump host in the network: aksiso collect -o snapshot.json, then here: aksiso diagnose --from snapshot.json",
    "run aksiso on a machine that is in the network or joined to it by VPN or peering",
    "without the Kubernetes API: --no-kubernetes (checks of nodes and pulls end as undetermined)",
];

pub(super) async fn doctor(args: &DoctorArgs, progress: &Progress) -> anyhow::Result<Exit> {
    let session = Session::new(&args.target, progress);
    let mut visit = Visit { session: &session, steps: Vec::new() };
    let permissions = visit.everything(args).await?;
    let doctor = Doctor::new(versions(), visit.steps, permissions);
    progress.finish();
    output::print(&doctor.render(args.output, width())?)?;
    Ok(match doctor.state {
        State::Ok => Exit::Clean,
        State::Skipped | State::Limited => Exit::Findings,
        State::Failed => Exit::CouldNotRun,
    })
}

/// What was found so far.
struct Visit<'v> {
    session: &'v Session<'v>,
    steps: Vec<Step>,
}

impl Visit<'_> {
    /// Every step that can be taken, and the permissions, where there is a cluster.
    async fn everything(&mut self, args: &DoctorArgs) -> anyhow::Result<Vec<Right>> {
        let target = &args.target;
        let wish = Wish::read(target.kubeconfig.as_ref(), target.context.as_deref(), target.no_kubernetes);
        let wish = wish.map_err(|why| Problem::new(why, "check --kubeconfig and --context, or use --no-kubernetes"))?;
        let (Some(arm), host) = (self.sign_in().await?, self.session.endpoints()?.host()) else {
            return Ok(Vec::new());
        };
        let seen = arm.subscriptions().await;
        let reached = self.azure(&seen, &host);
        let Some(target) = self.target().await.filter(|_| reached) else { return Ok(Vec::new()) };
        self.subscription(&target, seen.as_deref().unwrap_or_default());
        let Some(cluster) = self.cluster(&arm, &target, &host).await else { return Ok(Vec::new()) };
        let has_context = self.kubeconfig(&wish, &cluster);
        let mut evidence = Evidence::new(jiff::Timestamp::now(), cluster);
        let rights = gather::rights(self.session, arm, wish, &mut evidence, &chosen(&args.checks), has_context).await?;
        self.kubernetes_api(&evidence);
        Ok(rights)
    }

    /// Signs in; none where that fails.
    async fn sign_in(&mut self) -> anyhow::Result<Option<Arm>> {
        let (id, title) = ("sign-in", "Sign-in");
        match self.session.sign_in().await {
            Ok(sign_in) => {
                let scope = self.session.endpoints()?.scope;
                let token = sign_in.credential.get_token(&[&scope], None).await;
                let who = token.map_or_else(|_| Identity::default(), |token| Identity::of(token.token.secret()));
                let name = who.name.as_deref().unwrap_or("the token does not say as whom");
                let tenant = who.tenant.as_deref().map_or_else(String::new, |tenant| format!(", tenant {tenant}"));
                let method = sign_in.method.name();
                let step = Step::new(id, title, State::Ok, format!("by {method}: {name}{tenant}"));
                let step = step.fact("method", Some(method)).fact("identity", who.name);
                self.steps.push(step.fact("objectId", who.object_id).fact("tenant", who.tenant));
                Ok(Some(self.session.arm().await?))
            }
            Err(error) => {
                self.steps.push(failed(id, title, &error));
                Ok(None)
            }
        }
    }

    /// Whether ARM answers, whatever it says.
    fn azure(&mut self, seen: &Result<Vec<Subscription>, Failure>, host: &str) -> bool {
        let (id, title) = ("azure", "Azure");
        let way = format!("https://{host}{}", proxy(host));
        let step = match seen {
            Err(failure) if matches!(failure.reason, Reason::Unreachable | Reason::TimedOut) => {
                let step = Step::new(id, title, State::Failed, failure.detail.clone());
                step.next(format!(
                    "open the way to {host} over HTTPS (proxy: HTTPS_PROXY; private authority: SSL_CERT_FILE)"
                ))
            }
            Err(failure) if failure.reason == Reason::Unauthorized => {
                Step::new(id, title, State::Failed, failure.detail.clone())
                    .next("sign in again: az login --tenant TENANT")
            }
            _ => Step::new(id, title, State::Ok, format!("{way} answers")),
        };
        let reached = step.state == State::Ok;
        self.steps.push(step.fact("endpoint", Some(format!("https://{host}"))));
        reached
    }

    /// The cluster that is meant; none where that cannot be said.
    async fn target(&mut self) -> Option<Target> {
        match target::choose(self.session).await {
            Ok(target) => Some(target),
            Err(error) => {
                self.steps.push(failed("cluster", "Cluster", &error));
                None
            }
        }
    }

    fn subscription(&mut self, target: &Target, seen: &[Subscription]) {
        let own = target.id.subscription().unwrap_or_default().to_owned();
        let known = seen.iter().find(|one| one.subscription_id.eq_ignore_ascii_case(&own));
        let name = known.map(|one| one.display_name.clone());
        let shown = name.as_ref().map_or_else(|| own.clone(), |name| format!("{name} ({own})"));
        let summary = format!("{shown}, from {}", target.subscription_from);
        let step = match known {
            Some(_) => Step::new("subscription", "Subscription", State::Ok, summary),
            None => {
                Step::new("subscription", "Subscription", State::Ok, format!("{summary}; not in this sign-in's list"))
            }
        };
        let step = step.fact("id", Some(own)).fact("name", name);
        self.steps.push(step.fact("from", Some(target.subscription_from)));
    }

    /// Reads the cluster.
    async fn cluster(&mut self, arm: &Arm, target: &Target, host: &str) -> Option<ManagedCluster> {
        let (id, title) = ("cluster", "Cluster");
        match arm.read::<ManagedCluster>(&api::MANAGED_CLUSTERS, &target.id).await {
            Ok(cluster) => {
                let profile = cluster.properties.api_server_access_profile.as_ref();
                let private = profile.and_then(|profile| profile.enable_private_cluster).unwrap_or_default();
                let version = cluster.properties.current_kubernetes_version.clone();
                let version = version.or_else(|| cluster.properties.kubernetes_version.clone());
                let group = target.id.resource_group().unwrap_or_default();
                let kind = if private { "private" } else { "public" };
                let mut summary = format!("{} in resource group {group}, {kind} API server", target.id.name());
                if let Some(version) = &version {
                    summary.push_str(&format!(", Kubernetes {version}"));
                }
                if target.why != Why::Named {
                    summary.push_str(&format!("; {}", target.why));
                }
                let step = Step::new(id, title, State::Ok, summary).fact("id", Some(target.id.as_str()));
                let step = step.fact("chosenBy", Some(target.why.id())).fact("kubernetesVersion", version);
                self.steps.push(step.fact("apiServer", Some(kind)));
                Some(cluster)
            }
            Err(failure) => {
                let problem = live::cluster_problem(arm, &target.id, &failure, host).await;
                self.steps.push(failed(id, title, &problem.into()));
                None
            }
        }
    }

    /// Which kubeconfig is used and why; whether a context of it leads to the cluster.
    fn kubeconfig(&mut self, wish: &Wish, cluster: &ManagedCluster) -> bool {
        let args = self.session.args;
        let contexts = Contexts::read(args.kubeconfig.as_ref());
        let hosts: Vec<&str> = cluster.properties.api_server_names().collect();
        let (id, title) = ("kubeconfig", "Kubeconfig");
        let (step, found) = if wish.skip {
            (Step::new(id, title, State::Skipped, "not used (--no-kubernetes)"), None)
        } else if wish.explicit.is_some() {
            let current = contexts.current(args.context.as_deref());
            let name = current.as_ref().map_or("none", |current| &current.context).to_owned();
            (Step::new(id, title, State::Ok, format!("context {name}, named on the command line")), current)
        } else if let Some(own) = contexts.leading_to(&hosts) {
            let why = format!("context {}: it leads to the cluster's API server {}", own.context, own.host);
            (Step::new(id, title, State::Ok, why), Some(own))
        } else {
            let why = "no context leads to the cluster, so Azure is asked for a credential (listClusterUserCredential)";
            (Step::new(id, title, State::Ok, why), None)
        };
        let step = step.fact("context", found.as_ref().map(|found| found.context.clone()));
        self.steps.push(step.fact("server", found.as_ref().map(|found| found.host.clone())));
        found.is_some()
    }

    fn kubernetes_api(&mut self, evidence: &Evidence) {
        let (id, title) = ("kubernetes-api", "Kubernetes API");
        self.steps.push(match &evidence.kubernetes.nodes {
            Fact::Known(nodes) => {
                Step::new(id, title, State::Ok, format!("reached; {} listed", text::count(nodes.len(), "node")))
            }
            Fact::Missing(gap) if gap.reason == Reason::NotCollected => {
                Step::new(id, title, State::Skipped, gap.detail.clone())
            }
            Fact::Missing(gap) => with_ways_on(Step::new(id, title, State::Limited, gap.detail.clone()), gap),
        });
    }
}

/// Each gap has its own next step.
fn with_ways_on(step: Step, gap: &Gap) -> Step {
    match gap.reason {
        Reason::Unreachable | Reason::TimedOut => WAYS_ON.into_iter().fold(step, Step::next),
        Reason::Forbidden => step.next("aksiso permissions --output kubernetes prints the role that is missing"),
        Reason::Unauthorized => step.next("sign in to the cluster again: kubectl get nodes; az aks get-credentials"),
        _ => step,
    }
}

fn failed(id: &'static str, title: &'static str, error: &anyhow::Error) -> Step {
    let message = format!("{error:#}");
    let mut lines = message.lines().map(|line| text::clean(&text::bounded(line, 600)));
    let mut step = Step::new(id, title, State::Failed, lines.next().unwrap_or_default());
    step.details = lines.collect();
    match error.downcast_ref::<Problem>() {
        Some(problem) => step.next(problem.hint.clone()),
        None => step,
    }
}

fn versions() -> Versions {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect();
    let place = |tool: &str| {
        let names =
            if cfg!(windows) { vec![format!("{tool}.exe"), format!("{tool}.cmd")] } else { vec![tool.to_owned()] };
        let mut places = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        places.find(|place| place.is_file()).map(|place| place.display().to_string())
    };
    Versions {
        aksiso: env!("CARGO_PKG_VERSION"),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        tools: TOOLS.into_iter().map(|tool| (tool, place(tool))).collect(),
    }
}

/// The proxy on the way to Azure, without its password.
fn proxy(host: &str) -> String {
    let address = format!("https://{host}").parse().ok();
    let proxy = address.and_then(|address| proxy::of_azure(&address));
    proxy.map_or_else(String::new, |proxy| format!(" (through {})", proxy.words()))
}
