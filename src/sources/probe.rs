//! Looks from this machine: names, connections, certificates, the registry's greeting, the node's files. It sends no
//! credential unless asked to act as the kubelet, and never asks for an image or a manifest: that could make the
//! registry import, which is a write.

mod connect;
mod dns;
mod files;
mod http;
mod identity;
mod machine;
mod root;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::evidence::probe::{
    Connected, HOST_FILES, Handshake, Outcome, Probe, ProbeResult, Resolved, SCHEMA_VERSION, SYSTEM, Vantage,
};
use crate::evidence::snapshot::Tool;
use dns::Resolvers;
pub use identity::{METADATA, metadata_endpoint};
pub use machine::addresses;
use tls::Trust;

/// Longest time of one probe.
const EACH: Duration = Duration::from_secs(5);
/// A probe that had about that long was given its time, whatever else ended at the same moment.
const NEARLY: Duration = Duration::from_millis(4_500);
/// The port of everything that is probed, unless another is given.
pub const HTTPS: u16 = 443;
/// Why the rest is not tried any more.
const OUT_OF_TIME: &str = "the time limit (--timeout) was reached";

/// A host with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

/// What to probe, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The registry's login server.
    pub login_server: Option<HostPort>,
    /// Its data endpoints.
    pub data: Vec<HostPort>,
    pub api_server: Option<HostPort>,
    /// Hosts of the internet.
    pub egress: Vec<HostPort>,
    /// Host of Microsoft's registry, for which the node has a mirror.
    pub mcr: String,
    /// Name servers to ask besides the machine's own resolver.
    pub dns_servers: Vec<SocketAddr>,
    /// Where the node's file system is mounted.
    pub host_root: Option<PathBuf>,
    pub vantage: Option<Vantage>,
    /// Whether to ask what the kubelet identity may do, and by which client id.
    pub as_kubelet: bool,
    pub client_id: Option<String>,
    /// Where the identity's tokens come from.
    pub metadata: SocketAddr,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// What the kinds of hosts are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Registry,
    Data,
    ApiServer,
}

/// What every probe shares.
struct Prober<'p> {
    plan: &'p Plan,
    resolvers: Resolvers,
    trust: Trust,
    deadline: Instant,
}

/// Runs every probe of a plan at once.
pub async fn run(plan: &Plan) -> Probe {
    let taken_at = Timestamp::now();
    let files = files::root_of(plan.host_root.as_deref());
    let prober = Prober {
        plan,
        resolvers: Resolvers::new(&plan.dns_servers, plan.host_root.as_deref()),
        trust: Trust::load(),
        deadline: Instant::now() + plan.timeout,
    };
    let registry = plan.login_server.iter().map(|host| prober.host(host, Kind::Registry));
    let data = plan.data.iter().map(|host| prober.host(host, Kind::Data));
    let api = plan.api_server.iter().map(|host| prober.host(host, Kind::ApiServer));
    let (hosts, egress) = tokio::join!(
        join_all(registry.chain(data).chain(api)),
        join_all(plan.egress.iter().map(|host| prober.egress(host)))
    );
    let mut results: Vec<ProbeResult> = hosts.into_iter().chain(egress).flatten().collect();
    if let Some(root) = &files {
        results.extend(HOST_FILES.map(|name| result(name, None, Outcome::HostFile(root.read(name, &plan.mcr)))));
    }
    let is_node = files.as_ref().is_some_and(|files| files::are_a_nodes(files, &plan.mcr));
    results.push(result("environment", None, Outcome::Proxy(machine::proxy())));
    Probe {
        schema_version: SCHEMA_VERSION.to_owned(),
        tool: Tool::this(),
        taken_at: taken_at.round(jiff::Unit::Second).unwrap_or(taken_at),
        vantage: plan.vantage.unwrap_or_else(|| machine::vantage(is_node)),
        host: machine::host(plan.host_root.as_deref()),
        results,
    }
}

fn result(target: &str, via: Option<&str>, outcome: Outcome) -> ProbeResult {
    ProbeResult { target: target.to_owned(), via: via.map(str::to_owned), outcome, elapsed_ms: None }
}

/// An address, and who gave it.
#[derive(Clone, PartialEq, Eq)]
struct Found {
    address: IpAddr,
    via: String,
}

impl Prober<'_> {
    /// When a probe that begins now must end; `None` = there is no time left.
    fn until(&self) -> Option<Instant> {
        let now = Instant::now();
        (now < self.deadline).then(|| self.deadline.min(now + EACH))
    }

    /// Whether it was the time of the whole run that ran out, and not that of the probe.
    fn run_is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Runs one probe within its time. `late` makes what stands for a time-out of its own.
    async fn timed<T>(
        &self,
        probe: impl Future<Output = T>,
        late: impl Fn() -> T,
        untried: impl Fn(String) -> T,
    ) -> (T, Option<u64>) {
        let Some(until) = self.until() else { return (untried(OUT_OF_TIME.to_owned()), None) };
        let begin = Instant::now();
        let outcome = match tokio::time::timeout_at(until, probe).await {
            Ok(outcome) => outcome,
            Err(_) if self.run_is_over() && begin.elapsed() < NEARLY => untried(OUT_OF_TIME.to_owned()),
            Err(_) => late(),
        };
        (outcome, begin.elapsed().as_millis().try_into().ok())
    }

    /// A name by every resolver.
    async fn resolve(&self, host: &str) -> (Vec<ProbeResult>, Vec<Found>) {
        let asked = self.resolvers.all().map(|(via, resolver)| async move {
            let untried = |reason| Resolved::NotTried { reason };
            let (answer, elapsed_ms) = self.timed(dns::resolve(resolver, host), || Resolved::TimedOut, untried).await;
            ProbeResult { elapsed_ms, ..result(host, Some(via), Outcome::Resolve(answer)) }
        });
        let results = join_all(asked).await;
        let mut found: Vec<Found> = Vec::new();
        for own in &results {
            let Outcome::Resolve(answer) = &own.outcome else { continue };
            for address in answer.addresses() {
                if !found.iter().any(|known| known.address == *address) {
                    let via = own.via.clone().unwrap_or_else(|| SYSTEM.to_owned());
                    found.push(Found { address: *address, via });
                }
            }
        }
        (results, found)
    }

    async fn connect(&self, found: &Found, port: u16) -> (ProbeResult, Connected) {
        let target = SocketAddr::new(found.address, port);
        let untried = |reason| Connected::NotTried { reason };
        let (outcome, elapsed_ms) = self.timed(connect::connect(target), || Connected::TimedOut, untried).await;
        let seen = result(&target.to_string(), Some(&found.via), Outcome::Connect(outcome.clone()));
        (ProbeResult { elapsed_ms, ..seen }, outcome)
    }

    /// A host: its addresses, a connection to each, then who answers at the first that opens.
    async fn host(&self, target: &HostPort, kind: Kind) -> Vec<ProbeResult> {
        let (mut results, found) = self.resolve(&target.host).await;
        let connected = join_all(found.iter().map(|own| self.connect(own, target.port))).await;
        let open = found.iter().zip(&connected).find(|(_, (_, outcome))| *outcome == Connected::Open);
        let open = open.map(|(found, _)| found.clone());
        results.extend(connected.into_iter().map(|(seen, _)| seen));
        if let Some(open) = open {
            results.extend(self.greet(target, &open, kind).await);
        }
        results
    }

    /// Who answers: TLS, and for the registry its greeting and what it says of the kubelet.
    async fn greet(&self, target: &HostPort, open: &Found, kind: Kind) -> Vec<ProbeResult> {
        let address = SocketAddr::new(open.address, target.port);
        let seen = |outcome, elapsed_ms| ProbeResult { elapsed_ms, ..result(&target.host, Some(&open.via), outcome) };
        let handshake = async {
            if kind == Kind::ApiServer {
                self.trust.name_only(address, &target.host).await
            } else {
                self.trust.handshake(address, &target.host).await
            }
        };
        let ((outcome, stream), elapsed) = self
            .timed(handshake, || (Handshake::TimedOut, None), |reason| (Handshake::NotTried { reason }, None))
            .await;
        let mut results = vec![seen(Outcome::Tls(outcome), elapsed)];
        let Some(stream) = stream.filter(|_| kind == Kind::Registry) else { return results };
        let untried = |reason| crate::evidence::probe::RegistryAnswer::NotTried { reason };
        let late = || crate::evidence::probe::RegistryAnswer::TimedOut;
        let (answer, elapsed) = self.timed(http::greeting(stream, target), late, untried).await;
        results.push(seen(Outcome::Registry(answer), elapsed));
        if self.plan.as_kubelet {
            let untried = |reason| crate::evidence::probe::Identity::NotTried { reason };
            let late = || crate::evidence::probe::Identity::Unreachable;
            let asked = identity::ask(self.plan, &self.trust, target, address);
            let (answer, elapsed) = self.timed(asked, late, untried).await;
            results.push(seen(Outcome::Identity(answer), elapsed));
        }
        results
    }

    /// A host of the internet: one open address is enough.
    async fn egress(&self, target: &HostPort) -> Vec<ProbeResult> {
        let (mut results, found) = self.resolve(&target.host).await;
        let connected = join_all(found.iter().map(|own| self.connect(own, target.port))).await;
        let best = connected.iter().find(|(_, outcome)| *outcome == Connected::Open).or(connected.first());
        results.extend(best.map(|(seen, outcome)| ProbeResult {
            target: target.host.clone(),
            outcome: Outcome::Egress(outcome.clone()),
            ..seen.clone()
        }));
        results
    }
}
