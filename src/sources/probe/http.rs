//! HTTP/1.1 over a connection that is there already: one request, one answer, read up to a limit. Nothing goes through
//! a proxy, and no redirect is followed.

use std::error::Error as _;
use std::io;

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::HostPort;
use super::tls::Stream;
use crate::evidence::probe::RegistryAnswer;
use crate::text;

/// Largest head of an answer, in bytes.
const HEAD: usize = 64 << 10;
/// Longest text that is kept of an answer, in characters.
const LONGEST: usize = 300;
/// What requests say of themselves.
const AGENT: &str = concat!("aksiso/", env!("CARGO_PKG_VERSION"));

/// Sends one request and gives the answer.
pub(super) async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        let _ = connection.await; // whoever asked learns of it by the answer
    });
    sender.send_request(request).await
}

/// The body of an answer, if it is no larger than a limit.
pub(super) async fn body(answer: Response<Incoming>, limit: usize) -> Option<Bytes> {
    Some(Limited::new(answer.into_body(), limit).collect().await.ok()?.to_bytes())
}

/// A request to a host that is answered by the connection.
pub(super) fn request(method: http::Method, host: &HostPort, path: &str, default_port: u16) -> http::request::Builder {
    let authority = if host.port == default_port { host.host.clone() } else { format!("{}:{}", host.host, host.port) };
    Request::builder().method(method).uri(path).header(header::HOST, authority).header(header::USER_AGENT, AGENT)
}

/// `GET /v2/` without credentials: how a registry greets.
pub(super) async fn greeting(stream: Stream, host: &HostPort) -> RegistryAnswer {
    let request = request(http::Method::GET, host, "/v2/", super::HTTPS).body(Full::default());
    let Ok(request) = request else { return RegistryAnswer::NotTried { reason: "it is not a host name".to_owned() } };
    let answer = match ask(stream, request).await {
        Ok(answer) => answer,
        Err(error) => return failed(&error),
    };
    let status = answer.status();
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::UNAUTHORIZED => {
            let all = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
            let challenge = all.filter_map(|value| value.to_str().ok()).find_map(challenge);
            challenge.unwrap_or(RegistryAnswer::Other { status: status.as_u16() })
        }
        StatusCode::FORBIDDEN => RegistryAnswer::Forbidden,
        StatusCode::OK => {
            let html = header(header::CONTENT_TYPE).is_some_and(|kind| kind.to_lowercase().contains("html"));
            let html = html || body(answer, HEAD).await.is_some_and(|body| is_markup(&body));
            if html { RegistryAnswer::Other { status: status.as_u16() } } else { RegistryAnswer::Anonymous }
        }
        other if other.is_redirection() => match header(header::LOCATION) {
            Some(location) => RegistryAnswer::Redirected { host: redirected(location, &host.host) },
            None => RegistryAnswer::Other { status: other.as_u16() },
        },
        other => RegistryAnswer::Other { status: other.as_u16() },
    }
}

/// Whether a body is a page, which may begin with a byte order mark.
fn is_markup(body: &[u8]) -> bool {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().starts_with(b"<")
}

/// The host to which a redirect leads: a path alone stays where it is.
fn redirected(location: &str, own: &str) -> Option<String> {
    let uri: http::Uri = location.parse().ok()?;
    Some(text::truncated(uri.host().unwrap_or(own), LONGEST))
}

/// `Bearer realm="https://…",service="…"`; quotes may be missing.
fn challenge(value: &str) -> Option<RegistryAnswer> {
    let rest = value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer ")).map(|_| &value[7..])?;
    let parameter = |name: &str| {
        let at = rest.to_ascii_lowercase().find(&format!("{name}="))? + name.len() + 1;
        let value = match rest[at..].strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => rest[at..].split([',', ' ']).next(),
        };
        value.map(|own| text::truncated(own, LONGEST))
    };
    Some(RegistryAnswer::Challenge { realm: parameter("realm")?, service: parameter("service") })
}

fn failed(error: &hyper::Error) -> RegistryAnswer {
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if error.is_parse() {
        RegistryAnswer::NotHttp
    } else if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
        RegistryAnswer::TimedOut
    } else {
        RegistryAnswer::Reset
    }
}
