//! What a check is: constant data with a pure function.

use super::judge::{Judge, NotApplicable, Outcome};
use super::rule::RuleSet;
use crate::evidence::{Evidence, Section};

#[derive(Debug)]
pub struct Check {
    /// What is public of it.
    pub about: RuleSet,
    /// The parts of the evidence that it reads. The cluster itself is always there.
    pub needs: &'static [Section],
    pub run: fn(&mut Judge<'_>) -> Result<(), NotApplicable>,
}

impl Check {
    pub fn judge(&'static self, evidence: &Evidence) -> Outcome {
        let mut judge = Judge::new(&self.about, evidence);
        let not_applicable = (self.run)(&mut judge).err().map(|NotApplicable(reason)| reason);
        Outcome { not_applicable, ..judge.finish() }
    }
}
