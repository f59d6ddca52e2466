//! The Kubernetes API: which one to ask, and the few paged lists that are asked of it.

pub mod connect;
pub mod list;

use crate::evidence::{Gap, Reason};

/// What the Kubernetes API must allow, as a gap names it.
#[derive(Debug, Clone, Copy)]
pub struct Permission {
    /// `nodes`, `events`.
    pub resource: &'static str,
}

impl Permission {
    /// Listing nodes.
    pub const NODES: Self = Self { resource: "nodes" };
    /// Listing events of all namespaces.
    pub const EVENTS: Self = Self { resource: "events" };

    /// A gap that says that this list could not be read.
    pub fn gap(self, reason: Reason, detail: impl Into<String>) -> Gap {
        let refused = matches!(reason, Reason::Forbidden | Reason::Unauthorized);
        Gap {
            reason,
            needed: Some(format!("list {} (Kubernetes, core/v1, all namespaces)", self.resource)),
            scope: "the cluster's Kubernetes API".to_owned(),
            role: refused.then(|| "ClusterRole aksiso-reader (in aksiso's README)".to_owned()),
            detail: detail.into(),
        }
    }
}
