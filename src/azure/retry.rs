//! Retries that fit into a run of seconds: few, short, and never longer than a server's patience is worth.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{ClientOptions, Context, ExponentialRetryOptions, Request, RetryOptions, StatusCode, Transport};
use azure_core::time::Duration;

/// The server asks to wait longer than a run may take.
#[derive(Debug, thiserror::Error)]
#[error("429: throttled; the server asks to wait {seconds} s")]
pub(super) struct Throttled {
    seconds: u64,
}

/// Longest `Retry-After` that is obeyed, in seconds; asked for more, the call ends as throttled at once.
const PATIENCE: u64 = 4;

/// Client options for ARM and for the credentials alike: the SDK's own defaults retry for over a minute.
pub(super) fn client_options(transport: Transport) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            initial_delay: Duration::milliseconds(250),
            max_retries: 2,
            max_total_elapsed: Duration::seconds(8),
            max_delay: Duration::seconds(2),
        }),
        transport: Some(transport),
        per_try_policies: vec![Arc::new(Patience)],
        ..ClientOptions::default()
    }
}

/// Ends a call whose server asks for more patience than there is, before the retry policy obeys it.
#[derive(Debug)]
struct Patience;

#[async_trait]
impl Policy for Patience {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let response = next[0].send(ctx, request, &next[1..]).await?;
        let busy = matches!(response.status(), StatusCode::TooManyRequests | StatusCode::ServiceUnavailable);
        match busy.then(|| seconds_to_wait(response.headers())).flatten() {
            Some(seconds) if seconds > PATIENCE => {
                // Not a transport error, so the retry policy passes it on instead of trying again.
                Err(azure_core::Error::new(azure_core::error::ErrorKind::Other, Throttled { seconds }))
            }
            _ => Ok(response),
        }
    }
}

/// `Retry-After` in seconds; its date form is answered by the SDK's own clock and rounds up to "too long".
fn seconds_to_wait(headers: &Headers) -> Option<u64> {
    let header = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name));
    let milliseconds = header("x-ms-retry-after-ms").or_else(|| header("retry-after-ms"));
    if let Some(milliseconds) = milliseconds.and_then(|text| text.parse::<u64>().ok()) {
        return Some(milliseconds.div_ceil(1000));
    }
    let text = header("retry-after")?.trim();
    Some(text.parse::<u64>().unwrap_or(PATIENCE + 1))
}
