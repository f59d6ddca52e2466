//! `--what-if`: the changes that were given, made in the evidence and nowhere else.

use crate::answers::whatif::{Change, Effect};
use crate::checks::catalogue;
use crate::diagnosis::Diagnosis;
use crate::evidence::Evidence;
use crate::text::{self, problem::Problem};

/// The changes of a command line.
pub(super) struct Changes<'a> {
    texts: &'a [String],
    changes: Vec<Change>,
}

impl<'a> Changes<'a> {
    /// Reads the changes before anything is asked.
    pub(super) fn read(texts: &'a [String]) -> Result<Self, Problem> {
        let example = "for example: --what-if 'delete cache-rule aks-managed-mcr'";
        let read =
            |text: &String| text.parse::<Change>().map_err(|why| Problem::new(format!("--what-if: {why}"), example));
        Ok(Self { texts, changes: texts.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// What the changes do to the whole cluster, whichever checks the diagnosis after them was asked for.
    pub(super) fn effect(&self, before: &Evidence, after: &Diagnosis<'_>) -> Effect {
        let whole = |evidence| Diagnosis::of(evidence, catalogue::ALL);
        let before = whole(before);
        if after.checks.len() == catalogue::ALL.len() {
            Effect::of(&before, after, self.texts)
        } else {
            Effect::of(&before, &whole(after.evidence), self.texts)
        }
    }

    /// The changed evidence; none where there is no change.
    pub(super) fn apply(&self, evidence: &Evidence) -> Result<Option<Evidence>, Problem> {
        if self.changes.is_empty() {
            return Ok(None);
        }
        let mut after = evidence.clone();
        for (change, text) in self.changes.iter().zip(self.texts) {
            change.apply(&mut after).map_err(|why| {
                let hint = "name what the cluster has, as the report names it";
                Problem::new(format!("--what-if '{}': {why}", text::clean(text)), hint)
            })?;
        }
        Ok(Some(after))
    }
}
