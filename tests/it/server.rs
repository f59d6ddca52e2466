//! A TLS server on loopback that is Entra ID, Azure Resource Manager and the Kubernetes API at once, and answers from a
//! snapshot: what is known there it serves, what is missing it refuses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    RetryAfter(u16, u32),
    /// Throttled once, then well.
    Once(u16, u32),
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
    /// When each of them came.
    times: Vec<std::time::Instant>,
    /// The correlation ids that they carried.
    correlations: BTreeSet<String>,
    /// Paths that nothing is known of.
    unexpected: BTreeSet<String>,
    /// How long every answer takes.
    delay: Duration,
    /// Items of a page.
    page: usize,
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
        let state = Arc::new(Mutex::new(State { routes: routes(&snapshot["evidence"]), page: 2, ..State::default() }));
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

    /// Makes every answer take that long, with whole lists instead of pages.
    #[allow(dead_code, reason = "the benchmark's")]
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
        state.unexpected.clear();
    }

    pub fn requests(&self) -> Vec<(String, String)> {
        self.state.lock().expect("a lock").requests.clone()
    }

    pub fn times(&self) -> Vec<std::time::Instant> {
        self.state.lock().expect("a lock").times.clone()
    }

    pub fn correlations(&self) -> BTreeSet<String> {
        self.state.lock().expect("a lock").correlations.clone()
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
            let service = service_fn(move |request| answer(request, Arc::clone(&state), base.clone()));
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
        if let Some(id) = request.headers().get("x-ms-correlation-request-id") {
            state.correlations.insert(String::from_utf8_lossy(id.as_bytes()).into_owned());
        }
        let fault = state.faults.get(&path).or_else(|| state.faults.get("")).cloned();
        if let Some(Fault::Once(..)) = fault {
            state.faults.remove(&path);
        }
        let route = state.routes.get(&path).cloned();
        if route.is_none() && !path.ends_with("/oauth2/v2.0/token") {
            state.unexpected.insert(path.clone());
        }
        (fault, route, state.delay, state.page)
    };
    tokio::time::sleep(delay).await;
    if let Some(fault) = fault {
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

async fn misbehave(fault: Fault, base: &str, path: &str) -> Result<Answer, std::io::Error> {
    Ok(match fault {
        Fault::Status(status) => refuse(status, "Injected", "CANARY https://login.example/?code=CANARY-redirect-secret"),
        Fault::RetryAfter(status, seconds) | Fault::Once(status, seconds) => {
            let mut response = refuse(status, "TooManyRequests", "slow down");
            response.headers_mut().insert("retry-after", seconds.to_string().parse().expect("a header"));
            response
        }
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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn entries(value: &Value) -> Vec<(String, Value)> {
    value
        .as_object()
        .map(|map| map.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
        .unwrap_or_default()
}

/// Every path that a snapshot answers.
fn routes(evidence: &Value) -> HashMap<String, Value> {
    let mut routes = HashMap::new();
    let mut add = |path: String, fact: Value| {
        if !fact.is_null() && fact["missing"]["reason"] != "notCollected" {
            routes.insert(path.to_lowercase(), fact);
        }
    };
    let cluster = text(&evidence["cluster"]["id"]);
    let subscription = cluster.split('/').nth(2).unwrap_or_default().to_owned();
    add(cluster.clone(), json!({ "known": evidence["cluster"] }));
    add(
        format!("/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters"),
        json!({ "known": [{ "id": cluster }] }),
    );
    add(
        format!("/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"),
        events(&evidence["pools"]["bootstrapWrites"]),
    );
    let group = text(&evidence["cluster"]["properties"]["nodeResourceGroup"]);
    let in_group = |kind: &str| format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}");
    add(in_group("Microsoft.Compute/virtualMachineScaleSets"), evidence["pools"]["scaleSets"].clone());
    add(in_group("Microsoft.Compute/virtualMachines"), evidence["pools"]["virtualMachines"].clone());
    add(in_group("Microsoft.Network/virtualNetworks"), evidence["network"]["managedNetworks"].clone());
    add(
        format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions"),
        evidence["pools"]["extensions"].clone(),
    );
    for (pool, instances) in entries(&evidence["pools"]["instances"]) {
        add(
            format!(
                "{}/aks-{pool}-11112222-vmss/virtualMachines",
                in_group("Microsoft.Compute/virtualMachineScaleSets")
            ),
            instances,
        );
    }
    for (pool, profile) in entries(&evidence["pools"]["upgradeProfiles"]) {
        add(format!("{cluster}/agentPools/{pool}/upgradeProfiles/default"), profile);
    }
    for (id, other) in entries(&evidence["otherRegistries"]) {
        self::registry(&id, &other["registry"], &other["access"], &mut add);
        network(&other["network"], &subscription, &id, &mut add);
    }
    let registry = text(&evidence["cluster"]["properties"]["bootstrapProfile"]["containerRegistryId"]);
    self::registry(&registry, &evidence["registry"], &evidence["access"], &mut add);
    network(&evidence["network"], &subscription, &registry, &mut add);
    kubernetes(&evidence["kubernetes"], &mut add);
    routes
}

fn registry(id: &str, registry: &Value, access: &Value, add: &mut impl FnMut(String, Value)) {
    if id.is_empty() {
        return;
    }
    add(id.to_owned(), registry["registry"].clone());
    let connections = registry["registry"]["known"]["properties"]["privateEndpointConnections"].clone();
    let unread = &registry["connectionsUnread"];
    let listed = if unread.is_null() { json!({ "known": connections }) } else { json!({ "missing": unread }) };
    add(format!("{id}/privateEndpointConnections"), listed);
    for child in ["cacheRules", "credentialSets", "replications"] {
        add(format!("{id}/{child}"), registry[child].clone());
    }
    add(format!("{id}/providers/Microsoft.Authorization/roleAssignments"), access["roleAssignments"].clone());
    for (role, definition) in entries(&access["roleDefinitions"]) {
        add(role, definition);
    }
}

fn network(network: &Value, subscription: &str, registry: &str, add: &mut impl FnMut(String, Value)) {
    for kind in ["virtualNetworks", "routeTables", "securityGroups"] {
        for (id, fact) in entries(&network[kind]) {
            add(id, fact);
        }
    }
    for (id, facts) in entries(&network["privateEndpoints"]) {
        add(id.clone(), facts["endpoint"].clone());
        add(format!("{id}/privateDnsZoneGroups"), facts["zoneGroups"].clone());
        for (interface, fact) in entries(&facts["interfaces"]) {
            add(interface, fact);
        }
    }
    let listed = network["listedEndpoints"]["known"].as_array().cloned().unwrap_or_default();
    add(
        format!("/subscriptions/{subscription}/providers/Microsoft.Network/privateEndpoints"),
        json!({ "known": listed }),
    );
    let mut zones: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (id, facts) in entries(&network["dnsZones"]) {
        add(id.clone(), facts["zone"].clone());
        add(format!("{id}/virtualNetworkLinks"), facts["links"].clone());
        add(format!("{id}/A"), facts["records"].clone());
        let owner = id.split('/').nth(2).unwrap_or_default().to_lowercase();
        // A list never says what it leaves out for want of rights.
        zones.entry(owner).or_default().extend(facts["zone"].get("known").filter(|zone| !zone.is_null()).cloned());
    }
    let others = registry.split('/').nth(2).into_iter().chain([subscription]).map(str::to_lowercase);
    let listed = entries(&network["dnsZoneLists"]).into_iter().map(|(id, _)| id.to_lowercase());
    let all: BTreeSet<String> = listed.chain(others).chain(zones.keys().cloned()).collect();
    for owner in all {
        let place = |kind: &str| format!("/subscriptions/{owner}/providers/{kind}");
        let missing = &network["dnsZoneLists"][&owner]["missing"];
        let zones = zones.get(&owner).cloned().unwrap_or_default();
        let list = if missing.is_null() { json!({ "known": zones }) } else { json!({ "missing": missing }) };
        add(place("Microsoft.Network/privateDnsZones"), list);
        let whole = network["dnsZoneLists"][&owner]["known"]["wholeSubscription"]["known"].as_bool().unwrap_or(true);
        let actions =
            if whole { json!(["*/read"]) } else { json!(["Microsoft.ContainerService/managedClusters/read"]) };
        add(
            place("Microsoft.Authorization/permissions"),
            json!({ "known": [{ "actions": actions, "notActions": [] }] }),
        );
        let managers = network["networkManagers"][&owner]["known"].as_array().cloned().unwrap_or_default();
        let managers: Vec<Value> = managers.into_iter().map(|id| json!({ "id": id })).collect();
        add(place("Microsoft.Network/networkManagers"), json!({ "known": managers }));
        let linked = network["forwardingLinks"][&owner]["known"].as_array().cloned().unwrap_or_default();
        let ruleset = format!(
            "/subscriptions/{owner}/resourceGroups/dns-rg/providers/Microsoft.Network/dnsForwardingRulesets/rules"
        );
        let rulesets = if linked.is_empty() { json!([]) } else { json!([{ "id": ruleset }]) };
        add(place("Microsoft.Network/dnsForwardingRulesets"), json!({ "known": rulesets }));
        let links: Vec<Value> = linked.into_iter().map(|id| json!({ "id": format!("{ruleset}/virtualNetworkLinks/l"), "properties": { "virtualNetwork": { "id": id } } })).collect();
        add(format!("{ruleset}/virtualNetworkLinks"), json!({ "known": links }));
    }
}

/// Activity Log events, newest first as Azure gives them, with noise between.
fn events(writes: &Value) -> Value {
    let Some(list) = writes["known"].as_array() else {
        return writes.clone();
    };
    let write = "Microsoft.ContainerService/managedClusters/write";
    let mut events = vec![
        json!({ "eventTimestamp": "2026-11-19T00:00:00Z", "operationName": { "value": "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action" }, "status": { "value": "Succeeded" } }),
    ];
    for (number, entry) in list.iter().enumerate().rev() {
        let body = json!({ "properties": { "bootstrapProfile": entry["profile"] } }).to_string();
        let correlation = format!("c{number}");
        events.push(json!({ "eventTimestamp": entry["at"], "operationName": { "value": write }, "status": { "value": "Succeeded" }, "correlationId": correlation, "properties": {} }));
        events.push(json!({ "eventTimestamp": entry["at"], "operationName": { "value": write }, "status": { "value": "Started" }, "correlationId": correlation, "properties": { "requestbody": body } }));
    }
    json!({ "known": events })
}

fn kubernetes(facts: &Value, add: &mut impl FnMut(String, Value)) {
    let node = |node: &Value| {
        let mut labels = serde_json::Map::new();
        let mut label = |name: &str, value: &Value| {
            if let Some(value) = value.as_str() {
                labels.insert(name.to_owned(), json!(value));
            }
        };
        label("kubernetes.azure.com/agentpool", &node["agentPool"]);
        label("karpenter.sh/nodepool", &node["nodePool"]);
        label("kubernetes.azure.com/node-image-version", &node["imageVersion"]);
        if node["isVirtual"] == true {
            label("type", &json!("virtual-kubelet"));
        }
        json!({
            "metadata": { "name": node["name"], "creationTimestamp": node["created"], "labels": labels, "annotations": { "secret": "CANARY-annotation" } },
            "spec": { "providerID": node["providerId"] },
            "status": {
                "conditions": [{ "type": "MemoryPressure", "status": "False" }, { "type": "Ready", "status": if node["ready"] == true { "True" } else { "False" } }],
                "nodeInfo": { "containerRuntimeVersion": node["containerRuntime"] },
                "images": [{ "names": ["mcr.microsoft.com/oss/kubernetes/pause:3.6"] }],
            },
        })
    };
    let event = |failure: &Value| {
        let host = text(&failure["host"]);
        json!({
            "message": format!("Failed to pull image \"mcr.microsoft.com/a:1\": Head \"https://{host}/v2/aks-managed-repository/a/manifests/1?ns=mcr.microsoft.com&sig=CANARY\": i/o timeout"),
            "reason": "Failed", "source": { "component": "kubelet", "host": failure["node"] }, "lastTimestamp": failure["lastSeen"], "eventTime": null,
        })
    };
    let each = |fact: &Value, turn: &dyn Fn(&Value) -> Value| match fact["known"].as_array() {
        Some(items) => json!({ "known": items.iter().map(turn).collect::<Vec<_>>() }),
        None => fact.clone(),
    };
    add("/api/v1/nodes".to_owned(), each(&facts["nodes"], &node));
    add("/api/v1/events".to_owned(), each(&facts["mirrorFailures"], &event));
    add("/api/v1/pods".to_owned(), pods(&facts["images"]));
    let status = facts["autoscaler"]["known"].as_array().filter(|groups| !groups.is_empty()).map(|groups| {
        let groups = groups.iter().map(|group| {
            json!({ "name": group["group"], "scaleUp": { "status": "Backoff", "backoffInfo": { "errorCode": group["code"], "errorMessage": group["message"] } } })
        });
        json!({ "autoscalerStatus": "Running", "nodeGroups": groups.collect::<Vec<_>>() }).to_string()
    });
    let map = match (status, &facts["autoscaler"]["missing"]) {
        (Some(status), _) => json!({ "known": { "data": { "status": status } } }),
        (None, Value::Null) => json!({ "known": null }),
        (None, _) => facts["autoscaler"].clone(),
    };
    add("/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status".to_owned(), map);
    let claim = |claim: &Value| {
        json!({
            "metadata": { "name": "claim", "creationTimestamp": claim["since"], "labels": { "karpenter.sh/nodepool": claim["group"] } },
            "status": { "conditions": [{ "type": "Registered", "status": "Unknown", "message": claim["message"] }] },
        })
    };
    add("/apis/karpenter.sh/v1/nodeclaims".to_owned(), each(&facts["nodeClaims"], &claim));
}

/// Pods that use and wait for the images of a snapshot, and some that have ended, are never pulled or run elsewhere.
fn pods(images: &Value) -> Value {
    let Some(known) = images.get("known") else { return images.clone() };
    let pod = |namespace: &Value, name: &Value, node: &Value, containers: &Value, statuses: Value, phase: &str| json!({ "metadata": { "namespace": namespace, "name": name }, "spec": { "nodeName": node, "containers": containers }, "status": { "phase": phase, "containerStatuses": statuses } });
    let mut pods = vec![
        pod(
            &json!("jobs"),
            &json!("done"),
            &json!(""),
            &json!([{ "name": "c", "image": "docker.io/library/done:1" }]),
            json!([]),
            "Succeeded",
        ),
        pod(
            &json!("jobs"),
            &json!("never"),
            &json!(""),
            &json!([{ "name": "c", "image": "docker.io/library/never:1", "imagePullPolicy": "Never" }]),
            json!(null),
            "Running",
        ),
    ];
    for usage in known["used"].as_array().into_iter().flatten() {
        let example = text(&usage["example"]);
        let (namespace, name) = example.split_once('/').unwrap_or(("default", "pod"));
        let count = usage["containers"].as_u64().unwrap_or(1);
        let containers: Vec<Value> =
            (0..count).map(|number| json!({ "name": format!("c{number}"), "image": usage["image"] })).collect();
        pods.push(pod(&json!(namespace), &json!(name), &json!("some-node"), &json!(containers), json!([]), "Running"));
    }
    for pull in known["waiting"].as_array().into_iter().flatten() {
        let status = json!([{ "name": pull["container"], "image": pull["image"], "state": { "waiting": { "reason": pull["reason"], "message": pull["message"] } } }]);
        let mut waiting = pod(&pull["namespace"], &pull["pod"], &pull["node"], &json!([]), json!([]), "Pending");
        // Init containers wait as others do.
        waiting["spec"]["initContainers"] = json!([{ "name": pull["container"], "image": pull["image"] }]);
        waiting["status"]["initContainerStatuses"] = status;
        pods.push(waiting);
    }
    json!({ "known": pods })
}
