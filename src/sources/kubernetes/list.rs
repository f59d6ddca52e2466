//! Paged lists of the Kubernetes API: each page is cut down to what a check reads before the next one is asked.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use http_body_util::BodyExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use kube::Client;
use kube::api::{GetParams, ListParams, Request};
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::pulls::{FailedPulls, ImagesOfPods, PodPulls};
use super::raw::{RawEvent, RawNode, RawPod};
use super::scale;
use super::trim::trimmed;
use crate::evidence::calls::kubernetes::Permission;
use crate::evidence::kubernetes::{MirrorFailure, Node, ScaleUpProblem};
use crate::evidence::{Fact, Gap, Reason};
use crate::model::message::mirror_host;
use crate::sources::azure::arm::Limits;
use crate::sources::azure::error::Failure;
use crate::sources::azure::retry::{self, Throttled};
use crate::sources::progress::Progress;

/// Objects of one page.
const PAGE: u32 = 500;
/// Largest page that is read, in bytes.
const PAGE_LIMIT: usize = 64 << 20;
/// Most pages of one list; a server that never stops would otherwise be followed to the deadline.
const PAGES: usize = 2_000;
/// Most pages that wait to be read while the next one is on its way.
const WAITING: usize = 2;
/// How often a busy server is asked again.
const RETRIES: usize = 2;
/// The pause before that, where the server does not name one.
const PAUSE: Duration = Duration::from_millis(250);

/// One Kubernetes API.
pub struct Lister<'l> {
    /// The client.
    pub client: &'l Client,
    /// Time limits.
    pub limits: Limits,
    /// Progress and log.
    pub progress: &'l Progress,
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

impl Lister<'_> {
    /// All nodes.
    pub async fn nodes(&self) -> Fact<Vec<Node>> {
        let path = <core::Node as kube::Resource>::url_path(&(), None);
        let keep = |nodes: &mut Vec<Node>, node: RawNode| nodes.push(node.into());
        self.each(Permission::NODES, &path, None, keep).await.map_or_else(Fact::Missing, Fact::Known)
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
        let (mut found, newest) = self.each(Permission::EVENTS, &path, Some("reason=Failed"), keep).await?;
        let failures = newest.into_iter().map(|((node, host), last_seen)| MirrorFailure { node, host, last_seen });
        found.mirrors = failures.collect();
        Ok(found)
    }

    /// Images that pods use, and containers that wait for theirs. Pods that have ended are noise.
    pub async fn images(&self) -> Result<Vec<PodPulls>, Gap> {
        let path = <core::Pod as kube::Resource>::url_path(&(), None);
        let keep = |pods: &mut ImagesOfPods, pod: RawPod| pods.add(&pod);
        Ok(self.each(Permission::PODS, &path, None, keep).await?.finish())
    }

    /// What the cluster autoscaler could not do; nothing where there is no autoscaler.
    pub async fn autoscaler(&self) -> Fact<Vec<ScaleUpProblem>> {
        let permission = Permission::AUTOSCALER;
        self.progress.asking("Kubernetes cluster-autoscaler-status");
        match self
            .body(
                permission,
                Request::new("/api/v1/namespaces/kube-system/configmaps")
                    .get("cluster-autoscaler-status", &GetParams::default()),
            )
            .await
        {
            Ok(body) => scale::backed_off(&body).map_or_else(
                || Fact::Missing(permission.gap(Reason::Malformed, "the autoscaler's status is not what it writes")),
                Fact::Known,
            ),
            Err(gap) if gap.detail == ABSENT => Fact::Known(Vec::new()),
            Err(gap) => Fact::Missing(gap),
        }
    }

    /// NodeClaims that have not become nodes.
    pub async fn node_claims(&self) -> Fact<Vec<ScaleUpProblem>> {
        let keep = |claims: &mut Vec<ScaleUpProblem>, claim: scale::RawNodeClaim| claims.extend(claim.problem());
        match self.each(Permission::NODE_CLAIMS, "/apis/karpenter.sh/v1/nodeclaims", None, keep).await {
            Ok(claims) => Fact::Known(claims),
            Err(gap) if gap.detail == ABSENT => Fact::Known(Vec::new()),
            Err(gap) => Fact::Missing(gap),
        }
    }

    /// Reads a list page by page, and gathers what is kept of it. Pages are read on a thread of their own while the next
    /// one is on its way: an API server names the next page before the items.
    async fn each<T: DeserializeOwned + 'static, K: Default + Send + 'static>(
        &self,
        permission: Permission,
        path: &str,
        selector: Option<&str>,
        keep: impl FnMut(&mut K, T) + Send + 'static,
    ) -> Result<K, Gap> {
        let malformed = || permission.gap(Reason::Malformed, "the answer is not a list of the Kubernetes API");
        let mut params =
            ListParams { limit: Some(PAGE), field_selector: selector.map(str::to_owned), ..ListParams::default() };
        let (pages, inbox) = mpsc::channel(WAITING);
        let reader = tokio::task::spawn_blocking(move || read_pages(inbox, keep));
        let mut replies = VecDeque::new();
        for number in 1..=PAGES {
            self.progress.asking(&format!("Kubernetes {} (page {number})", permission.resource));
            let body = self.body(permission, Request::new(path).list(&params)).await?;
            let mut next = announced_next(&body);
            let (reply, named) = oneshot::channel();
            replies.push_back(named);
            // A reader that is gone has left no reply either.
            let _ = pages.send((body, reply)).await;
            // Where nothing was announced, all that was sent so far has to be read first.
            while !replies.is_empty() && (next.is_none() || replies.len() > WAITING) {
                let named = replies.pop_front().expect("there is one").await.map_err(|_| malformed())?;
                if replies.is_empty() {
                    next = next.or(Some(named));
                }
            }
            match next.filter(|next| !next.is_empty()) {
                Some(next) if params.continue_token.as_ref() == Some(&next) => break,
                Some(next) => params.continue_token = Some(next),
                None => {
                    drop(pages);
                    for reply in replies {
                        reply.await.map_err(|_| malformed())?;
                    }
                    return reader.await.map_err(|_| malformed());
                }
            }
        }
        Err(permission.gap(Reason::Malformed, "the list of the Kubernetes API does not end"))
    }

    /// Sends one request within its time limit, again where the server is busy for a moment only.
    async fn body(
        &self,
        permission: Permission,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Vec<u8>, Gap> {
        let request = request.map_err(|_| permission.gap(Reason::Malformed, "no valid request"))?;
        let tries = async {
            for _ in 0..RETRIES {
                match self.exchange(request.clone()).await {
                    Err(Unanswered::Busy(wait, _)) => tokio::time::sleep(wait).await,
                    Err(Unanswered::Failed(failure)) => return Err(failure),
                    Ok(body) => return Ok(body),
                }
            }
            self.exchange(request.clone()).await.map_err(Unanswered::into_failure)
        };
        match tokio::time::timeout_at(self.limits.call_deadline(), tries).await {
            Ok(answer) => answer.map_err(|failure| permission.gap(failure.reason, failure.detail)),
            Err(_) => Err(permission.gap(Reason::TimedOut, "the Kubernetes API did not answer in time")),
        }
    }

    async fn exchange(&self, request: http::Request<Vec<u8>>) -> Result<Vec<u8>, Unanswered> {
        const HOST: &str = "the Kubernetes API";
        let answer = self.client.send(request.map(Body::from)).await;
        let response = answer.map_err(|error| Failure::from_transport(&error, HOST))?;
        let status = response.status().as_u16();
        let wait = response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.map(retry::retry_after);
        let mut stream = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = stream.frame().await {
            let frame = frame.map_err(|error| Failure::from_transport(&error, HOST))?;
            let Some(data) = frame.data_ref() else { continue };
            if body.len() + data.len() > PAGE_LIMIT {
                let limit = PAGE_LIMIT >> 20;
                return Err(Failure::new(
                    Reason::Malformed,
                    format!("a page of the answer is larger than {limit} MiB"),
                )
                .into());
            }
            body.extend_from_slice(data);
        }
        Err(Unanswered::Failed(match (status, wait) {
            (200, _) => return Ok(body),
            (401, _) => Failure::new(Reason::Unauthorized, "401: the Kubernetes API does not accept the sign-in"),
            (403, _) => Failure::new(Reason::Forbidden, "403: the Kubernetes API forbids it"),
            (404, _) if says_absent(&body) => Failure::new(Reason::NotFound, ABSENT),
            (429 | 503, Some(seconds)) if seconds > retry::PATIENCE => {
                Failure::new(Reason::Throttled, Throttled { seconds }.to_string())
            }
            (429 | 500 | 502..=504, wait) => {
                return Err(Unanswered::Busy(wait.map_or(PAUSE, Duration::from_secs), status));
            }
            _ => Failure::from_status(status, &[]),
        }))
    }
}

/// A page as it came, and where to say which one is next (empty = there is none); a page that is no list gets no reply.
type Unread = (Vec<u8>, oneshot::Sender<String>);

/// Reads pages in their order, until there are no more or one is no list: what is not kept of one is gone before the next.
fn read_pages<T: DeserializeOwned, K: Default>(
    mut inbox: mpsc::Receiver<Unread>,
    mut keep: impl FnMut(&mut K, T),
) -> K {
    let mut kept = K::default();
    while let Some((body, reply)) = inbox.blocking_recv() {
        let Ok(page) = serde_json::from_slice::<Page<T>>(&trimmed(body)) else { break };
        page.items.into_iter().for_each(|item| keep(&mut kept, item));
        let _ = reply.send(page.metadata.next.unwrap_or_default()); // whoever asked may have given up
    }
    kept
}

/// Why a request brought no answer.
enum Unanswered {
    /// The server is busy: it may answer after a pause.
    Busy(Duration, u16),
    /// It will not answer.
    Failed(Failure),
}

impl Unanswered {
    fn into_failure(self) -> Failure {
        match self {
            Self::Busy(_, status) => Failure::from_status(status, &[]),
            Self::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The token of the next page, where the list's `metadata` stands before its items, as an API server writes it (empty = there is
/// none); `None`
/// where only the whole page can tell.
fn announced_next(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        metadata: PageMetadata,
    }
    let head = body.get(..body.len().min(8 << 10))?;
    let end = head.windows(7).position(|window| window == b"\"items\"")?;
    let mut head = head[..end].trim_ascii_end().strip_suffix(b",")?.to_vec();
    head.push(b'}');
    serde_json::from_slice::<Head>(&head).ok().map(|head| head.metadata.next.unwrap_or_default())
}

/// The detail of a 404 that is the API server's own word for "there is none".
const ABSENT: &str = "404: the Kubernetes API has no such object";

/// Whether a 404 is the API server's own: its `Status`, its plain page for kinds that it does not serve, or nothing.
/// What a proxy in between makes up is no such answer.
fn says_absent(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
    }
    body.trim_ascii().is_empty()
        || body.starts_with(b"404 page not found")
        || serde_json::from_slice::<Status>(body).is_ok_and(|status| status.kind == "Status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_known_before_this_one_is_read() {
        let next = |body: &str| announced_next(body.as_bytes());
        assert_eq!(
            next(r#"{"kind":"PodList","metadata":{"continue":"abc","x":1},"items":[{}]}"#),
            Some("abc".to_owned())
        );
        assert_eq!(next(r#"{"metadata":{},"items":[]}"#), Some(String::new()));
        assert_eq!(next(r#"{"items":[],"metadata":{"continue":"abc"}}"#), None);
        assert_eq!(next(r#"{"metadata":{"x":"\"items\""},"items":[]}"#), Some(String::new()), "a text is no key");
        assert_eq!(next("<html>"), None);
    }

    #[test]
    fn a_node_is_read_from_labels_and_status() {
        let json = r#"{"metadata":{"name":"n","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"agentpool":"np1","kubernetes.azure.com/node-image-version":"v"}},"spec":{"providerID":"azure:///x"},"status":{"conditions":[{"type":"Ready","status":"True"}],"images":[{"names":["x"]}]}}"#;
        let node: Node = serde_json::from_str::<RawNode>(json).expect("a node").into();
        assert_eq!(
            (node.agent_pool.as_deref(), node.image_version.as_deref(), node.ready),
            (Some("np1"), Some("v"), true)
        );
    }
}
