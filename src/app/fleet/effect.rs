//! `fleet --what-if`: the changes that were given, made in the evidence of every cluster that they concern.

use super::evidence_of;
use crate::answers::fleet::whatif::SharedChange;
use crate::answers::fleet::{Judged, Projector, Terms, judge_evidence};
use crate::checks::finding::{Finding, Fingerprint};
use crate::diagnosis::Verdict;
use crate::evidence::Evidence;
use crate::evidence::fleet::Fleet;
use crate::report::fleet::model::{EffectEntry, FleetEffect};
use crate::text::{self, problem::Problem};

/// The changes of a command line.
pub(super) struct Changes<'a> {
    texts: &'a [String],
    changes: Vec<SharedChange>,
}

impl<'a> Changes<'a> {
    /// Reads the changes before anything is asked.
    pub(super) fn read(texts: &'a [String]) -> Result<Self, Problem> {
        let example = "for example: --what-if 'delete cache-rule aks-managed-mcr of contosoboot'";
        let read = |text: &String| {
            text.parse::<SharedChange>().map_err(|why| Problem::new(format!("--what-if: {why}"), example))
        };
        Ok(Self { texts, changes: texts.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// What the changes would do, and the findings that only they bring.
    pub(super) fn effect(
        &self,
        fleet: &Fleet,
        judged: &[Judged],
        terms: &Terms<'_>,
    ) -> Result<(Option<FleetEffect>, Vec<Finding>), Problem> {
        if self.changes.is_empty() {
            return Ok((None, Vec::new()));
        }
        // Nobody is asked any more: what was not asked for is not looked for.
        let projector = Projector::new(fleet, false);
        let (mut clusters, mut brought, mut refused) = (Vec::new(), Vec::new(), None);
        let mut used = vec![false; self.changes.len()];
        for before in judged {
            let Some(mut evidence) = evidence_of(&projector, fleet, before) else {
                // Not even its settings are known, so that any of the changes may concern it.
                clusters.push(unknown(before));
                continue;
            };
            let (mut concerned, mut open) = (false, false);
            for (change, used) in self.changes.iter().zip(&mut used) {
                match change.apply(&mut evidence) {
                    Some(Ok(())) => (concerned, *used) = (true, true),
                    // What would be changed may be among what could not be seen.
                    Some(Err(_)) if before.incomplete() => (open, *used) = (true, true),
                    Some(Err(why)) => refused = refused.or(Some(why)),
                    None if before.incomplete() && change.may_be_unseen(&evidence) => open = true,
                    None => {}
                }
            }
            if open {
                clusters.push(unknown(before));
            } else if concerned {
                clusters.push(entry(before, &evidence, terms, &mut brought));
            }
        }
        if let Some((_, text)) = used.iter().zip(self.texts).find(|(used, _)| !**used) {
            let why = refused.unwrap_or_else(|| "no cluster that was judged uses it".to_owned());
            let hint = "name what the clusters have, as the report names it";
            return Err(Problem::new(format!("--what-if '{}': {why}", text::clean(text)), hint));
        }
        let effect = FleetEffect { changes: self.texts.to_vec(), clusters };
        Ok((Some(effect), brought))
    }
}

/// A cluster that the changes concern.
fn entry(before: &Judged, changed: &Evidence, terms: &Terms<'_>, brought: &mut Vec<Finding>) -> EffectEntry {
    let after = judge_evidence(changed, terms);
    let known: Vec<Fingerprint> = before.findings.iter().map(Finding::fingerprint).collect();
    let new = after.findings.into_iter().filter(|finding| !known.contains(&finding.fingerprint()));
    let new: Vec<Finding> = new.collect();
    let entry = EffectEntry {
        after: after.verdict.as_str().to_owned(),
        new_findings: new.iter().map(|finding| finding.fingerprint().to_string()).collect(),
        ..unknown(before)
    };
    brought.extend(new);
    entry
}

/// A cluster of which it is not known what the changes would do.
fn unknown(before: &Judged) -> EffectEntry {
    EffectEntry {
        id: before.cluster.id.to_string(),
        before: before.verdict.as_str().to_owned(),
        after: Verdict::Incomplete.as_str().to_owned(),
        new_findings: Vec::new(),
        stops: Vec::new(),
    }
}
