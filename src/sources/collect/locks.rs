//! Locks that would make Azure refuse a step of the plan: asked only where there is such a step.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{Collector, in_subscription};
use crate::checks::catalogue;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::plan::Plan;
use crate::evidence::Evidence;
use crate::evidence::calls::azure as api;
use crate::evidence::locks::LockFacts;

impl Collector {
    /// The locks of every subscription that the plan writes to.
    pub(super) async fn locks(&self, evidence: &Evidence) -> LockFacts {
        let plan = Plan::of(&Diagnosis::of(evidence, catalogue::ALL));
        let targets = plan.steps.iter().flat_map(|step| step.targets());
        let subscriptions: BTreeSet<String> =
            targets.filter_map(|target| target.subscription().map(str::to_lowercase)).collect();
        let read = subscriptions.into_iter().map(|subscription| async move {
            let path = in_subscription(&subscription, "Microsoft.Authorization/locks");
            let locks = self.arm.list(&api::LOCKS, &path, &[]).await;
            (subscription, locks)
        });
        join_all(read).await.into_iter().collect()
    }
}
