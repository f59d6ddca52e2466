//! Many clusters at once: what they share is asked once, no subscription is asked faster than ARM allows, and where it
//! asks for patience there is some.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::http::{Method, Url};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{Arm, Limits};
use crate::evidence::Reason;
use crate::sources::azure::error::Failure;

/// Reads that a sign-in has at once in a subscription, and those that are added each second.
const BURST: f64 = 250.0;
const A_SECOND: f64 = 25.0;
/// Longest wait that is obeyed where ARM throttles.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time limit of one call, which may wait for a pause to end.
const CALL: Duration = Duration::from_secs(30);

type Answer = Arc<OnceCell<Result<Arc<[u8]>, Failure>>>;

/// What the clones of a client share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// What was asked already, by address.
    answers: Mutex<HashMap<String, Answer>>,
    /// Reads that are left, by subscription, and when they were counted.
    budgets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Arm {
    /// The same client for a run over many clusters.
    #[must_use]
    pub fn for_many(mut self) -> Self {
        self.pace.wait_up_to(PATIENCE);
        self.limits = Limits { call: CALL, ..self.limits };
        self.shared = Some(Arc::default());
        self
    }

    /// How many different things were asked so far.
    pub fn asked(&self) -> usize {
        let shared = self.shared.as_ref();
        shared.map_or(0, |shared| shared.answers.lock().unwrap_or_else(PoisonError::into_inner).len())
    }
}

impl Shared {
    /// Asks, unless that was asked before; who asks the same meanwhile waits for the one answer.
    pub(super) async fn once(&self, arm: &Arm, url: Url) -> Result<Vec<u8>, Failure> {
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(url.as_str().to_lowercase()).or_default())
        };
        let answer = cell.get_or_init(|| async { self.patiently(arm, url).await.map(Arc::from) }).await;
        answer.clone().map(|body| body.to_vec())
    }

    /// Asks again as long as ARM asks for patience and there is time.
    async fn patiently(&self, arm: &Arm, url: Url) -> Result<Vec<u8>, Failure> {
        loop {
            let ready = async {
                self.budget(url.path()).await;
                arm.pace.wait().await;
            };
            // Past the time limit the call itself says so.
            let _ = tokio::time::timeout_at(arm.limits.deadline, ready).await;
            let answer = arm.ask(Method::Get, url.clone()).await;
            let throttled = answer.as_ref().is_err_and(|failure| failure.reason == Reason::Throttled);
            if !throttled || Instant::now() >= arm.limits.deadline {
                return answer;
            }
        }
    }

    /// Waits until the subscription of a path may be read once more.
    async fn budget(&self, path: &str) {
        let mut parts = path.split('/').skip(1);
        let subscription = match (parts.next(), parts.next()) {
            (Some(word), Some(id)) if word.eq_ignore_ascii_case("subscriptions") => id.to_lowercase(),
            _ => String::new(),
        };
        let wait = {
            let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let (left, counted) = budgets.entry(subscription).or_insert((BURST, now));
            *left = (*left + now.duration_since(*counted).as_secs_f64() * A_SECOND).min(BURST) - 1.0;
            *counted = now;
            if *left < 0.0 { Duration::from_secs_f64(-*left / A_SECOND) } else { Duration::ZERO }
        };
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_subscription_is_read_no_faster_than_it_may_be() {
        let shared = Shared::default();
        let started = Instant::now();
        for _ in 0..250 {
            shared.budget("/subscriptions/A/resourceGroups/g").await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO, "the burst");
        for _ in 0..50 {
            shared.budget("/subscriptions/a/resourceGroups/g").await;
        }
        assert!((1_900..2_100).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        let before = Instant::now();
        shared.budget("/subscriptions/b").await;
        assert_eq!(before.elapsed(), Duration::ZERO, "another subscription has a budget of its own");
    }
}
