//! A cluster of 5,000 nodes and 100,000 pods, 500 of which wait for an image: what reading it costs, against reading the
//! same pages and keeping nothing.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::net::TcpListener;

use crate::fixtures;
use crate::measure::{self, Cost};
use crate::server::{Server, acceptor};

const NODES: usize = 5_000;
const PODS: usize = 100_000;
const FAILING: usize = 500;

pub fn run() {
    println!("scale: {NODES} nodes");
    let few = Site::start(1_000);
    let some = Site::start(10_000);
    let half = Site::start(50_000);
    let many = Site::start(PODS);
    let (base, live) = (many.discarding(), many.live());
    println!("  {PODS} pods ({FAILING} waiting), live: {:.0} MiB at the peak (goal: at most 200)", live.peak);
    println!("  live / reading and discarding the same pages: {:.2} (goal: at most 1.5)", ratio(&live, &base));
    println!("  time on the processors: {:.2} s, of which reading alone is {:.2} s", live.processor, base.processor);
    let slope = |from: &Cost, to: &Cost, pods: f64| (to.processor - from.processor) * 1e6 / pods;
    let (some_live, half_live) = (some.live(), half.live());
    let (first, second) = (slope(&some_live, &half_live, 40_000.0), slope(&half_live, &live, 50_000.0));
    println!(
        "  per further pod: {first:.1} us from 10,000 to 50,000, {second:.1} us from there to {PODS}: {:.2} (flat = 1)",
        second / first
    );
    println!("  live, peak memory: {:.0} MiB with 1,000 pods, {:.0} MiB with {PODS}", few.live().peak, live.peak);
    let snapshot = many.collect();
    let from = measure::best(3, || {
        let mut command = measure::aksiso();
        command.args(["diagnose", "--from"]).arg(&snapshot);
        command
    });
    let size = std::fs::metadata(&snapshot).expect("a snapshot").len() / 1024;
    println!(
        "  from a snapshot of {size} KiB: {:.2} s (goal: at most 2), {:.0} MiB (goal: at most 300)",
        from.wall.as_secs_f64(),
        from.peak
    );
}

fn ratio(one: &Cost, other: &Cost) -> f64 {
    one.wall.as_secs_f64() / other.wall.as_secs_f64()
}

/// Azure as the healthy fixture has it, and a large Kubernetes API.
struct Site {
    azure: Server,
    cluster: String,
    folder: tempfile::TempDir,
    kubeconfig: std::path::PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Site {
    fn start(pods: usize) -> Self {
        let snapshot = fixtures::healthy_json("byo");
        let azure = Server::start(&snapshot);
        let cluster = snapshot["evidence"]["cluster"]["id"].as_str().expect("an id").to_owned();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let mut certificates = azure.certificate.clone();
        let (full, certificate) = runtime.block_on(serve(pods));
        certificates.push_str(&certificate);
        std::fs::write(folder.path().join("ca.pem"), certificates).expect("written");
        let kubeconfig = measure::kubeconfig(&full, folder.path());
        Self { azure, cluster, folder, kubeconfig, _runtime: runtime }
    }

    fn command(&self, verb: &str, kubeconfig: &Path) -> Command {
        let mut command = measure::against(&self.azure.url(), self.folder.path());
        command.args([verb, "--cluster-id", &self.cluster, "--kubeconfig"]).arg(kubeconfig);
        command
    }

    fn live(&self) -> Cost {
        let cost = measure::best(3, || self.command("diagnose", &self.kubeconfig));
        assert_eq!(cost.code, Some(1), "pods that wait are an error");
        cost
    }

    fn discarding(&self) -> Cost {
        let cost = measure::best(3, || {
            let mut command = Command::new(std::env::current_exe().expect("this program"));
            command.arg("discard").arg(&self.kubeconfig);
            command
        });
        assert_eq!(cost.code, Some(0));
        cost
    }

    fn collect(&self) -> std::path::PathBuf {
        let path = self.folder.path().join("large.json");
        let mut command = self.command("collect", &self.kubeconfig);
        command.arg("-o").arg(&path);
        assert!(measure::run(command).code.is_some());
        path
    }
}

/// Starts a Kubernetes API with that many pods; gives its address and certificate.
async fn serve(pods: usize) -> (String, String) {
    let (acceptor, certificate) = acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let padding = Arc::new(managed_fields());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, padding) = (acceptor.clone(), Arc::clone(&padding));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request: Request<Incoming>| {
                    let page = page(request.uri(), pods, &padding);
                    async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(page)))) }
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (format!("https://{address}"), certificate)
}

/// What takes the most room in real objects, and is of no use here.
fn managed_fields() -> String {
    let field = "\"f:metadata\":{\"f:annotations\":{\".\":{},\"f:kubernetes.io/config.seen\":{}},\"f:labels\":{\".\":{},\"f:app\":{},\"f:pod-template-hash\":{}}},";
    format!("[{{\"manager\":\"kubelet\",\"operation\":\"Update\",\"fieldsV1\":{{{}\"x\":{{}}}}}}]", field.repeat(20))
}

/// One page of 500, as an API server writes it: `metadata` first.
fn page(uri: &hyper::Uri, pods: usize, padding: &str) -> String {
    let start: usize = uri
        .query()
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("continue=")))
        .and_then(|token| token.parse().ok())
        .unwrap_or(0);
    let (total, item): (usize, fn(&mut String, usize, &str)) = match uri.path() {
        "/api/v1/nodes" => (NODES, node),
        "/api/v1/pods" => (pods, pod),
        "/api/v1/events" => (0, pod),
        _ => return "{}".to_owned(),
    };
    let end = (start + 500).min(total);
    let next = if end < total { end.to_string() } else { String::new() };
    let mut out = format!(
        "{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"1\",\"continue\":\"{next}\"}},\"items\":["
    );
    for number in start..end {
        if number > start {
            out.push(',');
        }
        item(&mut out, number, padding);
    }
    out.push_str("]}");
    out
}

fn node(out: &mut String, number: usize, padding: &str) {
    let pool = if number.is_multiple_of(2) { "apps" } else { "system" };
    let _ = write!(
        out,
        "{{\"metadata\":{{\"name\":\"aks-{pool}-11112222-vmss{number:06}\",\"creationTimestamp\":\"2026-11-12T08:00:00Z\",\"labels\":{{\"kubernetes.azure.com/agentpool\":\"{pool}\",\"kubernetes.azure.com/node-image-version\":\"AKSUbuntu-2204gen2containerd-202611.10.0\"}},\"managedFields\":{padding}}},\"spec\":{{\"providerID\":\"azure:///subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/MC_prod-rg_aks1_eastus/providers/Microsoft.Compute/virtualMachineScaleSets/aks-{pool}-11112222-vmss/virtualMachines/{number}\"}},\"status\":{{\"conditions\":[{{\"type\":\"Ready\",\"status\":\"True\"}}],\"images\":["
    );
    for image in 0..40 {
        let _ = write!(
            out,
            "{}{{\"names\":[\"mcr.microsoft.com/oss/kubernetes/image{image}@sha256:{image:064x}\",\"mcr.microsoft.com/oss/kubernetes/image{image}:v1\"],\"sizeBytes\":1}}",
            if image > 0 { "," } else { "" }
        );
    }
    out.push_str("],\"nodeInfo\":{\"containerRuntimeVersion\":\"containerd://1.7.34-1\"}}}");
}

fn pod(out: &mut String, number: usize, padding: &str) {
    let node = number % NODES;
    let pool = if node.is_multiple_of(2) { "apps" } else { "system" };
    let app = number % 300;
    let state = if number.is_multiple_of(PODS / FAILING) {
        "{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"Back-off pulling image: ErrImagePull: failed to authorize: 401 Unauthorized\"}}"
    } else {
        "{\"running\":{\"startedAt\":\"2026-11-12T08:00:00Z\"}}"
    };
    let _ = write!(
        out,
        "{{\"metadata\":{{\"name\":\"app{app}-{number}\",\"namespace\":\"team{}\",\"uid\":\"{number:032x}\",\"labels\":{{\"app\":\"app{app}\"}},\"managedFields\":{padding}}},\"spec\":{{\"nodeName\":\"aks-{pool}-11112222-vmss{node:06}\",\"containers\":[{{\"name\":\"main\",\"image\":\"contosoboot.azurecr.io/team/app{app}:1\",\"imagePullPolicy\":\"IfNotPresent\",\"env\":[{{\"name\":\"A\",\"value\":\"{padding_len}\"}}]}}]}},\"status\":{{\"phase\":\"Running\",\"containerStatuses\":[{{\"name\":\"main\",\"image\":\"contosoboot.azurecr.io/team/app{app}:1\",\"imageID\":\"sha256:{number:064x}\",\"state\":{state}}}]}}}}",
        app % 40,
        padding_len = padding.len(),
    );
}

/// Reads every page of the three lists, keeps the token of the next one and nothing else.
pub fn discard(kubeconfig: &str) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let config = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let config =
            kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.expect("a configuration");
        let client = kube::Client::try_from(config).expect("a client");
        let list = async |path: &str| {
            let mut token = String::new();
            loop {
                let next = if token.is_empty() { String::new() } else { format!("&continue={token}") };
                let request = http::Request::get(format!("{path}?limit=500{next}")).body(kube::client::Body::empty());
                let mut body = client.send(request.expect("a request")).await.expect("an answer").into_body();
                let mut head = Vec::new();
                while let Some(frame) = body.frame().await {
                    let frame = frame.expect("a frame");
                    if let Some(data) = frame.data_ref().filter(|_| head.len() < 400) {
                        head.extend_from_slice(&data[..data.len().min(400)]);
                    }
                }
                let head = String::from_utf8_lossy(&head);
                token = head
                    .split("\"continue\":\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .unwrap_or_default()
                    .to_owned();
                if token.is_empty() {
                    return;
                }
            }
        };
        tokio::join!(list("/api/v1/nodes"), list("/api/v1/pods"), list("/api/v1/events"));
    });
}
