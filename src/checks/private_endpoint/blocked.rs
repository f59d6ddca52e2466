//! `registry-path-blocked`: what stands between the nodes and an endpoint that works.

use super::on_endpoint;
use crate::checks::barrier::{Barred, Barrier};
use crate::checks::finding::Finding;
use crate::checks::judge::Judge;
use crate::checks::open::Question;
use crate::checks::remedy::DOCS_PRIVATE_LINK;
use crate::checks::rule::Rule;
use crate::model::endpoints::{self, Candidate};
use crate::model::paths::{self, Block};

pub const PATH_BLOCKED: Rule = Rule::error(
    "registry-path-blocked",
    "A security group or route blocks the path from the nodes to the registry's private endpoint",
)
.breaking_pulls();

/// Judges the ways to endpoints that work: one that is open is enough.
pub(super) fn judge(judge: &mut Judge<'_>, working: &[&Candidate<'_>]) {
    let mut blocks = Vec::new();
    let mut gaps = Vec::new();
    for candidate in working {
        match paths::blocked(judge.evidence, candidate) {
            Ok(None) => return,
            Ok(Some(block)) => blocks.push((candidate, block)),
            Err(unseen) => gaps.extend(unseen),
        }
    }
    if gaps.is_empty() {
        blocks.into_iter().for_each(|(candidate, block)| judge.report(blocked(candidate, &block)));
    }
    gaps.into_iter().for_each(|gap| judge.note_until(gap, &[Question::Path]));
}

fn blocked(candidate: &Candidate<'_>, block: &Block) -> Finding {
    let addresses = endpoints::addresses(candidate).iter().map(ToString::to_string).collect::<Vec<_>>();
    let endpoint = &candidate.endpoint.id;
    let barred = Barred {
        between: format!("the nodes and endpoint {} ({})", endpoint.name(), addresses.join(", ")),
        from: "VirtualNetwork".to_owned(),
        to: addresses.join(" "),
        allow: "TCP 443".to_owned(),
        docs: DOCS_PRIVATE_LINK,
    };
    let Barrier { detail, seen, remediation } = barred.by(block);
    on_endpoint(&PATH_BLOCKED, endpoint, detail, vec![seen], remediation)
}
