//! The Kubernetes API: which one to ask, and the few paged lists that are asked of it.

pub mod connect;
pub mod list;
pub mod pulls;
mod raw;
mod scale;

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
    /// Listing pods of all namespaces.
    pub const PODS: Self = Self { resource: "pods" };
    /// Reading the autoscaler's status.
    pub const AUTOSCALER: Self = Self { resource: "configmaps" };
    /// Listing NodeClaims of node auto-provisioning.
    pub const NODE_CLAIMS: Self = Self { resource: "nodeclaims" };

    /// The permission in words.
    fn words(self) -> String {
        match self.resource {
            "configmaps" => "get configmaps/cluster-autoscaler-status (Kubernetes, namespace kube-system)".to_owned(),
            "nodeclaims" => "list nodeclaims.karpenter.sh (Kubernetes)".to_owned(),
            resource => format!("list {resource} (Kubernetes, core/v1, all namespaces)"),
        }
    }

    /// A gap that says that this list could not be read.
    pub fn gap(self, reason: Reason, detail: impl Into<String>) -> Gap {
        let refused = matches!(reason, Reason::Forbidden | Reason::Unauthorized);
        Gap {
            reason,
            needed: Some(self.words()),
            scope: "the cluster's Kubernetes API".to_owned(),
            role: refused.then(|| "ClusterRole aksiso-reader (in aksiso's README)".to_owned()),
            detail: detail.into(),
        }
    }
}
