//! Nodes and failed pulls, and the proof that they are this cluster's.

use super::{Collector, not_asked};
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::id::ResourceId;
use crate::evidence::kubernetes::{KubernetesFacts, Node, ScaleUpProblem};
use crate::evidence::workloads::{BlockingBudget, DesiredImages, StorageFacts};
use crate::evidence::{Evidence, Fact, Gap, Reason, Section};
use crate::sources::kubernetes::connect::Connector;
use crate::sources::kubernetes::drains::Budgets;
use crate::sources::kubernetes::list::Lister;
use crate::sources::kubernetes::pulls::{self, PodPulls};
use crate::sources::progress::Stage;

impl Collector {
    /// Everything that the Kubernetes API tells; an API server that cannot be reached is an ordinary answer.
    pub async fn kubernetes(&self, evidence: &Evidence) -> KubernetesFacts {
        let _stage = self.progress.stage(Stage::Kubernetes);
        let asked = KubernetesCall::ALL.iter().flat_map(|call| call.sections);
        if !asked.into_iter().any(|section| self.wants(*section)) {
            return nothing(&Gap::not_collected());
        }
        if self.kubernetes.skip {
            return nothing(&not_asked("the Kubernetes API was left out (--no-kubernetes)"));
        }
        if evidence.stopped() {
            return nothing(&not_asked("the cluster is stopped"));
        }
        let connector =
            Connector { arm: &self.arm, credential: &self.credential, limits: self.limits, progress: &self.progress };
        let api = match connector.connect(&self.kubernetes, &evidence.cluster).await {
            Ok(api) => api,
            Err(gap) => return nothing(&gap),
        };
        let lister = Lister(&api);
        let provisioned = evidence.auto_provisioning();
        let rest = async {
            tokio::join!(
                self.if_wanted(Section::Events, lister.failed_pulls()),
                self.budgets_and_pods(&lister),
                self.if_wanted(Section::Autoscaler, async { Ok(lister.autoscaler().await) }),
                self.if_wanted(Section::Autoscaler, async {
                    Ok(if provisioned { lister.node_claims().await } else { Fact::default() })
                }),
                self.if_wanted(Section::Templates, async { Ok(lister.desired().await) }),
                self.if_wanted(Section::Storage, async { Ok(lister.storage().await) }),
            )
        };
        // Without nodes nothing proves whose cluster this is, so the rest is for nobody: it is not read on.
        let nodes = async {
            match lister.nodes().await {
                Fact::Known(nodes) => other_cluster(&nodes, &evidence.cluster).map_or(Ok(nodes), Err),
                Fact::Missing(gap) => Err(gap),
            }
        };
        let answers = tokio::try_join!(nodes, async { Ok(rest.await) });
        let (nodes, (events, (budgets, pods), autoscaler, node_claims, desired, storage)) = match answers {
            Ok(answers) => answers,
            Err(gap) => return nothing(&gap),
        };
        let images = pods.map(|pods| pulls::images(pods, events.as_ref().ok(), &nodes));
        KubernetesFacts {
            nodes: Fact::Known(nodes),
            mirror_failures: fact(events.map(|events| events.mirrors)),
            images: fact(images),
            autoscaler: unless_absent(evidence, autoscaler.unwrap_or_else(Fact::Missing)),
            node_claims: node_claims.unwrap_or_else(Fact::Missing),
            desired: Some(desired.unwrap_or_default()),
            budgets: Some(fact(budgets)),
            storage: Some(storage.unwrap_or_default()),
        }
    }

    /// Budgets that block, and then the pods: one list tells which images they use and which of them a budget covers.
    async fn budgets_and_pods(
        &self,
        lister: &Lister<'_>,
    ) -> (Result<Vec<BlockingBudget>, Gap>, Result<Vec<PodPulls>, Gap>) {
        let mut budgets = self.if_wanted(Section::Budgets, lister.budgets()).await;
        let mut none = Budgets::default();
        let blocking = budgets.as_mut().unwrap_or(&mut none);
        let (wanted, covers) = (self.wants(Section::Pods), !blocking.is_empty());
        let pods = if wanted || covers { lister.images(blocking).await } else { Err(Gap::not_collected()) };
        if let (Err(gap), true) = (&pods, covers) {
            budgets = Err(gap.clone());
        }
        (budgets.map(Budgets::finish), if wanted { pods } else { Err(Gap::not_collected()) })
    }

    async fn if_wanted<T>(&self, section: Section, ask: impl Future<Output = Result<T, Gap>>) -> Result<T, Gap> {
        if self.wants(section) { ask.await } else { Err(Gap::not_collected()) }
    }
}

/// Where no pool is sized by an autoscaler, any 404 says that there is no status of one.
fn unless_absent(evidence: &Evidence, status: Fact<Vec<ScaleUpProblem>>) -> Fact<Vec<ScaleUpProblem>> {
    let mut pools = evidence.pools.agent_pools.known().into_iter().flatten();
    let scaled = pools.any(|pool| pool.enable_auto_scaling == Some(true));
    match status {
        Fact::Missing(gap) if gap.reason == Reason::NotFound && !scaled => Fact::Known(Vec::new()),
        status => status,
    }
}

fn fact<T>(answer: Result<T, Gap>) -> Fact<T> {
    answer.map_or_else(Fact::Missing, Fact::Known)
}

/// All facts missing for the same reason.
pub(super) fn nothing(gap: &Gap) -> KubernetesFacts {
    fn missing<T>(gap: &Gap) -> Fact<T> {
        Fact::Missing(gap.clone())
    }
    KubernetesFacts {
        nodes: missing(gap),
        mirror_failures: missing(gap),
        images: missing(gap),
        autoscaler: missing(gap),
        node_claims: missing(gap),
        desired: Some(DesiredImages {
            deployments: missing(gap),
            stateful_sets: missing(gap),
            daemon_sets: missing(gap),
            cron_jobs: missing(gap),
        }),
        budgets: Some(missing(gap)),
        storage: Some(StorageFacts {
            classes: missing(gap),
            volumes: missing(gap),
            claims: missing(gap),
            failures: missing(gap),
        }),
    }
}

/// The gap of a kubeconfig that leads to another cluster: its nodes lie in another node resource group.
fn other_cluster(nodes: &[Node], cluster: &ManagedCluster) -> Option<Gap> {
    let group = cluster.properties.node_resource_group.as_deref()?;
    let own = |provider: &str| {
        let id = ResourceId::new(provider.strip_prefix("azure://")?);
        let same = |found: Option<&str>, wanted: Option<&str>| match (found, wanted) {
            (Some(found), Some(wanted)) => found.eq_ignore_ascii_case(wanted),
            _ => false,
        };
        Some(same(id.resource_group(), Some(group)) && same(id.subscription(), cluster.id.subscription()))
    };
    let real = nodes.iter().filter(|node| !node.is_virtual);
    let mut providers = real.filter_map(|node| node.provider_id.as_deref()).filter(|provider| !provider.is_empty());
    let other = providers.find(|provider| own(provider) != Some(true))?;
    let place = ResourceId::new(other);
    let place =
        place.resource_group().map_or_else(|| "elsewhere".to_owned(), |group| format!("in resource group {group}"));
    let detail = format!(
        "the Kubernetes API belongs to another cluster: its nodes lie {place}, those of this cluster in {group}"
    );
    Some(KubernetesCall::NODES.gap(Reason::WrongCluster, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_another_cluster_are_not_believed() {
        let json = serde_json::json!({
            "id": "/subscriptions/S/resourceGroups/g/x/aks",
            "properties": { "nodeResourceGroup": "MC_g_aks_eastus" },
        });
        let cluster: ManagedCluster = serde_json::from_value(json).expect("a cluster");
        let node = |provider: &str| Node { provider_id: Some(provider.to_owned()), ..Node::default() };
        let own = "azure:///subscriptions/s/resourceGroups/mc_G_aks_eastus/providers/Microsoft.Compute/\
                   virtualMachineScaleSets/x/virtualMachines/0";
        assert!(other_cluster(&[node(own), node("")], &cluster).is_none());
        assert!(other_cluster(&[node(&own.replace("mc_G", "mc_other"))], &cluster).is_some());
        assert!(other_cluster(&[node(&own.replace("/s/", "/t/"))], &cluster).is_some());
        assert!(other_cluster(&[node("kind://docker/kind/kind-control-plane")], &cluster).is_some());
        assert!(other_cluster(&[Node { is_virtual: true, ..node("kind://x") }], &cluster).is_none());
    }
}
