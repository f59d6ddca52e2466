//! What is said of a security rule or a route that stands in the way, for every check that finds one.

use super::command::Command;
use super::finding::{Observation, Remediation, RemediationKind};
use super::remedy::{self, remedy};
use crate::model::paths::Block;

/// The connection that is stopped, in words.
pub struct Barred {
    /// Between what: `the nodes and endpoint kube-apiserver`.
    pub between: String,
    /// Where the rule to add leads from and to, as rules name it.
    pub from: String,
    pub to: String,
    /// The ports to allow: `TCP 443`, `any protocol and port`.
    pub allow: String,
    pub docs: &'static str,
}

/// What stands in the way, what shows it, and what to do about it.
pub struct Barrier {
    pub detail: String,
    pub seen: Observation,
    pub remediation: Remediation,
}

impl Barred {
    /// Puts a block into words. Whether the group or table is shared is for its owner to know: the rule is printed, not
    /// a command that adds it.
    pub fn by(&self, block: &Block) -> Barrier {
        let (list, field, value) = match block.direction {
            Some(_) => ("securityRules", "access", "Deny"),
            None => ("routes", "nextHopType", "None"),
        };
        let (detail, advice, look) = match block.direction {
            Some(direction) => self.denied(block, direction),
            None => self.dropped(block),
        };
        let path = format!("properties.{list}[{}].properties.{field}", block.rule);
        let look = vec![remedy::in_subscription(look, &block.id)];
        Barrier {
            detail,
            seen: Observation::new(format!("GET {}", block.id), path, value),
            remediation: remedy(RemediationKind::Investigate, advice, look, self.docs),
        }
    }

    /// A security rule that denies, and the rule to put before it.
    fn denied(&self, block: &Block, direction: &str) -> (String, String, Command) {
        let (rule, group) = (&block.rule, block.id.name());
        let look = Command::new("az network nsg rule list").with("-g", block.id.resource_group().unwrap_or_default());
        let detail = format!(
            "Rule {rule} of security group {group} denies {} {} {} between {}.",
            direction.to_lowercase(),
            block.protocol.as_str(),
            block.port,
            self.between
        );
        let priority = match block.room {
            Some(free) => format!("with priority {free}, which is free"),
            None => "once that rule has a higher number, because no priority before it is free".to_owned(),
        };
        let advice = format!(
            "Add a rule before it in security group {group}: {direction}, Allow, {}, from {} to {}, {priority} (az \
             network nsg rule create); or remove rule {rule}.",
            self.allow, self.from, self.to,
        );
        (detail, advice, look.with("--nsg-name", group))
    }

    /// A route that drops.
    fn dropped(&self, block: &Block) -> (String, String, Command) {
        let (route, table) = (&block.rule, block.id.name());
        let look = Command::new("az network route-table route").word(if block.is_named { "show" } else { "list" });
        let look = look.with("-g", block.id.resource_group().unwrap_or_default()).with("--route-table-name", table);
        let look = if block.is_named { look.with("-n", route.as_str()) } else { look };
        let detail = format!(
            "Route {route} of route table {table} has no next hop (None) and drops traffic between {}.",
            self.between
        );
        let advice = format!(
            "Delete route {route} of route table {table}, or narrow its prefix so that {} is not in it.",
            self.to
        );
        (detail, advice, look)
    }
}
