//! This machine: its name, addresses and name servers, what kind of place it is, and its proxy variables.

use std::env;
use std::path::Path;

use super::root::{Root, Unread};
use crate::evidence::probe::{Host, Proxy, Vantage};
use crate::text;

/// Where Kubernetes puts a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Longest name or list that is kept, in characters.
const LONGEST: usize = 1_000;

/// The machine's own name, addresses and name servers; of a host root, the name and the name servers of that node.
pub(super) fn host(host_root: Option<&Path>) -> Host {
    let root = Root::new(host_root.unwrap_or(Path::new("/")));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_default();
    let name = root.read("etc/hostname").map(text).unwrap_or_default().trim().to_owned();
    let name = if name.is_empty() && host_root.is_none() { own_name() } else { name };
    // A root without a configuration is asked about by the machine's own name servers.
    let configured = match root.read("etc/resolv.conf") {
        Err(Unread::Absent) => Root::new(Path::new("/")).read("etc/resolv.conf"),
        own => own,
    };
    let configured = configured.map(text).unwrap_or_default();
    let resolvers = configured
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.split_whitespace().next().map(str::to_owned))
        .take(8)
        .collect();
    Host { name: text::truncated(&name, 253), addresses: addresses(), resolvers }
}

/// The name that the environment knows, where there is no file of it.
fn own_name() -> String {
    ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| env::var(name).ok()).unwrap_or_default()
}

/// The machine's addresses, without loopback and without those that end at its own link.
pub fn addresses() -> Vec<std::net::IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    let own = all.iter().map(if_addrs::Interface::ip).filter(|address| match address {
        std::net::IpAddr::V4(own) => !own.is_loopback() && !own.is_link_local(),
        std::net::IpAddr::V6(own) => !own.is_loopback() && !own.is_unicast_link_local(),
    });
    let mut own: Vec<std::net::IpAddr> = own.collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// What kind of place this is, where nobody says.
pub(super) fn vantage(has_node_files: bool) -> Vantage {
    if has_node_files {
        Vantage::Node
    } else if Path::new(SERVICE_ACCOUNT).is_dir() {
        Vantage::Pod
    } else {
        Vantage::Unknown
    }
}

/// The proxy variables: hosts and ports, never a user or a password.
pub(super) fn proxy() -> Proxy {
    let set = |names: [&str; 2]| names.iter().find_map(|name| env::var(name).ok().filter(|own| !own.trim().is_empty()));
    let https = set(["HTTPS_PROXY", "https_proxy"]).map(|own| without_user(&own));
    let http = set(["HTTP_PROXY", "http_proxy"]).map(|own| without_user(&own));
    let no_proxy = set(["NO_PROXY", "no_proxy"]).map(|own| text::truncated(&own, LONGEST));
    if https.is_none() && http.is_none() && no_proxy.is_none() {
        return Proxy::None;
    }
    Proxy::Set { https, http, no_proxy }
}

/// An address without user and password.
fn without_user(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    // What stands before the last @ may hold slashes, if somebody did not encode a password.
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let whole = if scheme.is_empty() { authority.to_owned() } else { format!("{scheme}://{authority}") };
    text::truncated(&whole, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::without_user;

    #[test]
    fn a_proxy_keeps_no_user_and_no_password() {
        assert_eq!(without_user("http://user:pa@ss/w@proxy:8080/x"), "http://proxy:8080");
        assert_eq!(without_user("proxy:8080"), "proxy:8080");
        assert_eq!(without_user("u:p@proxy"), "proxy");
    }
}
