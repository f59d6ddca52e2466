//! A cluster of 5,000 nodes and 100,000 pods, 500 of which wait for an image: what reading it costs, against reading the
//! same pages and keeping nothing.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

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

/// What one cluster holds, and how long its API server takes for a page.
#[derive(Debug, Clone, Copy)]
struct Size {
    nodes: usize,
    pods: usize,
    page: Duration,
}

const EMPTY: Size = Size { nodes: 0, pods: 0, page: Duration::ZERO };
/// A tenth of the large one, nodes and pods alike, so that a pod costs the same in both where nothing grows faster than they.
const SMALL: Size = Size { nodes: 500, pods: 10_000, page: Duration::ZERO };
const LARGE: Size = Size { nodes: 5_000, pods: 100_000, page: Duration::ZERO };
/// As far away as an API server behind a private endpoint is.
const REAL: Size = Size { page: Duration::from_millis(40), ..LARGE };
/// Every 200th pod waits for its image.
const FAILING: usize = 200;

pub fn run() {
    println!("scale: {} nodes and {} pods, {} of them waiting", LARGE.nodes, LARGE.pods, LARGE.pods / FAILING);
    let real = Site::start(REAL);
    let (alone, live) = (real.discarding(2), real.live(2));
    println!(
        "  at {} ms a page: {:.2} s; reading and discarding the same pages: {:.2} s; ratio {:.2} (goal: at most 1.15)",
        REAL.page.as_millis(),
        live.wall.as_secs_f64(),
        alone.wall.as_secs_f64(),
        live.wall.as_secs_f64() / alone.wall.as_secs_f64()
    );
    let large = Site::start(LARGE);
    let (alone, live) = (large.discarding(3), large.live(3));
    println!("  peak memory of the whole program: {:.0} MiB (goal: at most 64)", live.peak);
    println!("  the same, reading and discarding: {:.0} MiB", alone.peak);
    println!("  time on the processors: {:.2} s, of which reading alone is {:.2} s", live.processor, alone.processor);
    let (nothing, small) = (Site::start(EMPTY).live(9).processor, Site::start(SMALL).live(9).processor);
    #[allow(clippy::cast_precision_loss, reason = "a number of pods")]
    let per_pod = |processor: f64, size: Size| (processor - nothing) * 1e6 / size.pods as f64;
    let (few, many) = (per_pod(small, SMALL), per_pod(live.processor, LARGE));
    println!(
        "  per pod, its share of the nodes included: {few:.1} us of {} pods, {many:.1} us of {}; ratio {:.2} (flat = 1)",
        SMALL.pods,
        LARGE.pods,
        many / few
    );
    let snapshot = large.collect();
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

/// Azure as the healthy fixture has it, and a large Kubernetes API.
struct Site {
    azure: Server,
    cluster: String,
    size: Size,
    folder: tempfile::TempDir,
    kubeconfig: std::path::PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Site {
    fn start(size: Size) -> Self {
        let snapshot = fixtures::healthy_json("byo");
        let azure = Server::start(&snapshot);
        let cluster = snapshot["evidence"]["cluster"]["id"].as_str().expect("an id").to_owned();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let mut certificates = azure.certificate.clone();
        let (full, certificate) = runtime.block_on(serve(size));
        certificates.push_str(&certificate);
        std::fs::write(folder.path().join("ca.pem"), certificates).expect("written");
        let kubeconfig = measure::kubeconfig(&full, folder.path());
        Self { azure, cluster, size, folder, kubeconfig, _runtime: runtime }
    }

    fn command(&self, verb: &str, kubeconfig: &Path) -> Command {
        let mut command = measure::against(&self.azure.url(), self.folder.path());
        command.args([verb, "--cluster-id", &self.cluster, "--kubeconfig"]).arg(kubeconfig);
        command
    }

    fn live(&self, times: usize) -> Cost {
        let cost = measure::best(times, || self.command("diagnose", &self.kubeconfig));
        assert!(cost.code == Some(1) || self.size.pods == 0, "pods that wait are an error");
        cost
    }

    fn discarding(&self, times: usize) -> Cost {
        let cost = measure::best(times, || {
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

/// Starts a Kubernetes API of that size; gives its address and certificate.
async fn serve(size: Size) -> (String, String) {
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
                    let page = page(request.uri(), size, &padding);
                    async move {
                        tokio::time::sleep(size.page).await;
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(page))))
                    }
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

/// Writes one item of a list.
type Item = fn(&mut String, usize, Size, &str);

/// One page of 500, as an API server writes it: `metadata` first.
fn page(uri: &hyper::Uri, size: Size, padding: &str) -> String {
    let start: usize = uri
        .query()
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("continue=")))
        .and_then(|token| token.parse().ok())
        .unwrap_or(0);
    let (total, item): (usize, Item) = match uri.path() {
        "/api/v1/nodes" => (size.nodes, node),
        "/api/v1/pods" => (size.pods, pod),
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
        item(&mut out, number, size, padding);
    }
    out.push_str("]}");
    out
}

fn node(out: &mut String, number: usize, _: Size, padding: &str) {
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

fn pod(out: &mut String, number: usize, size: Size, padding: &str) {
    let node = number % size.nodes;
    let pool = if node.is_multiple_of(2) { "apps" } else { "system" };
    let app = number % 300;
    let state = if number.is_multiple_of(FAILING) {
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
