//! What went wrong on the way to an answer, told apart: name resolution, connection, certificate, time, refusal.

use std::error::Error;

use azure_core::error::ErrorKind;
use serde::Deserialize;

use super::retry::Throttled;
use crate::evidence::calls::azure::Api;
use crate::evidence::{Gap, Reason};
use crate::sources::peer::{Peer, Trouble, root_words};
use crate::text;

/// A request that brought no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why, in one word.
    pub reason: Reason,
    /// ARM's error code, such as `ResourceNotFound`.
    pub code: Option<String>,
    /// What was wrong with the connection, where it was that.
    pub trouble: Option<Trouble>,
    /// One sentence for a person.
    pub detail: String,
}

/// Longest piece of a server's own words that is kept.
const MESSAGE_LIMIT: usize = 300;

impl Failure {
    /// A failure with nothing but a sentence.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, code: None, trouble: None, detail: detail.into() }
    }

    /// Reads an answer whose status is not 200.
    pub fn from_status(status: u16, body: &[u8]) -> Self {
        let (code, message) = arm_error(body);
        let reason = match status {
            401 => Reason::Unauthorized,
            403 => Reason::Forbidden,
            404 => Reason::NotFound,
            429 => Reason::Throttled,
            500.. => Reason::ServerError,
            _ => Reason::Malformed,
        };
        let words = [code.clone(), message].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let detail = if words.is_empty() { status.to_string() } else { format!("{status} {words}") };
        Self { reason, code, trouble: None, detail }
    }

    /// Reads an error of the pipeline, walking to its root, where DNS, TCP and TLS tell themselves apart.
    pub fn from_pipeline(error: &azure_core::Error, peer: &Peer) -> Self {
        if let Some(throttled) = sources(error).find_map(|error| error.downcast_ref::<Throttled>()) {
            return Self::new(Reason::Throttled, throttled.to_string());
        }
        match error.kind() {
            ErrorKind::Io | ErrorKind::Connection => Self::from_transport(error, peer),
            _ => Self::new(Reason::Unauthorized, root_words(error)),
        }
    }

    /// Reads an error of a connection, whatever library it comes from.
    pub fn from_transport(error: &(dyn Error + 'static), peer: &Peer) -> Self {
        let trouble = Trouble::of(error);
        let reason = if trouble == Trouble::Late { Reason::TimedOut } else { Reason::Unreachable };
        Self { trouble: Some(trouble), ..Self::new(reason, trouble.about(peer, &root_words(error))) }
    }

    /// Nothing came in time.
    pub fn late(peer: &Peer) -> Self {
        let trouble = Trouble::Late;
        Self { trouble: Some(trouble), ..Self::new(Reason::TimedOut, trouble.about(peer, "")) }
    }

    /// Whether the connection broke off: the same request may do better a moment later.
    pub fn cut(&self) -> bool {
        self.trouble == Some(Trouble::Cut)
    }

    /// The gap that this failure leaves in the evidence.
    pub fn gap(&self, api: &Api, scope: &str) -> Gap {
        // A sign-in that is not accepted needs no role.
        let refused = self.reason == Reason::Forbidden;
        let method = if api.action.ends_with("/action") { "POST" } else { "GET" };
        Gap {
            needed: Some(api.action.to_owned()),
            scope: scope.to_owned(),
            role: refused.then(|| api.role.to_owned()),
            call: Some(format!("{method} {scope}").into()),
            ..Gap::new(self.reason, self.detail.clone())
        }
    }

    /// Whether ARM says that the resource, or the group around it, does not exist. A subscription or tenant that
    /// cannot be seen is not such an answer.
    pub fn absent(&self) -> bool {
        const CODES: [&str; 4] =
            ["ResourceNotFound", "ResourceGroupNotFound", "ParentResourceNotFound", "RoleDefinitionDoesNotExist"];
        let code = self.code.as_deref().unwrap_or_default();
        self.reason == Reason::NotFound && CODES.iter().any(|known| known.eq_ignore_ascii_case(code))
    }

    /// Whether the subscription never registered the resource provider: then none of its resources exist there.
    pub fn unregistered(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case("MissingSubscriptionRegistration"))
    }

    /// Whether ARM does not know the path at all: a 404 that is not about the subscription or the tenant.
    pub fn unknown_path(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        self.reason == Reason::NotFound
            && !code.starts_with("Subscription")
            && !code.starts_with("InvalidAuthentication")
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: Body,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Arm { code: Option<String>, message: Option<String> },
    Plain(String),
}

/// ARM's own code and message; a page of HTML or anything else gives neither.
fn arm_error(body: &[u8]) -> (Option<String>, Option<String>) {
    match serde_json::from_slice::<Envelope>(body) {
        Ok(Envelope { error: Body::Arm { code, message } }) => (
            code.map(|code| text::bounded(&code, 80)),
            message.map(|message| text::bounded(&text::without_secrets(&message), MESSAGE_LIMIT)),
        ),
        Ok(Envelope { error: Body::Plain(word) }) => (Some(text::bounded(&word, 80)), None),
        Err(_) => (None, None),
    }
}

/// An error and everything that caused it.
pub fn sources<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_subscription_is_not_a_missing_resource() {
        let body = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        assert!(Failure::from_status(404, body("ResourceNotFound").as_bytes()).absent());
        assert!(Failure::from_status(404, body("ResourceGroupNotFound").as_bytes()).absent());
        assert!(!Failure::from_status(404, body("SubscriptionNotFound").as_bytes()).absent());
        assert!(!Failure::from_status(404, b"<html>not here</html>").absent());
        assert!(!Failure::from_status(403, body("ResourceNotFound").as_bytes()).absent());
    }

    #[test]
    fn a_page_of_html_does_not_reach_the_report() {
        let failure = Failure::from_status(503, b"<html><body>proxy says no</body></html>");
        assert_eq!((failure.reason, failure.detail.as_str()), (Reason::ServerError, "503"));
    }

    #[test]
    fn oauth_errors_are_read_too() {
        let failure = Failure::from_status(401, br#"{"error":"invalid_token"}"#);
        assert_eq!(failure.code.as_deref(), Some("invalid_token"));
    }
}
