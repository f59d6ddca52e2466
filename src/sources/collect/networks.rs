//! The virtual networks of the node pools.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Collector, left_out};
use serde::de::DeserializeOwned;

use crate::evidence::calls::azure::{self as api, Api};
use crate::evidence::id::ResourceId;
use crate::evidence::network::{RouteTable, SecurityGroup, SubnetProperties, VirtualNetwork};
use crate::evidence::{Evidence, Fact, Section};
use crate::model::networks;
use crate::sources::progress::Stage;

/// The networks of the nodes, and what guards their subnets.
#[derive(Default)]
pub(super) struct NodeNetworks {
    pub(super) own: BTreeMap<ResourceId, Fact<VirtualNetwork>>,
    pub(super) managed: Fact<Vec<VirtualNetwork>>,
    pub(super) route_tables: BTreeMap<ResourceId, Fact<RouteTable>>,
    pub(super) security_groups: BTreeMap<ResourceId, Fact<SecurityGroup>>,
}

impl Collector {
    /// The networks of the pools' own subnets, and those of the node resource group for pools without a subnet; then
    /// the route tables and security groups of the node subnets.
    pub(super) async fn node_networks(&self, evidence: &Evidence) -> NodeNetworks {
        let _stage = self.progress.stage(Stage::Networks);
        let Some(pools) = evidence.pools.agent_pools.known().filter(|_| self.wants(Section::VirtualNetworks)) else {
            return NodeNetworks::default();
        };
        let own = pools.iter().filter_map(|pool| pool.vnet_subnet_id.as_ref()?.up_to("virtualNetworks"));
        let own: BTreeSet<ResourceId> = own.collect();
        let unset = pools.iter().any(|pool| pool.vnet_subnet_id.is_none());
        let (own, managed) = tokio::join!(self.virtual_networks(own), self.managed_networks(evidence, unset));
        let networks = own.values().filter_map(Fact::known).chain(managed.known().into_iter().flatten());
        let subnets: Vec<&SubnetProperties> =
            networks::node_subnets(pools, networks).map(|(_, subnet)| subnet).collect();
        let tables = subnets.iter().filter_map(|subnet| subnet.route_table.as_ref()?.id.clone()).collect();
        let groups = subnets.iter().filter_map(|subnet| subnet.network_security_group.as_ref()?.id.clone()).collect();
        let (route_tables, security_groups) = tokio::join!(
            self.each(Section::RouteTables, &api::ROUTE_TABLES, tables),
            self.each(Section::SecurityGroups, &api::SECURITY_GROUPS, groups)
        );
        NodeNetworks { own, managed, route_tables, security_groups }
    }

    /// Reads resources by id, where the section is wanted.
    pub(super) async fn each<T: DeserializeOwned>(
        &self,
        section: Section,
        api: &Api,
        ids: BTreeSet<ResourceId>,
    ) -> BTreeMap<ResourceId, Fact<T>> {
        if !self.wants(section) {
            return BTreeMap::new();
        }
        self.by_id(api, ids).await
    }

    /// Reads resources by id, all at once.
    pub(super) async fn by_id<T: DeserializeOwned>(
        &self,
        api: &Api,
        ids: impl IntoIterator<Item = ResourceId>,
    ) -> BTreeMap<ResourceId, Fact<T>> {
        let read = ids.into_iter().map(|id| async move {
            let resource = self.arm.get(api, &id).await;
            (id, resource)
        });
        join_all(read).await.into_iter().collect()
    }

    pub(super) async fn virtual_networks(
        &self,
        ids: BTreeSet<ResourceId>,
    ) -> BTreeMap<ResourceId, Fact<VirtualNetwork>> {
        self.by_id(&api::VIRTUAL_NETWORKS, ids).await
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
