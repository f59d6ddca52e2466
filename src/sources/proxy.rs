//! Which proxy a connection goes through. `reqwest` decides for Azure, by the variables that `curl` reads; for the
//! Kubernetes API we decide, as `kubectl` does, and hand its client a proxy or none.

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// The variables of `kubectl`, upper case first; an empty one is none.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const NO: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// One that `curl` reads and `kubectl` does not.
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];

/// A proxy, and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its address, which may hold credentials: never shown.
    address: Uri,
    /// `HTTPS_PROXY`, or the kubeconfig.
    named_by: &'static str,
}

impl Proxy {
    /// A kubeconfig's `proxy-url`, or a variable's value.
    ///
    /// # Errors
    /// A sentence without the address: it may hold credentials.
    pub fn parse(text: &str, named_by: &'static str) -> Result<Self, String> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = whole.parse().map_err(|_| format!("{named_by} is not the address of a proxy"))?;
        let authority = uri.authority().map(|authority| authority.as_str().to_owned());
        let Some(authority) = authority.filter(|_| uri.host().is_some_and(|host| !host.is_empty())) else {
            return Err(format!("{named_by} is not the address of a proxy"));
        };
        let scheme = match uri.scheme_str() {
            Some("socks5" | "socks5h") if authority.contains('@') => {
                return Err(format!("{named_by}: aksiso cannot sign in to a SOCKS proxy"));
            }
            // The client knows one word for both: names are always resolved by the proxy.
            Some("socks5" | "socks5h") => "socks5",
            Some(scheme @ ("http" | "https")) => scheme,
            _ => return Err(format!("{named_by}: a proxy is http, https or socks5")),
        };
        let port = if scheme == "socks5" && uri.port().is_none() { ":1080" } else { "" };
        let address = format!("{scheme}://{authority}{port}/").parse();
        address
            .map(|address| Self { address, named_by })
            .map_err(|_| format!("{named_by} is not the address of a proxy"))
    }

    /// The address as a client takes it.
    pub fn address(&self) -> Uri {
        self.address.clone()
    }

    /// How a person knows it: without its credentials.
    pub fn words(&self) -> String {
        let port = self.address.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("the proxy {}{port} ({})", self.address.host().unwrap_or_default(), self.named_by)
    }
}

/// The proxy that the environment names for a host, as `kubectl` finds it.
///
/// # Errors
/// What is wrong with the variable.
pub fn as_kubectl(host: &Uri) -> Result<Option<Proxy>, String> {
    for_host(host, |names| names.iter().find_map(|name| value(name).map(|value| (*name, value))))
}

/// The proxy that Azure's client goes through, for the words of a failure.
pub fn of_azure(host: &Uri) -> Option<Proxy> {
    let intercepted = Matcher::from_system().intercept(host)?;
    let named_by = HTTPS.into_iter().chain(ALL).find(|name| value(name).is_some()).unwrap_or("the system");
    Proxy::parse(&intercepted.uri().to_string(), named_by).ok()
}

fn value(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn for_host(
    host: &Uri,
    variable: impl Fn([&'static str; 2]) -> Option<(&'static str, String)>,
) -> Result<Option<Proxy>, String> {
    let Some((name, address)) = variable(if host.scheme_str() == Some("http") { HTTP } else { HTTPS }) else {
        return Ok(None);
    };
    let exceptions = variable(NO).map_or_else(String::new, |(_, list)| as_matcher_reads(&list, port(host)));
    // The matcher is asked about hosts alone; which proxy it is, is known already.
    let matcher = Matcher::builder().all("http://proxy").no(exceptions).build();
    if is_loopback(host) || matcher.intercept(host).is_none() {
        return Ok(None);
    }
    Proxy::parse(&address, name).map(Some)
}

/// `NO_PROXY` as Go reads it, in the words of the matcher: a leading `*` before a dot means nothing more, and an entry
/// with a port is for that port only.
fn as_matcher_reads(list: &str, port: u16) -> String {
    let entries = list.split(',').map(str::trim).filter_map(|entry| {
        let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        match entry.rsplit_once(':') {
            // An IPv6 address has more colons, unless it stands in brackets.
            Some((host, own)) if !host.contains(':') || host.ends_with(']') => {
                (own.parse() == Ok(port)).then(|| host.trim_matches(['[', ']']).to_owned())
            }
            _ => Some(entry.to_owned()),
        }
    });
    entries.collect::<Vec<_>>().join(",")
}

fn port(host: &Uri) -> u16 {
    host.port_u16().unwrap_or(if host.scheme_str() == Some("http") { 80 } else { 443 })
}

/// Go sends nothing for this machine itself through a proxy.
fn is_loopback(host: &Uri) -> bool {
    let name = host.host().unwrap_or_default().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of Go's own tests of `http.ProxyFromEnvironment`, which `kubectl` uses.
    #[test]
    fn hosts_go_through_the_proxy_as_with_kubectl() {
        let through = |server: &str, no: &str| {
            let variable = |names: [&'static str; 2]| match names[0] {
                "HTTPS_PROXY" => Some((names[0], "http://user:secret@proxy.corp:3128".to_owned())),
                "NO_PROXY" => Some((names[0], no.to_owned())).filter(|(_, list)| !list.is_empty()),
                _ => None,
            };
            for_host(&server.parse().expect("a URL"), variable).expect("a valid proxy").is_some()
        };
        let private = "https://a-1.b.privatelink.eastus.azmk8s.io:443";
        assert!(through(private, ""));
        for no in
            [".azmk8s.io", "azmk8s.io", "*.azmk8s.io", "*", "x, .AZMK8S.io", "a-1.b.privatelink.eastus.azmk8s.io:443"]
        {
            assert!(!through(private, no), "{no}");
        }
        for no in ["zmk8s.io", "proxy.corp", ".azmk8s.io:6443", "privatelink", "10.0.0.0/8"] {
            assert!(through(private, no), "{no}");
        }
        assert!(!through("https://10.1.2.4:443", "10.0.0.0/8") && through("https://11.1.2.4:443", "10.0.0.0/8"));
        assert!(!through("https://[fd00::1]:6443", "[fd00::1]:6443") && !through("https://[fd00::1]", "fd00::/8"));
        assert!(!through("https://127.0.0.1:6443", "") && !through("https://localhost:6443", ""));
        assert!(!through("http://plain.corp:8080", ""), "that is HTTP_PROXY's");
    }

    #[test]
    fn a_proxy_is_known_by_its_scheme_and_shown_without_its_credentials() {
        let parsed = |text: &str| Proxy::parse(text, "HTTPS_PROXY");
        let proxy = parsed("http://user:secret@proxy.corp:3128/path").expect("a proxy");
        assert_eq!(proxy.address().to_string(), "http://user:secret@proxy.corp:3128/");
        assert_eq!(proxy.words(), "the proxy proxy.corp:3128 (HTTPS_PROXY)");
        let address = |text: &str| parsed(text).map(|proxy| proxy.address().to_string());
        assert_eq!(address("proxy:8080").as_deref(), Ok("http://proxy:8080/"));
        assert_eq!(address("socks5h://proxy").as_deref(), Ok("socks5://proxy:1080/"));
        for wrong in ["ftp://proxy", "http://", "::", "socks5://user:secret@proxy:1080", "http://se cret"] {
            let why = parsed(wrong).expect_err(wrong);
            assert!(why.starts_with("HTTPS_PROXY") && !why.contains("secret"), "{why}");
        }
    }
}
