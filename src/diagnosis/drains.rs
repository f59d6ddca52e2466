//! What would hold up the reimages that findings recommend, whichever check recommends them.

use crate::checks::command::Command;
use crate::checks::finding::{Finding, SubjectId};
use crate::checks::impact::Impact;
use crate::checks::judge::Outcome;
use crate::checks::node_image;
use crate::checks::rule::Severity;
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Gap};
use crate::model::nodes::{Group, groups};

/// Reports budgets that allow no disruption, where a finding wants their nodes reimaged; as information where that
/// finding is no more.
pub fn judge(outcomes: &mut [Outcome], evidence: &Evidence) {
    let rolled: Vec<(ResourceId, Severity)> =
        outcomes.iter().flat_map(|outcome| &outcome.findings).flat_map(rolls).collect();
    let judges = |outcome: &&mut Outcome| *outcome.check == node_image::CHECK.about && outcome.not_applicable.is_none();
    let (Some(own), Some(pools)) = (outcomes.iter_mut().find(judges), evidence.pools.agent_pools.known()) else {
        return;
    };
    let nodes = evidence.kubernetes.nodes.known().filter(|_| !evidence.stopped());
    for group in groups(pools, nodes.map(Vec::as_slice).unwrap_or_default()) {
        if group.pool.is_some_and(|pool| !pool.is_settled()) {
            continue;
        }
        let wanted = rolled.iter().filter(|(target, _)| covers(target, &group, evidence));
        if let Some(wanted) = wanted.map(|(_, severity)| *severity).max() {
            report(own, evidence, &group, wanted.min(Severity::Warning));
        }
    }
}

/// What a finding's commands replace nodes of: a pool, a NodePool or the whole cluster.
fn rolls(finding: &Finding) -> impl Iterator<Item = (ResourceId, Severity)> {
    let changes = finding.remediation.commands.iter().filter_map(Command::change);
    // The nodes of a NodePool are replaced by deleting its NodeClaims.
    let rolling = changes.filter(|change| matches!(change.impact, Impact::RollsNodes | Impact::Deletes));
    rolling.map(|change| (change.target.clone(), finding.severity))
}

/// A pool's own reimage, or one of all pools.
fn covers(target: &ResourceId, group: &Group<'_>, evidence: &Evidence) -> bool {
    let own = node_image::subject(group, evidence).id;
    own == SubjectId::Resource(target.clone()) || group.pool.is_some() && *target == evidence.cluster.id
}

fn report(outcome: &mut Outcome, evidence: &Evidence, group: &Group<'_>, severity: Severity) {
    let (finding, gap) = node_image::drains::finding(evidence, group);
    if let Some(gap) = gap.filter(|_| severity > Severity::Info).map(Gap::bounded)
        && !outcome.gaps.contains(&gap)
    {
        outcome.gaps.push(gap);
    }
    if let Some(finding) = finding {
        outcome.findings.push(Finding { check: outcome.check, ..finding.bounded().with_severity(severity) });
    }
}
