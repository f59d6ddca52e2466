//! A TLS server on loopback that is Entra ID, Azure Resource Manager and the Kubernetes API at once, and answers from a
//! snapshot: what is known there it serves, what is missing it refuses.

#[path = "server/graph.rs"]
pub mod graph;
#[path = "server/routes.rs"]
mod routes;
#[path = "server/workloads.rs"]
mod workloads;

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The token that the server gives and expects. No output may ever hold it.
pub const TOKEN: &str = "CANARY-access-token-0123456789";
/// The registry's own refresh token.
pub const REFRESH: &str = "CANARY-refresh-token";
/// The client secret that signs in. No output may ever hold it.
pub const SECRET: &str = "CANARY-client-secret-0123456789";
/// The token in the kubeconfig. No output may ever hold it.
pub const KUBE_TOKEN: &str = "CANARY-kube-token-0123456789";

/// What a path answers instead of the truth.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    Status(u16),
    /// A status with a body of its own.
    Body(u16, String),
    RetryAfter(u16, u32),
    /// Throttled once, then well.
    Once(u16, u32),
    /// Priority and fairness: who asks too soon after somebody else is told to wait for a second.
    Crowded,
    /// So once, then well.
    First(Box<Fault>),
    NoAnswer,
    /// A byte a second.
    SlowBody,
    CutBody,
    Html,
    WrongTypes,
    Huge,
    NextLinkToItself,
    NextLinkElsewhere,
    Reset,
}

#[derive(Debug, Default)]
struct State {
    routes: HashMap<String, Value>,
    faults: HashMap<String, Fault>,
    /// Method and path with query of every request, in order.
    requests: Vec<(String, String)>,
    /// When each of them came, for the benchmark: no test asserts on it.
    times: Vec<std::time::Instant>,
    /// The correlation ids that they carried.
    correlations: BTreeSet<String>,
    /// Whom they said they come from, by path.
    agents: BTreeSet<(String, String)>,
    /// Paths that nothing is known of.
    unexpected: BTreeSet<String>,
    /// Calls to ARM that are being answered, and the most that ever were at a time.
    running: (usize, usize),
    /// When somebody was let in among a crowd.
    let_in: Option<std::time::Instant>,
    /// How long every answer takes.
    delay: Duration,
    /// Items of a page.
    page: usize,
    /// Azure Resource Graph.
    graph: graph::Graph,
    /// Reads that are left in each subscription, and since when; none where nobody counts.
    budgets: Option<HashMap<String, (f64, std::time::Instant)>>,
    /// How many reads were refused for want of budget.
    throttled: usize,
}

impl State {
    /// Takes a read from the budget of its subscription: 250 at once, then 25 a second.
    fn may_read(&mut self, path: &str) -> bool {
        let Some(budgets) = &mut self.budgets else { return true };
        let Some(subscription) = path.strip_prefix("/subscriptions/").and_then(|rest| rest.split('/').next()) else {
            return true;
        };
        let now = std::time::Instant::now();
        let (left, since) = budgets.entry(subscription.to_owned()).or_insert((250.0, now));
        *left = (*left + now.duration_since(*since).as_secs_f64() * 25.0).min(250.0);
        *since = now;
        if *left >= 1.0 {
            *left -= 1.0;
            return true;
        }
        self.throttled += 1;
        false
    }
}

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    pub certificate: String,
    state: Arc<Mutex<State>>,
    runtime: Arc<tokio::runtime::Runtime>,
}

impl Server {
    /// Starts a server that answers from a snapshot.
    pub fn start(snapshot: &Value) -> Self {
        let (acceptor, certificate) = acceptor();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state =
            Arc::new(Mutex::new(State { routes: routes::of(&snapshot["evidence"]), page: 2, ..State::default() }));
        runtime.spawn(accept(listener, acceptor, Arc::clone(&state), format!("https://{address}")));
        Self { address, certificate, state, runtime: Arc::new(runtime) }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Makes a path answer something else from now on; an empty path is every path.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.state.lock().expect("a lock").faults.insert(path.to_lowercase(), fault);
    }

    /// Answers a path with a resource from now on.
    pub fn route(&self, path: &str, resource: &Value) {
        self.state.lock().expect("a lock").routes.insert(path.to_lowercase(), json!({ "known": resource }));
    }

    /// Answers what another snapshot knows too.
    pub fn add(&self, snapshot: &Value) {
        self.state.lock().expect("a lock").routes.extend(routes::of(&snapshot["evidence"]));
    }

    /// Keeps the budgets of Resource Manager from now on.
    #[allow(dead_code, reason = "the benchmark's")]
    pub fn keep_budgets(&self) {
        self.state.lock().expect("a lock").budgets = Some(HashMap::new());
    }

    /// How many reads were refused for want of budget.
    #[allow(dead_code, reason = "the benchmark's")]
    pub fn throttled(&self) -> usize {
        self.state.lock().expect("a lock").throttled
    }

    /// Works on the Resource Graph.
    pub fn graph<T>(&self, work: impl FnOnce(&mut graph::Graph) -> T) -> T {
        work(&mut self.state.lock().expect("a lock").graph)
    }

    /// Makes every answer take that long, with whole lists instead of pages.
    pub fn delay(&self, delay: Duration) {
        let mut state = self.state.lock().expect("a lock");
        (state.delay, state.page) = (delay, usize::MAX / 2);
    }

    pub fn clear(&self) {
        let mut state = self.state.lock().expect("a lock");
        state.faults.clear();
        state.requests.clear();
        state.times.clear();
        state.correlations.clear();
        state.agents.clear();
        state.unexpected.clear();
        state.running = (0, 0);
        state.let_in = None;
    }

    pub fn requests(&self) -> Vec<(String, String)> {
        self.state.lock().expect("a lock").requests.clone()
    }

    #[allow(dead_code, reason = "the benchmark's")]
    pub fn times(&self) -> Vec<std::time::Instant> {
        self.state.lock().expect("a lock").times.clone()
    }

    pub fn correlations(&self) -> BTreeSet<String> {
        self.state.lock().expect("a lock").correlations.clone()
    }

    /// The paths with the User-Agents that asked for them.
    pub fn agents(&self) -> BTreeSet<(String, String)> {
        self.state.lock().expect("a lock").agents.clone()
    }

    /// The most calls to ARM that were answered at a time.
    pub fn at_a_time(&self) -> usize {
        self.state.lock().expect("a lock").running.1
    }

    pub fn unexpected(&self) -> BTreeSet<String> {
        self.state.lock().expect("a lock").unexpected.clone()
    }

    /// Keeps the runtime alive as long as somebody may ask.
    pub fn stop(self) {
        if let Ok(runtime) = Arc::try_unwrap(self.runtime) {
            runtime.shutdown_background();
        }
    }
}

/// TLS for loopback, and the certificate that a client has to trust.
pub fn acceptor() -> (TlsAcceptor, String) {
    let certified =
        rcgen::generate_simple_self_signed(["127.0.0.1", "localhost", "contosoboot.azurecr.io"].map(str::to_owned))
            .expect("a certificate");
    let chain = vec![CertificateDer::from(certified.cert.der().to_vec())];
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(chain, key).expect("a configuration");
    (TlsAcceptor::from(Arc::new(config)), certified.cert.pem())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<Mutex<State>>, base: String) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state, base) = (acceptor.clone(), Arc::clone(&state), base.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(move |request| counted(request, Arc::clone(&state), base.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<http_body_util::combinators::BoxBody<Bytes, std::io::Error>>;

fn respond(status: u16, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into()).map_err(|never: Infallible| match never {}).boxed();
    Response::builder().status(status).header("content-type", "application/json").body(body).expect("a response")
}

fn refuse(status: u16, code: &str, message: &str) -> Answer {
    respond(status, json!({ "error": { "code": code, "message": message } }).to_string())
}

/// Answers, and counts how many calls to ARM are answered meanwhile.
async fn counted(request: Request<Incoming>, state: Arc<Mutex<State>>, base: String) -> Result<Answer, std::io::Error> {
    let arm = request.uri().path().starts_with("/subscriptions");
    if arm {
        let mut state = state.lock().expect("a lock");
        state.running.0 += 1;
        state.running.1 = state.running.1.max(state.running.0);
    }
    let answer = answer(request, Arc::clone(&state), base).await;
    if arm {
        let mut state = state.lock().expect("a lock");
        state.running.0 = state.running.0.saturating_sub(1);
    }
    answer
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>, base: String) -> Result<Answer, std::io::Error> {
    let path = request.uri().path().to_lowercase();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let signed =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let method = request.method().to_string();
    let (fault, route, delay, page) = {
        let mut state = state.lock().expect("a lock");
        state.requests.push((method.clone(), request.uri().to_string()));
        state.times.push(std::time::Instant::now());
        let agent = request.headers().get("user-agent").map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        let agent = agent.unwrap_or_default().into_owned();
        state.agents.insert((path.clone(), agent));
        if let Some(id) = request.headers().get("x-ms-correlation-request-id") {
            state.correlations.insert(String::from_utf8_lossy(id.as_bytes()).into_owned());
        }
        let fault = state.faults.get(&path).or_else(|| state.faults.get("")).cloned();
        let fault = fault.or_else(|| (!state.may_read(&path)).then_some(Fault::RetryAfter(429, 1)));
        if let Some(Fault::Once(..) | Fault::First(_)) = fault {
            state.faults.remove(&path);
        }
        let fault = if fault == Some(Fault::Crowded) { crowded(&mut state.let_in) } else { fault };
        let route = state.routes.get(&path).cloned();
        if route.is_none() && path != graph::PATH && !path.ends_with("/oauth2/v2.0/token") {
            state.unexpected.insert(path.clone());
        }
        (fault, route, state.delay, state.page)
    };
    tokio::time::sleep(delay).await;
    if let Some(fault) = fault {
        let fault = if let Fault::First(fault) = fault { *fault } else { fault };
        return misbehave(fault, &base, &path).await;
    }
    if path.ends_with("/oauth2/v2.0/token") {
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        if body.contains(SECRET) || body.contains("client_assertion") {
            return Ok(respond(
                200,
                json!({ "access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer" }).to_string(),
            ));
        }
        let refusal = json!({ "error": "invalid_client", "error_codes": [7_000_215], "error_description": "AADSTS7000215: Invalid client secret provided." });
        return Ok(respond(401, refusal.to_string()));
    }
    if path.starts_with("/oauth2/") {
        return Ok(registry_sign_in(&path, request).await);
    }
    // The Kubernetes API takes the kubeconfig's token and, as clusters with Entra ID do, one of our own sign-in.
    let kubernetes = path.starts_with("/api") && signed == format!("Bearer {KUBE_TOKEN}");
    if !kubernetes && signed != format!("Bearer {TOKEN}") {
        return Ok(refuse(401, "InvalidAuthenticationToken", "The access token is invalid."));
    }
    if path == graph::PATH {
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let reply = state.lock().expect("a lock").graph.answer(&String::from_utf8_lossy(&body));
        let mut answer = respond(reply.0, reply.2);
        for (name, value) in reply.1 {
            answer.headers_mut().insert(name, value.parse().expect("a header"));
        }
        return Ok(answer);
    }
    Ok(match route {
        Some(fact) if !path.starts_with("/api") => {
            let mut answer = serve(&fact, &path, &query, &base, page);
            let headers = answer.headers_mut();
            headers.insert("x-ms-ratelimit-remaining-subscription-reads", "249".parse().expect("a header"));
            headers.insert("x-ms-ratelimit-remaining-subscription-global-reads", "3749".parse().expect("a header"));
            answer
        }
        Some(fact) => serve(&fact, &path, &query, &base, page),
        None if path.starts_with("/acr/v1/") => {
            respond(404, json!({ "errors": [{ "code": "TAG_UNKNOWN" }] }).to_string())
        }
        None => refuse(404, "ResourceNotFound", "The resource was not found."),
    })
}

/// A registry's own sign-in: an Azure token for a refresh token, and that for one that reads.
async fn registry_sign_in(path: &str, request: Request<Incoming>) -> Answer {
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    match path {
        "/oauth2/exchange" if body.contains(TOKEN) => respond(200, json!({ "refresh_token": REFRESH }).to_string()),
        "/oauth2/token" if body.contains(REFRESH) && (body.contains("metadata_read") || body.contains("catalog")) => {
            respond(200, json!({ "access_token": TOKEN }).to_string())
        }
        _ => respond(401, json!({ "errors": [{ "code": "UNAUTHORIZED" }] }).to_string()),
    }
}

/// One at a time, with a pause between them.
fn crowded(let_in: &mut Option<std::time::Instant>) -> Option<Fault> {
    if let_in.is_some_and(|last| last.elapsed() < Duration::from_millis(100)) {
        return Some(Fault::RetryAfter(429, 1));
    }
    *let_in = Some(std::time::Instant::now());
    None
}

async fn misbehave(fault: Fault, base: &str, path: &str) -> Result<Answer, std::io::Error> {
    Ok(match fault {
        Fault::Status(status) => refuse(status, "Injected", "CANARY https://login.example/?code=CANARY-redirect-secret"),
        Fault::RetryAfter(status, seconds) | Fault::Once(status, seconds) => {
            let mut response = refuse(status, "TooManyRequests", "slow down");
            response.headers_mut().insert("retry-after", seconds.to_string().parse().expect("a header"));
            response
        }
        Fault::Body(status, body) => respond(status, body),
        Fault::Crowded | Fault::First(_) => unreachable!("its own fault stands for it"),
        Fault::NoAnswer => {
            tokio::time::sleep(Duration::from_secs(120)).await;
            respond(200, "{}")
        }
        Fault::Reset => return Err(std::io::Error::other("reset")),
        Fault::CutBody => {
            let parts = [Ok(Frame::data(Bytes::from_static(b"{\"value\": ["))), Err(std::io::Error::other("cut"))];
            streamed(futures::stream::iter(parts))
        }
        Fault::Html => respond(200, "<html><body>Sign in to the proxy</body></html>"),
        Fault::WrongTypes => respond(200, json!({ "id": 5, "properties": [], "value": { "id": true }, "items": "none" }).to_string()),
        Fault::SlowBody => {
            let drops = futures::stream::unfold(0, |sent| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                (sent < 120).then_some((Ok(Frame::data(Bytes::from_static(b" "))), sent + 1))
            });
            streamed(drops)
        }
        Fault::Huge => {
            let chunk = Bytes::from(vec![b'x'; 1 << 20]);
            let start = futures::stream::once(async { Ok(Frame::data(Bytes::from_static(b"{\"id\": \""))) });
            streamed(futures::StreamExt::chain(start, futures::stream::iter((0..200).map(move |_| Ok(Frame::data(chunk.clone()))))))
        }
        Fault::NextLinkToItself => {
            respond(200, json!({ "value": [], "items": [], "nextLink": format!("{base}{path}?api-version=1"), "metadata": { "continue": "again" } }).to_string())
        }
        Fault::NextLinkElsewhere => respond(200, json!({ "value": [], "nextLink": "https://127.0.0.2:1/steal" }).to_string()),
    })
}

fn streamed(
    parts: impl futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send + Sync + 'static,
) -> Answer {
    let body = http_body_util::combinators::BoxBody::new(StreamBody::new(parts));
    Response::builder().status(200).body(body).expect("a response")
}

/// Serves a fact: a resource, a list in pages, or the refusal that the gap tells of.
fn serve(fact: &Value, path: &str, query: &str, base: &str, page: usize) -> Answer {
    if let Some(gap) = fact.get("missing") {
        return match gap["reason"].as_str().unwrap_or_default() {
            "forbidden" => refuse(403, "AuthorizationFailed", "The client does not have authorization."),
            "notFound" => refuse(404, "ParentResourceNotFound", "The parent resource was not found."),
            _ => refuse(503, "ServiceUnavailable", "not today"),
        };
    }
    match &fact["known"] {
        Value::Null if path.starts_with("/api") => {
            respond(404, json!({ "kind": "Status", "reason": "NotFound", "code": 404 }).to_string())
        }
        Value::Null => refuse(404, "ResourceNotFound", "The resource was not found."),
        Value::Array(items) if path.starts_with("/api") => {
            // Events are the one list that is asked for by reason.
            let reason = parameter(query, "fieldSelector").and_then(|selector| selector.strip_prefix("reason%3D"));
            let asked = |item: &&Value| reason.is_none_or(|reason| item["reason"] == *reason);
            let items: Vec<&Value> = items.iter().filter(asked).collect();
            let start = parameter(query, "continue").and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
            let end = (start + page).min(items.len());
            let next = if end < items.len() { end.to_string() } else { String::new() };
            respond(200, json!({ "items": items[start..end], "metadata": { "continue": next } }).to_string())
        }
        Value::Array(items) => {
            let start = parameter(query, "$skiptoken").or_else(|| parameter(query, "%24skiptoken"));
            let start = start.and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
            let end = (start + page).min(items.len());
            let next = (end < items.len()).then(|| format!("{base}{path}?api-version=1&$skiptoken={end}"));
            respond(200, json!({ "value": items[start..end], "nextLink": next }).to_string())
        }
        resource => respond(200, resource.to_string()),
    }
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
