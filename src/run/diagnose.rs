//! `diagnose`: from arguments to reports and an exit code, once or until it is well.

use tokio::time::Instant;

use super::reporting::Reporting;
use super::session::Session;
use super::{chosen, pseudonyms, read_or_ask};
use crate::cli::Diagnose;
use crate::correlate::Diagnosis;
use crate::exit::Exit;
use crate::finding::Severity;
use crate::progress::Progress;
use crate::report::script;
use crate::run::whatif::{changed, changes};
use crate::{anonymize, output, text};

/// Runs `diagnose`.
pub(super) async fn diagnose(args: &Diagnose, progress: &Progress) -> anyhow::Result<Exit> {
    // Whatever is wrong with a file is said before anything is asked.
    let reporting = Reporting::prepare(&args.report)?;
    let changes = changes(&args.what_if)?;
    let checks = chosen(&args.checks);
    let give_up = Instant::now() + args.wait_timeout;
    let mut asked = checks.clone();
    loop {
        // Each round has a time limit of its own.
        let session = Session::new(&args.target, progress);
        let answer = read_or_ask(args.from.as_deref(), &session, &asked, &[]).await;
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
        let (evidence, effect) = changed(evidence, &changes, &args.what_if)?;
        let mut diagnosis = reporting.judge(&evidence, &asked);
        diagnosis.effect = effect;
        let exit = reporting.exit(&diagnosis);
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
            if let Some(path) = &args.plan {
                output::write_whole(path, script::render(&diagnosis, args.report.shell).as_bytes())?;
            }
            return reporting.finish(&diagnosis);
        }
    }
}

/// Waits for the next round, and says so.
async fn pause(why: &str, until: Instant, progress: &Progress) {
    let seconds = until.saturating_duration_since(Instant::now()).as_secs();
    progress.waiting(&format!("{why}; asking again in {seconds} s"));
    tokio::time::sleep_until(until).await;
}

/// How a wait goes on, in a few words.
fn words(diagnosis: &Diagnosis<'_>) -> String {
    let errors = diagnosis.count(Severity::Error);
    let unseen = diagnosis.undetermined();
    format!("{}, {}", text::count(errors, "error"), text::count(unseen, "undetermined check"))
}
