//! One short function per subcommand.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use azure_core::http::{Transport, new_http_client};
use clap::{CommandFactory as _, ValueEnum as _};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::anonymize::{self, Pseudonyms};
use crate::azure::api;
use crate::azure::arm::{Arm, Limits};
use crate::azure::cloud::Endpoints;
use crate::azure::credential;
use crate::azure::error::Failure;
use crate::azure::id::ResourceId;
use crate::check::{self, Check};
use crate::cli::{CheckArgs, Cli, Collect, Command, Diagnose, TargetArgs};
use crate::collect::Collector;
use crate::correlate::Diagnosis;
use crate::evidence::{Evidence, Reason, Section};
use crate::exit::{Exit, FailOn};
use crate::finding::Severity;
use crate::kubernetes::connect::Wish;
use crate::output::Interruption;
use crate::permissions::Permissions;
use crate::policy::{self, Baseline, Policy, PolicyError};
use crate::progress::Progress;
use crate::report::compare::{self, Comparison};
use crate::report::model::{FindingEntry, Report};
use crate::report::permissions::For;
use crate::report::{self, ListFormat, Output, json, page, script, table};
use crate::schema::SchemaOf;
use crate::{cli, output, snapshot, target, text};

/// Why a run could not be done, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What was wrong.
    message: String,
    /// What was expected, and what to do.
    pub hint: String,
}

impl Problem {
    /// A problem.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// Longest time limit of one call; in a short run it is a third of the run's, so that one call that hangs leaves time
/// for those that follow.
const CALL: Duration = Duration::from_secs(10);

/// Runs a command line.
///
/// # Errors
/// A [`Problem`] where the run could not be done; anything else is a failed write.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let progress = Progress::new(cli.verbose, cli.quiet);
    let interruption = Interruption::watch(&progress);
    let work = async {
        match cli.command {
            Command::Diagnose(args) => diagnose(&args, &progress).await,
            Command::Collect(args) => collect(&args, &progress).await,
            Command::Permissions(args) => permissions(&args),
            Command::Compare { old, new, output, fail_on } => compare(&old, &new, output, fail_on),
            Command::Schema { of } => schema(of),
            Command::Completions { shell } => completions(shell),
            Command::Man { output } => man(output.as_deref()),
            Command::Checks { output } => checks(output),
            Command::Explain { name } => explain(&name),
        }
    };
    let exit = tokio::select! {
        exit = work => exit,
        exit = interruption.requested() => Ok(exit),
    };
    progress.finish();
    exit
}

async fn diagnose(args: &Diagnose, progress: &Progress) -> anyhow::Result<Exit> {
    // Whatever is wrong with a file is said before anything is asked.
    let outputs = outputs(&args.output)?;
    let policy = policy(args)?;
    let baseline = baseline(args)?;
    let previous = args.previous.as_deref().map(policy::read_report).transpose().map_err(wrong_file)?;
    let checks = chosen(&args.checks);
    let give_up = Instant::now() + args.wait_timeout;
    let mut asked = checks.clone();
    loop {
        let answer = read_or_ask(args.from.as_deref(), &args.target, &asked, progress).await;
        let mut next = Instant::now() + args.wait_interval;
        let mut evidence = match answer {
            Ok(evidence) => evidence,
            // A network that is being mended may be away for a moment.
            Err(error) if args.wait && asked.len() < checks.len() && next < give_up => {
                pause(&format!("{error}"), next, progress).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(map) = &args.anonymize_map {
            evidence = anonymize::restore(&evidence, &pseudonyms(map, true)?)?;
        }
        let diagnosis = Diagnosis::of(&evidence, &asked).under(&policy, baseline.as_ref());
        let exit = diagnosis.exit(args.fail_on, args.allow_incomplete);
        if diagnosis.throttled() {
            next += args.wait_interval * 3;
        }
        let unsettled = diagnosis.unsettled();
        if args.wait && exit != Exit::Clean && next < give_up && !unsettled.is_empty() {
            pause(&words(&diagnosis), next, progress).await;
            asked = unsettled;
        } else if asked.len() < checks.len() {
            // What is reported is a look at everything.
            asked.clone_from(&checks);
        } else {
            return finish(args, &diagnosis, &outputs, previous.as_ref(), exit);
        }
    }
}

/// Waits for the next round, and says so.
async fn pause(why: &str, until: Instant, progress: &Progress) {
    let seconds = until.saturating_duration_since(Instant::now()).as_secs();
    progress.waiting(&format!("{why}; asking again in {seconds} s"));
    tokio::time::sleep_until(until).await;
}

/// Writes everything that was asked for.
fn finish(
    args: &Diagnose,
    diagnosis: &Diagnosis<'_>,
    outputs: &[Output],
    previous: Option<&Report>,
    exit: Exit,
) -> anyhow::Result<Exit> {
    let report = Report::of(diagnosis, args.shell);
    let options = report::Options { shell: args.shell, width: width(), previous, links: output::shows_links() };
    if let Some(path) = &args.plan {
        output::write_whole(path, script::render(diagnosis, args.shell).as_bytes())?;
    }
    for wanted in outputs.iter().filter(|wanted| wanted.file.is_some()) {
        let file = wanted.file.as_deref().expect("only those with a file");
        output::write_whole(file, report::render(diagnosis, &report, wanted.format, &options)?.as_bytes())?;
    }
    for wanted in outputs.iter().filter(|wanted| wanted.file.is_none()) {
        output::print(&report::render(diagnosis, &report, wanted.format, &options)?)?;
    }
    if let Some(path) = args.baseline.as_deref().filter(|_| args.update_baseline) {
        output::write_whole(path, json::render(&report)?.as_bytes())?;
        return Ok(if exit == Exit::Findings { Exit::Clean } else { exit });
    }
    Ok(exit)
}

/// How a wait goes on, in a few words.
fn words(diagnosis: &Diagnosis<'_>) -> String {
    let errors = diagnosis.count(Severity::Error);
    let unseen = diagnosis.undetermined();
    format!("{}, {}", text::count(errors, "error"), text::count(unseen, "undetermined check"))
}

/// Several formats cannot share standard output, nor a file.
fn outputs(wanted: &[Output]) -> anyhow::Result<Vec<Output>> {
    for (at, output) in wanted.iter().enumerate() {
        if let Some(other) = wanted[..at].iter().find(|other| other.file == output.file) {
            let name = |output: &Output| output.format.to_possible_value().map(|value| value.get_name().to_owned());
            let place =
                output.file.as_ref().map_or_else(|| "standard output".to_owned(), |file| file.display().to_string());
            let (one, two) = (name(other).unwrap_or_default(), name(output).unwrap_or_default());
            return Err(Problem::new(
                format!("{one} and {two} would both go to {}", text::clean(&place)),
                format!("give one of them a file of its own: --output {two}=FILE"),
            )
            .into());
        }
    }
    Ok(wanted.to_vec())
}

fn policy(args: &Diagnose) -> anyhow::Result<Policy> {
    let found = match &args.config {
        Some(file) => Some(file.clone()),
        None if args.no_config => None,
        None => std::env::current_dir().ok().and_then(|folder| policy::find(&folder)),
    };
    found.map_or_else(|| Ok(Policy::default()), |file| Policy::read(&file)).map_err(wrong_file)
}

/// With --update-baseline the report is whole, and becomes the baseline.
fn baseline(args: &Diagnose) -> anyhow::Result<Option<Baseline>> {
    let file = args.baseline.as_deref().filter(|_| !args.update_baseline);
    file.map(Baseline::read).transpose().map_err(wrong_file)
}

fn wrong_file(error: PolicyError) -> anyhow::Error {
    Problem::new(error.to_string(), error.hint).into()
}

fn compare(old: &Path, new: &Path, format: compare::Format, fail_on: FailOn) -> anyhow::Result<Exit> {
    let read = |file: &Path| policy::read_report(file).map_err(wrong_file);
    let comparison = Comparison::of(&read(old)?, &read(new)?);
    output::print(&comparison.render(format)?)?;
    let fails =
        |finding: &FindingEntry| Severity::of(&finding.severity).is_none_or(|severity| fail_on.includes(severity));
    Ok(match (comparison.new.iter().any(fails), comparison.unseen.is_empty()) {
        (true, _) => Exit::Findings,
        (false, false) => Exit::Incomplete,
        (false, true) => Exit::Clean,
    })
}

fn schema(of: SchemaOf) -> anyhow::Result<Exit> {
    output::print(&of.render()?)?;
    Ok(Exit::Clean)
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "aksiso", &mut out);
    output::print(&String::from_utf8_lossy(&out))?;
    Ok(Exit::Clean)
}

fn man(folder: Option<&Path>) -> anyhow::Result<Exit> {
    let Some(folder) = folder else {
        let mut out = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut out)?;
        output::print(&String::from_utf8_lossy(&out))?;
        return Ok(Exit::Clean);
    };
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let subcommands = command.get_subcommands().map(|sub| (format!("aksiso-{}", sub.get_name()), sub.clone()));
    let all: Vec<(String, clap::Command)> = subcommands.chain([("aksiso".to_owned(), command.clone())]).collect();
    for (name, command) in all {
        let mut out = Vec::new();
        clap_mangen::Man::new(command).title(name.to_uppercase()).render(&mut out)?;
        output::write_whole(&folder.join(format!("{name}.1")), &out)?;
    }
    Ok(Exit::Clean)
}

async fn collect(args: &Collect, progress: &Progress) -> anyhow::Result<Exit> {
    let checks = chosen(&args.checks);
    let evidence = read_or_ask(args.from.as_deref(), &args.target, &checks, progress).await?;
    let written = if args.anonymize { &anonymized(&evidence, args.anonymize_map.as_deref())? } else { &evidence };
    if args.output.as_os_str() == "-" {
        output::print(&text::escape_json(&snapshot::render(written)?))?;
    } else {
        snapshot::write(written, &args.output)?;
    }
    // What could not be read is what the checks would not see.
    let diagnosis = Diagnosis::of(&evidence, &checks);
    let complete = diagnosis.checks.iter().all(|judged| judged.gaps.is_empty());
    Ok(if complete { Exit::Clean } else { Exit::Incomplete })
}

/// The evidence of a snapshot, or of the live cluster.
async fn read_or_ask(
    from: Option<&Path>,
    target: &TargetArgs,
    checks: &[&'static Check],
    progress: &Progress,
) -> anyhow::Result<Evidence> {
    let evidence = match from {
        Some(path) => snapshot::read(path).map_err(|error| Problem::new(error.to_string(), error.hint()))?,
        None => live(target, checks, progress).await?,
    };
    progress.finish();
    Ok(evidence)
}

/// The evidence under pseudonyms. The map is written first: without it nobody could translate back.
fn anonymized(evidence: &Evidence, map: Option<&Path>) -> anyhow::Result<Evidence> {
    let mut names = map.map_or_else(|| Ok(Pseudonyms::default()), |map| pseudonyms(map, false))?;
    let evidence = anonymize::anonymize(evidence, &mut names)?;
    if let Some(map) = map {
        output::write_whole(map, names.render()?.as_bytes())?;
    }
    Ok(evidence)
}

fn pseudonyms(map: &Path, must_exist: bool) -> anyhow::Result<Pseudonyms> {
    let hint = "expected the file that aksiso collect --anonymize --anonymize-map FILE wrote";
    if must_exist && !map.exists() {
        return Err(Problem::new(format!("{} does not exist", text::clean(&map.display().to_string())), hint).into());
    }
    Pseudonyms::read(map).map_err(|error| Problem::new(error.to_string(), hint).into())
}

fn permissions(args: &cli::Permissions) -> anyhow::Result<Exit> {
    let needed = Permissions::of(&chosen(&args.checks));
    let whom = For { scopes: &args.scope, object_id: args.object_id.as_deref() };
    output::print(&report::permissions::render(&needed, args.output, &whom, width())?)?;
    Ok(Exit::Clean)
}

fn checks(format: ListFormat) -> anyhow::Result<Exit> {
    output::print(&match format {
        ListFormat::Table => table::render_checks(width()),
        ListFormat::Json => json::render_checks()?,
    })?;
    Ok(Exit::Clean)
}

fn explain(name: &str) -> anyhow::Result<Exit> {
    if name == "layers" {
        output::print(&page::render(check::LAYERS, width()))?;
        return Ok(Exit::Clean);
    }
    let whole = check::ALL.iter().find(|check| check.id == name).map(|check| check.doc);
    let section = || check::of_rule(name).and_then(|(check, rule)| check.rule_doc(rule.id));
    let Some(markdown) = whole.or_else(section) else {
        let rules = check::ALL.iter().flat_map(|check| check.rules.iter().map(|rule| rule.id));
        let names = check::ALL.iter().map(|check| check.id).chain(rules);
        let near = text::nearest(name, names).map_or_else(String::new, |near| format!("did you mean {near}? "));
        let message = format!("there is no check or rule \"{}\"", text::clean(&text::bounded(name, 60)));
        return Err(Problem::new(message, format!("{near}aksiso checks lists them all")).into());
    };
    output::print(&page::render(markdown, width()))?;
    Ok(Exit::Clean)
}

fn chosen(args: &CheckArgs) -> Vec<&'static Check> {
    let wanted = |check: &&&'static Check| {
        let named = |ids: &[String]| ids.iter().any(|id| id == check.id);
        if args.check.is_empty() { !named(&args.skip) } else { named(&args.check) }
    };
    check::ALL.iter().filter(wanted).copied().collect()
}

/// Signs in and gathers the evidence of a live cluster.
async fn live(args: &TargetArgs, checks: &[&'static Check], progress: &Progress) -> anyhow::Result<Evidence> {
    let limits = Limits { call: CALL, deadline: Instant::now() + args.timeout, concurrency: args.concurrency.into() };
    let endpoints = Endpoints::new(args.cloud, args.arm_endpoint.as_deref())
        .map_err(|why| Problem::new(format!("the ARM endpoint is not valid: {why}"), "expected https://HOST[:PORT]"))?;
    let kubernetes =
        Wish::read(args.kubeconfig.as_ref(), args.context.as_deref(), args.no_kubernetes).map_err(|why| {
            Problem::new(why, "check --kubeconfig and --context, or leave the Kubernetes API out with --no-kubernetes")
        })?;
    let transport = Transport::new(new_http_client(None));
    let (id, sign_in) = tokio::join!(
        target::cluster_id(args, limits.deadline),
        credential::sign_in(args.auth, &endpoints, &transport, limits.deadline, progress)
    );
    let id = id?;
    let sign_in = sign_in.map_err(|error| Problem::new(error.to_string(), error.hint()))?;
    let host = endpoints.host();
    let arm =
        Arm::new(endpoints.arm, &endpoints.scope, sign_in.credential.clone(), transport, limits, progress.clone());
    let sections: BTreeSet<Section> = checks.iter().flat_map(|check| check.needs).copied().collect();
    let collector =
        Collector { arm, credential: sign_in.credential, limits, progress: progress.clone(), kubernetes, sections };
    let collected = collector.collect(&id, Timestamp::now()).await;
    collector.arm.log_budgets();
    match collected {
        Ok(evidence) => Ok(evidence),
        Err(failure) => Err(cluster_problem(&collector.arm, &id, &failure, &host).await.into()),
    }
}

/// Why the cluster itself could not be read, with what a person would look up next.
async fn cluster_problem(arm: &Arm, id: &ResourceId, failure: &Failure, host: &str) -> Problem {
    let name = format!("cluster {} in resource group {}", id.name(), id.resource_group().unwrap_or_default());
    let detail = text::clean(&failure.detail);
    match failure.reason {
        Reason::NotFound if failure.absent() => {
            Problem::new(format!("{name} does not exist ({detail})"), similar_clusters(arm, id).await)
        }
        Reason::NotFound => Problem::new(
            format!("{name} cannot be seen: {detail}"),
            "the subscription is unknown to this sign-in: check --subscription, or sign in to its tenant: az login --tenant TENANT",
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
                "{host} must be reachable over HTTPS from here (proxy: HTTPS_PROXY; private certificate authority: SSL_CERT_FILE; other cloud: --cloud or --arm-endpoint)"
            ),
        ),
        _ => Problem::new(format!("{name} could not be read: {detail}"), "try again; -vv shows every call"),
    }
}

/// The clusters of that name, or of names nearby, that this sign-in can see.
async fn similar_clusters(arm: &Arm, id: &ResourceId) -> String {
    #[derive(serde::Deserialize)]
    struct Named {
        id: ResourceId,
    }
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

/// Width of the terminal, also behind a pager; without a terminal 100 columns, and never more than 120.
fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(40, 120)
}
