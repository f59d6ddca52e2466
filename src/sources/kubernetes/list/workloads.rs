//! Lists of workloads, budgets and storage. A kind that an API server does not serve has no objects.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Lister, RawEvent};
use crate::evidence::calls::kubernetes::KubernetesCall;
use crate::evidence::kubernetes::ImageUse;
use crate::evidence::workloads::{ClaimedClass, DesiredImages, StorageClass, StorageFacts, StorageFailure, Volume};
use crate::evidence::{Fact, Gap};
use crate::model::storage;
use crate::sources::kubernetes::call::Unanswered;
use crate::sources::kubernetes::drains::{Budgets, RawBudget};
use crate::sources::kubernetes::storage::{Claims, RawClaim, RawClass, RawVolume, failure};
use crate::sources::kubernetes::templates::{RawWorkload, Templates};

/// Most failures that are kept of one kind; the rest would say the same again.
const MOST: usize = 5_000;
/// How many times shorter than another call the one is that others wait for.
const HASTE: u32 = 3;

impl Lister<'_> {
    /// Images in the templates of workloads.
    pub async fn desired(&self) -> DesiredImages {
        let (deployments, stateful_sets, daemon_sets, cron_jobs) = tokio::join!(
            self.templates("Deployment", KubernetesCall::DEPLOYMENTS),
            self.templates("StatefulSet", KubernetesCall::STATEFUL_SETS),
            self.templates("DaemonSet", KubernetesCall::DAEMON_SETS),
            self.templates("CronJob", KubernetesCall::CRON_JOBS),
        );
        DesiredImages { deployments, stateful_sets, daemon_sets, cron_jobs }
    }

    /// Disruption budgets that allow no disruption. The list of pods waits for them, so that only the pods that one of
    /// them covers are kept: a slow answer costs the budgets alone.
    pub async fn budgets(&self) -> Result<Budgets, Gap> {
        let permission = KubernetesCall::BUDGETS;
        let api = self.0.hasty(HASTE);
        let hasty = Lister(&api);
        let keep = |budgets: &mut Budgets, budget: RawBudget| budgets.add(budget);
        match hasty.each(permission, &permission.path(), None, keep).await {
            Ok(budgets) => Ok(budgets),
            Err(Unanswered::Absent) => Ok(Budgets::default()),
            Err(none) => Err(none.gap(permission)),
        }
    }

    /// Storage of Azure Files and Azure Blob, and what failed of it where some of it is reached over public addresses.
    pub async fn storage(&self) -> StorageFacts {
        let (classes, volumes, claims) = tokio::join!(self.classes(), self.volumes(), self.claims());
        let mut found = StorageFacts { classes, volumes, claims, failures: Fact::default() };
        if !storage::public(&found).is_empty() {
            let (mounts, provisioning) =
                tokio::join!(self.failures("FailedMount"), self.failures("ProvisioningFailed"));
            found.failures = Fact::all([mounts, provisioning]).map(|lists| lists.concat());
        }
        found
    }

    async fn classes(&self) -> Fact<Vec<StorageClass>> {
        let permission = KubernetesCall::STORAGE_CLASSES;
        let keep = |classes: &mut Vec<StorageClass>, class: RawClass| classes.extend(class.kept());
        let classes = self.each(permission, &permission.path(), None, keep).await;
        classes.map_or_else(|none| none.or_none(permission), Fact::Known)
    }

    async fn volumes(&self) -> Fact<Vec<Volume>> {
        let permission = KubernetesCall::VOLUMES;
        let keep = |volumes: &mut Vec<Volume>, volume: RawVolume| volumes.extend(volume.kept());
        let volumes = self.each(permission, &permission.path(), None, keep).await;
        volumes.map_or_else(|none| none.or_none(permission), Fact::Known)
    }

    async fn claims(&self) -> Fact<Vec<ClaimedClass>> {
        let permission = KubernetesCall::CLAIMS;
        let keep = |claims: &mut Claims, claim: RawClaim| claims.add(claim);
        let claims = self.each(permission, &permission.path(), None, keep).await;
        claims.map_or_else(|none| none.or_none(permission), |claims| Fact::Known(claims.finish()))
    }

    /// Events with this reason, the newest of each object, volume and class.
    async fn failures(&self, reason: &str) -> Fact<Vec<StorageFailure>> {
        let permission = KubernetesCall::EVENTS;
        let keep = |kept: &mut BTreeMap<StorageFailure, Option<Timestamp>>, event: RawEvent| {
            let found = failure(reason, &event);
            let seen = found.last_seen;
            if kept.len() < MOST || kept.contains_key(&found) {
                let newest = kept.entry(StorageFailure { last_seen: None, ..found }).or_default();
                *newest = (*newest).max(seen);
            }
        };
        let selector = format!("reason={reason}");
        let kept = self.each(permission, &permission.path(), Some(&selector), keep).await;
        let whole = |(failure, last_seen)| StorageFailure { last_seen, ..failure };
        kept.map_or_else(
            |none| Fact::Missing(none.gap(permission)),
            |kept| Fact::Known(kept.into_iter().map(whole).collect()),
        )
    }

    async fn templates(&self, kind: &str, permission: KubernetesCall) -> Fact<Vec<ImageUse>> {
        let keep = |templates: &mut Templates, workload: RawWorkload| templates.add(kind, &workload);
        let templates = self.each(permission, &permission.path(), None, keep).await;
        templates.map_or_else(|none| none.or_none(permission), |templates| Fact::Known(templates.finish()))
    }
}
