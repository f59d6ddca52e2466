//! From a diagnosis to reports and an exit code, under a policy: what `diagnose` and `preflight` share.

use clap::ValueEnum as _;

use super::{Problem, width, wrong_file};
use crate::check::Check;
use crate::cli::ReportArgs;
use crate::correlate::Diagnosis;
use crate::evidence::Evidence;
use crate::exit::Exit;
use crate::policy::{self, Baseline, Policy};
use crate::report::model::Report;
use crate::report::{self, Format, Output, json};
use crate::{output, text};

/// What reports are made with; whatever is wrong with a file is said before anything is asked.
pub(super) struct Reporting<'a> {
    args: &'a ReportArgs,
    pub(super) policy: Policy,
    baseline: Option<Baseline>,
    previous: Option<Report>,
}

impl<'a> Reporting<'a> {
    /// Reads the files that the arguments name.
    pub(super) fn prepare(args: &'a ReportArgs) -> anyhow::Result<Self> {
        distinct(&args.output)?;
        Ok(Self { args, policy: policy(args)?, baseline: baseline(args)?, previous: previous(args)? })
    }

    /// Judges under the policy and the baseline.
    pub(super) fn judge<'e>(&self, evidence: &'e Evidence, checks: &[&'static Check]) -> Diagnosis<'e> {
        Diagnosis::of(evidence, checks).under(&self.policy, self.baseline.as_ref())
    }

    /// The exit code of a diagnosis.
    pub(super) fn exit(&self, diagnosis: &Diagnosis<'_>) -> Exit {
        diagnosis.exit(self.args.fail_on, self.args.allow_incomplete)
    }

    /// Writes everything that was asked for.
    pub(super) fn finish(&self, diagnosis: &Diagnosis<'_>) -> anyhow::Result<Exit> {
        let args = self.args;
        let exit = self.exit(diagnosis);
        let report = Report::of(diagnosis, args.shell);
        let previous = self.previous.as_ref();
        let options = report::Options { shell: args.shell, width: width(), previous, links: output::shows_links() };
        for wanted in args.output.iter().filter(|wanted| wanted.file.is_some()) {
            let file = wanted.file.as_deref().expect("only those with a file");
            output::write_whole(file, report::render(diagnosis, &report, wanted.format, &options)?.as_bytes())?;
        }
        for wanted in args.output.iter().filter(|wanted| wanted.file.is_none()) {
            output::print(&report::render(diagnosis, &report, wanted.format, &options)?)?;
        }
        if let Some(path) = args.baseline.as_deref().filter(|_| args.update_baseline) {
            output::write_whole(path, json::render(&report)?.as_bytes())?;
            return Ok(if exit == Exit::Findings { Exit::Clean } else { exit });
        }
        Ok(exit)
    }
}

/// Several formats cannot share standard output, nor a file.
fn distinct(wanted: &[Output]) -> anyhow::Result<()> {
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
    Ok(())
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
    Ok(Some(policy::read_report(file).map_err(wrong_file)?))
}

fn policy(args: &ReportArgs) -> anyhow::Result<Policy> {
    let found = match &args.config {
        Some(file) => Some(file.clone()),
        None if args.no_config => None,
        None => std::env::current_dir().ok().and_then(|folder| policy::find(&folder)),
    };
    found.map_or_else(|| Ok(Policy::default()), |file| Policy::read(&file)).map_err(wrong_file)
}

/// With --update-baseline the report is whole, and becomes the baseline.
fn baseline(args: &ReportArgs) -> anyhow::Result<Option<Baseline>> {
    let file = args.baseline.as_deref().filter(|_| !args.update_baseline);
    file.map(Baseline::read).transpose().map_err(wrong_file)
}
