//! Evidence, judged: the few lines that every test of a judgement begins with.

use aksiso::answers::cutover::{Cutover, Goal, ReimagePolicy};
use aksiso::answers::preflight::Preflight;
use aksiso::answers::whatif::Effect;
use aksiso::checks::catalogue;
use aksiso::checks::command::Shell;
use aksiso::diagnosis::Diagnosis;
use aksiso::diagnosis::plan::Plan;
use aksiso::diagnosis::policy::Ruling;
use aksiso::evidence::Evidence;
use aksiso::evidence::manifests::Manifests;
use aksiso::report::model::{Report, Results};
use aksiso::report::{self, Format, Options, json};

/// The whole diagnosis, under no policy.
pub fn diagnose(evidence: &Evidence) -> Diagnosis<'_> {
    Diagnosis::of(evidence, catalogue::ALL)
}

/// The report of the whole diagnosis.
pub fn report(evidence: &Evidence) -> Report {
    Report::of_diagnosis(diagnose(evidence), Shell::Posix)
}

/// The same as JSON.
pub fn json(evidence: &Evidence) -> String {
    json::render(&report(evidence)).expect("a report")
}

/// The report on manifests beside a cluster.
pub fn preflight(evidence: &Evidence, manifests: &Manifests) -> Report {
    let answer = Preflight::of(&diagnose(evidence), manifests);
    report_of(Diagnosis::from_outcomes(evidence, vec![answer.outcome(evidence)]), Some(&answer), None)
}

/// The report on changes that one thinks of.
pub fn what_if(before: &Evidence, after: &Evidence, changes: &[String]) -> Report {
    let effect = Effect::of(&diagnose(before), &diagnose(after), changes);
    report_of(diagnose(after), None, Some(&effect))
}

fn report_of(diagnosis: Diagnosis<'_>, preflight: Option<&Preflight<'_>>, effect: Option<&Effect>) -> Report {
    let ruling = Ruling::none(diagnosis);
    let plan = Plan::of(&ruling.diagnosis);
    Report::of(&Results { ruling: &ruling, plan: &plan, preflight, effect }, Shell::Posix)
}

/// What a person reads, in lines of 100 characters.
pub fn table(report: &Report) -> String {
    let options = Options { width: 100, previous: None, links: false };
    report::render(report, Format::Table, &options).expect("a report")
}

/// Where a cluster stands.
pub fn cutover(evidence: &Evidence, goal: Goal, policy: ReimagePolicy) -> Cutover<'_> {
    Cutover::of(diagnose(evidence), goal, policy)
}
