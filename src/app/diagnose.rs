//! `diagnose`: from arguments to reports and an exit code, once or until it is well.

use tokio::time::Instant;

use super::cli::DiagnoseArgs;
use super::exit::Exit;
use super::reporting::Reporting;
use super::session::Session;
use super::whatif::Changes;
use super::{chosen, files, output, pseudonyms, read_or_ask};
use crate::answers::probe_hint::probe_hint;
use crate::answers::whatif::Effect;
use crate::checks::rule::Severity;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::plan::Plan;
use crate::diagnosis::policy::Ruling;
use crate::evidence::anonymize;
use crate::report::model::Results;
use crate::report::script;
use crate::sources::probe;
use crate::sources::progress::Progress;
use crate::text;

pub(super) async fn diagnose(args: &DiagnoseArgs, progress: &Progress) -> anyhow::Result<Exit> {
    // Whatever is wrong with a file is said before anything is asked.
    let reporting = Reporting::prepare(&args.report)?.assuming(&args.what_if)?.live(args.from.is_none());
    let files = reporting.files().reads("--from", &args.from).reads("--probe", &args.probe);
    files.reads("--anonymize-map", &args.anonymize_map).writes("--plan", &args.plan).check()?;
    let changes = Changes::read(&args.what_if)?;
    let probes = files::read_probes(&args.probe)?;
    let checks = chosen(&args.checks);
    let give_up = Instant::now() + args.wait_timeout;
    let (mut asked, mut known) = (checks.clone(), None);
    loop {
        // Each round has a time limit of its own.
        let mut session = Session::new(&args.target, progress);
        session.known.clone_from(&known);
        let answer = read_or_ask(args.from.as_deref(), &session, &asked, &[]).await;
        let mut next = Instant::now() + args.wait_interval;
        let mut evidence = match answer {
            Ok(evidence) => evidence,
            // A network that is being repaired may be away for a moment.
            Err(error) if args.wait && asked.len() < checks.len() && next < give_up => {
                pause(&format!("{error}"), next, progress).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        known = Some(evidence.cluster.id.clone());
        if let Some(map) = &args.anonymize_map {
            evidence = anonymize::restore(&evidence, &pseudonyms(map, true)?)?;
        }
        evidence.add_probes(&probes);
        let after = changes.apply(&evidence)?;
        let evidence_now = after.as_ref().unwrap_or(&evidence);
        let diagnosis = Diagnosis::of(evidence_now, &asked);
        let effect = after.is_some().then(|| changes.effect(&evidence, &diagnosis));
        let ruling = reporting.rule(diagnosis);
        let diagnosis = &ruling.diagnosis;
        if diagnosis.throttled() {
            next += args.wait_interval * 3;
        }
        let unsettled: Vec<_> = diagnosis.unsettled().collect();
        let goes_on =
            reporting.exit(diagnosis, effect.as_ref()) != Exit::Clean && next < give_up && !unsettled.is_empty();
        if args.wait && goes_on {
            pause(&words(diagnosis), next, progress).await;
            asked = checks.iter().filter(|check| unsettled.contains(&&check.about)).copied().collect();
        } else if asked.len() < checks.len() {
            // What is reported is a look at everything.
            asked.clone_from(&checks);
        } else {
            let exit = finish(args, &reporting, &ruling, effect.as_ref());
            if args.from.is_none()
                && let Some(hint) = probe_hint(&ruling.diagnosis, &probe::addresses())
            {
                progress.note(&hint);
            }
            return exit;
        }
    }
}

/// Reports, and writes the plan where it was asked for.
fn finish(
    args: &DiagnoseArgs,
    reporting: &Reporting,
    ruling: &Ruling<'_>,
    effect: Option<&Effect>,
) -> anyhow::Result<Exit> {
    let plan = Plan::of(&ruling.diagnosis).beside(ruling.suppressed.iter().map(|(finding, _)| finding));
    if let Some(path) = &args.plan {
        output::write_whole(path, script::render(&plan, args.report.verdict.shell).as_bytes())?;
    }
    reporting.finish(&Results { ruling, plan: &plan, preflight: None, effect })
}

/// Waits for the next round, and says so.
async fn pause(why: &str, until: Instant, progress: &Progress) {
    progress.waiting(why, until.saturating_duration_since(Instant::now()));
    tokio::time::sleep_until(until).await;
}

/// How a wait goes on, in a few words.
fn words(diagnosis: &Diagnosis<'_>) -> String {
    let errors = diagnosis.count(Severity::Error);
    let unseen = diagnosis.undetermined();
    let open = text::listed(diagnosis.unsettled().map(|check| check.id));
    format!("{}, {}; open: {open}", text::count(errors, "error"), text::count(unseen, "undetermined check"))
}
