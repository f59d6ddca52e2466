//! The virtual networks of the node pools.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Collector, left_out};
use crate::azure::api;
use crate::azure::id::ResourceId;
use crate::evidence::network::VirtualNetwork;
use crate::evidence::{Evidence, Fact, Section};

impl Collector {
    /// The networks of the pools' own subnets, and those of the node resource group for pools without a subnet.
    pub(super) async fn node_networks(
        &self,
        evidence: &Evidence,
    ) -> (BTreeMap<ResourceId, Fact<VirtualNetwork>>, Fact<Vec<VirtualNetwork>>) {
        let Some(pools) = evidence.pools.agent_pools.known().filter(|_| self.wants(Section::VirtualNetworks)) else {
            return (BTreeMap::new(), Fact::default());
        };
        let own = pools.iter().filter_map(|pool| pool.vnet_subnet_id.as_ref()?.up_to("virtualNetworks"));
        let own: BTreeSet<ResourceId> = own.collect();
        let managed = pools.iter().any(|pool| pool.vnet_subnet_id.is_none());
        tokio::join!(self.virtual_networks(own), self.managed_networks(evidence, managed))
    }

    /// Networks by id.
    pub(super) async fn virtual_networks(
        &self,
        ids: BTreeSet<ResourceId>,
    ) -> BTreeMap<ResourceId, Fact<VirtualNetwork>> {
        let read = ids.into_iter().map(|id| async move {
            let network = self.arm.get(&api::VIRTUAL_NETWORKS, &id).await;
            (id, network)
        });
        join_all(read).await.into_iter().collect()
    }

    async fn managed_networks(&self, evidence: &Evidence, asked: bool) -> Fact<Vec<VirtualNetwork>> {
        if !asked {
            return Fact::default();
        }
        let group = evidence.cluster.properties.node_resource_group.as_deref();
        let (Some(group), Some(subscription)) = (group, evidence.cluster.id.subscription()) else {
            return left_out("the cluster names no node resource group");
        };
        let path =
            format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/virtualNetworks");
        self.arm.list(&api::VIRTUAL_NETWORKS, &path, &[]).await
    }
}
