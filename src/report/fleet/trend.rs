//! Two runs over a fleet: what is new, what is fixed, what is still there.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{ClusterEntry, FleetReport, Hit, Trend};
use crate::report::model::SCHEMA_VERSION;
use crate::text::{self, problem::Problem};

const HINT: &str = "expected a report that aksiso fleet --output json wrote";

impl FleetReport {
    /// Reads a JSON report; `name` names its file in messages.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(json: &[u8], name: &str) -> Result<Self, Problem> {
        let version = serde_json::from_slice::<serde_json::Value>(json).ok();
        let version = version.as_ref().and_then(|report| report["schemaVersion"].as_str());
        if version != Some(SCHEMA_VERSION) {
            let version = version.map_or_else(|| "none".to_owned(), |own| text::clean(&text::bounded(own, 20)));
            return Err(Problem::new(format!("{name} is not a report of this version (it says {version})"), HINT));
        }
        serde_json::from_slice(json).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Problem::new(format!("{name} is not a report of a fleet ({place})"), HINT)
        })
    }

    /// Every finding of every cluster, accepted ones included.
    fn hits(&self) -> BTreeSet<Hit> {
        let hits = self.clusters.iter().flat_map(|cluster| {
            let prints = cluster.findings.iter().chain(&cluster.suppressed);
            prints.map(|print| Hit { cluster: cluster.id.clone(), fingerprint: print.clone() })
        });
        hits.collect()
    }

    /// The clusters of a former report that this one has not.
    pub fn missing_since<'p>(&self, previous: &'p Self) -> Vec<&'p str> {
        let present: BTreeSet<String> = self.clusters.iter().map(|cluster| cluster.id.to_lowercase()).collect();
        let former = previous.clusters.iter().map(|cluster| cluster.id.as_str());
        former.filter(|id| !present.contains(&id.to_lowercase())).collect()
    }

    /// What changed since a former report. `gone` holds the clusters, in lower case, that certainly do not exist.
    pub fn since(&self, previous: &Self, gone: &BTreeSet<String>) -> Trend {
        let clusters: BTreeMap<String, &ClusterEntry> =
            self.clusters.iter().map(|cluster| (cluster.id.to_lowercase(), cluster)).collect();
        let key = |hit: &Hit| (hit.cluster.to_lowercase(), hit.fingerprint.clone());
        let former: BTreeMap<_, Hit> = previous.hits().into_iter().map(|hit| (key(&hit), hit)).collect();
        let present: BTreeMap<_, Hit> = self.hits().into_iter().map(|hit| (key(&hit), hit)).collect();
        let mut trend = Trend::default();
        for (key, hit) in &present {
            let list = if former.contains_key(key) { &mut trend.unchanged } else { &mut trend.new };
            list.push(hit.clone());
        }
        for (key, hit) in former.into_iter().filter(|(key, _)| !present.contains_key(key)) {
            let check = previous.finding(&key.1).map(|finding| finding.check.as_str());
            let settled = match clusters.get(&key.0) {
                None => gone.contains(&key.0) || self.gone.iter().any(|id| id.to_lowercase() == key.0),
                Some(cluster) => self.settled(cluster, check, previous),
            };
            if settled { trend.fixed.push(hit) } else { trend.unseen.push(hit) }
        }
        trend
    }
    /// Whether a check would have found in a cluster what it found before.
    fn settled(&self, cluster: &ClusterEntry, check: Option<&str>, previous: &Self) -> bool {
        let Some(check) = check else {
            // What was accepted is not listed with its check: then everything must have been looked at again.
            return cluster.undetermined.is_empty() && previous.checks.iter().all(|own| self.checks.contains(own));
        };
        let unseen = cluster.undetermined.iter().any(|own| own.check == check);
        let covered = !cluster.not_covered.iter().any(|own| own == check);
        !unseen && covered && self.checks.iter().any(|own| own == check)
    }
}
