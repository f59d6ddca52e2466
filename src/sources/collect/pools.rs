//! Node pools, the images they could have, and the machines behind them.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{Collector, left_out};
use crate::evidence::calls::azure::{self as api, Api};
use crate::evidence::cluster::Extension;
use crate::evidence::pools::Machine;
use crate::evidence::pools::{AgentPool, AgentPoolItem, InstanceProperties, UpgradeProfile};
use crate::evidence::resource::Part;
use crate::evidence::{Evidence, Fact, Section};
use crate::model::nodes::suspect_scale_set;
use crate::sources::progress::Stage;

type Instances = BTreeMap<String, Fact<Vec<Part<InstanceProperties>>>>;
type Machines = Fact<Vec<Machine>>;

impl Collector {
    /// The pools that the cluster's own answer lists; only where it lists none are they asked for.
    pub(super) async fn agent_pools(&self, evidence: &Evidence) -> Fact<Vec<AgentPool>> {
        if let Some(pools) = evidence.cluster.properties.agent_pool_profiles.as_ref().filter(|pools| !pools.is_empty())
        {
            return Fact::Known(pools.clone());
        }
        if !self.wants(Section::AgentPools) {
            return Fact::default();
        }
        let path = evidence.cluster.id.child("agentPools");
        let items: Fact<Vec<AgentPoolItem>> = self.arm.list(&api::AGENT_POOLS, path.as_str(), &[]).await;
        items.map(|items| items.into_iter().map(AgentPool::from).collect())
    }

    /// Upgrade profiles, scale sets and machines.
    pub(super) async fn pool_details(
        &self,
        evidence: &Evidence,
    ) -> (BTreeMap<String, Fact<UpgradeProfile>>, Machines, Machines) {
        let _stage = self.progress.stage(Stage::NodePools);
        let pools: &[AgentPool] = evidence.pools.agent_pools.known().map_or(&[], Vec::as_slice);
        let any = |kind: &str| {
            pools.iter().any(|pool| pool.kind.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(kind)))
        };
        let machines = any("VirtualMachines");
        let sets = pools
            .iter()
            .any(|pool| pool.kind.as_deref().is_none_or(|kind| !kind.eq_ignore_ascii_case("VirtualMachines")));
        tokio::join!(
            self.upgrade_profiles(evidence, pools),
            self.compute(evidence, &api::SCALE_SETS, "virtualMachineScaleSets", sets),
            self.compute(evidence, &api::VIRTUAL_MACHINES, "virtualMachines", machines),
        )
    }

    pub(super) async fn extensions(&self, evidence: &Evidence) -> Fact<Vec<Extension>> {
        let _stage = self.progress.stage(Stage::Extensions);
        if !self.wants(Section::Extensions) {
            return Fact::default();
        }
        let path = format!("{}/providers/Microsoft.KubernetesConfiguration/extensions", evidence.cluster.id);
        self.arm.list_under(&api::EXTENSIONS, &path).await
    }

    /// The instances of scale sets that something is wrong with, or may be: their extensions tell the bootstrap's exit code.
    pub(super) async fn failed_instances(&self, evidence: &Evidence) -> Instances {
        let Some(sets) = evidence.pools.scale_sets.known().filter(|_| self.wants(Section::Instances)) else {
            return BTreeMap::new();
        };
        let pools = evidence.pools.agent_pools.known().into_iter().flatten();
        let failed = pools.filter_map(|pool| Some((pool, suspect_scale_set(evidence, pool, sets)?)));
        let asked = failed.map(|(pool, set)| async move {
            let path = set.id.child("virtualMachines");
            (pool.name.clone(), self.arm.list(&api::INSTANCES, path.as_str(), &[("$expand", "instanceView")]).await)
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn upgrade_profiles(
        &self,
        evidence: &Evidence,
        pools: &[AgentPool],
    ) -> BTreeMap<String, Fact<UpgradeProfile>> {
        if !self.wants(Section::UpgradeProfiles) {
            return BTreeMap::new();
        }
        let asked = pools.iter().filter(|pool| !pool.stopped()).map(|pool| async move {
            let id = evidence.cluster.id.child("agentPools").child(&pool.name).child("upgradeProfiles/default");
            (pool.name.clone(), self.arm.get(&api::UPGRADE_PROFILES, &id).await)
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn compute(&self, evidence: &Evidence, api: &Api, kind: &str, asked: bool) -> Machines {
        let group = evidence.cluster.properties.node_resource_group.as_deref();
        let (Some(group), Some(subscription)) = (group, evidence.cluster.id.subscription()) else {
            return left_out("the cluster names no node resource group");
        };
        if !asked || !self.wants(Section::ScaleSets) {
            return Fact::default();
        }
        let path = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/{kind}");
        self.arm.list(api, &path, &[]).await
    }
}
