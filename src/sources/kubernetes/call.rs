//! One question to a Kubernetes API, within its time limit, and once more where the server is busy for a moment only.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;

use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::{Fact, Gap, Reason};
use crate::sources::azure::arm::Limits;
use crate::sources::azure::error::Failure;
use crate::sources::azure::retry::{self, Throttled};
use crate::sources::body;

/// Largest answer that is read, in bytes.
const PAGE_LIMIT: usize = 64 << 20;
/// How often a busy server is asked again.
const RETRIES: usize = 2;
/// The pause before that, where the server does not name one.
const PAUSE: Duration = Duration::from_millis(250);
/// Who is asked, in words.
const HOST: &str = "the Kubernetes API";

/// A question as `kube` builds it.
pub(super) type Question = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

/// What came of it: the body, or why there is none.
pub(super) type PageAnswer = Result<Vec<u8>, Unanswered>;

/// Why a question brought nothing to read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unanswered {
    /// The API server itself says that it has no such object, or does not serve such a kind. That is an answer.
    Absent,
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
            Self::Failed(failure) => permission.gap(failure.reason, failure.detail),
        }
    }

    /// The fact that it leaves where not every cluster has what was asked for.
    pub(super) fn or_none<T>(self, permission: KubernetesCall) -> Fact<Vec<T>> {
        match self {
            Self::Absent => Fact::Known(Vec::new()),
            failed @ Self::Failed(_) => Fact::Missing(failed.gap(permission)),
        }
    }
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What came back from one try.
enum Reply {
    Body(Vec<u8>),
    /// The server may answer after a pause.
    Busy(Duration, u16),
}

/// Asks until there is an answer, the tries are used up, or the time of a call is.
pub(super) async fn ask(client: &Client, limits: Limits, question: Question) -> PageAnswer {
    let question = question.map_err(|_| Unanswered::malformed("no valid request"))?;
    let tries = async {
        for _ in 0..RETRIES {
            match exchange(client, question.clone()).await? {
                Reply::Body(body) => return Ok(body),
                Reply::Busy(pause, _) => tokio::time::sleep(pause).await,
            }
        }
        match exchange(client, question.clone()).await? {
            Reply::Body(body) => Ok(body),
            Reply::Busy(_, status) => Err(Failure::from_status(status, &[]).into()),
        }
    };
    let late = || Err(Failure::new(Reason::TimedOut, "the Kubernetes API did not answer in time").into());
    tokio::time::timeout_at(limits.call_deadline(), tries).await.unwrap_or_else(|_| late())
}

async fn exchange(client: &Client, question: http::Request<Vec<u8>>) -> Result<Reply, Unanswered> {
    let answer = client.send(question.map(Body::from)).await;
    let response = answer.map_err(|error| Failure::from_transport(&error, HOST))?;
    let status = response.status().as_u16();
    let wait = response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = wait.map(retry::retry_after);
    let too_large = || format!("a page of the answer is larger than {} MiB", PAGE_LIMIT >> 20);
    let body = body::read(response.into_body().into_data_stream(), HOST, PAGE_LIMIT, too_large).await?;
    Err(Unanswered::Failed(match (status, wait) {
        (200, _) => return Ok(Reply::Body(body)),
        (401, _) => Failure::new(Reason::Unauthorized, "401: the Kubernetes API does not accept the sign-in"),
        (403, _) => Failure::new(Reason::Forbidden, "403: the Kubernetes API forbids it"),
        (404, _) if says_absent(&body) => return Err(Unanswered::Absent),
        (429 | 503, Some(seconds)) if seconds > retry::PATIENCE => {
            Failure::new(Reason::Throttled, Throttled { seconds }.to_string())
        }
        (429 | 500 | 502..=504, wait) => return Ok(Reply::Busy(wait.map_or(PAUSE, Duration::from_secs), status)),
        _ => Failure::from_status(status, &[]),
    }))
}

/// Whether a 404 is the API server's own: its `Status`, its plain page for kinds that it does not serve, or nothing.
/// What a proxy in between makes up is no such answer.
fn says_absent(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
    }
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
    fn absence_is_an_answer_only_where_it_can_be_one() {
        let permission = KubernetesCall::AUTOSCALER;
        assert_eq!(Unanswered::Absent.or_none::<()>(permission), Fact::Known(Vec::new()));
        assert_eq!(Unanswered::Absent.gap(permission).reason, Reason::NotFound);
        let proxy = || Unanswered::Failed(Failure::from_status(404, b"<html>not here</html>"));
        let gap = proxy().gap(permission);
        assert_eq!(gap.reason, Reason::NotFound);
        assert_eq!(proxy().or_none::<()>(permission), Fact::Missing(gap));
    }
}
