//! What the policy and the baseline accept anywhere in a fleet, and what is wrong with the policy itself.

use std::collections::BTreeSet;

use crate::answers::fleet::Judged;
use crate::checks::command::Shell;
use crate::checks::finding::Finding;
use crate::diagnosis::policy::{Notice, SuppressedBy};
use crate::report::model::{FindingEntry, SuppressedEntry, finding_entry};

/// What is accepted anywhere, each once.
pub(super) fn suppressed(clusters: &[Judged], shell: Shell) -> Vec<SuppressedEntry> {
    let all = clusters.iter().flat_map(|cluster| &cluster.suppressed);
    let mut known = BTreeSet::new();
    let once = all.filter(|(finding, _)| known.insert(finding.fingerprint()));
    let entry = |(finding, by): &(Finding, SuppressedBy)| SuppressedEntry {
        finding: FindingEntry { caused_by: Vec::new(), ..finding_entry(finding, shell) },
        suppressed_by: by.clone(),
    };
    once.map(entry).collect()
}

/// A suppression that is of use to one cluster is of use.
pub(super) fn notices(clusters: &[Judged]) -> Vec<Notice> {
    let Some((first, others)) = clusters.split_first() else { return Vec::new() };
    let everywhere = |notice: &&Notice| {
        let same = |own: &Notice| own.file == notice.file && own.line == notice.line;
        others.iter().all(|cluster| cluster.notices.iter().any(same))
    };
    first.notices.iter().filter(everywhere).cloned().collect()
}
