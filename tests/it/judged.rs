//! Evidence, judged: the few lines that every test of a judgement begins with.

use std::collections::BTreeMap;

use aksiso::answers::cutover::{Cutover, Goal, ReimagePolicy};
use aksiso::answers::preflight::Preflight;
use aksiso::answers::pull::Puller;
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
    let diagnosis = diagnose(evidence);
    let answer = Preflight::of(&Puller::new(&diagnosis), manifests);
    report_of(Diagnosis::from_outcomes(evidence, vec![answer.outcome(evidence, &|_| false)]), Some(&answer), None)
}

/// The report on changes that one thinks of.
pub fn what_if(before: &Evidence, after: &Evidence, changes: &[String]) -> Report {
    let effect = Effect::of(&diagnose(before), &diagnose(after), changes);
    report_of(diagnose(after), None, Some(&effect))
}

fn report_of(diagnosis: Diagnosis<'_>, preflight: Option<&Preflight<'_>>, effect: Option<&Effect>) -> Report {
    let ruling = Ruling::none(diagnosis);
    let plan = preflight.map_or_else(|| Plan::of(&ruling.diagnosis), |own| own.plan(&ruling.diagnosis));
    Report::of(&Results { ruling: &ruling, plan: &plan, preflight, effect }, Shell::Posix)
}

/// What a person reads, in lines of 100 characters.
pub fn table(report: &Report) -> String {
    let options = Options::default();
    report::render(report, Format::Table, &options).expect("a report")
}

/// The same in its long form.
pub fn details(report: &Report) -> String {
    let options = Options { details: true, ..Options::default() };
    report::render(report, Format::Table, &options).expect("a report")
}

/// Where a cluster stands.
pub fn cutover(evidence: &Evidence, goal: Goal, policy: ReimagePolicy) -> Cutover<'_> {
    Cutover::of(diagnose(evidence), goal, policy)
}

/// What is said of a cluster without naming anything: equal for clusters that differ in names and numbers only.
#[derive(Debug, PartialEq)]
pub struct Essence {
    /// Rule, severity, kind of remediation and the rules of its causes.
    pub findings: Vec<String>,
    /// Status of each check, and how much it could not see.
    pub checks: Vec<String>,
    /// Kinds of the plan's steps.
    pub plan: Vec<String>,
    /// Where the cluster stands on its way, what is next, and how old each pool is.
    pub cutover: Vec<String>,
}

/// The essence of a diagnosis and of a cut-over to the registry that the evidence knows.
pub fn essence(evidence: &Evidence) -> Essence {
    let diagnosis = diagnose(evidence);
    let rules: BTreeMap<_, _> = diagnosis.findings.iter().map(|own| (own.fingerprint(), own.rule.id)).collect();
    let mut findings: Vec<String> = Vec::new();
    for finding in &diagnosis.findings {
        let mut causes: Vec<&str> = finding.caused_by.iter().map(|cause| rules[cause]).collect();
        causes.sort_unstable();
        let (severity, kind) = (finding.severity.as_str(), finding.remediation.kind.as_str());
        findings.push(format!("{} {severity} {kind} <- {causes:?}", finding.rule.id));
    }
    findings.sort();
    let status = |own: &aksiso::diagnosis::CheckResult| {
        format!("{} {} {} gaps", own.check.id, own.status.as_str(), own.gaps.len())
    };
    let checks = diagnosis.checks.iter().map(status).collect();
    let plan = Plan::of(&diagnosis).steps.iter().map(|step| step.remediation.kind.as_str().to_owned()).collect();
    let goal = Goal::Isolated(evidence.other_registries.keys().next().cloned());
    let stands = Cutover::of(diagnosis, goal, ReimagePolicy::Documented);
    let now = stands.now().map_or_else(|| "nothing".to_owned(), |step| step.kind.to_string());
    let mut cutover = vec![format!("{} {now} {}", stands.state.as_str(), stands.safety.as_str())];
    cutover.extend(stands.gates.iter().map(|gate| format!("{} {}", gate.name, gate.pass.as_str())));
    cutover.extend(stands.pools.iter().map(|pool| format!("{} {}", pool.name, pool.age.as_str())));
    cutover.sort();
    Essence { findings, checks, plan, cutover }
}
