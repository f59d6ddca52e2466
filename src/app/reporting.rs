//! From a diagnosis to reports and an exit code, under a policy: what `diagnose` and `preflight` share.

use std::path::Path;
use std::time::Instant;

use super::apart::Apart;
use super::cli::ReportArgs;
use super::exit::Exit;
use super::{files, output, width};
use crate::answers::whatif::Effect;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::policy::{Baseline, Policy, Ruling};
use crate::report::model::{Report, Results};
use crate::report::{self, Format, Options, Output, json, old};
use crate::text::problem::Problem;

/// What reports are made with; whatever is wrong with a file is said before anything is asked.
pub(super) struct Reporting<'a> {
    args: &'a ReportArgs,
    pub(super) policy: Policy,
    baseline: Option<Baseline>,
    previous: Option<Report>,
    /// The baseline that is there already, where it is to be updated.
    former: Option<Report>,
    /// When a live run began; none for a snapshot, whose report is the same every time.
    started: Option<Instant>,
}

impl<'a> Reporting<'a> {
    /// Reads the files that the arguments name.
    pub(super) fn prepare(args: &'a ReportArgs) -> anyhow::Result<Self> {
        output::distinct(&args.output)?;
        let former = args.baseline.as_deref().filter(|file| args.update_baseline && file.exists());
        Ok(Self {
            args,
            policy: files::policy(&args.policy)?,
            baseline: baseline(args)?,
            previous: previous(args)?,
            former: former.map(files::read_report).transpose()?,
            started: None,
        })
    }

    /// The files that reports are made from and go to. A former report may make way for the present one.
    pub(super) fn files(&self) -> Apart<'a> {
        let args = self.args;
        let baseline = args.baseline.as_ref();
        let files = Apart::default().reads("--config", &args.policy.config).outputs(&args.output);
        if args.update_baseline {
            return files.writes("--update-baseline", baseline);
        }
        files.reads("--baseline", baseline)
    }

    /// Refuses what would take an assumption for the truth: what a baseline accepts, tickets and alerts.
    pub(super) fn assuming(self, what_if: &[String]) -> Result<Self, Problem> {
        let acts = |format| matches!(format, Format::Servicenow | Format::Openmetrics);
        let acting = self.args.output.iter().find(|output| acts(output.format)).map(Output::name);
        let refused = acting
            .map(|name| format!("--output {name}"))
            .or_else(|| self.args.update_baseline.then(|| "--update-baseline".to_owned()));
        match refused.filter(|_| !what_if.is_empty()) {
            Some(refused) => Err(Problem::new(
                format!("{refused} would take the changes of --what-if for what is"),
                "run it without --what-if, or ask for another format",
            )),
            None => Ok(self),
        }
    }

    /// The same for a live run, whose time is told.
    pub(super) fn live(self, is_live: bool) -> Self {
        Self { started: is_live.then(Instant::now), ..self }
    }

    /// Rules on a diagnosis by the policy and the baseline.
    pub(super) fn rule<'e>(&self, diagnosis: Diagnosis<'e>) -> Ruling<'e> {
        self.policy.rule(diagnosis, self.baseline.as_ref())
    }

    /// The exit code of a diagnosis, and of what changes would do.
    pub(super) fn exit(&self, diagnosis: &Diagnosis<'_>, effect: Option<&Effect>) -> Exit {
        Exit::of(diagnosis, self.args.verdict.fail_on, self.args.verdict.allow_incomplete)
            .or_worse(self.of_effect(effect))
    }

    fn of_effect(&self, effect: Option<&Effect>) -> Exit {
        effect.map_or(Exit::Clean, |effect| {
            Exit::of_effect(effect, self.args.verdict.fail_on, self.args.verdict.allow_incomplete)
        })
    }

    /// Writes everything that was asked for.
    pub(super) fn finish(&self, results: &Results<'_>) -> anyhow::Result<Exit> {
        let args = self.args;
        let exit = self.exit(&results.ruling.diagnosis, results.effect);
        let report = Report::of(results, args.verdict.shell);
        // What a former report on another cluster had would be cleared as fixed.
        self.previous.iter().try_for_each(|former| old::same_cluster(&report, former, "--previous"))?;
        // A file shows everything that a terminal may not, and nothing that differs from run to run.
        let to_file = Options {
            width: width(),
            previous: self.previous.as_ref(),
            details: args.details,
            fails_from: args.verdict.fail_on.least(),
            ..Options::default()
        };
        let options = Options {
            links: output::shows_links(),
            ascii: !output::shows_unicode(),
            elapsed: self.started.map(|started| started.elapsed()),
            ..to_file
        };
        for wanted in &args.output {
            let rendered = || report::render(&report, wanted.format, &to_file);
            if let Some(file) = &wanted.file {
                output::write_whole(file, rendered()?.as_bytes())?;
            }
        }
        if let Some(wanted) = args.output.iter().find(|wanted| wanted.file.is_none()) {
            output::print(&report::render(&report, wanted.format, &options)?)?;
        }
        if let Some(path) = args.baseline.as_deref().filter(|_| args.update_baseline) {
            let baseline = report.as_baseline(self.former.as_ref());
            output::write_whole(path, json::render(&baseline)?.as_bytes())?;
            // What is found is accepted from now on; that changes would stop workloads is not.
            return Ok(if exit == Exit::Findings { self.of_effect(results.effect) } else { exit });
        }
        Ok(exit)
    }
}

/// The former report, which only one format makes use of.
fn previous(args: &ReportArgs) -> anyhow::Result<Option<Report>> {
    let Some(file) = &args.previous else { return Ok(None) };
    if !args.output.iter().any(|output| output.format == Format::Servicenow) {
        return Err(Problem::new(
            "--previous is of use to --output servicenow only, which is not asked for",
            "add --output servicenow=FILE, or compare two reports with: aksiso compare OLD NEW",
        )
        .into());
    }
    Ok(Some(files::read_report(file)?))
}

/// With --update-baseline the report is whole, and becomes the baseline.
fn baseline(args: &ReportArgs) -> anyhow::Result<Option<Baseline>> {
    let file = args.baseline.as_deref().filter(|_| !args.update_baseline);
    let read =
        |file: &Path| files::read_report(file).map(|report| Baseline::new(&file.display().to_string(), report.known()));
    Ok(file.map(read).transpose()?)
}
