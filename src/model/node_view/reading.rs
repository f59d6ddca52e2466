//! What one probe file says of one name: how it resolves there, whether its addresses can be connected to, and who
//! answers.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::View;
use super::wanted::{Role, Wanted, is_public};
use crate::evidence::probe::{Connected, Distrust, Handshake, Outcome, RegistryAnswer, Resolved};

/// How a name resolves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dns {
    /// To the endpoint.
    Right,
    /// To a public address, where a private one is needed.
    Public(BTreeSet<IpAddr>),
    /// To a private address that is not the endpoint's.
    Wrong(BTreeSet<IpAddr>),
    /// To an address of which it is not known whether it is the endpoint's.
    Unjudged(BTreeSet<IpAddr>),
    /// To none; what the resolver said.
    None(&'static str),
    /// The file does not say.
    Unasked,
}

/// Whether an address of a name can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tcp {
    Open,
    /// No address can; what became of each.
    Closed(Vec<(String, &'static str)>),
    Unasked,
}

/// Who answers at a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Web {
    /// Whoever should.
    Right,
    /// The registry, which lets anybody pull.
    Anonymous,
    /// Somebody else's certificate.
    Intercepted {
        why: Distrust,
        issuer: Option<String>,
    },
    /// Nothing that could be used; what happened.
    Failed(String),
    Unasked,
}

/// A target without its port.
pub(super) fn host_of(target: &str) -> &str {
    match target.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => target,
    }
}

impl View<'_> {
    fn outcomes(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        self.supplied.probe.results.iter().map(|result| (result.target.as_str(), &result.outcome))
    }

    /// What was reached by the machine's own resolver: an address that another gave is not where the node goes.
    fn own_outcomes(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        let own = self.supplied.probe.results.iter().filter(|result| result.by_system());
        own.map(|result| (result.target.as_str(), &result.outcome))
    }

    /// What the machine's own resolver says of a name, address families together.
    fn resolved<'v>(&'v self, wanted: &Wanted) -> Vec<&'v Resolved> {
        let own = self.supplied.probe.results.iter().filter(|result| result.by_system());
        own.filter(|result| wanted.is(host_of(&result.target)))
            .filter_map(|result| match &result.outcome {
                Outcome::Resolve(resolved) => Some(resolved),
                _ => None,
            })
            .collect()
    }

    /// How a name resolves there.
    pub fn dns(&self, wanted: &Wanted) -> Dns {
        let answers = self.resolved(wanted);
        let addresses: BTreeSet<IpAddr> = answers.iter().flat_map(|own| own.addresses()).copied().collect();
        if addresses.is_empty() {
            let words = answers.iter().filter_map(|answer| no_address(answer));
            return words.into_iter().next().map_or(Dns::Unasked, Dns::None);
        }
        let known = |address: &&IpAddr| wanted.right.contains(address);
        if addresses.iter().all(|address| known(&address)) {
            return Dns::Right;
        }
        let other: BTreeSet<IpAddr> = addresses.iter().filter(|address| !known(address)).copied().collect();
        let public: BTreeSet<IpAddr> = other.iter().filter(|address| is_public(address)).copied().collect();
        if wanted.private && !public.is_empty() {
            Dns::Public(public)
        } else if wanted.right.is_empty() {
            Dns::Unjudged(other)
        } else {
            Dns::Wrong(other)
        }
    }

    /// Whether an address of a name can be connected to from there.
    pub fn tcp(&self, wanted: &Wanted) -> Tcp {
        let resolved = self.resolved(wanted).into_iter().filter(|_| self.is_node());
        let mut own: BTreeSet<IpAddr> = resolved.flat_map(Resolved::addresses).copied().collect();
        if own.is_empty() {
            own.clone_from(&wanted.right);
        }
        self.connections(|address| own.contains(&address))
    }

    /// Whether it connected to the endpoint itself, whatever the name resolves to.
    pub fn connects_to_endpoint(&self, wanted: &Wanted) -> bool {
        self.connections(|address| wanted.right.contains(&address)) == Tcp::Open
    }

    fn connections(&self, own: impl Fn(IpAddr) -> bool) -> Tcp {
        let mut closed = Vec::new();
        for (target, outcome) in self.outcomes() {
            let Outcome::Connect(connected) = outcome else { continue };
            if !address_of(target).is_some_and(&own) {
                continue;
            }
            match closed_by(connected) {
                Some(word) => closed.push((target.to_owned(), word)),
                None if *connected == Connected::Open => return Tcp::Open,
                None => {}
            }
        }
        if closed.is_empty() { Tcp::Unasked } else { Tcp::Closed(closed) }
    }

    /// Who answers at a name there.
    pub fn web(&self, wanted: &Wanted) -> Web {
        let mut said = Web::Unasked;
        for (target, outcome) in self.own_outcomes().filter(|(target, _)| wanted.is(host_of(target))) {
            let own = match outcome {
                Outcome::Tls(handshake) => of_handshake(handshake, wanted.role),
                Outcome::Registry(answer) if wanted.role == Role::Registry => of_registry(answer, target),
                _ => Web::Unasked,
            };
            // What fails says more than what does not.
            if !matches!(own, Web::Unasked | Web::Right) || said == Web::Unasked {
                said = own;
            }
        }
        said
    }

    /// Whether a name leads to the registry: to the endpoint's address, or to where a trusted registry answers.
    pub fn resolves_right(&self, wanted: &Wanted) -> bool {
        match self.dns(wanted) {
            Dns::Right => true,
            Dns::Unjudged(_) => {
                self.tcp(wanted) == Tcp::Open && matches!(self.web(wanted), Web::Right | Web::Anonymous)
            }
            _ => false,
        }
    }

    /// Whether the machine's resolver gives a name an answer that is certainly not the right one.
    pub fn resolves_wrongly(&self, wanted: &Wanted) -> bool {
        matches!(self.dns(wanted), Dns::Public(_) | Dns::Wrong(_) | Dns::None(_))
    }
}

/// The address of `address:port`, or of an address alone.
pub(super) fn address_of(target: &str) -> Option<IpAddr> {
    let socket = target.parse::<SocketAddr>().map(|socket| socket.ip());
    socket.or_else(|_| target.trim_matches(['[', ']']).parse()).ok()
}

/// The word for an answer without an address; `None` where there is none, or it was not tried.
fn no_address(answer: &Resolved) -> Option<&'static str> {
    match answer {
        Resolved::Nxdomain => Some("NXDOMAIN"),
        Resolved::Addresses { .. } | Resolved::NoData => Some("no address"),
        Resolved::Servfail => Some("SERVFAIL"),
        Resolved::Refused => Some("REFUSED"),
        Resolved::TimedOut => Some("no answer in time"),
        Resolved::Malformed => Some("an answer that cannot be read"),
        Resolved::NotTried { .. } => None,
    }
}

/// The word for a connection that does not open; `None` where it does, or was not tried.
fn closed_by(connected: &Connected) -> Option<&'static str> {
    match connected {
        Connected::Refused => Some("refused"),
        Connected::TimedOut => Some("timed out"),
        Connected::Unreachable => Some("unreachable"),
        Connected::Reset => Some("reset"),
        Connected::Open | Connected::NotTried { .. } => None,
    }
}

/// The API server's certificate is of the cluster's own authority: its issuer is nobody's to judge.
fn of_handshake(handshake: &Handshake, role: Role) -> Web {
    match handshake {
        Handshake::Trusted { .. } => Web::Right,
        Handshake::Untrusted { reason: Distrust::UnknownIssuer, .. } if role == Role::ApiServer => Web::Right,
        Handshake::Untrusted { reason: why @ (Distrust::UnknownIssuer | Distrust::WrongName), issuer } => {
            Web::Intercepted { why: *why, issuer: issuer.clone() }
        }
        Handshake::Untrusted { reason: Distrust::Expired, .. } => Web::Failed("its certificate has expired".to_owned()),
        Handshake::Untrusted { reason: Distrust::Other, .. } => Web::Failed("its certificate is not valid".to_owned()),
        Handshake::NotTls => Web::Failed("what answers there does not speak TLS".to_owned()),
        Handshake::TimedOut => Web::Failed("the TLS handshake timed out".to_owned()),
        Handshake::Reset => Web::Failed("the TLS handshake was reset".to_owned()),
        Handshake::NotTried { .. } => Web::Unasked,
    }
}

/// Whether a registry answers so when it has too much to do.
pub fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 503)
}

fn of_registry(answer: &RegistryAnswer, target: &str) -> Web {
    match answer {
        RegistryAnswer::Challenge { realm, .. } => {
            let host = realm.split_once("://").map_or(realm.as_str(), |(_, rest)| rest);
            let host = host_of(host.split(['/', '?', '#']).next().unwrap_or_default());
            if host.eq_ignore_ascii_case(host_of(target)) {
                Web::Right
            } else {
                Web::Failed(format!("it sends sign-ins to {}", crate::text::bounded(host, 100)))
            }
        }
        RegistryAnswer::Anonymous => Web::Anonymous,
        RegistryAnswer::Forbidden => Web::Failed("it answers 403: its firewall refuses this address".to_owned()),
        RegistryAnswer::Redirected { host } => {
            let host = host.as_deref().unwrap_or("another host");
            Web::Failed(format!("it redirects to {}", crate::text::bounded(host, 100)))
        }
        // It is there, and busy: what it would say is not known.
        RegistryAnswer::Other { status } if is_busy(*status) => Web::Unasked,
        RegistryAnswer::Other { status } => Web::Failed(format!("it answers {status}, which no registry does")),
        RegistryAnswer::NotHttp => Web::Failed("what answers there does not speak HTTP".to_owned()),
        RegistryAnswer::TimedOut => Web::Failed("it does not answer GET /v2/ in time".to_owned()),
        RegistryAnswer::Reset => Web::Failed("it resets the connection at GET /v2/".to_owned()),
        RegistryAnswer::NotTried { .. } => Web::Unasked,
    }
}
