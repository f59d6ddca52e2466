//! `cutover`: where a cluster stands on the way to isolation.

use super::session::Session;
use super::whatif::{changed, changes};
use super::{Problem, read_or_ask, width};
use crate::check;
use crate::cli::{Cutover as Arguments, Destination};
use crate::cutover::{Cutover, Goal};
use crate::exit::Exit;
use crate::output;
use crate::progress::Progress;
use crate::report::cutover::{CutoverReport, Format, render};

/// Runs `cutover`.
pub(super) async fn cutover(args: &Arguments, progress: &Progress) -> anyhow::Result<Exit> {
    let changes = changes(&args.what_if)?;
    let goal = match args.to {
        Destination::Direct if args.to_registry.is_some() => {
            let hint = "--to-registry is for --to isolated: a Direct cluster uses no registry";
            return Err(Problem::new("--to direct and --to-registry do not go together", hint).into());
        }
        Destination::Direct => Goal::Direct,
        Destination::Isolated => Goal::Isolated(args.to_registry.clone()),
    };
    let others: Vec<_> = args.to_registry.iter().cloned().collect();
    let evidence =
        read_or_ask(args.from.as_deref(), &Session::new(&args.target, progress), check::ALL, &others).await?;
    let (evidence, _) = changed(evidence, &changes, &args.what_if)?;
    let cutover = Cutover::of(&evidence, goal, args.policy);
    let report = CutoverReport::of(&cutover, args.shell);
    output::print(&match args.output {
        Format::Table => render::table(&cutover, &report, width(), args.shell),
        Format::Json => render::json(&report)?,
        Format::Markdown => render::markdown(&report),
    })?;
    Ok(match cutover.exit() {
        Exit::Incomplete if args.allow_incomplete => Exit::Clean,
        exit => exit,
    })
}
