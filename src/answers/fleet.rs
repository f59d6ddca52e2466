//! Many clusters judged at once: the same checks on the evidence of each, then what they have in common.

mod causes;
mod index;
mod path;
mod project;
pub mod whatif;

use std::collections::{BTreeMap, BTreeSet};

use crate::checks::catalogue;
use crate::checks::check::Check;
use crate::checks::finding::{Finding, Fingerprint};
use crate::checks::judge::Outcome;
use crate::checks::rule::Severity;
use crate::diagnosis::policy::{Baseline, Notice, Policy, SuppressedBy};
use crate::diagnosis::{CheckResult, Diagnosis, Status, Verdict};
use crate::evidence::fleet::table::Query;
use crate::evidence::fleet::{self, Fleet, FleetCluster, Question};
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Fact, Gap, Section};
pub use causes::{Cause, causes};
pub use project::{Projection, Projector, project};

/// Sections that hang together: what collection asks of one depends on what it saw of the others.
const NETWORK: [Section; 6] = [
    Section::Registry,
    Section::PrivateEndpoints,
    Section::VirtualNetworks,
    Section::PrivateDns,
    Section::RouteTables,
    Section::SecurityGroups,
];

/// Which clusters of the scope are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// Those with a bootstrap cache or without egress
    Isolated,
    /// All of them
    All,
}

/// What is judged, and how.
#[derive(Debug)]
pub struct Terms<'t> {
    pub which: Which,
    /// The checks that were asked for.
    pub checks: &'t [&'static Check],
    pub policy: &'t Policy,
    /// What a former run knew, by cluster id in lower case.
    pub baseline: &'t BTreeMap<String, Baseline>,
}

/// One cluster, judged.
#[derive(Debug)]
pub struct Judged {
    pub cluster: Identity,
    pub verdict: Verdict,
    /// What is wrong: root causes first, worst first.
    pub findings: Vec<Finding>,
    /// What became of the checks that rows and ARM's answers suffice for.
    pub checks: Vec<CheckResult>,
    /// What the policy or the baseline accepts.
    pub suppressed: Vec<(Finding, SuppressedBy)>,
    pub notices: Vec<Notice>,
    /// Checks that were asked for and that this look does not cover.
    pub not_covered: Vec<&'static str>,
    /// Errors that Resource Graph showed and ARM did not confirm: they are dropped.
    pub stale: Vec<Finding>,
    /// Whether ARM itself was asked about the cluster.
    pub confirmed: bool,
}

/// What a report says of a cluster beside its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: ResourceId,
    pub location: Option<String>,
    /// The bootstrap registry.
    pub registry: Option<ResourceId>,
}

impl Judged {
    /// Whether some check could not see everything.
    pub fn incomplete(&self) -> bool {
        self.checks.iter().any(|check| !check.gaps.is_empty())
    }

    /// The findings that nothing explains.
    pub fn roots(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.caused_by.is_empty())
    }
}

/// A cluster that ARM should be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub cluster: ResourceId,
    /// What of it.
    pub sections: BTreeSet<Section>,
}

/// Whether the rows, with what ARM is asked for once per shared resource, are all that a check needs.
pub fn covers(check: &Check) -> bool {
    check.needs.iter().all(|need| fleet::SECTIONS.contains(need))
}

/// Whether a check judges what a query brings.
pub fn feeds(query: &Query, check: &Check) -> bool {
    check.needs.iter().any(|need| query.api.sections.contains(need))
}

/// The clusters that are judged.
pub fn selected(fleet: &Fleet, which: Which) -> Vec<&FleetCluster> {
    let wanted = |cluster: &&FleetCluster| {
        if fleet.gone.contains(&cluster.cluster.id.normalized()) {
            return false;
        }
        if which == Which::All {
            return true;
        }
        let isolated = |evidence: &Evidence| evidence.uses_cache() || evidence.egress_closed();
        match fleet.confirmed.get(&cluster.cluster.id.normalized()) {
            Some(Fact::Known(evidence)) => isolated(evidence),
            // Not known to be isolated is not known to be none.
            _ => {
                cluster.bootstrap_gap().is_some()
                    || isolated(&Evidence::new(fleet.collected_at, cluster.cluster.clone()))
            }
        }
    };
    fleet.rows.clusters.rows.values().filter(wanted).collect()
}

/// What ARM could still add to what the rows say of the clusters.
pub fn open_questions(fleet: &Fleet, which: Which, zone_groups: bool) -> BTreeSet<Question> {
    let projector = Projector::new(fleet, zone_groups);
    let judged = selected(fleet, which).into_iter().filter(|cluster| cluster.bootstrap_gap().is_none());
    let open = judged.flat_map(|cluster| projector.project(cluster).open);
    open.filter(|question| !fleet.asked.knows(question)).collect()
}

/// The clusters of which something is wrong or unknown by the rows alone, each with the parts that this rests on.
pub fn doubts(fleet: &Fleet, terms: &Terms<'_>) -> Vec<Doubt> {
    let projector = Projector::new(fleet, false);
    let covered: Vec<&'static Check> = terms.checks.iter().copied().filter(|check| covers(check)).collect();
    let doubt = |cluster: &FleetCluster| {
        let id = cluster.cluster.id.clone();
        if cluster.bootstrap_gap().is_some() {
            let sections = covered.iter().flat_map(|check| check.needs).copied();
            return Some(Doubt { cluster: id, sections: whole(sections.collect()) });
        }
        let evidence = projector.project(cluster).evidence;
        let diagnosis = Diagnosis::of(&evidence, &covered);
        let wrong = |result: &&CheckResult| {
            let mut own = diagnosis.findings.iter().filter(|finding| finding.check == result.check);
            !result.gaps.is_empty() || own.any(|finding| finding.severity >= Severity::Error)
        };
        let wrong: Vec<&str> = diagnosis.checks.iter().filter(wrong).map(|result| result.check.id).collect();
        let checks = covered.iter().filter(|check| wrong.contains(&check.about.id));
        let sections: BTreeSet<Section> = checks.flat_map(|check| check.needs).copied().collect();
        (!wrong.is_empty()).then(|| Doubt { cluster: id, sections: whole(sections) })
    };
    selected(fleet, terms.which).into_iter().filter_map(doubt).collect()
}

/// Sections with those that they hang together with.
fn whole(mut sections: BTreeSet<Section>) -> BTreeSet<Section> {
    if NETWORK[1..].iter().any(|section| sections.contains(section)) {
        sections.extend(NETWORK);
    }
    sections
}

/// The evidence of a cluster: what ARM said of it, else what the rows say.
///
/// # Errors
/// Why there is nothing that could be judged.
pub fn evidence(projector: &Projector<'_>, cluster: &FleetCluster) -> Result<Evidence, Gap> {
    match projector.fleet.confirmed.get(&cluster.cluster.id.normalized()) {
        Some(Fact::Known(evidence)) => return Ok(evidence.clone()),
        Some(Fact::Missing(gap)) => return Err(gap.clone()),
        None => {}
    }
    cluster.bootstrap_gap().map_or_else(|| Ok(projector.project(cluster).evidence), Err)
}

/// Judges every cluster of the scope that is wanted.
pub fn judge(fleet: &Fleet, terms: &Terms<'_>) -> Vec<Judged> {
    let projector = Projector::new(fleet, false);
    selected(fleet, terms.which).into_iter().map(|cluster| judge_one(&projector, cluster, terms)).collect()
}

/// Judges one cluster.
pub fn judge_one(projector: &Projector<'_>, cluster: &FleetCluster, terms: &Terms<'_>) -> Judged {
    let confirmed = projector.fleet.confirmed.contains_key(&cluster.cluster.id.normalized());
    match evidence(projector, cluster) {
        Ok(evidence) => {
            let stale = if confirmed { stale(projector, cluster, &evidence, terms) } else { Vec::new() };
            Judged { stale, confirmed, ..judge_evidence(&evidence, terms) }
        }
        Err(gap) => unjudged(cluster, &gap, terms),
    }
}

/// Judges the evidence of one cluster.
pub fn judge_evidence(evidence: &Evidence, terms: &Terms<'_>) -> Judged {
    let (mut outcomes, mut not_covered) = (Vec::new(), Vec::new());
    for check in terms.checks {
        if covers(check) {
            outcomes.push(check.judge(evidence));
            continue;
        }
        not_covered.push(check.about.id);
        // Asked in depth, ARM shows some of what these checks look for, and never all of it.
        let outcome = check.judge(evidence);
        if !evidence.pools.bootstrap_writes.not_collected() && !outcome.findings.is_empty() {
            outcomes.push(Outcome { gaps: Vec::new(), suspicions: Vec::new(), ..outcome });
        }
    }
    let mut diagnosis = Diagnosis::from_outcomes(evidence, outcomes);
    let asked = |check: &&&'static Check| terms.checks.iter().any(|own| own.about == check.about);
    diagnosis.not_asked = catalogue::ALL.iter().filter(|check| covers(check) && !asked(check)).count();
    let ruling = terms.policy.rule(diagnosis, terms.baseline.get(&evidence.cluster.id.normalized()));
    let verdict = ruling.diagnosis.verdict();
    Judged {
        cluster: Identity {
            id: evidence.cluster.id.clone(),
            location: evidence.cluster.location.clone(),
            registry: evidence.registry_id(),
        },
        verdict,
        findings: ruling.diagnosis.findings,
        checks: ruling.diagnosis.checks,
        suppressed: ruling.suppressed,
        notices: ruling.notices,
        not_covered,
        stale: Vec::new(),
        confirmed: false,
    }
}

/// The clusters that Resource Graph still shows and that ARM does not have, each with the errors that its rows show.
pub fn gone<'f>(fleet: &'f Fleet, terms: &Terms<'_>) -> Vec<(&'f ResourceId, Vec<Finding>)> {
    let projector = Projector::new(fleet, false);
    let covered: Vec<&'static Check> = terms.checks.iter().copied().filter(|check| covers(check)).collect();
    let gone = fleet.gone.iter().filter_map(|id| fleet.rows.clusters.rows.get(id));
    let errors = |cluster: &FleetCluster| {
        let known = cluster.bootstrap_gap().is_none();
        let found = known.then(|| Diagnosis::of(&projector.project(cluster).evidence, &covered).findings);
        found.into_iter().flatten().filter(|finding| finding.severity >= Severity::Error).collect()
    };
    gone.map(|cluster| (&cluster.cluster.id, errors(cluster))).collect()
}

/// Errors that the rows show and ARM's answers do not.
fn stale(projector: &Projector<'_>, cluster: &FleetCluster, now: &Evidence, terms: &Terms<'_>) -> Vec<Finding> {
    if cluster.bootstrap_gap().is_some() {
        return Vec::new();
    }
    let covered: Vec<&'static Check> = terms.checks.iter().copied().filter(|check| covers(check)).collect();
    let rows = projector.project(cluster).evidence;
    let (rows, now) = (Diagnosis::of(&rows, &covered), Diagnosis::of(now, &covered));
    let present: BTreeSet<Fingerprint> = now.findings.iter().map(Finding::fingerprint).collect();
    // What ARM could not answer either is unknown, and no longer an error.
    let seen =
        |finding: &&Finding| now.checks.iter().any(|result| result.check == finding.check && result.gaps.is_empty());
    let errors = rows.findings.iter().filter(|finding| finding.severity >= Severity::Error).filter(seen);
    errors.filter(|finding| !present.contains(&finding.fingerprint())).cloned().collect()
}

/// A cluster of which not even the settings are known.
fn unjudged(cluster: &FleetCluster, gap: &Gap, terms: &Terms<'_>) -> Judged {
    let (covered, other): (Vec<_>, Vec<_>) = terms.checks.iter().partition(|check| covers(check));
    let result = |check: &&'static Check| CheckResult {
        check: &check.about,
        status: Status::Undetermined,
        reason: Some(format!("could not check: {}", gap.detail)),
        gaps: vec![gap.clone()],
    };
    Judged {
        cluster: Identity {
            id: cluster.cluster.id.clone(),
            location: cluster.cluster.location.clone(),
            registry: None,
        },
        verdict: Verdict::Incomplete,
        findings: Vec::new(),
        checks: covered.into_iter().map(result).collect(),
        suppressed: Vec::new(),
        notices: Vec::new(),
        not_covered: other.into_iter().map(|check| check.about.id).collect(),
        stale: Vec::new(),
        confirmed: false,
    }
}
