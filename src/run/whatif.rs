//! `--what-if`: the changes that were given, made in the evidence and nowhere else.

use super::Problem;
use crate::check;
use crate::correlate::Diagnosis;
use crate::evidence::Evidence;
use crate::finding::Finding;
use crate::whatif::{Change, Effect, effect};

/// Reads the changes before anything is asked.
pub(super) fn changes(texts: &[String]) -> anyhow::Result<Vec<Change>> {
    let read = |text: &String| {
        let wrong = |why: String| {
            Problem::new(format!("--what-if: {why}"), "for example: --what-if 'delete cache-rule aks-managed-mcr'")
        };
        text.parse::<Change>().map_err(|why| wrong(why).into())
    };
    texts.iter().map(read).collect()
}

/// The changed evidence, and what the changes do; without a change the evidence as it is.
pub(super) fn changed(
    evidence: Evidence,
    changes: &[Change],
    texts: &[String],
) -> anyhow::Result<(Evidence, Option<Effect>)> {
    if changes.is_empty() {
        return Ok((evidence, None));
    }
    let mut after = evidence.clone();
    for (change, text) in changes.iter().zip(texts) {
        change.apply(&mut after).map_err(|why| {
            Problem::new(
                format!("--what-if '{}': {why}", crate::text::clean(text)),
                "name what the cluster has, as the report names it",
            )
        })?;
    }
    let mut effect = effect(&evidence, &after, texts);
    let prints = |evidence: &Evidence| -> Vec<String> {
        Diagnosis::of(evidence, check::ALL).findings.iter().map(Finding::fingerprint).collect()
    };
    let before = prints(&evidence);
    effect.brings = prints(&after).into_iter().filter(|print| !before.contains(print)).collect();
    Ok((after, Some(effect)))
}
