//! Gathers the evidence: which sections, in which stages, all concurrently. Never fails but for the cluster itself.
//!
//! A stage stands for a real dependency: the cluster; what it names; what those name. What is asked only in some cases
//! (where no zone is linked, where an endpoint lies elsewhere) follows at the end.

mod access;
mod activity;
mod api_server;
mod dns;
mod endpoints;
mod followup;
mod locks;
mod networks;
mod nodes;
mod others;
mod pools;
mod provider;
mod registry;

use std::collections::BTreeSet;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use jiff::Timestamp;

use crate::evidence::calls::azure as api;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Fact, Gap, Reason, Section};
use crate::sources::azure::arm::{Arm, Limits};
use crate::sources::azure::error::Failure;
use crate::sources::caught::caught;
use crate::sources::kubernetes::connect::{self, Wish};
use crate::sources::progress::Progress;

/// What collection works with.
pub struct Collector {
    pub arm: Arm,
    /// Our sign-in, for Kubernetes APIs that use Entra ID.
    pub credential: Arc<dyn TokenCredential>,
    pub limits: Limits,
    pub progress: Progress,
    /// What the command line says about the Kubernetes API.
    pub kubernetes: Wish,
    /// What the chosen checks need.
    pub sections: BTreeSet<Section>,
}

impl Collector {
    /// Gathers everything about one cluster, as of `now`, and about other registries as if it named them.
    ///
    /// # Errors
    /// The failure, where the cluster itself could not be read: then there is nothing to judge.
    pub async fn collect(&self, id: &ResourceId, others: &[ResourceId], now: Timestamp) -> Result<Evidence, Failure> {
        // What hangs holds up only what needs it: the Activity Log is waited for at the very end.
        let (evidence, writes) = tokio::join!(self.everything(id, others, now), self.bootstrap_writes(id, now));
        let mut evidence = evidence?;
        evidence.pools.bootstrap_writes = writes;
        evidence.locks = self.locks(&evidence).await;
        Ok(evidence)
    }

    /// The cluster, and what it names.
    async fn everything(&self, id: &ResourceId, others: &[ResourceId], now: Timestamp) -> Result<Evidence, Failure> {
        let cluster = self.arm.read::<ManagedCluster>(&api::MANAGED_CLUSTERS, id).await?;
        Ok(self.about(cluster, others, now).await)
    }

    /// Side by side, what ARM and what the Kubernetes API know of a cluster: neither waits for the other. Not the
    /// Activity Log.
    pub async fn about(&self, cluster: ManagedCluster, others: &[ResourceId], now: Timestamp) -> Evidence {
        let mut evidence = Evidence::new(now, cluster);
        evidence.pools.agent_pools = self.agent_pools(&evidence).await;
        let known = evidence.clone();
        let (azure, kubernetes) = tokio::join!(self.azure(evidence, others), caught(self.kubernetes(&known)));
        let (mut evidence, zones) = azure;
        evidence.kubernetes = kubernetes.unwrap_or_else(|failure| nodes::nothing(&connect::gap(&failure)));
        // Which other registries matter is known only now.
        self.other_names(&mut evidence, &zones).await;
        evidence
    }

    /// What the cluster names in Azure, what those name, and what they leave open; and the zones that were listed.
    async fn azure(&self, mut evidence: Evidence, others: &[ResourceId]) -> (Evidence, Vec<ResourceId>) {
        let (pools, extensions, registry, api_server, access, network, provider) = tokio::join!(
            self.pool_details(&evidence),
            self.extensions(&evidence),
            self.registry_path(&evidence),
            self.api_server(&evidence),
            self.access(&evidence),
            self.node_networks(&evidence),
            self.registry_provider(&evidence),
        );
        evidence.registry_provider = provider;
        (evidence.pools.upgrade_profiles, evidence.pools.scale_sets, evidence.pools.virtual_machines) = pools;
        evidence.pools.extensions = extensions;
        evidence.registry = registry.registry;
        evidence.network = registry.network;
        evidence.network.virtual_networks = network.own;
        evidence.network.managed_networks = network.managed;
        evidence.network.route_tables = network.route_tables;
        evidence.network.security_groups = network.security_groups;
        evidence.api_server = api_server;
        evidence.access = access;
        self.follow_up(&mut evidence).await;
        self.others(&mut evidence, others).await;
        (evidence, registry.listed_zones)
    }

    fn wants(&self, section: Section) -> bool {
        self.sections.contains(&section)
    }
}

/// The gap of what is left out for a reason of its own.
fn not_asked(why: &str) -> Gap {
    Gap::new(Reason::NotCollected, why)
}

/// A fact that is left out for a reason of its own.
fn left_out<T>(why: &str) -> Fact<T> {
    Fact::Missing(not_asked(why))
}

/// The subscription list that a resource type is listed under.
fn in_subscription(subscription: &str, kind: &str) -> String {
    format!("/subscriptions/{subscription}/providers/{kind}")
}
