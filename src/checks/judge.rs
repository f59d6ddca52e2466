//! What a check works with: the evidence, and a place for findings and gaps.

use std::collections::{BTreeSet, HashSet};

use super::finding::{Finding, Observation};
use super::open::{Against, Answers, Doubt, Open, Question};
use super::rule::{Rule, RuleSet};
use crate::evidence::id::ResourceId;
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact, Gap};
use crate::model::cluster::Ownership;

/// The check does not apply to this cluster, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable(pub String);

/// What became of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub check: &'static RuleSet,
    pub findings: Vec<Finding>,
    /// What it needed and could not see.
    pub gaps: Vec<Gap>,
    /// Findings that another check may confirm.
    pub suspicions: Vec<Suspicion>,
    /// What of this goes away once a node's own view answers it.
    pub open: Vec<Open>,
    /// What it says about the matters of other checks.
    pub answers: Answers,
    /// Why it does not apply, where it does not.
    pub not_applicable: Option<String>,
}

/// Gathers what a check finds and what it could not see.
#[derive(Debug)]
pub struct Judge<'e> {
    pub evidence: &'e Evidence,
    check: &'static RuleSet,
    findings: Vec<Finding>,
    gaps: Vec<Gap>,
    /// The same, to look up: manifests can bring thousands.
    noted: HashSet<Gap>,
    suspicions: Vec<Suspicion>,
    open: Vec<Open>,
    /// What it says about the matters of other checks.
    pub answers: Answers,
}

/// A finding that cannot be proved by itself: until another check confirms it, it is a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspicion {
    /// The finding, once it is confirmed.
    pub finding: Finding,
    /// What is not known until then.
    pub gap: Gap,
}

impl<'e> Judge<'e> {
    /// A judge of this evidence.
    pub fn new(check: &'static RuleSet, evidence: &'e Evidence) -> Self {
        Self {
            check,
            evidence,
            findings: Vec::new(),
            gaps: Vec::new(),
            noted: HashSet::new(),
            suspicions: Vec::new(),
            open: Vec::new(),
            answers: Answers::default(),
        }
    }

    /// What was found and what was not seen.
    pub fn finish(self) -> Outcome {
        let Self { check, findings, gaps, suspicions, open, answers, .. } = self;
        Outcome { check, findings, gaps, suspicions, open, answers, not_applicable: None }
    }

    /// Notes a gap that a failed pull or bootstrap over the network turns into a finding.
    pub fn suspect(&mut self, finding: Finding, gap: Gap) {
        self.note(gap.clone());
        let finding = Finding { check: self.check, ..finding.bounded() };
        self.suspicions.push(Suspicion { finding, gap: gap.bounded() });
    }

    /// What was reported until now.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub fn report(&mut self, finding: Finding) {
        self.findings.push(Finding { check: self.check, ..finding.bounded() });
    }

    /// Notes that something could not be seen; the same gap is noted once.
    pub fn note(&mut self, gap: Gap) {
        let gap = gap.bounded();
        if self.noted.insert(gap.clone()) {
            self.gaps.push(gap);
        } else {
            // What matters anyway is not taken back by an answer.
            self.open.retain(|open| open.what != Doubt::Gap(gap.clone()));
        }
    }

    /// Notes that something could not be seen, which does not matter once a node answers the questions.
    pub fn note_until(&mut self, gap: Gap, until: &[Question]) {
        let what = Doubt::Gap(gap.clone().bounded());
        let known = self.noted.contains(&gap.clone().bounded());
        match self.open.iter_mut().find(|open| open.what == what) {
            Some(open) => open.until.extend_from_slice(until),
            None if known => {}
            None => {
                self.note(gap);
                self.open.push(Open { what, until: until.to_vec() });
            }
        }
    }

    /// Reports what a node may refute by its answer to a question.
    pub fn report_until(&mut self, finding: Finding, until: Question) {
        self.open.push(Open { what: Doubt::Finding(finding.rule, finding.subject.id.clone()), until: vec![until] });
        self.report(finding);
    }

    /// Reports a finding of another check's rule.
    pub fn hand(&mut self, check: &'static RuleSet, finding: Finding) {
        self.answers.findings.push((check, Finding { check, ..finding.bounded() }));
    }

    /// Puts an observation beside another check's finding of a rule.
    pub fn corroborate(&mut self, rule: &'static Rule, seen: Observation) {
        self.answers.corroborations.push((rule, seen));
    }

    /// Reports a finding that holds only beside what another check says.
    pub fn contradict(&mut self, against: Against, finding: Finding) {
        self.answers.contradictions.push((against, Finding { check: self.check, ..finding.bounded() }));
    }

    /// The answer, or a noted gap. `what` names the fact where nobody asked for it.
    pub fn know<T>(&mut self, fact: &'e Fact<T>, what: &str) -> Option<&'e T> {
        if let Some(gap) = fact.gap() {
            self.note(gap.clone().about(what));
        }
        fact.known()
    }

    /// The networks of the nodes; what could not be read of them is noted.
    pub fn node_networks(&mut self) -> BTreeSet<ResourceId> {
        let evidence = self.evidence;
        let (networks, gap) = evidence.node_networks();
        let unread = networks.iter().filter_map(|id| evidence.network(id).gap().cloned());
        for gap in gap.cloned().into_iter().chain(unread) {
            self.note(gap.about("the node network"));
        }
        networks
    }

    /// The answer, or a gap that does not matter once a node answers the questions.
    pub fn know_until<T>(&mut self, fact: &'e Fact<T>, what: &str, until: &[Question]) -> Option<&'e T> {
        if let Some(gap) = fact.gap() {
            self.note_until(gap.clone().about(what), until);
        }
        fact.known()
    }

    /// The same for a part that snapshots of earlier versions lack: there nothing is known, and no gap is noted, so
    /// that such a snapshot says what it said when it was taken.
    pub fn know_newer<T>(&mut self, fact: Option<&'e Fact<T>>, what: &str) -> Option<&'e T> {
        self.know(fact?, what)
    }

    /// The bootstrap registry: the entry of every check that is about it. `Ok(None)` = a gap was noted.
    ///
    /// # Errors
    /// The cluster has no such registry, which another check reports.
    pub fn registry(&mut self) -> Result<Option<&'e Registry>, NotApplicable> {
        self.cache_is_used()?;
        if self.evidence.ownership() == Ownership::None {
            return Err(NotApplicable("the cluster names no bootstrap registry".to_owned()));
        }
        match self.know(&self.evidence.registry.registry, "the bootstrap registry") {
            Some(None) => Err(NotApplicable("the bootstrap registry does not exist".to_owned())),
            Some(Some(registry)) => Ok(Some(registry)),
            None => Ok(None),
        }
    }

    /// The entry of checks that concern every cluster without a way out, or with a cache.
    ///
    /// # Errors
    /// The cluster has neither.
    pub fn is_isolated_or_cached(&self) -> Result<(), NotApplicable> {
        if self.evidence.egress_closed() { Ok(()) } else { self.cache_is_used() }
    }

    /// Whether the cluster takes its artifacts from a registry.
    ///
    /// # Errors
    /// It does not.
    pub fn cache_is_used(&self) -> Result<(), NotApplicable> {
        if self.evidence.uses_cache() {
            return Ok(());
        }
        let reason = if self.evidence.egress_closed() {
            "the cluster does not use a bootstrap registry (artifactSource is not Cache)"
        } else {
            "the cluster is not network isolated"
        };
        Err(NotApplicable(reason.to_owned()))
    }
}
