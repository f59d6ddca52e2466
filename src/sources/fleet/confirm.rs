//! What ARM itself says of clusters: in doubt of the rows, or in depth.

use std::collections::BTreeSet;

use azure_core::credentials::TokenCredential;
use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use std::sync::Arc;

use super::AT_A_TIME;
use crate::evidence::calls::azure as api;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::fleet::{FleetCluster, SECTIONS};
use crate::evidence::id::ResourceId;
use crate::evidence::{Evidence, Fact, Section};
use crate::sources::azure::arm::{Arm, Limits};
use crate::sources::collect::Collector;
use crate::sources::kubernetes::connect::Wish;
use crate::sources::progress::Progress;

/// Asks ARM about clusters, and about what they share once.
pub struct Confirmer {
    pub arm: Arm,
    pub credential: Arc<dyn TokenCredential>,
    pub limits: Limits,
    pub progress: Progress,
}

/// A cluster to ask about.
pub struct Case<'c> {
    pub cluster: &'c FleetCluster,
    /// What the rows say of it.
    pub rows: Evidence,
    /// What of it is in doubt, beside its own row.
    pub sections: BTreeSet<Section>,
}

impl Confirmer {
    /// The evidence of each as ARM shows it now, and none of clusters that do not exist; `keep` gets it as it comes.
    pub async fn confirm(
        &self,
        cases: Vec<Case<'_>>,
        now: Timestamp,
        mut keep: impl FnMut(&ResourceId, Fact<Option<Evidence>>),
    ) {
        let (count, mut done) = (cases.len(), 0);
        let work = cases.into_iter().map(|case| async move { (&case.cluster.cluster.id, self.one(case, now).await) });
        let mut answers = std::pin::pin!(stream::iter(work).buffer_unordered(AT_A_TIME));
        while let Some((id, evidence)) = answers.next().await {
            keep(id, evidence);
            done += 1;
            self.progress.asking(&format!("Azure Resource Manager about {done} of {count} clusters"));
        }
    }

    async fn one(&self, case: Case<'_>, now: Timestamp) -> Fact<Option<Evidence>> {
        let collector = Collector {
            arm: self.arm.clone(),
            credential: Arc::clone(&self.credential),
            limits: self.limits,
            progress: self.progress.clone(),
            kubernetes: Wish { explicit: None, skip: true },
            sections: case.sections.clone(),
        };
        let id = &case.cluster.cluster.id;
        if case.sections.contains(&Section::ActivityLog) {
            return match collector.collect(id, &[], now).await {
                Ok(evidence) => Fact::Known(Some(evidence)),
                Err(failure) if failure.absent() => Fact::Known(None),
                Err(failure) => Fact::Missing(failure.gap(&api::MANAGED_CLUSTERS, id.as_str())),
            };
        }
        // A row may be old: it names a registry or an identity that the cluster had, or a cluster that was.
        let cluster = match self.arm.find::<ManagedCluster>(&api::MANAGED_CLUSTERS, id).await {
            Fact::Known(Some(cluster)) => cluster,
            Fact::Known(None) => return Fact::Known(None),
            Fact::Missing(gap) => return Fact::Missing(gap),
        };
        let seen = collector.about(cluster, &[], now).await;
        // Another cluster than the row shows: nothing holds that the rows say of what it rests on.
        let whole = SECTIONS.iter().all(|own| case.sections.contains(own));
        if !whole && rests_on(&seen) != rests_on(&case.rows) {
            let sections = SECTIONS.into_iter().collect();
            return Box::pin(self.one(Case { sections, ..case }, now)).await;
        }
        let mut evidence = case.rows;
        evidence.cluster = seen.cluster.clone();
        for section in &case.sections {
            section.take(&seen, &mut evidence);
        }
        Fact::Known(Some(evidence))
    }
}

/// What of a cluster decides which other resources matter to it.
fn rests_on(evidence: &Evidence) -> (Option<ResourceId>, Option<String>, Option<String>) {
    let properties = &evidence.cluster.properties;
    let identity = properties.identity_profile.as_ref().and_then(|profile| profile.kubeletidentity.as_ref());
    let object = identity.and_then(|identity| identity.object_id.as_deref());
    let group = properties.node_resource_group.as_deref();
    (evidence.registry_id(), object.map(str::to_lowercase), group.map(str::to_lowercase))
}
