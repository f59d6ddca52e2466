//! The checks: constant data with a pure function each. A new one is a file, a page, and two lines here.

mod bootstrap_profile;
mod cache_rules;
mod image_version;
mod judge;
mod kubelet_acrpull;
mod node_image;
mod private_dns;
mod private_endpoint;
mod reach;
mod remedy;

pub use judge::{Judge, NotApplicable};

use crate::evidence::{Evidence, Gap, Section};
use crate::finding::{Finding, Rule};

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Kebab-case, public and stable; also the name of its file and page.
    pub id: &'static str,
    /// One line.
    pub title: &'static str,
    /// The page, in Markdown: feeds `explain`.
    pub doc: &'static str,
    /// The parts of the evidence that it reads. The cluster itself is always there.
    pub needs: &'static [Section],
    /// The rules that it may report.
    pub rules: &'static [&'static Rule],
    /// The judgement.
    pub run: fn(&mut Judge<'_>) -> Result<(), NotApplicable>,
}

/// Every check, in the order of the report.
pub const ALL: &[&Check] = &[
    &bootstrap_profile::CHECK,
    &cache_rules::CHECK,
    &private_endpoint::CHECK,
    &private_dns::CHECK,
    &kubelet_acrpull::CHECK,
    &node_image::CHECK,
];

/// What became of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The check's id.
    pub check: &'static str,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// What it needed and could not see.
    pub gaps: Vec<Gap>,
    /// Why it does not apply, where it does not.
    pub not_applicable: Option<String>,
}

impl Check {
    /// Judges the evidence.
    pub fn judge(&self, evidence: &Evidence) -> Outcome {
        let mut judge = Judge::new(evidence);
        let not_applicable = (self.run)(&mut judge).err().map(|NotApplicable(reason)| reason);
        let (findings, gaps) = judge.finish();
        Outcome { check: self.id, findings, gaps, not_applicable }
    }

    /// The section of the page that is about one rule.
    pub fn rule_doc(&self, rule: &str) -> Option<&'static str> {
        let heading = format!("\n## {rule}\n");
        let start = self.doc.find(&heading)? + 1;
        let rest = &self.doc[start..];
        let end = rest[3..].find("\n## ").map_or(rest.len(), |end| end + 4);
        Some(rest[..end].trim_end())
    }
}

/// The check that reports a rule.
pub fn of_rule(rule: &str) -> Option<(&'static Check, &'static Rule)> {
    ALL.iter().find_map(|check| check.rules.iter().find(|known| known.id == rule).map(|known| (*check, *known)))
}
