//! What a node's own view says about the matters of other checks: it settles what Azure leaves open, adds what only a
//! node knows, and stands beside what others report.

use crate::checks::check::Check;
use crate::checks::finding::Finding;
use crate::checks::judge::Outcome;
use crate::checks::node_view;
use crate::checks::open::{Against, Answers, Doubt, Question};
use crate::checks::rule::Severity;
use crate::evidence::Evidence;

/// Judges the checks; the node's view answers the others also where nobody asked for that check itself.
pub(super) fn judge(evidence: &Evidence, checks: &[&'static Check]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> = checks.iter().map(|check| check.judge(evidence)).collect();
    let asked = checks.iter().any(|check| check.about == node_view::CHECK.about);
    if !asked && !evidence.probes.is_empty() {
        outcomes.push(node_view::CHECK.judge(evidence));
        settle(&mut outcomes, evidence);
        outcomes.pop();
    } else {
        settle(&mut outcomes, evidence);
    }
    outcomes
}

fn settle(outcomes: &mut [Outcome], evidence: &Evidence) {
    for at in 0..outcomes.len() {
        let answers = std::mem::take(&mut outcomes[at].answers);
        for outcome in outcomes.iter_mut() {
            close(outcome, &answers);
            open(outcome, &answers);
            add(outcome, &answers);
        }
        let contradictions =
            answers.contradictions.into_iter().filter(|(against, _)| holds(*against, outcomes, evidence));
        let contradictions: Vec<Finding> = contradictions.map(|(_, finding)| finding).collect();
        contradictions.into_iter().for_each(|finding| merge(&mut outcomes[at].findings, finding));
    }
}

/// Takes away what is open no longer.
fn close(outcome: &mut Outcome, answers: &Answers) {
    let settled = |until: &[Question]| until.iter().all(|question| answers.settled.contains(question));
    let gone: Vec<Doubt> =
        outcome.open.iter().filter(|open| settled(&open.until)).map(|open| open.what.clone()).collect();
    outcome.open.retain(|open| !gone.contains(&open.what));
    outcome.gaps.retain(|gap| !gone.contains(&Doubt::Gap(gap.clone())));
    outcome.findings.retain(|own| !gone.contains(&Doubt::Finding(own.rule, own.subject.id.clone())));
    if answers.settled.contains(&Question::Path) {
        for suspicion in std::mem::take(&mut outcome.suspicions) {
            outcome.gaps.retain(|gap| *gap != suspicion.gap);
        }
    }
}

/// What was only suspected is so.
fn open(outcome: &mut Outcome, answers: &Answers) {
    if answers.confirmed.contains(&Question::Path) {
        for suspicion in std::mem::take(&mut outcome.suspicions) {
            outcome.gaps.retain(|gap| *gap != suspicion.gap);
            outcome.findings.push(suspicion.finding);
        }
    }
}

/// Adds findings of the outcome's own check, and observations beside those that it has.
fn add(outcome: &mut Outcome, answers: &Answers) {
    if outcome.not_applicable.is_some() {
        return;
    }
    for (_, finding) in answers.findings.iter().filter(|(check, _)| *check == outcome.check) {
        merge(&mut outcome.findings, finding.clone());
    }
    for (rule, seen) in &answers.corroborations {
        for finding in outcome.findings.iter_mut().filter(|finding| finding.is(rule)) {
            finding.evidence.push(seen.clone());
        }
    }
}

/// Adds a finding, or what it adds to the one that is there.
fn merge(findings: &mut Vec<Finding>, new: Finding) {
    let Some(known) = findings.iter_mut().find(|known| known.fingerprint() == new.fingerprint()) else {
        return findings.push(new);
    };
    if known.facts.exit_code.is_none() && !known.detail.contains(&new.detail) {
        known.detail = format!("{} {}", known.detail, new.detail);
    }
    known.facts.nodes.extend(new.facts.nodes);
    let seen: Vec<_> = new.evidence.into_iter().filter(|seen| !known.evidence.contains(seen)).collect();
    known.evidence.extend(seen);
}

/// Whether what would be contradicted is certain.
fn holds(against: Against, outcomes: &[Outcome], evidence: &Evidence) -> bool {
    match against {
        Against::Stated => true,
        Against::Passing(check) => outcomes.iter().filter(|outcome| outcome.check == check).any(|outcome| {
            let well = outcome.gaps.is_empty() && outcome.not_applicable.is_none();
            well && !outcome.findings.iter().any(|own| own.severity > Severity::Info) && !forwarded(evidence)
        }),
        Against::Standing(rules) => outcomes.iter().any(|outcome| {
            let certain = |own: &&Finding| {
                !outcome.open.iter().any(|open| open.what == Doubt::Finding(own.rule, own.subject.id.clone()))
            };
            outcome
                .findings
                .iter()
                .filter(certain)
                .any(|own| own.rule.is_one_of(rules) && own.severity == Severity::Error)
        }),
    }
}

/// Whether a forwarding ruleset answers a node network: what it says, Azure's configuration does not show.
fn forwarded(evidence: &Evidence) -> bool {
    let (nodes, _) = evidence.node_networks();
    evidence
        .network
        .forwarding_links
        .values()
        .any(|links| links.known().is_none_or(|networks| networks.iter().any(|network| nodes.contains(network))))
}
