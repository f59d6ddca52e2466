//! What `collect` says at its end: what it wrote, and what it could not read.

use std::path::Path;

use crate::diagnosis::{Diagnosis, gaps};
use crate::text::{bounded, count};

/// Most things that could not be read that are named.
const MOST: usize = 10;

/// The lines for standard error.
pub(super) fn lines(file: &Path, diagnosis: &Diagnosis<'_>) -> Vec<String> {
    let evidence = diagnosis.evidence;
    let pools = evidence.pools.agent_pools.known().map(|pools| count(pools.len(), "pool"));
    let nodes = evidence.kubernetes.nodes.known().map(|nodes| count(nodes.len(), "node"));
    let seen = [Some(format!("cluster {}", evidence.cluster.name())), pools, nodes];
    let seen = seen.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let file = if file.as_os_str() == "-" { "standard output".to_owned() } else { file.display().to_string() };

    let mut unread: Vec<String> = Vec::new();
    for gap in diagnosis.checks.iter().flat_map(|check| &check.gaps) {
        let line = gaps::line(gap);
        if !unread.contains(&line) {
            unread.push(line);
        }
    }
    if unread.is_empty() {
        return vec![format!("wrote {file}: {seen}; everything was read")];
    }
    let mut lines = vec![format!("wrote {file}: {seen}; {} could not be read (exit 3):", count(unread.len(), "thing"))];
    lines.extend(unread.iter().take(MOST).map(|line| format!("  {}", bounded(line, 600))));
    if unread.len() > MOST {
        lines.push(format!("  and {} more", unread.len() - MOST));
    }
    lines
}
