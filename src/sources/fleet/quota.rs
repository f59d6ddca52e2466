//! Resource Graph's quota: 15 queries in five seconds for each sign-in, as its headers tell.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::sources::azure::arm::Quota;

/// Queries of one window, as documented.
const QUERIES: u32 = 15;
const WINDOW: Duration = Duration::from_secs(5);
/// Longest time that a header may ask to wait for the next window.
const LONGEST: Duration = Duration::from_secs(120);

/// What a time in whole seconds may lack.
const MARGIN: Duration = Duration::from_secs(1);

/// The queries that may still be sent.
#[derive(Debug)]
pub(super) struct Gate(Mutex<Window>);

#[derive(Debug)]
struct Window {
    left: u32,
    ends: Instant,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Window { left: QUERIES, ends: Instant::now() + WINDOW }))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Window) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a query may be sent.
    pub(super) async fn turn(&self) {
        loop {
            let wait = self.with(|window| {
                let now = Instant::now();
                if now >= window.ends {
                    *window = Window { left: QUERIES, ends: now + WINDOW };
                }
                if window.left == 0 {
                    return Some(window.ends);
                }
                window.left -= 1;
                None
            });
            match wait {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// What an answer says is left; others who use the sign-in take from the same quota.
    pub(super) fn told(&self, quota: Quota) {
        self.with(|window| {
            let now = Instant::now();
            if let Some(after) = quota.resets_after.filter(|_| quota.remaining.is_some()) {
                // The server's window, and not the one that began here. Its time is rounded down to seconds; where
                // plenty is left and the next window begins, there is nothing to wait for.
                let plenty = after.is_zero() && quota.remaining >= Some(QUERIES);
                let margin = if plenty { Duration::ZERO } else { MARGIN };
                window.ends = now + after.min(LONGEST) + margin;
            }
            if let Some(left) = quota.remaining {
                window.left = window.left.min(left);
            }
        });
    }

    /// A query was refused: nothing is sent until the server says so.
    pub(super) fn throttled(&self, quota: Quota) {
        let wait = quota.resets_after.unwrap_or(WINDOW).clamp(Duration::from_secs(1), LONGEST);
        self.with(|window| *window = Window { left: 0, ends: window.ends.max(Instant::now() + wait) });
    }

    /// Queries that are left in this window.
    pub(super) fn left(&self) -> u32 {
        self.with(|window| window.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(remaining: u32, seconds: u64) -> Quota {
        let resets_after = Some(Duration::from_secs(seconds));
        Quota { remaining: Some(remaining), resets_after, limit_hit: false }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_queries_are_sent_than_a_window_allows() {
        let gate = Gate::new();
        let started = Instant::now();
        for _ in 0..45 {
            gate.turn().await;
        }
        assert_eq!(started.elapsed(), WINDOW * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_says_counts_more() {
        let gate = Gate::new();
        gate.turn().await;
        gate.told(quota(0, 7));
        let started = Instant::now();
        gate.turn().await;
        assert_eq!(started.elapsed(), Duration::from_secs(7) + MARGIN);
        gate.throttled(quota(0, 9));
        gate.turn().await;
        assert!(started.elapsed() >= Duration::from_secs(17));
    }
}
