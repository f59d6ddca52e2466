//! `preflight`: manifests beside the evidence of a cluster.

use super::reporting::Reporting;
use super::session::Session;
use super::whatif::{changed, changes};
use super::{Problem, live, read_or_ask};
use crate::check;
use crate::cli::Preflight;
use crate::exit::Exit;
use crate::manifest;
use crate::progress::Progress;

/// Runs `preflight`.
pub(super) async fn preflight(args: &Preflight, progress: &Progress) -> anyhow::Result<Exit> {
    // Manifests are read first: what is wrong with them is said before anything is asked.
    let reporting = Reporting::prepare(&args.report)?;
    let changes = changes(&args.what_if)?;
    if args.from.as_ref().is_some_and(|from| from.as_os_str() == "-") {
        let hint = "give the snapshot as a file: --from FILE";
        return Err(Problem::new("the snapshot cannot come from standard input", hint).into());
    }
    let paths: Vec<_> = args.image_path.iter().chain(reporting.policy.image_paths()).cloned().collect();
    let mut manifests =
        manifest::read(&args.manifests, &paths).map_err(|error| Problem::new(error.to_string(), error.hint))?;
    manifests.reachable = reporting.policy.reachable().clone();
    manifests.reachable.extend(args.reachable.iter().map(|host| (host.clone(), "--reachable".to_owned())));
    let session = Session::new(&args.target, progress);
    let evidence = read_or_ask(args.from.as_deref(), &session, check::ALL, &args.other_registry).await?;
    let (mut evidence, effect) = changed(evidence, &changes, &args.what_if)?;
    if args.registry {
        manifests.registry = Some(live::ask_registry(&session, &evidence, &manifests).await?);
    }
    evidence.manifests = Some(manifests);
    let mut diagnosis = reporting.judge(&evidence, &[&check::preflight::CHECK]);
    diagnosis.effect = effect;
    reporting.finish(&diagnosis)
}
