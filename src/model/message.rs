//! Reads what a container runtime says of a pull that failed: which host it was talking to, and what went wrong there.

mod host;

pub use host::{Host, is_microsoft, mirror_host};
use host::{classify, host};

/// What went wrong, in the order in which one message that fits several is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A cache rule matched, and its upstream refused.
    Upstream,
    /// The image has no manifest for the node's platform.
    Platform,
    /// Too many requests.
    Throttled,
    /// Something intercepts TLS, or the name leads to another host.
    Tls,
    /// The registry was reached over its public address, and its firewall refused.
    FirewallDenied,
    /// Another 403.
    Forbidden,
    /// 401.
    Unauthorized,
    /// The name does not resolve.
    Dns,
    /// The connection was not made, or broke off.
    Network,
    /// No such repository, tag or manifest.
    NotFound,
    Other,
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub kind: Kind,
    pub host: Host,
    /// The cache rule that it names, in lower case.
    pub cache_rule: Option<String>,
}

/// Reads a message. `server` is the bootstrap registry's login server.
pub fn read(message: &str, server: Option<&str>) -> Reading {
    let lower = message.to_lowercase();
    Reading { kind: kind(&lower), host: classify(host(&lower).as_deref(), server), cache_rule: cache_rule(&lower) }
}

fn kind(text: &str) -> Kind {
    let any = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    if any(&["for cache rule"]) {
        Kind::Upstream
    } else if any(&["no match for platform", "no matching manifest for"]) {
        Kind::Platform
    } else if any(&["proxyconnect", "proxy authentication required"]) {
        // What a proxy answers is not the registry's answer.
        Kind::Network
    } else if any(&["429 too many requests", "pull qps exceeded", "toomanyrequests", "status code 429", ": 429"]) {
        Kind::Throttled
    } else if any(&[
        "x509",
        "tls: access denied",
        "tls: failed to verify",
        "certificate signed by unknown",
        "tls: handshake failure",
    ]) || any(&["does not look like a tls handshake"])
    {
        Kind::Tls
    } else if any(&["client with ip"]) && any(&["not allowed"]) {
        Kind::FirewallDenied
    } else if any(&["no such host", "server misbehaving", "temporary failure in name resolution"])
        || look_up_timed_out(text)
        || (text.contains("lookup ") && any(&[":53: read", ":53: i/o timeout", "on [::1]:53"]))
    {
        Kind::Dns
    } else if any(&["insufficient_scope", "401 unauthorized", "authentication required", "no basic auth credentials"]) {
        Kind::Unauthorized
    } else if any(&["403 forbidden", "authorizationfailure", "http 403"]) {
        Kind::Forbidden
    } else if any(&[
        "i/o timeout",
        "connection refused",
        ": eof",
        "handshake timeout",
        "context deadline exceeded",
        "connection reset",
        "no route to host",
        "network is unreachable",
        "awaiting headers",
        "connection timed out",
    ]) || text.trim_end().ends_with("eof")
    {
        Kind::Network
    } else if any(&["unauthorized", "token exchange", "failed to authorize"]) {
        Kind::Unauthorized
    } else if any(&[
        "not found",
        "manifest unknown",
        "name unknown",
        "manifest_unknown",
        "name_unknown",
        "repository does not exist",
        "does not exist",
    ]) {
        Kind::NotFound
    } else {
        Kind::Other
    }
}

/// `lookup HOST: i/o timeout`, where no name server is named.
fn look_up_timed_out(text: &str) -> bool {
    text.match_indices("lookup ").any(|(at, word)| {
        let (name, rest) = text[at + word.len()..].split_once(' ').unwrap_or_default();
        name.ends_with(':') && rest.starts_with("i/o timeout")
    })
}

/// The cache rule that a message names: `for cache rule 'NAME'`.
fn cache_rule(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("for cache rule ")?;
    let name = until(rest.trim_start_matches(['"', '\'', '\\']), |c| "\"'\\ .".contains(c));
    (!name.is_empty()).then(|| name.to_owned())
}

fn until(text: &str, end: impl Fn(char) -> bool) -> &str {
    text.find(end).map_or(text, |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "contosoboot.azurecr.io";

    /// Messages of every kind that public threads show, with names of our own.
    #[test]
    fn known_messages_are_read() {
        let other = |host: &str| Host::Other(host.to_owned());
        let cases = [
            (
                "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
                Kind::Unauthorized,
                Host::Unnamed,
            ),
            (
                "failed to resolve reference \"contosoboot.azurecr.io/tools:1\": failed to authorize: failed to fetch \
                 anonymous token: unexpected status from GET request to \
                 https://contosoboot.azurecr.io/oauth2/token?…: 401 Unauthorized",
                Kind::Unauthorized,
                Host::Registry,
            ),
            (
                "rpc error: code = NotFound desc = failed to pull and unpack image \
                 \"contosoboot.azurecr.io/tools:1\": no match for platform in manifest: not found, failed to fetch \
                 anonymous token: 401 Unauthorized",
                Kind::Platform,
                Host::Unnamed,
            ),
            ("no match for platform in manifest: not found", Kind::Platform, Host::Unnamed),
            (
                "failed to resolve reference \"contosoboot.azurecr.io/tools:9\": contosoboot.azurecr.io/tools:9: not \
                 found",
                Kind::NotFound,
                Host::Registry,
            ),
            (
                "failed to resolve reference \"mcr.microsoft.com/oss/x:1\": mcr.microsoft.com/oss/x:1: not found",
                Kind::NotFound,
                Host::Microsoft,
            ),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to \
                 https://contosoboot.azurecr.io/oauth2/token: 403 Forbidden",
                Kind::Forbidden,
                Host::Registry,
            ),
            (
                "denied: {\"errors\":[{\"code\":\"DENIED\",\"message\":\"client with IP '20.1.2.3' is not allowed \
                 access. Refer https://aka.ms/acr/firewall to grant access.\"}]}",
                Kind::FirewallDenied,
                Host::Unnamed,
            ),
            (
                "failed to do request: Head \
                 \"https://contosoboot.azurecr.io/v2/aks-managed-repository/x/manifests/1?…\": dial tcp 10.1.2.5:443: \
                 i/o timeout",
                Kind::Network,
                Host::Registry,
            ),
            (
                "ACR contosoboot.azurecr.io rejected token exchange: failed to send token exchange request: Post \
                 https://contosoboot.azurecr.io/oauth2/exchange: dial tcp 10.1.2.5:443: i/o timeout",
                Kind::Network,
                Host::Registry,
            ),
            (
                "failed to do request: Head \"https://contosoboot.azurecr.io/v2/tools/manifests/1\": EOF",
                Kind::Network,
                Host::Registry,
            ),
            (
                "Failed to resolve specified fqdn contosoboot.azurecr.io: lookup contosoboot.azurecr.io on 10.0.0.10: \
                 no such host",
                Kind::Dns,
                Host::Registry,
            ),
            ("dial tcp: lookup contosoboot.azurecr.io on 168.63.129.16:53: no such host", Kind::Dns, Host::Registry),
            ("dial tcp: lookup contosoboot.azurecr.io: server misbehaving", Kind::Dns, Host::Registry),
            (
                "Get https://mcreus0.cdn.mscr.io/x: dial tcp 204.79.197.219:443: i/o timeout",
                Kind::Network,
                Host::Microsoft,
            ),
            (
                "Head \"https://mcr.microsoft.com/v2/dotnet/aspnet/manifests/8.0\": dial tcp 204.79.197.219:443: i/o \
                 timeout",
                Kind::Network,
                Host::Microsoft,
            ),
            (
                "Get \"https://mcr.microsoft.com/v2/\": context deadline exceeded (Client.Timeout exceeded while \
                 awaiting headers)",
                Kind::Network,
                Host::Microsoft,
            ),
            (
                "Head \"https://mcr.microsoft.com/v2/\": dial tcp 204.79.197.219:443: connect: connection refused",
                Kind::Network,
                Host::Microsoft,
            ),
            (
                "failed to do request: Head https://ghcr.io/v2/fluxcd/x/manifests/1: EOF",
                Kind::Network,
                other("ghcr.io"),
            ),
            ("rpc error: code = Unknown desc = EOF", Kind::Network, Host::Unnamed),
            (
                "failed to copy: httpReadSeeker: failed open: failed to do request: Get \
                 \"https://weumanaged15.blob.core.windows.net/x\": EOF",
                Kind::Network,
                Host::Blob,
            ),
            (
                "failed to copy: httpReadSeeker: failed open: failed to do request: Get \
                 \"https://contosoboot.eastus.data.azurecr.io/x\": dial tcp: lookup \
                 contosoboot.eastus.data.azurecr.io on 168.63.129.16:53: no such host",
                Kind::Dns,
                Host::Data,
            ),
            ("Get \"https://x.blob.core.windows.net/x\": net/http: TLS handshake timeout", Kind::Network, Host::Blob),
            (
                "Head \"https://contosoboot.azurecr.io/v2/x/manifests/1\": net/http: TLS handshake timeout",
                Kind::Network,
                Host::Registry,
            ),
            (
                "error parsing HTTP 403 response body: <Error><Code>AuthorizationFailure</Code>",
                Kind::Forbidden,
                Host::Unnamed,
            ),
            (
                "contosoboot.azurecr.io/tools:alpha not found: manifest unknown: manifest tagged by \"alpha\" is not \
                 found",
                Kind::NotFound,
                Host::Unnamed,
            ),
            (
                "unauthorized: authentication required with source registry for cache rule 'docker-io'",
                Kind::Upstream,
                Host::Unnamed,
            ),
            ("too many requests to source registry for cache rule", Kind::Upstream, Host::Unnamed),
            (
                "Head \"https://contosoboot.azurecr.io/v2/a\": proxyconnect tcp: Proxy Authentication Required",
                Kind::Network,
                Host::Registry,
            ),
            ("dial tcp: lookup contosoboot.azurecr.io: i/o timeout", Kind::Dns, Host::Registry),
            ("lookup contosoboot.azurecr.io: Temporary failure in name resolution", Kind::Dns, Host::Registry),
            (
                "Get \"https://contosoboot.azurecr.io/v2/\": remote error: tls: handshake failure",
                Kind::Tls,
                Host::Registry,
            ),
            (
                "Get \"https://contosoboot.azurecr.io/v2/\": tls: first record does not look like a TLS handshake",
                Kind::Tls,
                Host::Registry,
            ),
            (
                "pull access denied, repository does not exist or may require authorization: server message: \
                 insufficient_scope: authorization failed",
                Kind::Unauthorized,
                Host::Unnamed,
            ),
            (
                "request to pull from source 'dhi.io/python' for cache rule 'x' has failed: 424 Failed Dependency",
                Kind::Upstream,
                Host::Unnamed,
            ),
            (
                "error from registry: authentication required, visit https://aka.ms/acr/authorization for more \
                 information",
                Kind::Unauthorized,
                Host::Unnamed,
            ),
            (
                "unexpected status from HEAD request to https://mcr.microsoft.com/v2/x: 429 Too Many Requests",
                Kind::Throttled,
                Host::Microsoft,
            ),
            ("pull QPS exceeded", Kind::Throttled, Host::Unnamed),
            (
                "pull access denied, repository does not exist or may require authorization: authorization failed: no \
                 basic auth credentials",
                Kind::Unauthorized,
                Host::Unnamed,
            ),
            (
                "httpReadSeeker: failed open: unexpected status code https://mcr.microsoft.com/v2/x/blobs/sha256:1: \
                 500 Internal Server Error",
                Kind::Other,
                Host::Microsoft,
            ),
            ("Get https://mcrneu0.cdn.mscr.io/x: remote error: tls: access denied", Kind::Tls, Host::Microsoft),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                Kind::Tls,
                Host::Unnamed,
            ),
            ("something new", Kind::Other, Host::Unnamed),
        ];
        for (message, kind, host) in cases {
            let read = read(message, Some(SERVER));
            assert_eq!((read.kind, read.host), (kind, host), "{message}");
        }
    }

    #[test]
    fn the_mirror_host_of_a_message_is_found() {
        let message = "Failed to pull image \"mcr.microsoft.com/a:1\": Head \
                       \"https://Old.azurecr.io/v2/aks-managed-repository/a/manifests/1?ns=mcr.microsoft.com\": dial \
                       tcp 10.0.0.4:443: i/o timeout";
        assert_eq!(mirror_host(message).as_deref(), Some("old.azurecr.io"));
        assert_eq!(mirror_host("Head \"https://mcr.microsoft.com/v2/a/manifests/1\": EOF"), None);
        assert_eq!(mirror_host("https://a b/v2/aks-managed-repository/x"), None);
    }

    #[test]
    fn a_message_says_which_cache_rule_it_is_about() {
        let named = |message: &str| read(message, None).cache_rule;
        assert_eq!(named("with source registry for cache rule 'docker-io' For more"), Some("docker-io".to_owned()));
        assert_eq!(named("for cache rule \\\"Hub\\\" has failed"), Some("hub".to_owned()));
        assert_eq!(named("too many requests to source registry for cache rule"), None);
    }
}
