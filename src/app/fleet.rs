//! `fleet`: from a scope to causes by reach, and an exit code.

mod effect;
mod export;
mod gather;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use super::apart::Apart;
use super::cli::{FleetArgs, FleetReportArgs};
use super::exit::Exit;
use super::output::{self, Interruption};
use super::{chosen, files, width};
use crate::answers::fleet::{self as answers, Judged, Projector, Terms};
use crate::checks::rule::Severity;
use crate::diagnosis::policy::Baseline;
use crate::evidence::fleet::{Fleet, file};
use crate::report::fleet::model::{FleetReport, FleetResults};
use crate::report::fleet::{self, FleetFormat, FleetOptions};
use crate::sources::progress::Progress;
use crate::text::{self, problem::Problem};
use effect::Changes;
use gather::{Gathered, Gone};

pub(super) async fn fleet(args: &FleetArgs, progress: &Progress, interruption: Interruption) -> anyhow::Result<Exit> {
    // Whatever is wrong with a file is said before anything is asked.
    output::distinct(&args.report.output)?;
    let (report, map) = (&args.report, &args.anonymize_map);
    let files = Apart::default().reads("--from", &args.from).reads("--config", &report.policy.config);
    let files = files.reads("--baseline", &report.baseline).outputs(&report.output);
    files.writes("--save", &args.save).writes("--anonymize-map", map).check()?;
    shows_effect(args)?;
    let changes = Changes::read(&args.what_if)?;
    let policy = files::policy(&args.report.policy)?;
    let previous = args.report.previous.as_deref().map(read_report).transpose()?;
    let baseline = args.report.baseline.as_deref().map(baseline).transpose()?.unwrap_or_default();
    let checks = chosen(&args.checks);
    let terms = Terms { which: args.which, checks: &checks, policy: &policy, baseline: &baseline };
    let (fleet, gone) = match &args.from {
        Some(path) => (read(path)?, Gone::unknown()),
        None => match gather::gather(args, &terms, progress, interruption).await? {
            Gathered::Whole(gathered) => *gathered,
            Gathered::Interrupted(exit) => return Ok(exit),
        },
    };
    let judged = answers::judge(&fleet, &terms);
    if let Some(folder) = &args.export_snapshots {
        export::export(&fleet, &judged, folder, args)?;
    }
    let (effect, brought) = changes.effect(&fleet, &judged, &terms)?;
    let broken = effect.is_some().then(|| brought.iter().any(|own| args.report.verdict.fail_on.includes(own.severity)));
    let depth = args.depth.as_str();
    let results = FleetResults {
        fleet: &fleet,
        depth,
        checks: &checks,
        clusters: &judged,
        gone: answers::gone(&fleet, &terms),
        effect,
        brought,
        shell: args.report.verdict.shell,
    };
    let mut report = FleetReport::of(&results);
    if let Some(previous) = &previous {
        let gone = gone.of(report.missing_since(previous)).await;
        report.trend = Some(report.since(previous, &gone));
    }
    progress.finish();
    write(&report, args, previous.as_ref())?;
    tell_what_was_not_seen(&report, args, progress);
    Ok(exit(&report, &judged, broken, &args.report))
}

/// With `--what-if` the question is what the changes break; otherwise what is broken.
fn exit(report: &FleetReport, judged: &[Judged], broken: Option<bool>, args: &FleetReportArgs) -> Exit {
    let mut found = judged.iter().flat_map(|cluster| &cluster.findings);
    let fails = broken.unwrap_or_else(|| found.any(|finding| args.verdict.fail_on.includes(finding.severity)));
    match (fails, report.incomplete() && !args.verdict.allow_incomplete) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Incomplete,
        (false, false) => Exit::Clean,
    }
}

fn write(report: &FleetReport, args: &FleetArgs, previous: Option<&FleetReport>) -> anyhow::Result<()> {
    let options = FleetOptions { width: width(), group_by: args.report.group_by, previous };
    let (files, printed): (Vec<_>, Vec<_>) = args.report.output.iter().partition(|wanted| wanted.file.is_some());
    for wanted in files {
        if let Some(file) = &wanted.file {
            output::write_whole(file, fleet::render(report, wanted.format, &options)?.as_bytes())?;
        }
    }
    for wanted in printed {
        output::print(&fleet::render(report, wanted.format, &options)?)?;
    }
    Ok(())
}

/// Lines of causes alone do not say what was not seen; a job that ends with exit code 3 does.
fn tell_what_was_not_seen(report: &FleetReport, args: &FleetArgs, progress: &Progress) {
    let lines = [FleetFormat::Jsonl, FleetFormat::Csv, FleetFormat::Servicenow, FleetFormat::Openmetrics];
    if report.incomplete() && args.report.output.iter().all(|output| lines.contains(&output.format)) {
        fleet::unseen(report).iter().for_each(|line| progress.say(line));
    }
}

/// Refuses formats that would say nothing of changes that are only assumed, or take them for what is.
fn shows_effect(args: &FleetArgs) -> Result<(), Problem> {
    let shows = [FleetFormat::Table, FleetFormat::Json, FleetFormat::Markdown, FleetFormat::Html];
    let silent = args.report.output.iter().find(|output| !shows.contains(&output.format));
    match silent.filter(|_| !args.what_if.is_empty()) {
        Some(output) => Err(Problem::new(
            format!("--output {} does not show what the changes of --what-if would do", output.name()),
            "ask for table, json, markdown or html",
        )),
        None => Ok(()),
    }
}

fn read_report(path: &Path) -> Result<FleetReport, Problem> {
    FleetReport::read(&files::read_bytes(path)?, &text::clean(&path.display().to_string()))
}

/// What a former report knew, cluster by cluster.
fn baseline(path: &Path) -> anyhow::Result<BTreeMap<String, Baseline>> {
    let (report, name) = (read_report(path)?, path.display().to_string());
    let accepted = report.suppressed.iter().map(|entry| &entry.finding);
    let all = report.findings.iter().chain(accepted);
    let severities: BTreeMap<&str, &str> = all.map(|own| (own.fingerprint.as_str(), own.severity.as_str())).collect();
    // A report from before accepted findings were kept does not say how bad they were.
    let severity = |print: &str| severities.get(print).and_then(|word| Severity::of(word)).unwrap_or(Severity::Error);
    let known = report.clusters.iter().map(|cluster| {
        let prints = cluster.findings.iter().chain(&cluster.suppressed);
        let prints = prints.map(|print| (print.clone(), severity(print)));
        (cluster.id.to_lowercase(), Baseline::new(&name, prints))
    });
    Ok(known.collect())
}

/// Reads a saved fleet.
fn read(path: &Path) -> Result<Fleet, Problem> {
    if path == Path::new("-") {
        return file::read_from(io::stdin().lock(), "standard input");
    }
    let name = text::clean(&path.display().to_string());
    let opened = File::open(path);
    let opened = opened.map_err(|error| Problem::new(format!("{name} cannot be read: {error}"), "check the path"))?;
    file::read_from(BufReader::new(opened), &name)
}

/// The evidence of a judged cluster; none where there was nothing to judge.
fn evidence_of(projector: &Projector<'_>, fleet: &Fleet, judged: &Judged) -> Option<crate::evidence::Evidence> {
    let cluster = fleet.rows.clusters.row(&judged.cluster.id)?;
    answers::evidence(projector, cluster).ok()
}
