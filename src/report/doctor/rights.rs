//! Whether the reader holds each permission: judged from what Azure says that he may do, and nothing else.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use schemars::JsonSchema;
use serde::Serialize;

use crate::evidence::access::Permission;
use crate::evidence::calls::azure::{self as api, Api};
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::id::ResourceId;
use crate::evidence::kubernetes::KubernetesFacts;
use crate::evidence::workloads::{DesiredImages, ImageUse};
use crate::evidence::{Fact, Gap, Reason};
use crate::report::permissions::Permissions;
use crate::text;

/// Whether a permission is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Granted {
    /// This cluster needs it for nothing.
    NotNeeded,
    Yes,
    /// It could not be determined.
    Unknown,
    No,
}

impl Granted {
    /// Whether a check misses nothing.
    pub fn suffices(self) -> bool {
        matches!(self, Self::NotNeeded | Self::Yes)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotNeeded | Self::Yes => "yes",
            Self::Unknown => "unknown",
            Self::No => "no",
        }
    }

    pub(super) fn style(self) -> Style {
        let colour = match self {
            Self::NotNeeded | Self::Yes => AnsiColor::Green,
            Self::Unknown => AnsiColor::Yellow,
            Self::No => AnsiColor::Red,
        };
        Style::new().fg_color(Some(colour.into()))
    }
}

/// One permission.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// `azure` or `kubernetes`.
    pub plane: &'static str,
    pub permission: String,
    pub granted: Granted,
    /// Where it was looked for, or where it is missing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Why it is not a plain yes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The smallest built-in role that grants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_role: Option<&'static str>,
    /// The checks that see less without it.
    pub checks: Vec<&'static str>,
}

/// A kind of place at which a permission counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Cluster,
    NodeGroup,
    Registry,
    Networks,
    /// Those of the cluster, the registry and the networks.
    Subscriptions,
}

/// The places of one cluster.
pub type Places = BTreeMap<Place, Vec<ResourceId>>;

/// What Azure and the cluster said.
#[derive(Debug)]
pub struct Rights<'r> {
    pub places: &'r Places,
    /// The reader's own permissions at each place.
    pub own: &'r BTreeMap<ResourceId, Fact<Vec<Permission>>>,
    /// What the Kubernetes API answered.
    pub kubernetes: &'r KubernetesFacts,
    /// Whether a kubeconfig leads to the cluster, so that Azure's credential is not asked for.
    pub has_context: bool,
}

impl Rights<'_> {
    /// Every permission that these checks need.
    pub fn judge(&self, needed: &Permissions) -> Vec<Right> {
        let azure = needed.azure.iter().map(|(api, checks)| self.azure(api, checks));
        let kubernetes = needed.kubernetes.iter().map(|(call, checks)| self.in_cluster(*call, checks));
        azure.chain(kubernetes).collect()
    }

    fn azure(&self, api: &'static Api, checks: &[&'static str]) -> Right {
        let (place, exact) = place(api);
        let none = Vec::new();
        let scopes = self.places.get(&place).unwrap_or(&none);
        let mut right = Right {
            plane: "azure",
            permission: api.action.to_owned(),
            granted: Granted::Yes,
            scope: text::listed(scopes.iter().map(ResourceId::as_str)),
            why: String::new(),
            smallest_role: Some(api.role),
            checks: checks.to_vec(),
        };
        if scopes.is_empty() || (*api == api::CLUSTER_USER_CREDENTIAL && self.has_context) {
            right.granted = Granted::NotNeeded;
            return right;
        }
        for scope in scopes {
            let (granted, why) = match self.own.get(scope) {
                Some(Fact::Known(blocks)) if blocks.iter().any(|block| block.allows_action(api.action)) => continue,
                Some(Fact::Known(_)) if exact => (Granted::No, "not granted".to_owned()),
                Some(Fact::Known(_)) => {
                    (Granted::Unknown, "not granted here; may be granted on the resource".to_owned())
                }
                Some(Fact::Missing(gap)) => (Granted::Unknown, gap.detail.clone()),
                None => (Granted::Unknown, "not asked".to_owned()),
            };
            if granted > right.granted {
                (right.granted, right.why, right.scope) = (granted, why, scope.as_str().to_owned());
            }
        }
        right
    }

    /// Kubernetes tells by what it answers: asking it for one's permissions would be a request that creates something.
    fn in_cluster(&self, call: KubernetesCall, checks: &[&'static str]) -> Right {
        let (granted, why) = match answer(self.kubernetes, call) {
            Ok(()) => (Granted::Yes, String::new()),
            Err(Some(gap)) => match gap.reason {
                Reason::Forbidden | Reason::Unauthorized => (Granted::No, gap.detail.clone()),
                Reason::NotCollected if call == KubernetesCall::NODE_CLAIMS => (Granted::NotNeeded, String::new()),
                _ => (Granted::Unknown, gap.detail.clone()),
            },
            Err(None) => (Granted::Unknown, "not asked".to_owned()),
        };
        Right {
            plane: "kubernetes",
            permission: call.words(),
            granted,
            scope: String::new(),
            why,
            smallest_role: None,
            checks: checks.to_vec(),
        }
    }
}

/// Whether a call was answered: what it did not bring, or `None` where it was not made.
fn answer(facts: &KubernetesFacts, call: KubernetesCall) -> Result<(), Option<&Gap>> {
    let desired = |of: fn(&DesiredImages) -> &Fact<Vec<ImageUse>>| facts.desired.as_ref().map(|all| of(all).gap());
    let storage = facts.storage.as_ref();
    let made = match call {
        KubernetesCall::NODES => Some(facts.nodes.gap()),
        KubernetesCall::EVENTS => Some(facts.mirror_failures.gap()),
        KubernetesCall::PODS => Some(facts.images.gap()),
        KubernetesCall::AUTOSCALER => Some(facts.autoscaler.gap()),
        KubernetesCall::NODE_CLAIMS => Some(facts.node_claims.gap()),
        KubernetesCall::DEPLOYMENTS => desired(|all| &all.deployments),
        KubernetesCall::STATEFUL_SETS => desired(|all| &all.stateful_sets),
        KubernetesCall::DAEMON_SETS => desired(|all| &all.daemon_sets),
        KubernetesCall::CRON_JOBS => desired(|all| &all.cron_jobs),
        KubernetesCall::BUDGETS => facts.budgets.as_ref().map(Fact::gap),
        KubernetesCall::STORAGE_CLASSES => storage.map(|storage| storage.classes.gap()),
        KubernetesCall::VOLUMES => storage.map(|storage| storage.volumes.gap()),
        KubernetesCall::CLAIMS => storage.map(|storage| storage.claims.gap()),
        _ => None,
    };
    made.ok_or(None)?.map_or(Ok(()), |gap| Err(Some(gap)))
}

/// Where a call's permission counts, and whether it must be held there: what lies elsewhere in the subscription may be
/// granted closer to it.
fn place(api: &Api) -> (Place, bool) {
    match *api {
        api::MANAGED_CLUSTERS
        | api::CLUSTER_USER_CREDENTIAL
        | api::AGENT_POOLS
        | api::UPGRADE_PROFILES
        | api::EXTENSIONS => (Place::Cluster, true),
        api::ACTIVITY_LOG => (Place::Cluster, false),
        api::SCALE_SETS | api::INSTANCES | api::VIRTUAL_MACHINES => (Place::NodeGroup, true),
        api::REGISTRIES
        | api::ENDPOINT_CONNECTIONS
        | api::CACHE_RULES
        | api::CREDENTIAL_SETS
        | api::REPLICATIONS
        | api::ROLE_ASSIGNMENTS
        | api::ROLE_DEFINITIONS => (Place::Registry, true),
        api::VIRTUAL_NETWORKS => (Place::Networks, true),
        api::SECURITY_GROUPS | api::ROUTE_TABLES => (Place::Networks, false),
        // Lists of a whole subscription are cut down to what the reader may see.
        api::DNS_ZONES | api::FORWARDING_RULESETS | api::NETWORK_MANAGERS => (Place::Subscriptions, true),
        _ => (Place::Subscriptions, false),
    }
}

/// What a check is allowed to see.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckRights {
    pub id: &'static str,
    /// The worst of its permissions.
    pub granted: Granted,
    /// How many permissions it rests on.
    pub needed: usize,
    /// Those that are not granted, or not known to be.
    pub missing: Vec<String>,
}

impl CheckRights {
    /// By check, in the order of the catalogue.
    pub(super) fn of(rights: &[Right]) -> Vec<Self> {
        let mut checks: Vec<Self> = Vec::new();
        let all = crate::checks::catalogue::ALL.iter().map(|check| check.about.id);
        for id in all {
            let own: Vec<&Right> = rights.iter().filter(|right| right.checks.contains(&id)).collect();
            let Some(granted) = own.iter().map(|right| right.granted).max() else { continue };
            let missing = own.iter().filter(|right| !right.granted.suffices()).map(|right| right.words());
            checks.push(Self { id, granted, needed: own.len(), missing: missing.collect() });
        }
        checks
    }

    pub(super) fn words(&self) -> String {
        match self.missing.as_slice() {
            [] => format!("all {} permissions", self.needed),
            [one] => one.clone(),
            several => format!("{} of {}: {}", several.len(), self.needed, text::listed(several)),
        }
    }
}

impl Right {
    fn words(&self) -> String {
        let place = if self.scope.is_empty() { String::new() } else { format!(" on {}", self.scope) };
        let why =
            if self.granted == Granted::No { String::new() } else { format!(" ({})", text::bounded(&self.why, 200)) };
        format!("{}{place}{why}", self.permission)
    }
}
