//! Which host a container runtime was talking to.

use super::until;
use crate::evidence::cloud;

/// The host that a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Registry,
    /// A data endpoint of a registry.
    Data,
    /// Blob storage, where a registry without a private endpoint sends its layers.
    Blob,
    /// Microsoft's registry itself.
    Microsoft,
    Other(String),
    /// The message names none.
    Unnamed,
}

/// The host that a request went to; else the one that was looked up; else the one in the reference.
pub(super) fn host(text: &str) -> Option<String> {
    let last_url = text.match_indices("https://").filter_map(|(at, scheme)| {
        let rest = &text[at + scheme.len()..];
        // A link to a page of help is no host that was asked.
        (!rest.starts_with("aka.ms") && !rest.starts_with("learn.microsoft.com"))
            .then(|| until(rest, |c| "/:\"'? ".contains(c)))
    });
    let looked_up =
        text.match_indices("lookup ").map(|(at, word)| until(&text[at + word.len()..], |c| " :".contains(c)));
    let reference =
        text.match_indices("reference \"").map(|(at, word)| until(&text[at + word.len()..], |c| "/\"".contains(c)));
    let hosts = last_url.last().or_else(|| looked_up.last()).or_else(|| reference.last());
    hosts.filter(|host| host.contains('.')).map(str::to_owned)
}

/// What a host is to the cluster. `server` is the bootstrap registry's login server.
pub(super) fn classify(host: Option<&str>, server: Option<&str>) -> Host {
    let Some(host) = host else { return Host::Unnamed };
    let server = server.map(str::to_lowercase);
    if server.as_deref() == Some(host) {
        Host::Registry
    } else if cloud::is_data_endpoint(host) {
        Host::Data
    } else if host.contains(".blob.core.") {
        Host::Blob
    } else if is_microsoft(host) {
        Host::Microsoft
    } else {
        Host::Other(host.to_owned())
    }
}

/// Microsoft's registry, its data endpoints and its content delivery.
pub fn is_microsoft(host: &str) -> bool {
    cloud::is_mcr(host) || host.ends_with(".data.mcr.microsoft.com") || host.ends_with(".cdn.mscr.io")
}

/// The host in `https://<host>/v2/aks-managed-repository/…`.
pub fn mirror_host(message: &str) -> Option<String> {
    let before = message.split("/v2/aks-managed-repository/").next().filter(|before| before.len() < message.len())?;
    let host = before.rsplit("https://").next()?;
    let valid =
        !host.is_empty() && host.len() <= 253 && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
    valid.then(|| host.to_ascii_lowercase())
}
