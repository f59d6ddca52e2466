//! One page of Azure Resource Graph: a POST that reads.

use std::time::Duration;

use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{Method, Request};
use tokio::time::Instant;

use super::{Arm, BODY_LIMIT};
use crate::evidence::calls::fleet::RESOURCE_GRAPH;
use crate::sources::azure::error::Failure;
use crate::sources::azure::exchange::exchange;
use crate::sources::azure::retry;

/// What a page's headers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Queries that are left.
    pub remaining: Option<u32>,
    /// When there are more again.
    pub resets_after: Option<Duration>,
    /// Whether the tenant has more subscriptions than one query reaches.
    pub limit_hit: bool,
}

/// A page, whatever its status.
#[derive(Debug)]
pub struct GraphAnswer {
    pub status: u16,
    pub quota: Quota,
    pub body: Vec<u8>,
}

impl Arm {
    /// Sends one query for one page.
    ///
    /// # Errors
    /// The failure, where no answer came.
    pub async fn graph(&self, query: Vec<u8>) -> Result<GraphAnswer, Failure> {
        let path = "/providers/Microsoft.ResourceGraph/resources";
        let late = || Failure::late(&self.peer);
        // A pause that the server asked for does not count against the call.
        let ready = async {
            let turn = self.pace.turn().await;
            self.pace.wait().await;
            turn
        };
        let turn = tokio::time::timeout_at(self.limits.deadline, ready).await.map_err(|_| late())?;
        let started = Instant::now();
        let answer = tokio::time::timeout_at(self.limits.call_deadline(), self.page(path, query)).await;
        drop(turn);
        let answer = answer.unwrap_or_else(|_| Err(late()));
        let outcome = match &answer {
            Ok(answer) => format!("{}, {} bytes", answer.status, answer.body.len()),
            Err(failure) => failure.detail.clone(),
        };
        self.progress.log(2, &format!("POST {path}: {outcome} ({} ms)", started.elapsed().as_millis()));
        answer
    }

    async fn page(&self, path: &str, query: Vec<u8>) -> Result<GraphAnswer, Failure> {
        let mut request = Request::new(self.url(&RESOURCE_GRAPH, path, &[]), Method::Post);
        request.insert_header("accept", "application/json");
        request.insert_header("content-type", "application/json");
        request.insert_header("x-ms-correlation-request-id", self.correlation.clone());
        request.set_body(query);
        let too_large = || format!("the answer is larger than {} MiB", BODY_LIMIT >> 20);
        let answer = exchange(&self.pipeline, &self.peer, &mut request, BODY_LIMIT, too_large).await?;
        Ok(GraphAnswer { status: answer.status, quota: quota(&answer.headers), body: answer.body })
    }
}

fn quota(headers: &Headers) -> Quota {
    let text = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name));
    let asked = || text("retry-after").map(|text| Duration::from_secs(retry::retry_after(text)));
    Quota {
        remaining: text("x-ms-user-quota-remaining").and_then(|text| text.trim().parse().ok()),
        resets_after: text("x-ms-user-quota-resets-after").and_then(clock).or_else(asked),
        limit_hit: text("x-ms-tenant-subscription-limit-hit").is_some_and(|text| text.eq_ignore_ascii_case("true")),
    }
}

/// A time as `hh:mm:ss`, with or without a fraction.
fn clock(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    for part in text.trim().split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok().filter(|part| (0.0..100.0).contains(part))?;
    }
    Some(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_until_a_quota_resets_is_read() {
        assert_eq!(clock("00:00:05"), Some(Duration::from_secs(5)));
        assert_eq!(clock("00:01:00.5"), Some(Duration::from_millis(60_500)));
        assert_eq!((clock("soon"), clock("-1:00:00"), clock("")), (None, None, None));
    }
}
