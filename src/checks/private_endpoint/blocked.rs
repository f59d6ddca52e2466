//! `registry-path-blocked`: what stands between the nodes and an endpoint that works.

use super::on_endpoint;
use crate::checks::command::Command;
use crate::checks::finding::{Finding, Observation, RemediationKind};
use crate::checks::judge::Judge;
use crate::checks::remedy::{self, DOCS_PRIVATE_LINK, remedy};
use crate::checks::rule::Rule;
use crate::model::endpoints::{self, Candidate};
use crate::model::paths::{self, Block};

pub const PATH_BLOCKED: Rule = Rule::error(
    "registry-path-blocked",
    "A security group or route blocks the way from the nodes to the registry's private endpoint",
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
    gaps.into_iter().for_each(|gap| judge.note(gap));
}

fn blocked(candidate: &Candidate<'_>, block: &Block) -> Finding {
    let addresses = endpoints::addresses(candidate).iter().map(ToString::to_string).collect::<Vec<_>>();
    let endpoint = &candidate.endpoint.id;
    let Way { what, field, remedy: advice, look } = match block.direction {
        Some(direction) => denied(block, direction, &addresses),
        None => dropped(block),
    };
    let detail = format!("{what} {} ({}).", endpoint.name(), addresses.join(", "));
    let path = format!("properties.{}[{}].properties.{}", block.field, block.rule(), field.0);
    let seen = Observation::new(format!("GET {}", block.id), path, field.1);
    let look = remedy::in_subscription(look, &block.id);
    let remediation = remedy(RemediationKind::Investigate, advice, vec![look], DOCS_PRIVATE_LINK);
    on_endpoint(&PATH_BLOCKED, endpoint, detail, vec![seen], remediation)
}

/// What stands in the way, and what to do about it.
struct Way {
    what: String,
    /// The field that says so, and its value.
    field: (&'static str, &'static str),
    /// What to change, in words: whether the group or table is shared is for its owner to know.
    remedy: String,
    /// Shows what there is.
    look: Command,
}

/// A security rule that denies, and the rule to put before it.
fn denied(block: &Block, direction: &str, addresses: &[String]) -> Way {
    let look = Command::new("az network nsg rule list").with("-g", block.id.resource_group().unwrap_or_default());
    let what = format!(
        "Rule {} of security group {} denies {} TCP 443 between the nodes and endpoint",
        block.rule(),
        block.id.name(),
        direction.to_lowercase()
    );
    let priority = match block.room {
        Some(free) => format!("with priority {free}, which is free"),
        None => "once that rule has a higher number, because no priority before it is free".to_owned(),
    };
    let remedy = format!(
        "Put a rule before it in security group {}: {direction}, Allow, TCP, from VirtualNetwork to {} port 443, \
         {priority} (az network nsg rule create); or remove rule {}.",
        block.id.name(),
        addresses.join(" "),
        block.rule()
    );
    Way { what, field: ("access", "Deny"), remedy, look: look.with("--nsg-name", block.id.name()) }
}

/// A route that drops.
fn dropped(block: &Block) -> Way {
    let look = Command::new("az network route-table route").word(if block.name.is_some() { "show" } else { "list" });
    let look = look.with("-g", block.id.resource_group().unwrap_or_default());
    let look = look.with("--route-table-name", block.id.name());
    let look = block.name.iter().fold(look, |look, name| look.with("-n", name.as_str()));
    let what = format!(
        "Route {} of route table {} has no next hop (None) and drops what is sent to endpoint",
        block.rule(),
        block.id.name()
    );
    let remedy = format!(
        "Delete route {} of route table {}, or narrow its prefix so that the endpoint's address is not in it.",
        block.rule(),
        block.id.name()
    );
    Way { what, field: ("nextHopType", "None"), remedy, look }
}
