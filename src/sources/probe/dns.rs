//! Name resolution: by the machine's own configuration, and by name servers that the operator names. Every server is
//! asked as a node's resolver would: in order, the next one where one before it gives no usable answer, with nothing
//! kept from one answer to the next.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::{Instant, timeout};

use super::root::Root;
use crate::evidence::probe::{Resolved, SYSTEM};

/// What all servers of one resolver may take together; a little less than a probe's time.
const ALL: Duration = Duration::from_millis(4_600);
/// What IPv6 addresses get: no node needs them, and a server that drops the question must not cost the other answer.
const SIX: Duration = Duration::from_millis(1_500);
/// Most name servers that a resolver asks, as on Linux.
const SERVERS: usize = 3;
/// Most aliases that are followed or kept.
const CHAIN: usize = 12;

/// A resolver for each name server, in their order, or why there is none.
pub(super) type Made = Result<Vec<TokioResolver>, String>;

/// The machine's own resolver, and one for each name server.
pub(super) struct Resolvers(Vec<(String, Made)>);

impl Resolvers {
    pub(super) fn new(servers: &[SocketAddr], host_root: Option<&Path>) -> Self {
        let mut all = vec![(SYSTEM.to_owned(), system(host_root))];
        all.extend(servers.iter().map(|server| (via(*server), named(*server))));
        Self(all)
    }

    /// Each with the word for it.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Made)> {
        self.0.iter().map(|(via, made)| (via.as_str(), made))
    }
}

/// How a result names its name server: the address, with the port where it is not the usual one.
fn via(server: SocketAddr) -> String {
    if server.port() == 53 { server.ip().to_string() } else { server.to_string() }
}

/// The resolver of the machine; of a host root, that of the node behind it.
fn system(host_root: Option<&Path>) -> Made {
    let of_root = host_root.map(of_root).transpose()?.flatten();
    let (config, options) = match of_root {
        Some(own) => own,
        None => hickory_resolver::system_conf::read_system_conf()
            .map_err(|error| format!("the resolver's configuration cannot be read: {error}"))?,
    };
    let servers = config.name_servers().iter().take(SERVERS).cloned();
    let made: Made = servers.map(|server| build(server, options.clone(), ResolveHosts::Auto)).collect();
    let mut resolvers = made?;
    if let Some(root) = host_root {
        // The node's own hosts file, not that of the container.
        let mut hosts = hickory_resolver::Hosts::default();
        if let Ok(bytes) = Root::new(root).read("etc/hosts") {
            let _ = hosts.read_hosts_conf(bytes.as_slice()); // a file that cannot be read names nobody
        }
        let hosts = std::sync::Arc::new(hosts);
        resolvers.iter_mut().for_each(|resolver| resolver.set_hosts(std::sync::Arc::clone(&hosts)));
    }
    Ok(resolvers)
}

/// The resolver configuration of a host root; where it has none, the machine's own is used.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn of_root(root: &Path) -> Result<Option<(ResolverConfig, ResolverOpts)>, String> {
    let bytes = match Root::new(root).read("etc/resolv.conf") {
        Ok(bytes) => bytes,
        Err(super::root::Unread::Absent) => return Ok(None),
        Err(why) => return Err(format!("etc/resolv.conf of the host: {why}")),
    };
    hickory_resolver::system_conf::parse_resolv_conf(bytes)
        .map(Some)
        .map_err(|error| format!("etc/resolv.conf of the host cannot be read: {error}"))
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn of_root(_: &Path) -> Result<Option<(ResolverConfig, ResolverOpts)>, String> {
    Err("--host-root is for Linux nodes".to_owned())
}

/// The resolver that asks one name server and nobody else.
fn named(server: SocketAddr) -> Made {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let config = NameServerConfig::new(server.ip(), true, connections.into());
    Ok(vec![build(config, ResolverOpts::default(), ResolveHosts::Never)?])
}

/// A resolver that asks one server; how long it may take is the asker's matter.
fn build(server: NameServerConfig, mut options: ResolverOpts, hosts: ResolveHosts) -> Result<TokioResolver, String> {
    options.timeout = ALL;
    options.attempts = 1;
    options.num_concurrent_reqs = 1;
    options.cache_size = 0;
    options.use_hosts_file = hosts;
    options.preserve_intermediates = true;
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(|error| format!("the resolver cannot be set up: {error}"))
}

/// The addresses of a name, of both families.
pub(super) async fn resolve(resolvers: &Made, host: &str) -> Resolved {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Resolved::Addresses { addresses: vec![address], cnames: Vec::new() };
    }
    let resolvers = match resolvers {
        Ok(resolvers) => resolvers,
        Err(reason) => return Resolved::NotTried { reason: reason.clone() },
    };
    // Search domains of the machine would make another name of it.
    let Ok(name) = Name::from_ascii(format!("{}.", host.trim_end_matches('.'))) else {
        return Resolved::NotTried { reason: "it is not a host name".to_owned() };
    };
    let end = Instant::now() + ALL;
    let mut worst = Resolved::TimedOut;
    for (resolver, left) in resolvers.iter().zip((1..=resolvers.len()).rev()) {
        let share = end.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(1);
        let answer = by_one(resolver, &name, share).await;
        if !asks_the_next(&answer) {
            return answer;
        }
        // What a server said tells more than the silence of another.
        worst = if answer == Resolved::TimedOut { worst } else { answer };
    }
    worst
}

/// Whether a resolver asks the next name server after such an answer.
fn asks_the_next(answer: &Resolved) -> bool {
    matches!(answer, Resolved::TimedOut | Resolved::Servfail | Resolved::Refused | Resolved::Malformed)
}

/// What one name server says in its time.
async fn by_one(resolver: &TokioResolver, name: &Name, limit: Duration) -> Resolved {
    let four = timeout(limit, resolver.lookup(name.clone(), RecordType::A));
    let six = timeout(limit.min(SIX), resolver.lookup(name.clone(), RecordType::AAAA));
    let (four, six) = tokio::join!(four, six);
    let mut addresses = Vec::new();
    let mut cnames = Vec::new();
    for lookup in [&four, &six].into_iter().flatten().flatten() {
        read(lookup, &mut addresses, &mut cnames);
    }
    if !addresses.is_empty() {
        addresses.sort_unstable();
        return Resolved::Addresses { addresses, cnames };
    }
    match four {
        Ok(Ok(_)) => Resolved::NoData,
        Ok(Err(error)) => failed(&error),
        Err(_) => Resolved::TimedOut,
    }
}

fn read(lookup: &Lookup, addresses: &mut Vec<IpAddr>, cnames: &mut Vec<String>) {
    for record in lookup.answers() {
        match &record.data {
            RData::A(address) => addresses.push(IpAddr::V4(address.0)),
            RData::AAAA(address) => addresses.push(IpAddr::V6(address.0)),
            RData::CNAME(alias) => {
                let alias = alias.0.to_ascii().trim_end_matches('.').to_lowercase();
                if cnames.len() < CHAIN && !cnames.contains(&alias) {
                    cnames.push(alias);
                }
            }
            _ => {}
        }
    }
    addresses.dedup();
}

fn failed(error: &NetError) -> Resolved {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Resolved::Nxdomain,
            ResponseCode::ServFail => Resolved::Servfail,
            ResponseCode::Refused => Resolved::Refused,
            _ => Resolved::NoData,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => Resolved::Servfail,
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Resolved::Refused,
        NetError::Dns(_) | NetError::Proto(_) => Resolved::Malformed,
        _ => Resolved::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::UdpSocket;

    use super::*;

    /// How a name server answers.
    #[derive(Clone, Copy, PartialEq)]
    enum Server {
        Silent,
        Code(u8),
        Good,
        /// IPv4 alone; the other question is dropped.
        OnlyFour,
    }

    async fn start(server: Server) -> TokioResolver {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                // The question ends at the root label, with type and class behind it.
                let end = 12 + buffer[12..length].iter().position(|byte| *byte == 0).expect("a name") + 5;
                let four = buffer[end - 3] == 1;
                let mut out = buffer[..end].to_vec();
                (out[2], out[3]) = (0x81, 0x80);
                out[6..12].fill(0);
                match server {
                    Server::Silent => continue,
                    Server::OnlyFour if !four => continue,
                    Server::Code(code) => out[3] |= code,
                    _ if four => {
                        out[7] = 1;
                        out.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 1, 2, 5]);
                    }
                    _ => {}
                }
                let _ = socket.send_to(&out, from).await;
            }
        });
        named(address).expect("a resolver").remove(0)
    }

    async fn ask(servers: &[Server]) -> Resolved {
        let mut resolvers = Vec::new();
        for server in servers {
            resolvers.push(start(*server).await);
        }
        let begin = Instant::now();
        let answer = resolve(&Ok(resolvers), "contosoboot.test").await;
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        answer
    }

    #[tokio::test]
    async fn the_next_server_is_asked_where_one_gives_no_usable_answer() {
        let found = Resolved::Addresses { addresses: vec![Ipv4Addr::new(10, 1, 2, 5).into()], cnames: Vec::new() };
        let (one, two, three, four, five, six) = tokio::join!(
            ask(&[Server::Silent, Server::Good]),
            ask(&[Server::Silent, Server::Code(2), Server::Good]),
            ask(&[Server::Code(5), Server::Good]),
            ask(&[Server::OnlyFour]),
            ask(&[Server::Code(3), Server::Good]),
            ask(&[Server::Code(2), Server::Silent]),
        );
        assert_eq!(one, found);
        assert_eq!(two, found);
        assert_eq!(three, found);
        assert_eq!(four, found, "a dropped question for IPv6 addresses costs no answer");
        assert_eq!(five, Resolved::Nxdomain, "a name that does not exist is an answer");
        assert_eq!(six, Resolved::Servfail, "what was said tells more than silence");
    }
}
