//! Azure's patience is not tried, and ours ends: in tokio's own time, so that nobody waits for these tests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aksiso::evidence::Reason;
use aksiso::evidence::calls::azure as api;
use aksiso::evidence::id::ResourceId;
use aksiso::sources::azure::arm::{Arm, Limits};
use aksiso::sources::azure::error::Failure;
use aksiso::sources::progress::Progress;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode, Transport};
use azure_core::time::OffsetDateTime;
use serde_json::Value;
use tokio::time::Instant;

const CALL: Duration = Duration::from_secs(3);

/// An ARM that throttles or never answers, and notes what came when.
#[derive(Debug)]
struct Fake {
    began: Instant,
    /// Paths that ask once to wait that many seconds; `None` = that never answer.
    faults: Mutex<HashMap<String, Option<u64>>>,
    seen: Mutex<Vec<(String, Duration)>>,
}

#[async_trait::async_trait]
impl HttpClient for Fake {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let path = request.url().path().to_owned();
        self.seen.lock().expect("a lock").push((path.clone(), self.began.elapsed()));
        let fault = self.faults.lock().expect("a lock").remove(&path);
        let mut headers = Headers::new();
        match fault {
            None => Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, headers, "{}")),
            Some(None) => std::future::pending().await,
            Some(Some(seconds)) => {
                headers.insert("retry-after", seconds.to_string());
                Ok(AsyncRawResponse::from_bytes(StatusCode::TooManyRequests, headers, "{}"))
            }
        }
    }
}

#[derive(Debug)]
struct SignedIn;

#[async_trait::async_trait]
impl TokenCredential for SignedIn {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new("token", OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1)))
    }
}

fn arm(faults: &[(&str, Option<u64>)], run: Duration) -> (Arc<Fake>, Arm) {
    let faults = faults.iter().map(|(path, fault)| ((*path).to_owned(), *fault)).collect();
    let fake = Arc::new(Fake { began: Instant::now(), faults: Mutex::new(faults), seen: Mutex::default() });
    let limits = Limits { call: CALL, deadline: fake.began + run, concurrency: 8 };
    let transport = Transport::new(Arc::clone(&fake) as Arc<dyn HttpClient>);
    let endpoint = "https://management.example".parse().expect("a URL");
    (fake, Arm::new(endpoint, "scope", Arc::new(SignedIn), transport, limits, Progress::silent()))
}

async fn read(arm: &Arm, path: &str) -> Result<Value, Failure> {
    arm.read(&api::MANAGED_CLUSTERS, &ResourceId::new(path.to_owned())).await
}

#[tokio::test(start_paused = true)]
async fn throttling_slows_the_whole_client() {
    let (fake, arm) = arm(&[("/a", Some(2))], Duration::from_secs(60));
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        read(&arm, "/b").await
    };
    let (first, second) = tokio::join!(read(&arm, "/a"), later);
    assert!(first.is_ok() && second.is_ok());
    let seen = fake.seen.lock().expect("a lock").clone();
    assert_eq!(seen.len(), 3, "the throttled call is made once more: {seen:?}");
    assert!(seen[1..].iter().all(|(_, at)| *at >= Duration::from_secs(2)), "asked while ARM said wait: {seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_is_not_begun() {
    let (fake, arm) = arm(&[("/a", Some(600))], Duration::from_secs(60));
    let failure = read(&arm, "/a").await.expect_err("it is throttled");
    assert_eq!(failure.reason, Reason::Throttled);
    assert!(failure.detail.contains("asks to wait 600 s"), "{}", failure.detail);
    assert_eq!(fake.seen.lock().expect("a lock").len(), 1);
    assert_eq!(fake.began.elapsed(), Duration::ZERO);
}

/// A call that hangs ends after the time of one call, or at the end of the run, and leaves what follows its own time.
#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_in_time() {
    for (run, end) in [(Duration::from_secs(60), CALL), (Duration::from_secs(1), Duration::from_secs(1))] {
        let (fake, arm) = arm(&[("/a", None)], run);
        let failure = read(&arm, "/a").await.expect_err("it hangs");
        assert_eq!(failure.reason, Reason::TimedOut);
        assert_eq!(fake.began.elapsed().as_secs(), end.as_secs());
        assert!(read(&arm, "/b").await.is_ok() || run == end, "what follows has time");
    }
}
