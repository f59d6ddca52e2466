//! The arguments of `probe`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use super::values::duration;
use crate::evidence::probe::Vantage;
use crate::report::probe::ProbeFormat;
use crate::sources::probe::{HTTPS, HostPort};

/// `probe`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("targets").args(["from", "login_server"]))]
pub struct ProbeArgs {
    /// Take the targets from a snapshot of the cluster; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The registry's login server
    #[arg(long, value_name = "HOST[:PORT]", value_parser = host)]
    pub login_server: Option<HostPort>,
    /// Region of a data endpoint of the registry; may be repeated
    #[arg(long, value_name = "REGION", value_parser = region, requires = "login_server")]
    pub region: Vec<String>,
    /// The cluster's API server, by the name that nodes use
    #[arg(long, value_name = "HOST[:PORT]", value_parser = host)]
    pub api_server: Option<HostPort>,
    /// Address that the names should have; may be repeated. The table says whether they do, the file does not change
    #[arg(long, value_name = "IP")]
    pub expect: Vec<IpAddr>,
    /// Where the node's file system is mounted, such as /host in a debug pod
    #[arg(long, value_name = "FOLDER")]
    pub host_root: Option<PathBuf>,
    /// Ask this name server too; may be repeated
    #[arg(long, value_name = "IP[:PORT]", value_parser = name_server)]
    pub dns_server: Vec<SocketAddr>,
    /// Try this host of the internet too, besides Microsoft's registry; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", value_parser = host)]
    pub egress: Vec<HostPort>,
    /// Ask the registry what the kubelet identity may do: the machine's metadata service gives a token, which is
    /// exchanged, and neither kept nor shown
    #[arg(long, conflicts_with_all = ["script", "how"])]
    pub as_kubelet: bool,
    /// Client id of the kubelet identity [default: the snapshot's, else the machine's only identity]
    #[arg(long, value_name = "GUID", value_parser = super::values::object_id, requires = "as_kubelet")]
    pub client_id: Option<String>,
    /// What kind of place this is [default: worked out]
    #[arg(long, value_enum)]
    pub vantage: Option<VantageArg>,
    /// Time limit of the whole run; one probe takes at most 5 s
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub timeout: Duration,
    /// What to print
    #[arg(long, value_enum, default_value = "table")]
    pub output: ProbeFormat,
    /// Write the probe file, which --probe reads, whole or not at all; - writes standard output, without the table
    #[arg(short = 'o', value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print a shell script that does the same on a node and prints one line of JSON
    #[arg(long, conflicts_with_all = ["how", "file", "host_root", "dns_server", "vantage"])]
    pub script: bool,
    /// Print the ways to run it; aksiso runs none of them
    #[arg(long, conflicts_with_all = ["file", "host_root", "dns_server", "vantage"])]
    pub how: bool,
}

/// What kind of place a probe is run at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VantageArg {
    /// A node, with its own name servers
    Node,
    /// A pod
    Pod,
    /// Another machine in or beside the network
    Jumpbox,
    /// Not known
    Unknown,
}

impl From<VantageArg> for Vantage {
    fn from(arg: VantageArg) -> Self {
        match arg {
            VantageArg::Node => Self::Node,
            VantageArg::Pod => Self::Pod,
            VantageArg::Jumpbox => Self::Jumpbox,
            VantageArg::Unknown => Self::Unknown,
        }
    }
}

/// Whether a text can be a host name: it stands in scripts, requests and reports.
pub fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn host(text: &str) -> Result<HostPort, String> {
    const EXPECTED: &str = "expected HOST or HOST:PORT, such as contosoboot.azurecr.io";
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| EXPECTED)?),
        None => (text, HTTPS),
    };
    let host = host.trim_end_matches('.').to_lowercase();
    if !is_host(&host) || port == 0 {
        return Err(EXPECTED.to_owned());
    }
    Ok(HostPort { host, port })
}

fn region(text: &str) -> Result<String, String> {
    let region: String = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let plain = !region.is_empty() && region.len() <= 40 && region.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(region).ok_or_else(|| "expected a region, such as westeurope".to_owned())
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let alone = text.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    let server = alone.or_else(|_| text.parse()).ok().filter(|server: &SocketAddr| server.port() != 0);
    server.ok_or_else(|| "expected an address, such as 10.0.0.4 or 10.0.0.4:53".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_name_servers_take_a_port() {
        let own = |text: &str| host(text).map(|own| (own.host, own.port));
        assert_eq!(own("Contoso.azurecr.io"), Ok(("contoso.azurecr.io".to_owned(), 443)));
        assert_eq!(own("127.0.0.1:8443"), Ok(("127.0.0.1".to_owned(), 8443)));
        for bad in ["", "a b", "x;reboot", "-n", "a..b", "x:0", "x:y", "$(id)", "https://x"] {
            assert!(own(bad).is_err(), "{bad}");
        }
        assert_eq!(name_server("10.0.0.4").map(|own| own.to_string()), Ok("10.0.0.4:53".to_owned()));
        assert_eq!(name_server("[::1]:5353").map(|own| own.to_string()), Ok("[::1]:5353".to_owned()));
        assert!(name_server("dns.contoso.com").is_err() && name_server("10.0.0.4:0").is_err());
    }
}
