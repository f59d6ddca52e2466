//! Retries that fit into a run of seconds: few, short, and never longer than a server's patience is worth. Where ARM
//! throttles one call, all of them slow down: its read budget is shared with everybody else in the subscription.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as Wait;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{
    ClientOptions, Context, ExponentialRetryOptions, Request, RetryOptions, StatusCode, Transport, UserAgentOptions,
};
use azure_core::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The server asks to wait longer than a run may take.
#[derive(Debug, thiserror::Error)]
#[error("429: throttled; the server asks to wait {seconds} s")]
pub struct Throttled {
    /// What it asks for.
    pub seconds: u64,
}

/// Longest `Retry-After` that is obeyed, in seconds; asked for more, the call ends as throttled at once.
pub const PATIENCE: u64 = 4;

/// How long to wait before an attempt is repeated: longer each time, and never in step with others that failed at the
/// same moment.
pub fn pause(attempt: u32) -> Wait {
    let longest = Wait::from_secs(2);
    let pause = Wait::from_millis(250).saturating_mul(1 << attempt.saturating_sub(1).min(8)).min(longest);
    pause.mul_f64(0.5 + fastrand::f64())
}

/// Client options for ARM and for the credentials alike: the SDK's own defaults retry for over a minute.
pub(super) fn client_options(transport: Transport, pace: Arc<Pace>) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            initial_delay: Duration::milliseconds(250),
            max_retries: 2,
            max_total_elapsed: Duration::seconds(8),
            max_delay: Duration::seconds(2),
        }),
        transport: Some(transport),
        user_agent: UserAgentOptions { application_id: Some(application()) },
        per_try_policies: vec![Arc::new(Patience(pace))],
        ..ClientOptions::default()
    }
}

/// What stands first in the User-Agent, sign-in included; the SDK takes 24 characters.
fn application() -> String {
    concat!("aksiso-", env!("CARGO_PKG_VERSION")).chars().take(24).collect()
}

/// How many calls run at a time, and until when all of them pause.
#[derive(Debug)]
pub struct Pace {
    permits: Semaphore,
    /// How many permits there are, taken and free together.
    width: Mutex<usize>,
    resume: Mutex<Option<Instant>>,
    /// Longest wait that is obeyed, in seconds.
    patience: AtomicU64,
}

impl Pace {
    /// At most `width` calls at a time.
    pub fn new(width: usize) -> Self {
        Self {
            permits: Semaphore::new(width),
            width: Mutex::new(width),
            resume: Mutex::new(None),
            patience: AtomicU64::new(PATIENCE),
        }
    }

    /// Obeys longer waits than a run of seconds can bear.
    pub fn wait_up_to(&self, patience: Wait) {
        self.patience.store(patience.as_secs(), Ordering::Relaxed);
    }

    /// Waits until one more call may be made.
    pub async fn turn(&self) -> Turn<'_> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        Turn { pace: self, permit: Some(permit) }
    }

    /// Waits until nobody pauses any more.
    pub(super) async fn wait(&self) {
        loop {
            let resume = *self.resume.lock().unwrap_or_else(PoisonError::into_inner);
            match resume.filter(|resume| *resume > Instant::now()) {
                Some(resume) => tokio::time::sleep_until(resume).await,
                None => return,
            }
        }
    }

    /// Somebody was throttled: everybody waits as long as the server asks, but never longer than a run can bear.
    fn throttled(&self, seconds: u64) {
        // Where no wait is long enough, there are only fewer calls at a time.
        let until =
            Instant::now() + Wait::from_secs(if seconds > self.patience.load(Ordering::Relaxed) { 1 } else { seconds });
        let mut resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner);
        *resume = (*resume).max(Some(until));
    }

    /// Whether a permit may be given up for good: the last one never is.
    fn narrow(&self) -> bool {
        let mut width = self.width.lock().unwrap_or_else(PoisonError::into_inner);
        let narrower = *width > 1;
        *width -= usize::from(narrower);
        narrower
    }
}

/// The right to make one call.
pub struct Turn<'p> {
    pace: &'p Pace,
    permit: Option<SemaphorePermit<'p>>,
}

impl Turn<'_> {
    /// Ends a turn that was throttled: from now on one call less runs at a time.
    pub fn throttled(mut self) {
        if self.pace.narrow()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

/// Ends a call whose server asks for more patience than there is, before the retry policy obeys it; and lets no call
/// go out while the server asks to wait.
#[derive(Debug)]
struct Patience(Arc<Pace>);

#[async_trait]
impl Policy for Patience {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        self.0.wait().await;
        let response = next[0].send(ctx, request, &next[1..]).await?;
        let asked = seconds_to_wait(response.headers());
        match response.status() {
            StatusCode::TooManyRequests => self.0.throttled(asked.unwrap_or(1)),
            StatusCode::ServiceUnavailable => {}
            _ => return Ok(response),
        }
        match asked {
            Some(seconds) if seconds > PATIENCE => {
                // Not a transport error, so the retry policy passes it on instead of trying again.
                Err(azure_core::Error::new(azure_core::error::ErrorKind::Other, Throttled { seconds }))
            }
            _ => Ok(response),
        }
    }
}

/// `Retry-After` of an answer, in seconds.
fn seconds_to_wait(headers: &Headers) -> Option<u64> {
    let header = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name));
    let milliseconds = header("x-ms-retry-after-ms").or_else(|| header("retry-after-ms"));
    if let Some(milliseconds) = milliseconds.and_then(|text| text.parse::<u64>().ok()) {
        return Some(milliseconds.div_ceil(1000));
    }
    header("retry-after").map(retry_after)
}

/// `Retry-After` in seconds; its date form is answered by the SDK's own clock and rounds up to "too long".
pub fn retry_after(text: &str) -> u64 {
    text.trim().parse::<u64>().unwrap_or(PATIENCE + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ_from_caller_to_caller() {
        for (attempt, longest) in [(1, 375), (2, 750), (3, 1_500), (4, 3_000), (60, 3_000)] {
            let pauses: Vec<Wait> = (0..20).map(|_| pause(attempt)).collect();
            let (least, most) = (Wait::from_millis(longest / 3), Wait::from_millis(longest));
            assert!(pauses.iter().all(|pause| (least..=most).contains(pause)), "{attempt}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{attempt}: in step");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_throttled_call_makes_all_wait_and_fewer_run() {
        let pace = Pace::new(2);
        let started = Instant::now();
        pace.throttled(2);
        pace.throttled(1); // a shorter wish does not shorten the pause
        pace.wait().await;
        assert_eq!(started.elapsed().as_secs(), 2);
        pace.throttled(600);
        pace.wait().await;
        assert_eq!(started.elapsed().as_secs(), 3);

        pace.turn().await.throttled();
        assert_eq!(pace.permits.available_permits(), 1);
        pace.turn().await.throttled();
        assert_eq!(pace.permits.available_permits(), 1, "the last permit stays");
    }
}
