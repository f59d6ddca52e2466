//! `cutover`: where a cluster stands on the way to isolation.

use super::cli::{CutoverArgs, Destination};
use super::exit::Exit;
use super::session::Session;
use super::whatif::Changes;
use super::{files, output, read_or_ask, width};
use crate::answers::cutover::{Cutover, Goal};
use crate::checks::catalogue;
use crate::diagnosis::Diagnosis;
use crate::report::cutover::{CutoverFormat, render};
use crate::report::marks;
use crate::sources::progress::Progress;
use crate::text::problem::Problem;

pub(super) async fn cutover(args: &CutoverArgs, progress: &Progress) -> anyhow::Result<Exit> {
    let changes = Changes::read(&args.what_if)?;
    let goal = match args.to {
        Destination::Direct if args.to_registry.is_some() => {
            let hint = "--to-registry is for --to isolated: a Direct cluster uses no registry";
            return Err(Problem::new("--to direct and --to-registry do not go together", hint).into());
        }
        Destination::Direct => Goal::Direct,
        Destination::Isolated => Goal::Isolated(args.to_registry.clone()),
    };
    let probes = files::read_probes(&args.probe)?;
    let others: Vec<_> = args.to_registry.iter().cloned().collect();
    let mut evidence =
        read_or_ask(args.from.as_deref(), &Session::new(&args.target, progress), catalogue::ALL, &others).await?;
    evidence.add_probes(&probes);
    let evidence = changes.apply(&evidence)?.unwrap_or(evidence);
    let cutover = Cutover::of(Diagnosis::of(&evidence, catalogue::ALL), goal, args.policy);
    let text = render::render(&cutover, args.output, args.shell, width())?;
    let plain = args.output == CutoverFormat::Table && !output::shows_unicode();
    output::print(&if plain { marks::ascii(&text) } else { text })?;
    Ok(match Exit::of_cutover(&cutover) {
        Exit::Incomplete if args.allow_incomplete => Exit::Clean,
        exit => exit,
    })
}
