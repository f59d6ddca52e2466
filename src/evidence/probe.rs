//! What a machine inside the network saw: the file that `aksiso probe` writes and `--probe` reads.
//!
//! It is supplied by the operator, and untrusted like any other input: read strictly, bounded, and escaped where it is
//! shown.

mod host_file;
mod read;

use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient::null_is_default;
use super::snapshot::Tool;
pub use host_file::{CREDENTIAL_PROVIDER, HOSTS_TOML, LOCAL_DNS, OUTBOUND_SKIPPED, PROVISION, Read};
pub use read::{LIMIT, parse};

/// The version that this program writes and reads; within it fields are only added.
pub const SCHEMA_VERSION: &str = "1";
/// What `via` says of the machine's own resolver.
pub const SYSTEM: &str = "system";
/// Name servers on a node itself, which ask the network's in their turn: LocalDNS, and systemd's.
pub const STUBS: [&str; 2] = [LOCAL_DNS_ADDRESS, "127.0.0.53"];
/// The address at which LocalDNS answers on a node.
pub const LOCAL_DNS_ADDRESS: &str = "169.254.10.10";
/// The actions of a registry's token; another one may name a repository.
const ACTIONS: [&str; 12] = [
    "*",
    "read",
    "write",
    "delete",
    "list",
    "pull",
    "push",
    "content_read",
    "content_write",
    "metadata_read",
    "metadata_write",
    "deleted_read",
];
/// The short names of the node's files.
pub const HOST_FILES: [&str; 5] = [HOSTS_TOML, CREDENTIAL_PROVIDER, PROVISION, OUTBOUND_SKIPPED, LOCAL_DNS];

/// A file that the operator supplied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Supplied {
    /// The file, as the command line named it.
    pub file: String,
    pub probe: Probe,
}

/// What one machine saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Version of this schema.
    pub schema_version: String,
    /// The program that wrote it.
    pub tool: Tool,
    /// When the machine looked, by its own clock.
    pub taken_at: Timestamp,
    /// What kind of place it looked from.
    pub vantage: Vantage,
    /// The machine.
    #[serde(default)]
    pub host: Host,
    #[serde(default)]
    pub results: Vec<ProbeResult>,
}

/// What kind of place a probe was run at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Vantage {
    /// A node of the cluster, in its own network and file system.
    Node,
    /// A pod: its DNS is the cluster's.
    Pod,
    /// Another machine in or beside the network.
    Jumpbox,
    Unknown,
}

impl Vantage {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Jumpbox => "jumpbox",
            Self::Unknown => "unknown",
        }
    }
}

/// The machine that looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Host {
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// Its own addresses, without loopback.
    #[serde(deserialize_with = "null_is_default")]
    pub addresses: Vec<IpAddr>,
    /// The name servers of its resolver configuration.
    #[serde(deserialize_with = "null_is_default")]
    pub resolvers: Vec<String>,
}

/// One thing that was tried, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeResult {
    /// A host name, `address:port`, or a file's short name.
    #[serde(default, deserialize_with = "null_is_default")]
    pub target: String,
    /// `system`, or the address of the name server that was asked.
    #[serde(default)]
    pub via: Option<String>,
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(default)]
    pub elapsed_ms: Option<u64>,
}

impl ProbeResult {
    /// Whether it was the machine's own resolver that answered.
    pub fn by_system(&self) -> bool {
        self.via.as_deref().is_none_or(|via| via == SYSTEM)
    }
}

/// What was tried, with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "probe", content = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The addresses of a name.
    Resolve(Resolved),
    /// A TCP connection to port 443 of an address.
    Connect(Connected),
    /// The certificate that a host shows.
    Tls(Handshake),
    /// `GET /v2/` without credentials.
    Registry(RegistryAnswer),
    /// A TCP connection to a host of the internet.
    Egress(Connected),
    /// A file of the node.
    HostFile(HostFile),
    /// The proxy variables of the environment.
    Proxy(Proxy),
    /// What the kubelet identity's token allows.
    Identity(Identity),
}

/// What became of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Resolved {
    Addresses {
        addresses: Vec<IpAddr>,
        /// The chain of aliases, in its order.
        #[serde(default)]
        cnames: Vec<String>,
    },
    Nxdomain,
    /// The name exists, but has no address.
    NoData,
    Servfail,
    Refused,
    TimedOut,
    Malformed,
    NotTried {
        reason: String,
    },
}

/// What became of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Connected {
    Open,
    Refused,
    TimedOut,
    Unreachable,
    Reset,
    NotTried { reason: String },
}

/// What became of a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Handshake {
    #[serde(rename_all = "camelCase")]
    Trusted {
        #[serde(default)]
        issuer: Option<String>,
        #[serde(default)]
        names: Vec<String>,
        #[serde(default)]
        not_after: Option<String>,
    },
    Untrusted {
        reason: Distrust,
        #[serde(default)]
        issuer: Option<String>,
    },
    NotTls,
    TimedOut,
    Reset,
    NotTried {
        reason: String,
    },
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distrust {
    UnknownIssuer,
    Expired,
    WrongName,
    Other,
}

impl Distrust {
    /// The word in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownIssuer => "unknown-issuer",
            Self::Expired => "expired",
            Self::WrongName => "wrong-name",
            Self::Other => "other",
        }
    }
}

/// What a host answers where a registry should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RegistryAnswer {
    /// 401 that says where to sign in.
    Challenge {
        realm: String,
        #[serde(default)]
        service: Option<String>,
    },
    /// 200: pulls need no credentials.
    Anonymous,
    /// 403: the registry's firewall.
    Forbidden,
    Redirected {
        #[serde(default)]
        host: Option<String>,
    },
    Other {
        status: u16,
    },
    NotHttp,
    TimedOut,
    Reset,
    NotTried {
        reason: String,
    },
}

/// What became of a file of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HostFile {
    /// It is there; what was read of it.
    Present(Read),
    Absent,
    /// It may not, or must not, be read.
    Refused {
        reason: String,
    },
    Malformed,
    NotTried {
        reason: String,
    },
}

/// The proxy variables, without user and password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Proxy {
    None,
    #[serde(rename_all = "camelCase")]
    Set {
        #[serde(default)]
        https: Option<String>,
        #[serde(default)]
        http: Option<String>,
        #[serde(default)]
        no_proxy: Option<String>,
    },
    NotTried {
        reason: String,
    },
}

/// What the registry says of the kubelet identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Identity {
    MayPull {
        #[serde(default)]
        actions: Vec<String>,
    },
    MayNotPull {
        #[serde(default)]
        actions: Vec<String>,
    },
    /// The token names no actions, as those of registries in ABAC mode.
    NotSaid,
    Refused {
        status: u16,
    },
    Unreachable,
    NotTried {
        reason: String,
    },
}

impl Outcome {
    /// The name of what was tried.
    pub fn probe(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Registry(_) => "registry",
            Self::Egress(_) => "egress",
            Self::HostFile(_) => "host-file",
            Self::Proxy(_) => "proxy",
            Self::Identity(_) => "identity",
        }
    }

    /// Why it could not be tried; `None` = there is an answer, which may be a bad one.
    pub fn not_tried(&self) -> Option<&str> {
        match self {
            Self::Resolve(Resolved::NotTried { reason })
            | Self::Connect(Connected::NotTried { reason })
            | Self::Egress(Connected::NotTried { reason })
            | Self::Tls(Handshake::NotTried { reason })
            | Self::Registry(RegistryAnswer::NotTried { reason })
            | Self::HostFile(HostFile::NotTried { reason })
            | Self::Proxy(Proxy::NotTried { reason })
            | Self::Identity(Identity::NotTried { reason }) => Some(reason),
            _ => None,
        }
    }
}

/// Whether a text of a probe's file is one of its own words, and no name of anybody's.
pub fn is_word(field: &str, text: &str) -> bool {
    let distrust = [Distrust::UnknownIssuer, Distrust::Expired, Distrust::WrongName, Distrust::Other];
    match field {
        "via" => text == SYSTEM,
        "resolvers" => STUBS.contains(&text),
        "target" => HOST_FILES.contains(&text),
        "outcome.actions" => ACTIONS.contains(&text),
        "outcome.reason" => distrust.iter().any(|own| own.as_str() == text),
        _ => false,
    }
}

impl Resolved {
    /// The addresses, where there are any.
    pub fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Addresses { addresses, .. } => addresses,
            _ => &[],
        }
    }
}
