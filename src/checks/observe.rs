//! Observations of many things of one kind: the first twenty, and how many more there are.

use super::finding::Observation;
use crate::evidence::kubernetes::Node;

/// Nodes that are listed.
const MOST: usize = 20;

/// One observation a node; which nodes a finding is about is a fact of its own, and never cut.
pub fn observe_nodes(nodes: &[&Node], path: &str, value: impl Fn(&Node) -> String) -> Vec<Observation> {
    let shown = nodes.iter().take(MOST);
    let mut seen: Vec<Observation> =
        shown.map(|node| Observation::new(format!("GET /api/v1/nodes/{}", node.name), path, value(node))).collect();
    if nodes.len() > MOST {
        seen.push(Observation::new("GET /api/v1/nodes", "items", format!("and {} more", nodes.len() - MOST)));
    }
    seen
}
