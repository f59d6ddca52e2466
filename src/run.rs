//! One short function per subcommand.

mod cutover;
mod diagnose;
mod live;
mod preflight;
mod reporting;
mod session;
mod whatif;

use std::path::Path;

use clap::CommandFactory as _;

use crate::anonymize::{self, Pseudonyms};
use crate::azure::id::ResourceId;
use crate::check::{self, Check};
use crate::cli::{CheckArgs, Cli, Collect, Command};
use crate::correlate::Diagnosis;
use crate::evidence::Evidence;
use crate::exit::{Exit, FailOn};
use crate::finding::Severity;
use crate::output::Interruption;
use crate::permissions::Permissions;
use crate::policy::{self, PolicyError};
use crate::progress::Progress;
use crate::report::compare::{self, Comparison};
use crate::report::model::FindingEntry;
use crate::report::permissions::For;
use crate::report::{self, ListFormat, json, page, table};
use crate::schema::SchemaOf;
use crate::{cli, output, snapshot, text};
use session::Session;

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

/// Runs a command line.
///
/// # Errors
/// A [`Problem`] where the run could not be done; anything else is a failed write.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let progress = Progress::new(cli.verbose, cli.quiet);
    let interruption = Interruption::watch(&progress);
    let work = async {
        match cli.command {
            Command::Diagnose(args) => diagnose::diagnose(&args, &progress).await,
            Command::Cutover(args) => cutover::cutover(&args, &progress).await,
            Command::Preflight(args) => preflight::preflight(&args, &progress).await,
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
    let session = Session::new(&args.target, progress);
    let evidence = read_or_ask(args.from.as_deref(), &session, &checks, &args.other_registry).await?;
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
    session: &Session<'_>,
    checks: &[&'static Check],
    others: &[ResourceId],
) -> anyhow::Result<Evidence> {
    let evidence = match from {
        Some(path) => snapshot::read(path).map_err(|error| Problem::new(error.to_string(), error.hint()))?,
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
    let whole = check::everything().find(|check| check.id == name).map(|check| check.doc);
    let section = || check::of_rule(name).and_then(|(check, rule)| check.rule_doc(rule.id));
    let Some(markdown) = whole.or_else(section) else {
        let rules = check::everything().flat_map(|check| check.rules.iter().map(|rule| rule.id));
        let names = check::everything().map(|check| check.id).chain(rules);
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

/// Width of the terminal, also behind a pager; without a terminal 100 columns, and never more than 120.
fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(40, 120)
}
