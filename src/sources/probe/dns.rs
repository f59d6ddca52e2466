//! Name resolution: by the machine's own configuration, and by name servers that the operator names. Every server is
//! asked as a node's resolver would: in order, with nothing kept from one answer to the next.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::root::Root;
use crate::evidence::probe::{Resolved, SYSTEM};

/// What all servers of one resolver may take together; a little less than a probe's time.
const ALL: Duration = Duration::from_millis(4_600);
/// What one of several servers gets at least.
const LEAST: Duration = Duration::from_millis(1_500);
/// Most aliases that are followed or kept.
const CHAIN: usize = 12;

/// A resolver, or why there is none.
pub(super) type Made = Result<TokioResolver, String>;

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
    let (config, options) = match host_root {
        Some(root) => of_root(root)?,
        None => hickory_resolver::system_conf::read_system_conf()
            .map_err(|error| format!("the resolver's configuration cannot be read: {error}"))?,
    };
    let mut resolver = build(config, options, ResolveHosts::Auto)?;
    if let Some(root) = host_root {
        // The node's own hosts file, not that of the container.
        let mut hosts = hickory_resolver::Hosts::default();
        if let Ok(bytes) = Root::new(root).read("etc/hosts") {
            let _ = hosts.read_hosts_conf(bytes.as_slice()); // a file that cannot be read names nobody
        }
        resolver.set_hosts(std::sync::Arc::new(hosts));
    }
    Ok(resolver)
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn of_root(root: &Path) -> Result<(ResolverConfig, ResolverOpts), String> {
    let bytes = Root::new(root).read("etc/resolv.conf").map_err(|why| format!("etc/resolv.conf of the host: {why}"))?;
    hickory_resolver::system_conf::parse_resolv_conf(bytes)
        .map_err(|error| format!("etc/resolv.conf of the host cannot be read: {error}"))
}

#[cfg(not(all(unix, not(target_vendor = "apple"))))]
fn of_root(_: &Path) -> Result<(ResolverConfig, ResolverOpts), String> {
    Err("--host-root is for Linux nodes".to_owned())
}

/// The resolver that asks one name server and nobody else.
fn named(server: SocketAddr) -> Made {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let config = NameServerConfig::new(server.ip(), true, connections.into());
    build(ResolverConfig::from_name_servers(vec![config]), ResolverOpts::default(), ResolveHosts::Never)
}

fn build(config: ResolverConfig, mut options: ResolverOpts, hosts: ResolveHosts) -> Made {
    let servers = u32::try_from(config.name_servers().len().max(1)).unwrap_or(1);
    options.timeout = (ALL / servers).max(LEAST);
    options.attempts = 1;
    options.num_concurrent_reqs = 1;
    options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    options.cache_size = 0;
    options.use_hosts_file = hosts;
    options.preserve_intermediates = true;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(|error| format!("the resolver cannot be set up: {error}"))
}

/// The addresses of a name, of both families.
pub(super) async fn resolve(resolver: &Made, host: &str) -> Resolved {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Resolved::Addresses { addresses: vec![address], cnames: Vec::new() };
    }
    let resolver = match resolver {
        Ok(resolver) => resolver,
        Err(reason) => return Resolved::NotTried { reason: reason.clone() },
    };
    // Search domains of the machine would make another name of it.
    let Ok(name) = Name::from_ascii(format!("{}.", host.trim_end_matches('.'))) else {
        return Resolved::NotTried { reason: "it is not a host name".to_owned() };
    };
    let (four, six) =
        tokio::join!(resolver.lookup(name.clone(), RecordType::A), resolver.lookup(name, RecordType::AAAA));
    let mut addresses = Vec::new();
    let mut cnames = Vec::new();
    for lookup in [&four, &six].into_iter().filter_map(|answer| answer.as_ref().ok()) {
        read(lookup, &mut addresses, &mut cnames);
    }
    if !addresses.is_empty() {
        addresses.sort_unstable();
        return Resolved::Addresses { addresses, cnames };
    }
    match four {
        Ok(_) => Resolved::NoData,
        Err(error) => failed(&error),
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
