//! What is asked of the Kubernetes API.

use crate::evidence::{Gap, Reason, Section};

/// What the Kubernetes API must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KubernetesCall {
    /// The API group; empty is the core group.
    pub group: &'static str,
    /// `nodes`, `events`.
    pub resource: &'static str,
    /// `list`, `get`.
    pub verb: &'static str,
    /// Namespace and name of the one object; `None` is all of them.
    pub object: Option<(&'static str, &'static str)>,
    /// The parts of the evidence that it is asked for.
    pub sections: &'static [Section],
}

const fn list(group: &'static str, resource: &'static str, sections: &'static [Section]) -> KubernetesCall {
    KubernetesCall { group, resource, verb: "list", object: None, sections }
}

impl KubernetesCall {
    /// Nodes prove whose cluster this is: without them, nothing else that the Kubernetes API says is used.
    pub const NODES: Self = list(
        "",
        "nodes",
        &[
            Section::Nodes,
            Section::Events,
            Section::Pods,
            Section::Autoscaler,
            Section::Templates,
            Section::Budgets,
            Section::Storage,
        ],
    );
    /// Listing events of all namespaces.
    pub const EVENTS: Self = list("", "events", &[Section::Events, Section::Storage]);
    /// Listing pods of all namespaces.
    pub const PODS: Self = list("", "pods", &[Section::Pods, Section::Budgets]);
    /// Reading the autoscaler's status.
    pub const AUTOSCALER: Self = Self {
        verb: "get",
        object: Some(("kube-system", "cluster-autoscaler-status")),
        ..list("", "configmaps", &[Section::Autoscaler])
    };
    /// Listing NodeClaims of node auto-provisioning; asked only there.
    pub const NODE_CLAIMS: Self = list("karpenter.sh", "nodeclaims", &[Section::Autoscaler]);
    pub const DEPLOYMENTS: Self = list("apps", "deployments", &[Section::Templates]);
    pub const STATEFUL_SETS: Self = list("apps", "statefulsets", &[Section::Templates]);
    pub const DAEMON_SETS: Self = list("apps", "daemonsets", &[Section::Templates]);
    pub const CRON_JOBS: Self = list("batch", "cronjobs", &[Section::Templates]);
    pub const BUDGETS: Self = list("policy", "poddisruptionbudgets", &[Section::Budgets]);
    pub const STORAGE_CLASSES: Self = list("storage.k8s.io", "storageclasses", &[Section::Storage]);
    pub const VOLUMES: Self = list("", "persistentvolumes", &[Section::Storage]);
    pub const CLAIMS: Self = list("", "persistentvolumeclaims", &[Section::Storage]);

    /// Everything that aksiso may ask for.
    pub const ALL: [Self; 13] = [
        Self::NODES,
        Self::EVENTS,
        Self::PODS,
        Self::AUTOSCALER,
        Self::NODE_CLAIMS,
        Self::DEPLOYMENTS,
        Self::STATEFUL_SETS,
        Self::DAEMON_SETS,
        Self::CRON_JOBS,
        Self::BUDGETS,
        Self::STORAGE_CLASSES,
        Self::VOLUMES,
        Self::CLAIMS,
    ];

    /// The path of the list, in all namespaces.
    pub fn path(self) -> String {
        match self.group {
            "" => format!("/api/v1/{}", self.resource),
            group => format!("/apis/{group}/v1/{}", self.resource),
        }
    }

    /// The permission in words.
    pub fn words(self) -> String {
        let Self { group, resource, verb, object, .. } = self;
        match (group, object) {
            (_, Some((namespace, name))) => format!("{verb} {resource}/{name} (Kubernetes, namespace {namespace})"),
            ("", None) => format!("{verb} {resource} (Kubernetes, core/v1, all namespaces)"),
            (group, None) => format!("{verb} {resource}.{group} (Kubernetes)"),
        }
    }

    /// A gap that says that this list could not be read.
    pub fn gap(self, reason: Reason, detail: impl Into<String>) -> Gap {
        // Whose sign-in is refused is not helped by a role.
        let refused = reason == Reason::Forbidden;
        Gap {
            needed: Some(self.words()),
            scope: "the cluster's Kubernetes API".to_owned(),
            role: refused.then(|| "ClusterRole aksiso-reader (aksiso permissions prints it)".to_owned()),
            call: Some(self.request().into()),
            kubernetes: true,
            ..Gap::new(reason, detail)
        }
    }

    /// The request: `GET /api/v1/nodes`.
    fn request(self) -> String {
        let Self { group, resource, object, .. } = self;
        match (group, object) {
            (_, Some((namespace, name))) => format!("GET /api/v1/namespaces/{namespace}/{resource}/{name}"),
            ("", None) => format!("GET /api/v1/{resource}"),
            (group, None) => format!("GET /apis/{group}/v1/{resource}"),
        }
    }
}
