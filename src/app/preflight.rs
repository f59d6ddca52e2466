//! `preflight`: manifests beside the evidence of a cluster.

use std::path::PathBuf;

use super::apart::Apart;
use super::cli::PreflightArgs;
use super::exit::Exit;
use super::reporting::Reporting;
use super::session::Session;
use super::whatif::Changes;
use super::{live, output, read_or_ask};
use crate::answers::preflight::Preflight;
use crate::answers::pull::Puller;
use crate::checks::catalogue;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::policy::ways::Ways;
use crate::evidence::manifests::ValuesImage;
use crate::report::model::Results;
use crate::report::preflight::{kustomize, rules, values};
use crate::sources::manifests;
use crate::sources::progress::Progress;
use crate::text::problem::Problem;

pub(super) async fn preflight(args: &PreflightArgs, progress: &Progress) -> anyhow::Result<Exit> {
    // Manifests are read first: what is wrong with them is said before anything is asked.
    let reporting = Reporting::prepare(&args.report)?.assuming(&args.what_if)?;
    let changes = Changes::read(&args.what_if)?;
    if args.from.as_ref().is_some_and(|from| from.as_os_str() == "-") {
        let hint = "give the snapshot as a file: --from FILE";
        return Err(Problem::new("the snapshot cannot come from standard input", hint).into());
    }
    let paths: Vec<_> = args.image_path.iter().chain(reporting.policy.image_paths()).cloned().collect();
    let manifests = manifests::read(&args.manifests, &paths)?;
    let unread = manifests::unread(&manifests);
    if let Some(problem) = unread.as_ref().filter(|_| args.report.update_baseline) {
        // What could not be read would be missing from it.
        return Err(problem.clone().into());
    }
    let ways = ways(args, reporting.policy.ways())?;
    files(args, &reporting).check()?;
    let values = manifests::read_values(&args.helm_values)?;
    let session = Session::new(&args.target, progress);
    let evidence = read_or_ask(args.from.as_deref(), &session, catalogue::ALL, &args.other_registry).await?;
    let after = changes.apply(&evidence)?;
    let whole = Diagnosis::of(after.as_ref().unwrap_or(&evidence), catalogue::ALL);
    let effect = after.is_some().then(|| changes.effect(&evidence, &whole));
    let mut puller = Puller::new(&whole).believing(&ways);
    let asked;
    if args.registry {
        let wanted = Preflight::of(&puller, &manifests).wanted(whole.evidence);
        asked = live::ask_registry(&session, whole.evidence, wanted).await?;
        puller = puller.knowing(&asked);
    }
    let preflight = Preflight::of(&puller, &manifests);
    let outcome = preflight.outcome(whole.evidence, &|finding| reporting.policy.accepts(finding, whole.evidence));
    let diagnosis = Diagnosis::from_outcomes(whole.evidence, vec![outcome]);
    let ruling = reporting.rule(diagnosis);
    let plan = preflight.plan(&ruling.diagnosis);
    write(args, &preflight, &ruling.diagnosis, &values)?;
    let preflight = Some(&preflight);
    let exit = reporting.finish(&Results { ruling: &ruling, plan: &plan, preflight, effect: effect.as_ref() })?;
    // The report is whole for what could be read, and says what could not; the run is not.
    unread.map_or(Ok(exit), |problem| Err(problem.into()))
}

/// Writes what comes next, as files that are used as they are.
fn write(
    args: &PreflightArgs,
    preflight: &Preflight<'_>,
    diagnosis: &Diagnosis<'_>,
    values: &[ValuesImage],
) -> anyhow::Result<()> {
    let open = |image: &str| diagnosis.findings.iter().any(|finding| finding.subject.reference() == Some(image));
    let evidence = diagnosis.evidence;
    let files: [(&Option<PathBuf>, &dyn Fn() -> String); 3] = [
        (&args.write_rules, &|| rules::render(evidence, &preflight.remedies(evidence, &open))),
        (&args.write_kustomize, &|| kustomize::render(&preflight.rewrites(&open))),
        (&args.write_helm_values, &|| values::render(&preflight.rewrites(&open), values)),
    ];
    for (file, render) in files {
        if let Some(file) = file {
            output::write_whole(file, render().as_bytes())?;
        }
    }
    Ok(())
}

/// What it reads and writes.
fn files<'a>(args: &'a PreflightArgs, reporting: &Reporting<'a>) -> Apart<'a> {
    let files = reporting.files().reads("--from", &args.from).reads("preflight", &args.manifests);
    let files = files.reads("--helm-values", &args.helm_values).writes("--write-rules", &args.write_rules);
    files.writes("--write-kustomize", &args.write_kustomize).writes("--write-helm-values", &args.write_helm_values)
}

/// What the operator says of registries: in the policy, and on the command line, which wins.
fn ways(args: &PreflightArgs, policy: &Ways) -> Result<Ways, Problem> {
    let mut said = Ways::default();
    args.reachable.iter().for_each(|host| said.reach(host.clone(), "--reachable".to_owned()));
    args.unreachable.iter().for_each(|hosts| said.block(hosts.clone(), "--unreachable".to_owned()));
    let ways = policy.clone().and(said);
    match ways.contradiction() {
        Some(host) => Err(Problem::new(
            format!("{host} is called both reachable and unreachable"),
            "name it once, in --reachable, --unreachable or aksiso.toml; a pattern such as * leaves out what is reachable",
        )),
        None => Ok(ways),
    }
}
