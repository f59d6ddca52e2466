//! Who is asked, over which way, and what can go wrong on it: told apart by the types of the errors, so that each
//! has its own next step.

use std::error::Error;
use std::io;

use super::proxy::Proxy;
use crate::text;

/// Longest piece of an error's own words that is kept.
const MESSAGE_LIMIT: usize = 300;

/// Who is asked.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The host, or its role.
    pub name: String,
    /// What the connection goes through.
    pub proxy: Option<Proxy>,
    /// Where the authorities are named that may vouch for it.
    pub trust: &'static str,
}

impl Peer {
    /// A host of Azure: its authorities are the system's, its proxy the environment's.
    pub fn of_azure(host: &str) -> Self {
        let proxy = format!("https://{host}").parse().ok().and_then(|uri| super::proxy::of_azure(&uri));
        Self { name: host.to_owned(), proxy, trust: "a private authority is named by SSL_CERT_FILE" }
    }
}

/// What went wrong with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing came in time.
    Late,
    /// The name does not resolve.
    Name,
    Refused,
    /// There is no way to the address.
    NoRoute,
    /// The certificate is another's, has expired, or nobody vouches for it.
    Untrusted(Distrust),
    /// What answers does not speak TLS.
    NotTls,
    /// TLS was refused, or the two sides do not agree.
    Handshake,
    /// The connection broke off: the same request may do better a moment later.
    Cut,
    /// The proxy itself cannot be reached.
    ProxyAway,
    /// The proxy wants a sign-in.
    ProxySignIn,
    /// The proxy does not connect to the host.
    ProxyRefuses,
    Other,
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    Authority,
    Name,
    Expired,
    Other,
}

impl Trouble {
    /// Reads an error of whatever library, down to its root.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let words = chain(error).map(|error| error.to_string().to_lowercase()).collect::<Vec<_>>().join(": ");
        let said = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
        // Whatever is below a tunnel is about the proxy.
        if said(&["tunnel error: proxy authorization required"]) {
            return Self::ProxySignIn;
        }
        if said(&["tunnel error: unsuccessful", "socks error: "]) && !said(&["failed to create underlying connection"])
        {
            return Self::ProxyRefuses;
        }
        if said(&["tunnel error: ", "socks error: "]) {
            return Self::ProxyAway;
        }
        let typed = chain(error).filter_map(Self::by_type).last();
        match typed {
            Some(Self::Other) | None => Self::by_words(&words),
            Some(trouble) => trouble,
        }
    }

    fn by_type(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::of_tls(error));
        }
        if error.is::<tokio::time::error::Elapsed>() {
            return Some(Self::Late);
        }
        match error.downcast_ref::<io::Error>()?.kind() {
            io::ErrorKind::TimedOut => Some(Self::Late),
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Self::NoRoute),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Some(Self::Cut),
            _ => None,
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::CertificateError as Bad;
        match error {
            rustls::Error::InvalidCertificate(bad) => Self::Untrusted(match bad {
                Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                    Distrust::Expired
                }
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Distrust::Name,
                // One of the same name with another key did not sign it.
                Bad::UnknownIssuer | Bad::BadSignature => Distrust::Authority,
                _ => Distrust::Other,
            }),
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            _ => Self::Handshake,
        }
    }

    /// For errors that have no type of their own, or hide it.
    fn by_words(words: &str) -> Self {
        let said = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
        if said(&["dns error", "failed to lookup", "name or service not known", "no such host"]) {
            Self::Name
        } else if said(&["timed out", "timeout", "deadline has elapsed"]) {
            Self::Late
        } else if said(&["closed", "reset", "broken pipe", "unexpected eof", "incomplete", "canceled", "end of file"]) {
            Self::Cut
        } else {
            Self::Other
        }
    }

    /// The sentence about a peer; `root` is what the error itself says.
    pub fn about(self, peer: &Peer, root: &str) -> String {
        let Peer { name, proxy, trust } = peer;
        let through = proxy.as_ref().map_or_else(|| "the proxy".to_owned(), Proxy::words);
        let way = proxy.as_ref().map_or_else(String::new, |proxy| format!(", through {}", proxy.words()));
        let what = match self {
            Self::Late => return format!("{name} did not answer in time{way}"),
            Self::ProxyAway => return format!("{through}, on the way to {name}, cannot be reached: {root}"),
            Self::ProxySignIn => return format!("{through}, on the way to {name}, wants a sign-in (407)"),
            Self::ProxyRefuses => {
                return format!("{through} does not connect to {name} (private hosts belong in NO_PROXY): {root}");
            }
            Self::Name => "its name does not resolve",
            Self::Refused => "it refuses the connection",
            Self::NoRoute => "there is no route to it",
            Self::Untrusted(Distrust::Authority) => &format!("its TLS certificate is not trusted ({trust})"),
            Self::Untrusted(Distrust::Name) => "its TLS certificate is not trusted: it is for another name",
            Self::Untrusted(Distrust::Expired) => {
                "its TLS certificate is not trusted: it has expired, or the clock here is wrong"
            }
            Self::Untrusted(Distrust::Other) => "its TLS certificate is not trusted: it is not valid",
            Self::NotTls => "it does not speak TLS (a port of plain HTTP, or something on the way)",
            Self::Handshake => "it does not agree to a TLS connection",
            Self::Cut => "the connection broke off",
            Self::Other => "no connection",
        };
        format!("{name}: {what}{way}: {root}")
    }
}

/// An error and everything that caused it; what an `io::Error` wraps, it does not call its source.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| (*error).source())
    })
}

/// The message at the root of an error: the only part that says what really happened.
pub fn root_message(error: &(dyn Error + 'static)) -> String {
    let messages: Vec<String> = chain(error).map(ToString::to_string).collect();
    let last = messages.into_iter().rfind(|message| !message.trim().is_empty());
    text::without_secrets(&last.unwrap_or_default())
}

/// The same, cut to a length that a report can bear.
pub fn root_words(error: &(dyn Error + 'static)) -> String {
    text::bounded(&root_message(error), MESSAGE_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(error: impl Error + Send + Sync + 'static) -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn what_goes_wrong_is_told_apart_by_type() {
        use rustls::{AlertDescription, CertificateError, InvalidMessage};
        let cut = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls";
        for (error, trouble) in [
            (io::Error::new(io::ErrorKind::UnexpectedEof, cut), Trouble::Cut),
            (io::Error::from(io::ErrorKind::ConnectionReset), Trouble::Cut),
            (io::Error::other("connection closed before message completed"), Trouble::Cut),
            (io::Error::from(io::ErrorKind::ConnectionRefused), Trouble::Refused),
            (io::Error::from(io::ErrorKind::NetworkUnreachable), Trouble::NoRoute),
            (io::Error::other("dns error"), Trouble::Name),
            (io::Error::from(io::ErrorKind::TimedOut), Trouble::Late),
            (wrapped(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)), Trouble::NotTls),
            (wrapped(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)), Trouble::Handshake),
            (
                wrapped(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)),
                Trouble::Untrusted(Distrust::Authority),
            ),
            (
                wrapped(rustls::Error::InvalidCertificate(CertificateError::Expired)),
                Trouble::Untrusted(Distrust::Expired),
            ),
            (io::Error::other("tunnel error: proxy authorization required"), Trouble::ProxySignIn),
            (io::Error::other("tunnel error: unsuccessful"), Trouble::ProxyRefuses),
            (io::Error::other("tunnel error: failed to create underlying connection"), Trouble::ProxyAway),
            (io::Error::other("what nobody knows"), Trouble::Other),
        ] {
            assert_eq!(Trouble::of(&error), trouble, "{error}");
        }
    }

    #[test]
    fn a_proxy_is_blamed_for_what_is_its_own_and_named_otherwise() {
        let proxy = Proxy::parse("http://user:secret@proxy:3128", "HTTPS_PROXY").ok();
        let peer = Peer { name: "host".to_owned(), proxy, trust: "there" };
        assert_eq!(
            Trouble::ProxyAway.about(&peer, "refused"),
            "the proxy proxy:3128 (HTTPS_PROXY), on the way to host, cannot be reached: refused"
        );
        assert_eq!(
            Trouble::Late.about(&peer, ""),
            "host did not answer in time, through the proxy proxy:3128 (HTTPS_PROXY)"
        );
        let trust = Trouble::Untrusted(Distrust::Authority).about(&Peer { proxy: None, ..peer }, "UnknownIssuer");
        assert_eq!(trust, "host: its TLS certificate is not trusted (there): UnknownIssuer");
    }
}
