//! `preflight`: manifests beside the evidence of a cluster.

use super::cli::PreflightArgs;
use super::exit::Exit;
use super::reporting::Reporting;
use super::session::Session;
use super::whatif::Changes;
use super::{live, read_or_ask};
use crate::answers::preflight::Preflight;
use crate::checks::catalogue;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::plan::Plan;
use crate::report::model::Results;
use crate::sources::manifests;
use crate::sources::progress::Progress;
use crate::text::problem::Problem;

pub(super) async fn preflight(args: &PreflightArgs, progress: &Progress) -> anyhow::Result<Exit> {
    // Manifests are read first: what is wrong with them is said before anything is asked.
    let reporting = Reporting::prepare(&args.report)?;
    let changes = Changes::read(&args.what_if)?;
    if args.from.as_ref().is_some_and(|from| from.as_os_str() == "-") {
        let hint = "give the snapshot as a file: --from FILE";
        return Err(Problem::new("the snapshot cannot come from standard input", hint).into());
    }
    let paths: Vec<_> = args.image_path.iter().chain(reporting.policy.image_paths()).cloned().collect();
    let mut manifests = manifests::read(&args.manifests, &paths)?;
    let unread = manifests::unread(&manifests);
    if let Some(problem) = unread.as_ref().filter(|_| args.report.update_baseline) {
        // What could not be read would be missing from it.
        return Err(problem.clone().into());
    }
    manifests.reachable = reporting.policy.reachable().clone();
    manifests.reachable.extend(args.reachable.iter().map(|host| (host.clone(), "--reachable".to_owned())));
    let session = Session::new(&args.target, progress);
    let evidence = read_or_ask(args.from.as_deref(), &session, catalogue::ALL, &args.other_registry).await?;
    let after = changes.apply(&evidence)?;
    let whole = Diagnosis::of(after.as_ref().unwrap_or(&evidence), catalogue::ALL);
    let effect = after.is_some().then(|| changes.effect(&evidence, &whole));
    if args.registry {
        let wanted = Preflight::of(&whole, &manifests).wanted(whole.evidence);
        manifests.registry = Some(live::ask_registry(&session, whole.evidence, wanted).await?);
    }
    let preflight = Preflight::of(&whole, &manifests);
    let diagnosis = Diagnosis::from_outcomes(whole.evidence, vec![preflight.outcome(whole.evidence)]);
    let ruling = reporting.rule(diagnosis);
    let plan = Plan::of(&ruling.diagnosis);
    let preflight = Some(&preflight);
    let exit = reporting.finish(&Results { ruling: &ruling, plan: &plan, preflight, effect: effect.as_ref() })?;
    // The report is whole for what could be read, and says what could not; the run is not.
    unread.map_or(Ok(exit), |problem| Err(problem.into()))
}
