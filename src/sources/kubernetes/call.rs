//! One question to a Kubernetes API, within its time limit, and again where the server is busy or the connection broke
//! off: what a load balancer, a restart or priority and fairness do to everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::time::Instant;

use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::{Fact, Gap, Reason};
use crate::sources::azure::arm::Limits;
use crate::sources::azure::error::Failure;
use crate::sources::azure::retry::{self, Throttled};
use crate::sources::body;
use crate::sources::caught::caught;
use crate::sources::peer::{Peer, Trouble};
use crate::sources::progress::Progress;
use crate::text;

/// Largest answer that is read, in bytes.
const PAGE_LIMIT: usize = 64 << 20;
/// How often a question is asked at most. Who is told to wait is not told that it was the last time: those get more.
const TRIES: u32 = 4;
const TRIES_IF_BUSY: u32 = 6;
/// Longest piece of the server's own words that is kept.
const MESSAGE: usize = 300;
/// How a user without a sign-in is called.
const ANONYMOUS: &str = "system:anonymous";

/// A question as `kube` builds it.
pub(super) type Question = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

/// What came of it: the body, or why there is none.
pub(super) type PageAnswer = Result<Vec<u8>, Unanswered>;

/// Why a question brought nothing to read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unanswered {
    /// The API server itself says that it has no such object, or does not serve such a kind. That is an answer.
    Absent,
    /// 410: a list's next page is no longer kept; from its start it can be read again.
    Expired(Failure),
    /// Anything else, a 404 that a proxy made up included: nothing is known.
    Failed(Failure),
}

impl Unanswered {
    /// A body that is not what was asked for.
    pub(super) fn malformed(detail: &str) -> Self {
        Self::Failed(Failure::new(Reason::Malformed, detail))
    }

    /// The gap that it leaves where every cluster has what was asked for, so that absence is no answer either.
    pub(super) fn gap(self, permission: KubernetesCall) -> Gap {
        match self {
            Self::Absent => permission.gap(Reason::NotFound, "404: the Kubernetes API has no such object"),
            Self::Expired(failure) | Self::Failed(failure) => permission.gap(failure.reason, failure.detail),
        }
    }

    /// The fact that it leaves where not every cluster has what was asked for.
    pub(super) fn or_none<T>(self, permission: KubernetesCall) -> Fact<Vec<T>> {
        match self {
            Self::Absent => Fact::Known(Vec::new()),
            failed => Fact::Missing(failed.gap(permission)),
        }
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Why one try brought nothing.
enum Miss {
    /// Another try would bring the same.
    Final(Unanswered),
    /// The server is there, and another try may do better; after that many seconds, where it names them.
    Busy(Failure, Option<u64>),
    /// The connection broke off, or nobody listened where somebody did before.
    Cut(Failure),
}

/// An API that is asked: cheap to clone.
#[derive(Clone)]
pub struct Api {
    client: Client,
    limits: Limits,
    progress: Progress,
    peer: Arc<Peer>,
    /// Whether it ever answered: who was there and is not now may be restarting.
    answered: Arc<AtomicBool>,
}

impl Api {
    pub fn new(client: Client, limits: Limits, progress: Progress, peer: Peer) -> Self {
        Self { client, limits, progress, peer: Arc::new(peer), answered: Arc::default() }
    }

    /// The same, with a part of the time for a call.
    pub(super) fn hasty(&self, part: u32) -> Self {
        Self { limits: Limits { call: self.limits.call / part, ..self.limits }, ..self.clone() }
    }

    /// Where it tells what it does.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Asks until there is an answer, the tries are used up, or the time of a call is.
    pub(super) async fn ask(&self, question: Question) -> PageAnswer {
        let question = question.map_err(|_| Unanswered::malformed("no valid request"))?;
        let until = self.limits.call_deadline();
        let mut attempt = 1;
        loop {
            let tried = tokio::time::timeout_at(until, caught(self.exchange(question.clone()))).await;
            let Ok(tried) = tried else { return Err(Failure::late(&self.peer).into()) };
            let (failure, asked, tries) = match tried? {
                Ok(body) => return Ok(body),
                Err(Miss::Final(unanswered)) => return Err(unanswered),
                Err(Miss::Cut(failure) | Miss::Busy(failure, None)) => (failure, 0, TRIES),
                Err(Miss::Busy(failure, Some(seconds))) => (failure, seconds, TRIES_IF_BUSY),
            };
            // Those who were told to wait for the same time come back at different times, within the time of a call.
            let pause = Duration::from_secs(asked) + retry::pause(if asked > 0 { attempt.min(3) } else { attempt });
            // A wait beyond the end of the call would only hide why there is no answer.
            if attempt >= tries || Instant::now() + pause >= until {
                return Err(failure.into());
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// One try, told in the log.
    async fn exchange(&self, question: http::Request<Vec<u8>>) -> Result<Vec<u8>, Miss> {
        let what = format!("{} {}", question.method(), text::bounded(question.uri().path(), 200));
        let started = Instant::now();
        let answer = self.try_once(question).await;
        let outcome = match &answer {
            Ok(body) => format!("200, {} bytes", body.len()),
            Err(Miss::Final(Unanswered::Absent)) => "404".to_owned(),
            Err(
                Miss::Final(Unanswered::Expired(failure) | Unanswered::Failed(failure))
                | Miss::Busy(failure, _)
                | Miss::Cut(failure),
            ) => failure.detail.clone(),
        };
        self.progress.log(2, &format!("Kubernetes {what}: {outcome} ({} ms)", started.elapsed().as_millis()));
        answer
    }

    async fn try_once(&self, question: http::Request<Vec<u8>>) -> Result<Vec<u8>, Miss> {
        let sent = self.client.send(question.map(Body::from)).await;
        let response = sent.map_err(|error| self.miss(Failure::from_transport(&error, &self.peer)))?;
        self.answered.store(true, Ordering::Relaxed);
        let status = response.status().as_u16();
        let wait = response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.map(retry::retry_after);
        let too_large = || format!("a page of the answer is larger than {} MiB", PAGE_LIMIT >> 20);
        let body = body::read(response.into_body().into_data_stream(), &self.peer, PAGE_LIMIT, too_large).await;
        let body = body.map_err(|failure| self.miss(failure))?;
        Err(match (status, wait) {
            (200, _) => return Ok(body),
            (404, _) if says_absent(&body) => Miss::Final(Unanswered::Absent),
            (410, _) => Miss::Final(Unanswered::Expired(refused(status, &body))),
            (429 | 503, Some(seconds)) if seconds > retry::PATIENCE => {
                Miss::Final(Failure::new(Reason::Throttled, Throttled { seconds }.to_string()).into())
            }
            (429 | 500 | 502..=504, wait) => Miss::Busy(refused(status, &body), wait),
            _ => Miss::Final(refused(status, &body).into()),
        })
    }

    fn miss(&self, failure: Failure) -> Miss {
        match failure.trouble {
            Some(Trouble::Cut) => Miss::Cut(failure),
            Some(Trouble::Refused) if self.answered.load(Ordering::Relaxed) => Miss::Cut(failure),
            _ => Miss::Final(failure.into()),
        }
    }
}

/// The API server's own words on what it refuses.
#[derive(Deserialize)]
struct Status {
    kind: String,
    #[serde(default)]
    message: Option<String>,
}

/// A refusal, in the server's words: they name the user, the verb and the resource.
fn refused(status: u16, body: &[u8]) -> Failure {
    let own = serde_json::from_slice::<Status>(body).ok().filter(|own| own.kind == "Status");
    let message = own.and_then(|own| own.message).map(|message| text::without_secrets(&message));
    let message = message.map(|message| text::bounded(&message, MESSAGE)).filter(|message| !message.is_empty());
    let said = message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    let anonymous = message.is_some_and(|message| message.contains(ANONYMOUS));
    let (reason, what) = match status {
        // RBAC is not what is missing.
        401 | 403 if anonymous => (Reason::Unauthorized, "the request was anonymous: the kubeconfig holds no sign-in"),
        401 => (Reason::Unauthorized, "the Kubernetes API does not accept the sign-in"),
        403 => (Reason::Forbidden, "the Kubernetes API forbids it"),
        410 => (Reason::ServerError, "the list expired while it was read"),
        429 => (Reason::Throttled, "the Kubernetes API is busy"),
        500.. => (Reason::ServerError, "the Kubernetes API failed"),
        _ => (Failure::from_status(status, &[]).reason, "the Kubernetes API does not answer this"),
    };
    Failure::new(reason, format!("{status}: {what}{said}"))
}

/// Whether a 404 is the API server's own: its `Status`, its plain page for kinds that it does not serve, or nothing.
/// What a proxy in between makes up is no such answer.
fn says_absent(body: &[u8]) -> bool {
    body.trim_ascii().is_empty()
        || body.starts_with(b"404 page not found")
        || serde_json::from_slice::<Status>(body).is_ok_and(|status| status.kind == "Status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_api_servers_own_404_says_that_there_is_none() {
        for own in ["", "\n", "404 page not found\n", r#"{"kind":"Status","reason":"NotFound","code":404}"#] {
            assert!(says_absent(own.as_bytes()), "{own}");
        }
        for other in ["<html>not here</html>", r#"{"error":{"code":"ResourceNotFound"}}"#, "{}", "not found"] {
            assert!(!says_absent(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_server_said_and_whom_it_took_us_for() {
        let body = |message: &str| serde_json::json!({ "kind": "Status", "message": message }).to_string();
        let of = |status: u16, message: &str| refused(status, body(message).as_bytes());
        let forbidden = of(403, "nodes is forbidden: User \"anna\" cannot list resource \"nodes\"");
        assert_eq!(forbidden.reason, Reason::Forbidden);
        assert!(forbidden.detail.contains("User \"anna\" cannot list"), "{}", forbidden.detail);
        let anonymous = of(403, "nodes is forbidden: User \"system:anonymous\" cannot list resource");
        assert_eq!(anonymous.reason, Reason::Unauthorized);
        assert_eq!(of(429, "").reason, Reason::Throttled);
        assert_eq!(of(410, "The provided continue parameter is too old").reason, Reason::ServerError);
        assert!(of(400, "continue key is not valid").detail.ends_with(": continue key is not valid"));
        assert_eq!(refused(502, b"<html>secret</html>").detail, "502: the Kubernetes API failed");
        assert!(of(500, &"x".repeat(9_000)).detail.len() < 400);
    }

    #[test]
    fn absence_is_an_answer_only_where_it_can_be_one() {
        let permission = KubernetesCall::AUTOSCALER;
        assert_eq!(Unanswered::Absent.or_none::<()>(permission), Fact::Known(Vec::new()));
        assert_eq!(Unanswered::Absent.gap(permission).reason, Reason::NotFound);
        let proxy = || Unanswered::Failed(refused(404, b"<html>not here</html>"));
        let gap = proxy().gap(permission);
        assert_eq!(gap.reason, Reason::NotFound);
        assert_eq!(proxy().or_none::<()>(permission), Fact::Missing(gap));
    }
}
