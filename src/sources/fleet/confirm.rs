//! What ARM itself says of clusters: in doubt of the rows, or in depth.

use std::collections::BTreeSet;

use azure_core::credentials::TokenCredential;
use jiff::Timestamp;
use std::sync::Arc;

use super::all;
use crate::evidence::calls::azure as api;
use crate::evidence::cluster::ManagedCluster;
use crate::evidence::fleet::{FleetCluster, SECTIONS};
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
    /// What of it is in doubt.
    pub sections: BTreeSet<Section>,
    /// Whether its own row is in doubt too.
    pub itself: bool,
}

impl Confirmer {
    /// The evidence of each, as ARM shows it now.
    pub async fn confirm(&self, cases: Vec<Case<'_>>, now: Timestamp) -> Vec<Fact<Evidence>> {
        let (count, done) = (cases.len(), std::cell::Cell::new(0));
        let (count, done) = (&count, &done);
        let work = cases.into_iter().map(|case| async move {
            let evidence = self.one(case, now).await;
            done.set(done.get() + 1);
            self.progress.asking(&format!("Azure Resource Manager about {} of {count} clusters", done.get()));
            evidence
        });
        all(work).await
    }

    async fn one(&self, case: Case<'_>, now: Timestamp) -> Fact<Evidence> {
        let collector = Collector {
            arm: self.arm.clone(),
            credential: Arc::clone(&self.credential),
            limits: self.limits,
            progress: self.progress.clone(),
            kubernetes: Wish { explicit: None, skip: true },
            sections: case.sections.clone(),
        };
        let deep = case.sections.contains(&Section::ActivityLog);
        if deep {
            let id = &case.cluster.cluster.id;
            let read = collector.collect(id, &[], now).await;
            return read
                .map_or_else(|failure| Fact::Missing(failure.gap(&api::MANAGED_CLUSTERS, id.as_str())), Fact::Known);
        }
        let cluster = if case.itself {
            match self.arm.get::<ManagedCluster>(&api::MANAGED_CLUSTERS, &case.cluster.cluster.id).await {
                Fact::Known(cluster) => cluster,
                Fact::Missing(gap) => return Fact::Missing(gap),
            }
        } else {
            case.cluster.whole()
        };
        let seen = collector.about(cluster, &[], now).await;
        // Another registry than the row named: nothing that the rows say of the path to it holds.
        if seen.registry_id() != case.rows.registry_id() && SECTIONS.iter().any(|own| !case.sections.contains(own)) {
            let sections = SECTIONS.into_iter().collect();
            return Box::pin(self.one(Case { sections, ..case }, now)).await;
        }
        let mut evidence = case.rows;
        evidence.cluster = seen.cluster.clone();
        for section in &case.sections {
            section.take(&seen, &mut evidence);
        }
        Fact::Known(evidence)
    }
}
