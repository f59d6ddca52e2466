//! What the cluster's own settings mean: whose registry it is, whether egress is closed, what its pools are doing.

use crate::evidence::cloud::{self, Cloud};
use crate::evidence::cluster::BootstrapProfile;
use crate::evidence::id::ResourceId;
use crate::evidence::pools::AgentPool;
use crate::evidence::registry::Registry;
use crate::evidence::{Evidence, Fact};

/// Whose registry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// AKS created it in the node resource group and repairs it by a reconcile.
    Managed,
    /// The operator brought it.
    Byo,
    /// The cluster names no registry.
    None,
}

impl Ownership {
    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Byo => "byo",
            Self::None => "none",
        }
    }
}

/// What a `provisioningState` means for whoever judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolState {
    /// The last operation ended well.
    Settled,
    /// The last operation failed or was canceled.
    Failed,
    /// An operation is running.
    Transient,
}

impl PoolState {
    /// Reads a `provisioningState`; an absent one is settled, an unknown word is an operation.
    pub fn of(state: Option<&str>) -> Self {
        match state.map(str::to_lowercase).as_deref() {
            None | Some("" | "succeeded") => Self::Settled,
            Some("failed" | "canceled") => Self::Failed,
            Some(_) => Self::Transient,
        }
    }
}

impl AgentPool {
    /// Whether the pool is stopped.
    pub fn stopped(&self) -> bool {
        self.power_state.as_ref().is_some_and(|state| is(state.code.as_ref(), "Stopped"))
    }

    /// Whether its nodes should be there as they are: it is neither stopped nor in the midst of an operation.
    pub fn is_settled(&self) -> bool {
        !self.stopped() && self.state() != PoolState::Transient
    }

    /// What the pool is doing.
    pub fn state(&self) -> PoolState {
        PoolState::of(self.provisioning_state.as_deref())
    }
}

/// Whether an optional text is the word, in any casing.
pub(crate) fn is(text: Option<&String>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

impl Evidence {
    /// Whether pods pull as their service accounts (preview): then the kubelet's role decides only for the bootstrap.
    pub fn pulls_as_service_accounts(&self) -> bool {
        let profile = self.cluster.properties.security_profile.as_ref();
        let pulls = profile.and_then(|profile| profile.service_account_image_pull_profile.as_ref());
        pulls.is_some_and(|pulls| pulls.enabled == Some(true))
    }

    /// The bootstrap profile; an absent one is all unset.
    pub fn bootstrap(&self) -> BootstrapProfile {
        self.cluster.properties.bootstrap_profile.clone().unwrap_or_default()
    }

    /// Whether system artifacts come from the registry.
    pub fn uses_cache(&self) -> bool {
        is(self.bootstrap().artifact_source.as_ref(), "Cache")
    }

    /// The outbound type; ARM's default is `loadBalancer`.
    pub fn outbound_type(&self) -> &str {
        let profile = self.cluster.properties.network_profile.as_ref();
        profile.and_then(|profile| profile.outbound_type.as_deref()).unwrap_or("loadBalancer")
    }

    /// Whether AKS gives the nodes no way out (`none`, `block`).
    pub fn egress_closed(&self) -> bool {
        ["none", "block"].iter().any(|kind| self.outbound_type().eq_ignore_ascii_case(kind))
    }

    /// Whether egress goes through a managed NAT gateway V2: an outbound type of its own, or since API 2026-06-01 a SKU.
    pub fn nat_gateway_v2(&self) -> bool {
        let profile = self.cluster.properties.network_profile.as_ref();
        let sku = profile.and_then(|profile| profile.nat_gateway_profile.as_ref()?.sku.as_ref());
        let kind = self.outbound_type();
        let managed = kind.eq_ignore_ascii_case("managedNATGateway");
        kind.eq_ignore_ascii_case("managedNATGatewayV2") || managed && is(sku, "standardV2")
    }

    /// The registry that the cluster names.
    pub fn registry_id(&self) -> Option<ResourceId> {
        self.bootstrap().container_registry_id
    }

    /// Managed = in the node resource group, decided by the group and never by the registry's name.
    pub fn ownership(&self) -> Ownership {
        let Some(id) = self.registry_id() else {
            return Ownership::None;
        };
        let same = |left: Option<&str>, right: Option<&str>| match (left, right) {
            (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
            _ => false,
        };
        let group = self.cluster.properties.node_resource_group.as_deref();
        if same(id.resource_group(), group) && same(id.subscription(), self.cluster.id.subscription()) {
            Ownership::Managed
        } else {
            Ownership::Byo
        }
    }

    /// The registry, where it is known to exist.
    pub fn known_registry(&self) -> Option<&Registry> {
        self.registry.registry.known()?.as_ref()
    }

    /// The login server, where the registry is known.
    pub fn login_server(&self) -> Option<&str> {
        self.known_registry()?.properties.login_server.as_deref()
    }

    /// Whether a host is the bootstrap registry. Where that no longer exists nothing shows its login server, but hosts
    /// are named after it: `name.azurecr.io`, or `name-hash.azurecr.io` with a domain name label.
    pub fn is_bootstrap_registry(&self, host: &str) -> bool {
        if let Some(server) = self.login_server() {
            return server.eq_ignore_ascii_case(host);
        }
        let gone = matches!(self.registry.registry, Fact::Known(None));
        let name = host.split(['.', '-']).next().unwrap_or_default();
        gone && cloud::is_registry(host) && self.registry_id().is_some_and(|id| id.name().eq_ignore_ascii_case(name))
    }

    /// The cloud that the cluster is in.
    pub fn cloud(&self) -> &'static Cloud {
        Cloud::of(self.cluster.location.as_deref().unwrap_or_default(), self.login_server())
    }

    /// Host names of Microsoft's registry in this cluster's cloud; the first is what a new rule is made for.
    pub fn mcr_hosts(&self) -> &'static [&'static str] {
        self.cloud().mcr_hosts
    }

    /// Whether nodes of this cluster's cloud mirror the host: Microsoft's registry under its name there, now or formerly.
    pub fn mirrors(&self, host: &str) -> bool {
        let cloud = self.cloud();
        cloud.mcr_hosts.iter().chain(cloud.former_mcr_hosts).any(|known| host.eq_ignore_ascii_case(known))
    }

    /// Whether the node resource group is locked (`ReadOnly`): nothing in it can be changed by hand.
    pub fn node_group_locked(&self) -> bool {
        let profile = self.cluster.properties.node_resource_group_profile.as_ref();
        profile.is_some_and(|profile| is(profile.restriction_level.as_ref(), "ReadOnly"))
    }

    /// Whether the cluster is stopped; then there are no nodes to look at.
    pub fn stopped(&self) -> bool {
        self.cluster.properties.power_state.as_ref().is_some_and(|state| is(state.code.as_ref(), "Stopped"))
    }

    /// Whether it is a cluster of AKS Automatic, whose settings are Microsoft's.
    pub fn automatic(&self) -> bool {
        self.cluster.sku.as_ref().is_some_and(|sku| is(sku.name.as_ref(), "Automatic"))
    }

    /// Whether node auto-provisioning makes the nodes.
    pub fn auto_provisioning(&self) -> bool {
        let profile = self.cluster.properties.node_provisioning_profile.as_ref();
        profile.is_some_and(|profile| is(profile.mode.as_ref(), "Auto"))
    }
}
