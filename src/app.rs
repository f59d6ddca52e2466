//! One short function per subcommand.

mod apart;
pub mod cli;
mod collected;
mod cutover;
mod diagnose;
mod doctor;
pub mod exit;
pub mod files;
mod fleet;
mod live;
pub mod output;
mod preflight;
mod probe;
mod reporting;
pub mod schema;
mod session;
mod target;
mod whatif;

use std::path::Path;

use crate::answers;
use crate::checks::catalogue;
use crate::checks::check::Check;
use crate::checks::rule::Severity;
use crate::diagnosis::Diagnosis;
use crate::evidence::anonymize::{self, Pseudonyms};
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, snapshot};
use crate::report::compare::{self, Comparison};
use crate::report::model::FindingEntry;
use crate::report::permissions::{For, Permissions, Whom};
use crate::report::{self, ListFormat, json, page, table};
use crate::sources::progress::Progress;
use crate::text::{self, problem::Problem};
use anyhow::Context as _;
use apart::Apart;
use cli::{CheckArgs, Cli, CollectArgs, Subcommand};
use exit::{Exit, FailOn};
use output::Interruption;
use schema::SchemaOf;
use session::Session;

/// Runs a command line.
///
/// # Errors
/// A [`Problem`] where the run could not be done; anything else is a failed write.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let progress = Progress::new(cli.verbose, cli.quiet);
    let interruption = Interruption::watch(&progress);
    // A fleet keeps what it gathered, and sees to its interruption itself.
    let (keeps, own) = (matches!(cli.command, Subcommand::Fleet(_)), interruption.clone());
    let work = async {
        match cli.command {
            Subcommand::Diagnose(args) => diagnose::diagnose(&args, &progress).await,
            Subcommand::Cutover(args) => cutover::cutover(&args, &progress).await,
            Subcommand::Preflight(args) => preflight::preflight(&args, &progress).await,
            Subcommand::Fleet(args) => fleet::fleet(&args, &progress, own).await,
            Subcommand::Collect(args) => collect(&args, &progress).await,
            Subcommand::Doctor(args) => doctor::doctor(&args, &progress).await,
            Subcommand::Probe(args) => probe::probe(&args).await,
            Subcommand::Permissions(args) => permissions(&args),
            Subcommand::Compare { old, new, output, fail_on } => compare(&old, &new, output, fail_on),
            Subcommand::Schema { of } => schema(of),
            Subcommand::Completions { shell } => completions(shell),
            Subcommand::Man { output } => man(output.as_deref()),
            Subcommand::Checks { output } => checks(output),
            Subcommand::Explain { name } => explain(&name),
        }
    };
    let exit = tokio::select! {
        exit = work => exit,
        exit = interruption.requested(), if !keeps => Ok(exit),
    };
    progress.finish();
    exit
}

fn compare(old: &Path, new: &Path, format: compare::ComparisonFormat, fail_on: FailOn) -> anyhow::Result<Exit> {
    let (before, now) = (files::read_report(old)?, files::read_report(new)?);
    report::old::same_cluster(&before, &now, &new.display().to_string())?;
    let comparison = Comparison::of(&before, &now);
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

/// Answers a shell that completes a command line, and ends; does nothing where none asks.
pub fn complete() {
    clap_complete::CompleteEnv::with_factory(cli::command).bin("aksiso").completer("aksiso").complete();
}

/// What makes a shell ask aksiso itself for what may follow: rules, checks and formats are its own.
fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut out = Vec::new();
    let name = shell.to_string();
    let shells = clap_complete::env::Shells::builtins();
    let known = shells.completer(&name).ok_or_else(|| {
        Problem::new(format!("{name} cannot be completed"), "use bash, zsh, fish, elvish or powershell")
    })?;
    known.write_registration("COMPLETE", "aksiso", "aksiso", "aksiso", &mut out)?;
    output::print(&String::from_utf8_lossy(&out))?;
    Ok(Exit::Clean)
}

fn man(folder: Option<&Path>) -> anyhow::Result<Exit> {
    let Some(folder) = folder else {
        let mut out = Vec::new();
        clap_mangen::Man::new(cli::command()).render(&mut out)?;
        output::print(&String::from_utf8_lossy(&out))?;
        return Ok(Exit::Clean);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut command = cli::command().disable_help_subcommand(true);
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

async fn collect(args: &CollectArgs, progress: &Progress) -> anyhow::Result<Exit> {
    let checks = chosen(&args.checks);
    let written = Some(&args.output).filter(|output| output.as_os_str() != "-");
    let files = Apart::default().reads("--from", &args.from).reads("--probe", &args.probe);
    files.writes("--output", written).writes("--anonymize-map", &args.anonymize_map).check()?;
    let probes = files::read_probes(&args.probe)?;
    let session = Session::new(&args.target, progress);
    let mut evidence = read_or_ask(args.from.as_deref(), &session, &checks, &args.other_registry).await?;
    evidence.add_probes(&probes);
    let written = if args.anonymize { &anonymized(&evidence, args.anonymize_map.as_deref())? } else { &evidence };
    if args.output.as_os_str() == "-" {
        output::print(&text::escape_json(&snapshot::render(written)?))?;
    } else {
        files::write_snapshot(written, &args.output)?;
    }
    // What could not be read is what the checks would not see.
    let diagnosis = Diagnosis::of(&evidence, &checks);
    for line in collected::lines(&args.output, &diagnosis) {
        progress.say(&line);
    }
    Ok(if diagnosis.incomplete() { Exit::Incomplete } else { Exit::Clean })
}

/// The evidence of a snapshot, or of the live cluster.
async fn read_or_ask(
    from: Option<&Path>,
    session: &Session<'_>,
    checks: &[&'static Check],
    others: &[ResourceId],
) -> anyhow::Result<Evidence> {
    let evidence = match from {
        Some(path) => files::read_snapshot(path)?,
        None => live::live(session, checks, others).await?,
    };
    session.progress.finish();
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

/// The pseudonyms of a map; none where it does not exist yet and need not.
fn pseudonyms(map: &Path, must_exist: bool) -> anyhow::Result<Pseudonyms> {
    if must_exist || map.exists() { Ok(files::read_pseudonyms(map)?) } else { Ok(Pseudonyms::default()) }
}

fn permissions(args: &cli::PermissionsArgs) -> anyhow::Result<Exit> {
    let checks = chosen(&args.checks);
    let needed = if args.fleet { Permissions::of_fleet(&checks) } else { Permissions::of(&checks) };
    let person = args.user.as_deref().or(args.object_id.as_deref()).map(Whom::User);
    let whom = For { scopes: &args.scope, whom: args.group.as_deref().map(Whom::Group).or(person) };
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
        output::print(&page::render(catalogue::LAYERS, width()))?;
        return Ok(Exit::Clean);
    }
    let whole = answers::rule_sets().find(|set| set.id == name).map(|set| set.doc);
    let section = || answers::rule_named(name).and_then(|(set, rule)| set.rule_doc(rule.id));
    let Some(markdown) = whole.or_else(section) else {
        let names =
            answers::rule_sets().flat_map(|set| std::iter::once(set.id).chain(set.rules.iter().map(|rule| rule.id)));
        if let Some(why) = catalogue::retired(name) {
            return Err(Problem::new(format!("the rule {name} is gone: {why}"), "aksiso checks lists all rules").into());
        }
        let near = text::nearest(name, names).map_or_else(String::new, |near| format!("did you mean {near}? "));
        let message = format!("there is no check or rule \"{}\"", text::clean(&text::bounded(name, 60)));
        return Err(Problem::new(message, format!("{near}aksiso checks lists them all")).into());
    };
    output::print(&page::render(markdown, width()))?;
    Ok(Exit::Clean)
}

fn chosen(args: &CheckArgs) -> Vec<&'static Check> {
    let wanted = |check: &&&'static Check| {
        let named = |ids: &[String]| ids.iter().any(|id| id == check.about.id);
        if args.check.is_empty() { !named(&args.skip) } else { named(&args.check) }
    };
    catalogue::ALL.iter().filter(wanted).copied().collect()
}

/// Width of the terminal, also behind a pager; without a terminal 100 columns, and never more than 120.
fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(40, 120)
}
