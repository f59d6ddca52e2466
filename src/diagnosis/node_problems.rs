//! What node-problem-detector says of nodes, beside the findings that it speaks for. It never makes a finding: on a
//! network isolated cluster some of it is what one wants.

use super::causes::DNS;
use crate::checks::finding::{Finding, Observation};
use crate::checks::image_pulls::rules as pulls;
use crate::checks::{node_bootstrap, node_view};
use crate::evidence::Evidence;
use crate::evidence::kubernetes::{DNS_PROBLEM, EGRESS_BLOCKED, Node};

/// Most nodes that are listed.
const MOST: usize = 20;

/// Puts the conditions of nodes beside findings about DNS, and explains blocked egress beside nodes that are not ready.
pub(super) fn corroborate(findings: &mut [Finding], evidence: &Evidence) {
    let nodes = evidence.kubernetes.nodes.known().map_or(&[] as &[Node], Vec::as_slice);
    let with = |problem: &'static str| {
        nodes.iter().filter(move |node| node.problems.iter().any(|own| own == problem)).take(MOST)
    };
    for finding in findings {
        let about_names = finding.rule.is_one_of(DNS)
            || finding.rule.is_one_of(&[&node_view::RESOLVES_PUBLIC, &node_view::RESOLVES_WRONG, &pulls::DNS_FAILURE]);
        if about_names {
            finding.evidence.extend(with(DNS_PROBLEM).map(|node| seen(node, DNS_PROBLEM, "True".to_owned())));
        }
        if finding.is(&node_bootstrap::NOT_READY) && evidence.egress_closed() {
            let own = with(EGRESS_BLOCKED).filter(|node| finding.facts.nodes.contains(&node.name));
            let value = format!("True, as it should be: outboundType is {}", evidence.outbound_type());
            finding.evidence.extend(own.map(|node| seen(node, EGRESS_BLOCKED, value.clone())));
        }
    }
}

fn seen(node: &Node, problem: &str, value: String) -> Observation {
    Observation::new(format!("GET /api/v1/nodes/{}", node.name), format!("status.conditions[{problem}]"), value)
}
