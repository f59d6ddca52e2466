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
    let (what, field, command) = match block.direction {
        Some(direction) => denied(block, direction, &addresses),
        None => dropped(block),
    };
    let detail = format!("{what} {} ({}).", endpoint.name(), addresses.join(", "));
    let path = format!("properties.{}[{}].properties.{}", block.field, block.rule, field.0);
    let seen = Observation::new(format!("GET {}", block.id), path, field.1);
    let command = remedy::in_subscription(command, &block.id);
    let summary = "Allow the nodes to reach the endpoint (for a security rule, mind that the priority is free), or \
                   remove what stands in the way.";
    let remediation = remedy(RemediationKind::Investigate, summary, vec![command], DOCS_PRIVATE_LINK);
    on_endpoint(&PATH_BLOCKED, endpoint, detail, vec![seen], remediation)
}

/// A security rule that denies, and the rule to put before it.
fn denied(block: &Block, direction: &str, addresses: &[String]) -> (String, (&'static str, &'static str), Command) {
    let rule = Command::new("az network nsg rule create").with("-g", block.id.resource_group().unwrap_or_default());
    let rule = rule.with("--nsg-name", block.id.name()).with("-n", "AllowBootstrapRegistry");
    let priority = block.priority.saturating_sub(1).max(100).to_string();
    let rule = rule.with("--priority", priority).with("--direction", direction).with("--access", "Allow");
    let rule = rule.with("--protocol", "Tcp").with("--source-address-prefixes", "VirtualNetwork");
    let rule = rule.word("--destination-address-prefixes");
    let rule = addresses.iter().fold(rule, |rule, address| rule.word(address.as_str()));
    let what = format!(
        "Rule {} of security group {} denies {} TCP 443 between the nodes and endpoint",
        block.rule,
        block.id.name(),
        direction.to_lowercase()
    );
    (what, ("access", "Deny"), rule.with("--destination-port-ranges", "443"))
}

/// A route that drops, and the command that deletes it.
fn dropped(block: &Block) -> (String, (&'static str, &'static str), Command) {
    let delete =
        Command::new("az network route-table route delete").with("-g", block.id.resource_group().unwrap_or_default());
    let delete = delete.with("--route-table-name", block.id.name()).with("-n", block.rule.as_str());
    let what = format!(
        "Route {} of route table {} has no next hop (None) and drops what is sent to endpoint",
        block.rule,
        block.id.name()
    );
    (what, ("nextHopType", "None"), delete)
}
