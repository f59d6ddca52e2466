//! What the registry says of the kubelet identity: the node's metadata service gives a token, the registry exchanges
//! it, and the exchanged one names its actions. No token is kept, shown or logged.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use azure_core::base64;
use http::{Method, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;

use super::tls::Trust;
use super::{HostPort, Plan, http as wire};
use crate::evidence::probe::Identity;
use crate::text;

/// The metadata service of every Azure machine.
pub const METADATA: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80);
/// The audiences with which a node asks, in its order.
const AUDIENCES: [&str; 2] = ["https://containerregistry.azure.net", "https://management.azure.com/"];
/// Largest answer that is read, in bytes.
const LIMIT: usize = 64 << 10;
/// Most actions that are kept.
const ACTIONS: usize = 32;
/// How long the metadata service gets for one audience.
const METADATA_TIME: Duration = Duration::from_secs(2);

/// Another metadata address, for tests; it must be on this very machine.
///
/// # Errors
/// What is wrong with it.
pub fn metadata_endpoint(text: Option<&str>) -> Result<SocketAddr, String> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(METADATA) };
    let address = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let address: SocketAddr = address.parse().map_err(|_| "it is not ADDRESS:PORT".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("it is not a loopback address".to_owned()) }
}

/// Asks for a token, exchanges it over a trusted connection, and reads what it allows.
pub(super) async fn ask(plan: &Plan, trust: &Trust, server: &HostPort, address: SocketAddr) -> Identity {
    let mut answer = Identity::Unreachable;
    for audience in AUDIENCES {
        let asked = tokio::time::timeout(METADATA_TIME, token(plan, audience)).await;
        match asked {
            Ok(Ok(token)) => match exchange(trust, server, address, &token).await {
                Ok(refresh) => return allowed(&refresh),
                Err(why) => answer = why,
            },
            Ok(Err(why)) => answer = why,
            Err(_) => return Identity::Unreachable,
        }
    }
    answer
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: String,
}

/// A token of the machine's identity.
async fn token(plan: &Plan, audience: &str) -> Result<String, Identity> {
    let mut query = format!("api-version=2018-02-01&resource={}", escaped(audience));
    if let Some(id) = &plan.client_id {
        query.push_str(&format!("&client_id={}", escaped(id)));
    }
    let host = HostPort { host: plan.metadata.ip().to_string(), port: plan.metadata.port() };
    let path = format!("/metadata/identity/oauth2/token?{query}");
    let request = wire::request(Method::GET, &host, &path, 80).header("Metadata", "true").body(Full::default());
    let request = request.map_err(|_| Identity::Unreachable)?;
    let stream = TcpStream::connect(plan.metadata).await.map_err(|_| Identity::Unreachable)?;
    let answer = wire::ask(stream, request).await.map_err(|_| Identity::Unreachable)?;
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(Identity::Refused { status: status.as_u16() });
    }
    let body = wire::body(answer, LIMIT).await.ok_or(Identity::Unreachable)?;
    let token = serde_json::from_slice::<Token>(&body).map_err(|_| Identity::Refused { status: status.as_u16() })?;
    Ok(token.access_token)
}

/// What the registry gives for the token.
async fn exchange(trust: &Trust, server: &HostPort, address: SocketAddr, token: &str) -> Result<String, Identity> {
    // A connection of its own, whose certificate is trusted, or none.
    let (_, stream) = trust.handshake(address, &server.host).await;
    let stream = stream.ok_or(Identity::Unreachable)?;
    let mut form = format!("grant_type=access_token&service={}&access_token={}", escaped(&server.host), escaped(token));
    if let Some(tenant) = claims(token).as_ref().and_then(|claims| claims.get("tid")?.as_str()) {
        form.push_str(&format!("&tenant={}", escaped(tenant)));
    }
    let request = wire::request(Method::POST, server, "/oauth2/exchange", super::HTTPS)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)));
    let answer = wire::ask(stream, request.map_err(|_| Identity::Unreachable)?).await;
    let answer = answer.map_err(|_| Identity::Unreachable)?;
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(Identity::Refused { status: status.as_u16() });
    }
    let body = wire::body(answer, LIMIT).await.ok_or(Identity::Unreachable)?;
    let given =
        serde_json::from_slice::<Exchanged>(&body).map_err(|_| Identity::Refused { status: status.as_u16() })?;
    Ok(given.refresh_token)
}

/// What a token says of itself; nobody verifies it, because nothing is allowed by it here.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    let bytes = base64::decode_url_safe(payload).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What the exchanged token allows, as the node's own bootstrap reads it.
fn allowed(refresh: &str) -> Identity {
    let claims = claims(refresh);
    let permissions = claims.as_ref().and_then(|claims| claims.get("permissions"));
    let Some(actions) = permissions.and_then(|own| own.get("actions")).and_then(Value::as_array) else {
        return Identity::NotSaid;
    };
    let actions = actions.iter().filter_map(Value::as_str).take(ACTIONS);
    let actions: Vec<String> = actions.map(|action| text::truncated(action, 100)).collect();
    if actions.iter().any(|action| action == "read") {
        Identity::MayPull { actions }
    } else {
        Identity::MayNotPull { actions }
    }
}

/// A value in a query or a form.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
