//! Paged lists of the Kubernetes API: each page is cut down to what a check reads, and only that is kept.

mod workloads;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use kube::api::{GetParams, ListParams, Request};
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use tokio::task::JoinHandle;

use super::call::{Api, PageAnswer, Question, Unanswered};
use super::drains::Budgets;
use super::pulls::{FailedPulls, ImagesOfPods, PodPulls};
use super::raw::{RawEvent, RawNode, RawPod};
use super::scale;
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::kubernetes::{MirrorFailure, Node, ScaleUpProblem};
use crate::evidence::{Fact, Gap};
use crate::model::message::mirror_host;

/// Objects of one page.
const PAGE: u32 = 500;
/// Most pages of one list; a server that never stops would otherwise be followed to the deadline.
const PAGES: usize = 2_000;
/// How often a list is begun again that expired while it was read.
const RESTARTS: usize = 2;

/// Reads lists.
pub struct Lister<'l>(pub &'l Api);

/// A question that is on its way; who drops it does not want the answer any more.
struct Coming(JoinHandle<PageAnswer>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    metadata: PageMetadata,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

impl PageMetadata {
    /// The token of the next page, where there is one.
    fn next(self) -> Option<String> {
        self.next.filter(|next| !next.is_empty())
    }
}

impl Lister<'_> {
    pub async fn nodes(&self) -> Fact<Vec<Node>> {
        let path = <core::Node as kube::Resource>::url_path(&(), None);
        let keep = |nodes: &mut Vec<Node>, node: RawNode| nodes.push(node.into());
        let nodes = self.each(KubernetesCall::NODES, &path, None, keep).await;
        nodes.map_or_else(|none| Fact::Missing(none.gap(KubernetesCall::NODES)), Fact::Known)
    }

    /// Events of failed pulls: mirror hosts once per node and host, and the newest message per pod and image.
    pub async fn failed_pulls(&self) -> Result<FailedPulls, Gap> {
        type Newest = BTreeMap<(String, String), Option<Timestamp>>;
        let path = <core::Event as kube::Resource>::url_path(&(), None);
        let keep = |(found, newest): &mut (FailedPulls, Newest), event: RawEvent| {
            let seen = event.seen();
            if let (Some(host), Some(node)) = (mirror_host(&event.message), event.node()) {
                let last = newest.entry((node, host)).or_default();
                *last = (*last).max(seen);
            }
            found.keep(event, seen);
        };
        let events = self.each(KubernetesCall::EVENTS, &path, Some("reason=Failed"), keep).await;
        let (mut found, newest) = events.map_err(|none| none.gap(KubernetesCall::EVENTS))?;
        let failures = newest.into_iter().map(|((node, host), last_seen)| MirrorFailure { node, host, last_seen });
        found.mirrors = failures.collect();
        Ok(found)
    }

    /// Images that pods use, and containers that wait for theirs; and the pods that budgets cover. Pods that have ended
    /// are noise.
    pub async fn images(&self, budgets: &mut Budgets) -> Result<Vec<PodPulls>, Gap> {
        let path = <core::Pod as kube::Resource>::url_path(&(), None);
        let keep = |pods: &mut ImagesOfPods, pod: RawPod| {
            budgets.cover(&pod);
            pods.add(&pod);
        };
        let pods = self.each(KubernetesCall::PODS, &path, None, keep).await;
        Ok(pods.map_err(|none| none.gap(KubernetesCall::PODS))?.finish())
    }

    /// What the cluster autoscaler could not do; nothing where there is no autoscaler.
    pub async fn autoscaler(&self) -> Fact<Vec<ScaleUpProblem>> {
        let permission = KubernetesCall::AUTOSCALER;
        self.0.progress().asking("Kubernetes cluster-autoscaler-status");
        let maps = Request::new("/api/v1/namespaces/kube-system/configmaps");
        let question = maps.get("cluster-autoscaler-status", &GetParams::default());
        let body = self.0.ask(question).await;
        let problems = body.and_then(|body| {
            let malformed = || Unanswered::malformed("the autoscaler's status is not what it writes");
            scale::backed_off(&body).ok_or_else(malformed)
        });
        problems.map_or_else(|none| none.or_none(permission), Fact::Known)
    }

    /// NodeClaims that have not become nodes.
    pub async fn node_claims(&self) -> Fact<Vec<ScaleUpProblem>> {
        let permission = KubernetesCall::NODE_CLAIMS;
        let keep = |claims: &mut Vec<ScaleUpProblem>, claim: scale::RawNodeClaim| claims.extend(claim.problem());
        let claims = self.each(permission, "/apis/karpenter.sh/v1/nodeclaims", None, keep).await;
        claims.map_or_else(|none| none.or_none(permission), Fact::Known)
    }

    /// Reads a list, from its start again where its pages expired meanwhile.
    async fn each<T: DeserializeOwned, K: Default>(
        &self,
        permission: KubernetesCall,
        path: &str,
        selector: Option<&str>,
        mut keep: impl FnMut(&mut K, T),
    ) -> Result<K, Unanswered> {
        for _ in 0..RESTARTS {
            match self.once(permission, path, selector, &mut keep).await {
                Err(Unanswered::Expired(_)) => {}
                read => return read,
            }
        }
        self.once(permission, path, selector, &mut keep).await
    }

    /// Reads a list page by page, and gathers what is kept of it. A page is parsed and folded into what is kept while
    /// the next one is on its way, so no more than two pages are held, whatever the list's length.
    async fn once<T: DeserializeOwned, K: Default>(
        &self,
        permission: KubernetesCall,
        path: &str,
        selector: Option<&str>,
        mut keep: impl FnMut(&mut K, T),
    ) -> Result<K, Unanswered> {
        let mut params =
            ListParams { limit: Some(PAGE), field_selector: selector.map(str::to_owned), ..ListParams::default() };
        let mut kept = K::default();
        let mut coming = self.page(permission, 1, Request::new(path).list(&params));
        for number in 1..=PAGES {
            let body = (&mut coming.0).await.map_err(|_| no_list())??;
            let next = next_page(&body);
            if next.is_some() && (next == params.continue_token || number == PAGES) {
                break;
            }
            params.continue_token = next;
            let more = params.continue_token.is_some();
            let more = more.then(|| self.page(permission, number + 1, Request::new(path).list(&params)));
            let page: Page<T> = serde_json::from_slice(&body).map_err(|_| no_list())?;
            if page.metadata.next() != params.continue_token {
                return Err(no_list());
            }
            page.items.into_iter().for_each(|item| keep(&mut kept, item));
            match more {
                Some(page) => coming = page,
                None => return Ok(kept),
            }
        }
        Err(Unanswered::malformed("the list of the Kubernetes API does not end"))
    }

    /// Asks for a page in a task of its own: else nothing would be sent while the page before it is parsed.
    fn page(&self, permission: KubernetesCall, number: usize, question: Question) -> Coming {
        self.0.progress().asking(&format!("Kubernetes {} (page {number})", permission.resource));
        let api = self.0.clone();
        Coming(tokio::spawn(async move { api.ask(question).await }))
    }
}

fn no_list() -> Unanswered {
    Unanswered::malformed("the answer is not a list of the Kubernetes API")
}

/// The token of the next page. An API server writes it before the items, which are not looked at here: to parse them
/// first would make the run a tenth longer at 40 ms a page (`cargo bench -- scale`).
fn next_page(body: &[u8]) -> Option<String> {
    let mut metadata = PageMetadata::default();
    // That it ends in the middle of the list is an error to serde; whether it is a list at all is seen when it is
    // parsed.
    let _ = serde_json::Deserializer::from_slice(body).deserialize_map(Head(&mut metadata));
    metadata.next()
}

/// Reads a list's metadata, and nothing behind it.
struct Head<'m>(&'m mut PageMetadata);

impl<'de> Visitor<'de> for Head<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of the Kubernetes API")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(key) = list.next_key::<String>()? {
            if key == "metadata" {
                *self.0 = list.next_value()?;
                return Ok(());
            }
            list.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
