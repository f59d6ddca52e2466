//! What the operator says of registries: which the nodes reach, and which they must not count on.

use std::collections::BTreeMap;

use crate::evidence::cloud;
use crate::text;

/// Registries by host, and why the nodes reach them or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// By host: the way that leads there.
    reachable: BTreeMap<String, String>,
    /// By host or pattern of hosts: why not.
    unreachable: BTreeMap<String, String>,
}

impl Ways {
    /// Adds a host that nodes reach by a way of the operator's own.
    pub fn reach(&mut self, host: String, way: String) {
        self.reachable.insert(host, way);
    }

    /// Adds hosts that nodes do not reach, or shall not.
    pub fn block(&mut self, pattern: String, reason: String) {
        self.unreachable.insert(pattern, reason);
    }

    /// The same with another's words added, which win.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.reachable.extend(other.reachable);
        self.unreachable.extend(other.unreachable);
        self
    }

    /// The way to a host, where there is one.
    pub fn to(&self, host: &str) -> Option<&str> {
        self.reachable.get(host).map(String::as_str)
    }

    /// Why nodes do not reach a host: a host that is called reachable is none of those that a pattern means, and
    /// Microsoft's registry is judged by the cluster's own chain.
    pub fn blocked(&self, host: &str) -> Option<&str> {
        if self.reachable.contains_key(host) || cloud::is_mcr(host) {
            return None;
        }
        let own = self.unreachable.iter().find(|(pattern, _)| text::matches(pattern, host));
        own.map(|(_, reason)| reason.as_str())
    }

    /// A host that is called both.
    pub fn contradiction(&self) -> Option<&str> {
        self.reachable.keys().find(|host| self.unreachable.contains_key(*host)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_reachable_is_not_what_a_pattern_means() {
        let mut ways = Ways::default();
        ways.block("*".to_owned(), "policy".to_owned());
        ways.reach("quay.io".to_owned(), "firewall".to_owned());
        assert_eq!((ways.blocked("ghcr.io"), ways.blocked("quay.io")), (Some("policy"), None));
        assert_eq!((ways.to("quay.io"), ways.blocked("mcr.microsoft.com")), (Some("firewall"), None));
        assert_eq!(ways.contradiction(), None);
        ways.block("quay.io".to_owned(), "policy".to_owned());
        assert_eq!(ways.contradiction(), Some("quay.io"));
    }
}
