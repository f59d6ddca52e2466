//! `diagnose`: from arguments to reports and an exit code, once or until it is well.

use clap::ValueEnum as _;
use tokio::time::Instant;

use super::{Problem, chosen, pseudonyms, read_or_ask, width, wrong_file};
use crate::cli::Diagnose;
use crate::correlate::Diagnosis;
use crate::exit::Exit;
use crate::finding::Severity;
use crate::policy::{self, Baseline, Policy};
use crate::progress::Progress;
use crate::report::model::Report;
use crate::report::{self, Format, Output, json, script};
use crate::{anonymize, output, text};

/// Runs `diagnose`.
pub(super) async fn diagnose(args: &Diagnose, progress: &Progress) -> anyhow::Result<Exit> {
    // Whatever is wrong with a file is said before anything is asked.
    let outputs = outputs(&args.output)?;
    let policy = policy(args)?;
    let baseline = baseline(args)?;
    let previous = previous(args)?;
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

/// The former report, which only one format makes use of.
fn previous(args: &Diagnose) -> anyhow::Result<Option<Report>> {
    let Some(file) = &args.previous else { return Ok(None) };
    if !args.output.iter().any(|output| output.format == Format::Servicenow) {
        return Err(Problem::new(
            "--previous is of use to --output servicenow only, which is not asked for",
            "add --output servicenow=FILE, or compare two reports with: aksiso compare OLD NEW",
        )
        .into());
    }
    Ok(Some(policy::read_report(file).map_err(wrong_file)?))
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
