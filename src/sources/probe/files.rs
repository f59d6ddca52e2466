//! The node's files that tell how it was bootstrapped. Of each only what a judgement needs is kept.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::root::{Root, Unread};
use crate::evidence::probe::{
    CREDENTIAL_PROVIDER, HOST_FILES, HOSTS_TOML, HostFile, LOCAL_DNS, OUTBOUND_SKIPPED, PROVISION, Read,
};

/// What only a node has.
const KUBELET: &str = "var/lib/kubelet";
/// Most mirrors that are kept of a file.
const MOST: usize = 16;

/// A node's files.
pub(super) struct NodeFiles(Root);

/// The files of the node: below the given root, or this machine's own where it is a node.
pub(super) fn root_of(host_root: Option<&Path>) -> Option<NodeFiles> {
    let root = Root::new(host_root.unwrap_or(Path::new("/")));
    (cfg!(unix) && (host_root.is_some() || root.has(KUBELET))).then_some(NodeFiles(root))
}

/// Whether it is a node's file system: the kubelet's folder is there, or one of the files.
pub(super) fn are_a_nodes(files: &NodeFiles, mcr: &str) -> bool {
    files.0.has(KUBELET) || HOST_FILES.iter().any(|name| files.read(name, mcr) != HostFile::Absent)
}

impl NodeFiles {
    /// What is to be known of one of the files, by its short name.
    pub(super) fn read(&self, name: &str, mcr: &str) -> HostFile {
        match name {
            HOSTS_TOML => self.parsed(&format!("etc/containerd/certs.d/{mcr}/hosts.toml"), mirrors),
            CREDENTIAL_PROVIDER => self.parsed("var/lib/kubelet/credential-provider-config.yaml", providers),
            PROVISION => self.parsed("var/log/azure/aks/provision.json", provision),
            OUTBOUND_SKIPPED => self.mark("opt/azure/outbound-check-skipped"),
            LOCAL_DNS => self.mark("etc/localdns"),
            _ => HostFile::Absent,
        }
    }

    /// A file that only has to be there.
    fn mark(&self, path: &str) -> HostFile {
        if self.0.has(path) { HostFile::Present(Read::default()) } else { HostFile::Absent }
    }

    fn parsed(&self, path: &str, parse: fn(&str) -> Option<Read>) -> HostFile {
        match self.0.read(path) {
            Ok(bytes) => {
                std::str::from_utf8(&bytes).ok().and_then(parse).map_or(HostFile::Malformed, HostFile::Present)
            }
            Err(Unread::Absent) => HostFile::Absent,
            Err(Unread::Refused(reason)) => HostFile::Refused { reason },
        }
    }
}

/// `[host."https://<login server>/v2/aks-managed-repository"]`.
fn mirrors(text: &str) -> Option<Read> {
    let table: toml::Table = text.parse().ok()?;
    let hosts = match table.get("host") {
        Some(hosts) => Some(hosts.as_table()?),
        None => None,
    };
    let mirrors = hosts.into_iter().flat_map(|hosts| hosts.keys()).take(MOST).cloned().collect();
    Some(Read { mirrors, exit_code: None })
}

#[derive(Deserialize)]
struct Providers {
    #[serde(default)]
    providers: Vec<Provider>,
}

#[derive(Deserialize)]
struct Provider {
    #[serde(default)]
    args: Vec<String>,
}

/// `--registry-mirror=mcr.microsoft.com:<login server>/aks-managed-repository`; the value may be an argument of its own.
fn providers(text: &str) -> Option<Read> {
    const OPTION: &str = "--registry-mirror";
    let file: Providers = serde_saphyr::from_str(text).ok()?;
    let mirrors = file.providers.iter().flat_map(|provider| {
        provider.args.iter().enumerate().filter_map(|(at, arg)| match arg.strip_prefix(OPTION)? {
            "" => provider.args.get(at + 1).map(String::as_str),
            rest => rest.strip_prefix('='),
        })
    });
    Some(Read { mirrors: mirrors.take(MOST).map(str::to_owned).collect(), exit_code: None })
}

/// The exit code, which AKS writes as text.
fn provision(text: &str) -> Option<Read> {
    let value: Value = serde_json::from_str(text).ok()?;
    let code = match value.get("ExitCode")? {
        Value::String(text) => text.trim().parse().ok()?,
        Value::Number(number) => number.as_u64()?.try_into().ok()?,
        _ => return None,
    };
    Some(Read { mirrors: Vec::new(), exit_code: Some(code) })
}
