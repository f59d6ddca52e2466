use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::evidence::Reason;
use crate::sources::azure::arm::Limits;
use crate::sources::peer::Peer;
use crate::sources::progress::Progress;

/// The status of an answer that never comes: the connection is closed.
const CUT: u16 = 0;

/// An API server that gives its answers in turn, each after a while, and the last one from then on.
struct Fake {
    api: Api,
    /// What was asked, in order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answers) = (Arc::clone(&asked), Arc::new(answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let mut log = log.lock().expect("a lock");
                    let (status, body) = answers[log.len().min(answers.len() - 1)].clone();
                    log.push(request.uri().to_string());
                    async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        if status == CUT {
                            return Err(io::ErrorKind::ConnectionReset.into());
                        }
                        let body = Full::new(Bytes::from(body));
                        Ok::<_, io::Error>(http::Response::builder().status(status).body(body).expect("a response"))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let mut config = kube::Config::new(format!("http://{address}").parse().expect("an address"));
        config.default_retry = false;
        let client = kube::Client::try_from(config).expect("a client");
        let (call, deadline) = (Duration::from_secs(20), Instant::now() + Duration::from_secs(60));
        let peer = Peer { name: "the Kubernetes API".to_owned(), proxy: None, trust: "" };
        let api = Api::new(client, Limits { call, deadline, concurrency: 1 }, Progress::silent(), peer);
        Self { api, asked }
    }

    fn lister(&self) -> Lister<'_> {
        Lister(&self.api)
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("a lock").len()
    }
}

fn page(items: &[usize], next: &str) -> (u16, String) {
    (200, json!({ "metadata": { "continue": next }, "items": items, "kind": "PodList" }).to_string())
}

fn absent() -> (u16, String) {
    (404, json!({ "kind": "Status", "reason": "NotFound", "code": 404 }).to_string())
}

async fn numbers(fake: &Fake) -> Result<Vec<usize>, Unanswered> {
    fake.lister().each(KubernetesCall::PODS, "/api/v1/pods", None, |kept: &mut Vec<usize>, item| kept.push(item)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_page_is_on_its_way_while_this_one_is_folded() {
    let fake = Fake::start(vec![page(&[1, 2], "b"), page(&[3, 4], "c"), page(&[5], "")]).await;
    let mut early = Vec::new();
    let keep = |kept: &mut Vec<usize>, item: usize| {
        let next_is_asked = || fake.asked() > item.div_ceil(2);
        // Folding waits for the next page's request, which the last page has not; that it gives up only ends a failure.
        for _ in 0..if item < 5 { 10_000 } else { 0 } {
            if next_is_asked() {
                early.push(item);
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        kept.push(item);
    };
    let kept = fake.lister().each(KubernetesCall::PODS, "/api/v1/pods", Some("a=b"), keep).await;
    assert_eq!(kept, Ok(vec![1, 2, 3, 4, 5]), "in the order in which they came");
    assert_eq!(early, [1, 2, 3, 4]);
    let asked = fake.asked.lock().expect("a lock").clone();
    let first = "/api/v1/pods?&fieldSelector=a%3Db&limit=500";
    assert_eq!(asked, [first.to_owned(), format!("{first}&continue=b"), format!("{first}&continue=c")]);
}

#[test]
fn the_next_page_is_known_wherever_the_list_names_it() {
    let next = |body: &str| next_page(body.as_bytes());
    let known = Some("abc".to_owned());
    assert_eq!(next(r#"{"kind":"PodList","metadata":{"x":1,"continue":"abc"},"items":[{}]}"#), known);
    assert_eq!(next(r#"{"metadata":{"continue":"abc"},"items":[{"cut"#), known, "the items are not looked at");
    assert_eq!(next(r#"{"items":[{"metadata":{"continue":"no"}}],"metadata":{"continue":"abc"}}"#), known);
    for none in [r#"{"metadata":{"continue":""},"items":[]}"#, r#"{"metadata":{},"items":[]}"#, r#"{"items":[]}"#] {
        assert_eq!(next(none), None, "{none}");
    }
    for other in ["<html>", "", "[]", "7", r#"{"metadata":7}"#] {
        assert_eq!(next(other), None, "{other}");
    }
}

#[tokio::test]
async fn a_list_that_does_not_go_on_is_malformed() {
    let fake = Fake::start(vec![page(&[1], "again")]).await;
    assert_eq!(numbers(&fake).await, Err(Unanswered::malformed("the list of the Kubernetes API does not end")));
    assert_eq!(fake.asked(), 2);
}

#[tokio::test]
async fn half_a_list_is_no_list() {
    let malformed = Unanswered::malformed("the answer is not a list of the Kubernetes API");
    let unreadable_next = [r#"{"metadata":7,"items":[2]}"#, r#"{"metadata":{"continue":7},"items":[2]}"#];
    let no_lists = ["<html>", "{}", r#"{"items":"none"}"#, r#"{"items":[2,{}]}"#, r#"{"items":[2"#];
    for other in no_lists.into_iter().chain(unreadable_next) {
        let fake = Fake::start(vec![page(&[1], "b"), (200, other.to_owned())]).await;
        assert_eq!(numbers(&fake).await, Err(malformed.clone()), "{other}");
    }
    let fake = Fake::start(vec![page(&[1], "b"), (403, String::new())]).await;
    assert_eq!(reason(numbers(&fake).await), Reason::Forbidden);
}

fn reason(read: Result<Vec<usize>, Unanswered>) -> Reason {
    read.expect_err("it fails").gap(KubernetesCall::PODS).reason
}

#[tokio::test]
async fn a_server_that_is_busy_for_a_moment_is_asked_again() {
    let fake = Fake::start(vec![page(&[1], "b"), (503, String::new()), (429, String::new()), page(&[2], "")]).await;
    assert_eq!(numbers(&fake).await, Ok(vec![1, 2]));
    let fake = Fake::start(vec![(503, String::new())]).await;
    assert_eq!(reason(numbers(&fake).await), Reason::ServerError);
    assert_eq!(fake.asked(), 4);
}

/// One of two API servers behind a balancer goes away in the middle of a list.
#[tokio::test]
async fn a_page_whose_connection_broke_off_is_asked_again() {
    let cut = || (CUT, String::new());
    let fake = Fake::start(vec![page(&[1], "b"), cut(), cut(), page(&[2], "c"), (502, String::new()), page(&[3], "")]);
    assert_eq!(numbers(&fake.await).await, Ok(vec![1, 2, 3]));
    let fake = Fake::start(vec![page(&[1], "b"), cut()]).await;
    assert_eq!(reason(numbers(&fake).await), Reason::Unreachable);
    assert_eq!(fake.asked(), 1 + 4);
}

/// etcd was compacted meanwhile: what came before is read again, and kept once.
#[tokio::test]
async fn a_list_that_expired_is_read_from_its_start() {
    let gone =
        || (410, json!({ "kind": "Status", "message": "The provided continue parameter is too old" }).to_string());
    let fake = Fake::start(vec![page(&[1], "b"), gone(), page(&[1], "c"), page(&[2], "")]).await;
    assert_eq!(numbers(&fake).await, Ok(vec![1, 2]));
    let fake = Fake::start(vec![page(&[1], "b"), gone(), page(&[1], "c"), gone(), page(&[1], "d"), gone()]).await;
    let expired = numbers(&fake).await.expect_err("it never ends").gap(KubernetesCall::PODS);
    assert!(expired.detail.contains("expired") && expired.detail.contains("continue parameter is too old"));
}

#[tokio::test]
async fn a_page_that_nobody_waits_for_is_not_left_behind() {
    let fake =
        Fake::start(vec![(200, json!({ "metadata": { "continue": "b" }, "items": [{}] }).to_string()), page(&[], "")]);
    let fake = fake.await;
    assert_eq!(reason(numbers(&fake).await), Reason::Malformed);
    assert_eq!(fake.asked.lock().expect("a lock").len(), 1, "the next page is not asked for in vain");
}

#[tokio::test]
async fn only_the_api_server_itself_can_say_that_there_is_none() {
    let own = Fake::start(vec![absent()]).await;
    let lister = own.lister();
    assert_eq!(lister.autoscaler().await, Fact::Known(Vec::new()));
    assert_eq!(lister.node_claims().await, Fact::Known(Vec::new()));
    let nodes = lister.nodes().await;
    assert_eq!(nodes.gap().map(|gap| gap.reason), Some(Reason::NotFound), "every cluster has nodes");

    let proxy = Fake::start(vec![(404, "<html>not here</html>".to_owned())]).await;
    let lister = proxy.lister();
    for fact in [lister.autoscaler().await, lister.node_claims().await] {
        assert_eq!(fact.gap().map(|gap| gap.reason), Some(Reason::NotFound));
    }
}

#[tokio::test]
async fn fields_that_nobody_reads_are_passed_over() {
    let managed = json!([{ "manager": "kubelet", "fieldsV1": { "f:metadata": { "k:{\"a\":\"]\"}": {} } } }]);
    let node =
        json!({ "metadata": { "name": "n", "managedFields": managed }, "status": { "images": [{ "names": ["x"] }] } });
    let list: Value = json!({ "kind": "NodeList", "items": [node], "metadata": {} });
    let fake = Fake::start(vec![(200, list.to_string())]).await;
    assert_eq!(fake.lister().nodes().await, Fact::Known(vec![Node { name: "n".to_owned(), ..Node::default() }]));
}
