//! `fleet --what-if`: the changes that were given, made in the evidence of every cluster that they concern.

use super::evidence_of;
use crate::answers::fleet::whatif::SharedChange;
use crate::answers::fleet::{Judged, Projector, Terms, judge_evidence};
use crate::checks::finding::{Finding, Fingerprint};
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
        let projector = Projector::new(fleet, true);
        let (mut clusters, mut brought, mut refused) = (Vec::new(), Vec::new(), None);
        let mut used = vec![false; self.changes.len()];
        for before in judged {
            let Some(mut evidence) = evidence_of(&projector, fleet, before) else { continue };
            let mut concerned = false;
            for (change, used) in self.changes.iter().zip(&mut used) {
                match change.apply(&mut evidence) {
                    Some(Ok(())) => (concerned, *used) = (true, true),
                    Some(Err(why)) => refused = refused.or(Some(why)),
                    None => {}
                }
            }
            if !concerned {
                continue;
            }
            let after = judge_evidence(&evidence, terms);
            let known: Vec<Fingerprint> = before.findings.iter().map(Finding::fingerprint).collect();
            let new: Vec<&Finding> =
                after.findings.iter().filter(|finding| !known.contains(&finding.fingerprint())).collect();
            clusters.push(EffectEntry {
                id: before.cluster.id.to_string(),
                before: before.verdict.as_str().to_owned(),
                after: after.verdict.as_str().to_owned(),
                new_findings: new.iter().map(|finding| finding.fingerprint().to_string()).collect(),
                stops: Vec::new(),
            });
            brought.extend(new.into_iter().cloned());
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
