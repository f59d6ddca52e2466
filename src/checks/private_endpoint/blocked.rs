//! `registry-path-blocked`: what stands between the nodes and an endpoint that works.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::on_endpoint;
use crate::checks::barrier::{Barred, Barrier};
use crate::checks::finding::Finding;
use crate::checks::judge::Judge;
use crate::checks::open::Question;
use crate::checks::remedy::DOCS_PRIVATE_LINK;
use crate::checks::rule::Rule;
use crate::evidence::Evidence;
use crate::evidence::registry::Registry;
use crate::model::endpoints::{self, Candidate};
use crate::model::names::{RegistryNames, region};
use crate::model::paths::{self, Block};

pub const PATH_BLOCKED: Rule = Rule::error(
    "registry-path-blocked",
    "A security group or route blocks the path from the nodes to the registry's private endpoint",
)
.breaking_pulls();

/// Judges the ways to endpoints that work: one that is open is enough.
pub(super) fn judge(judge: &mut Judge<'_>, registry: &Registry, working: &[&Candidate<'_>]) {
    let mut blocks = Vec::new();
    let mut gaps = Vec::new();
    for candidate in working {
        let needed = needed(judge.evidence, registry, candidate);
        match paths::blocked(judge.evidence, candidate, &needed) {
            Ok(None) => return,
            Ok(Some(block)) => blocks.push(blocked(candidate, &needed, &block)),
            Err(unseen) => gaps.extend(unseen),
        }
    }
    if gaps.is_empty() {
        blocks.into_iter().for_each(|finding| judge.report(finding));
    }
    gaps.into_iter().for_each(|gap| judge.note_until(gap, &[Question::Path]));
}

/// The addresses that every pull may need: all but those of geo-replicas in other regions than the cluster's.
fn needed(evidence: &Evidence, registry: &Registry, candidate: &Candidate<'_>) -> BTreeSet<IpAddr> {
    let names = RegistryNames::of(registry);
    let own = region(evidence.cluster.location.as_deref().unwrap_or_default());
    endpoints::addresses_for(candidate, |name| {
        let replica = names.as_ref().and_then(|names| names.region_of(name).filter(|at| *at != names.home));
        replica.is_none_or(|replica| replica == own)
    })
}

fn blocked(candidate: &Candidate<'_>, addresses: &BTreeSet<IpAddr>, block: &Block) -> Finding {
    let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
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
