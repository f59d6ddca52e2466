//! The Activity Log: which writes changed the cluster's bootstrap profile.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;

use super::{Collector, in_subscription};
use crate::evidence::calls::azure as api;
use crate::evidence::cluster::{BootstrapProfile, BootstrapWrite};
use crate::evidence::id::ResourceId;
use crate::evidence::lenient::timestamp;
use crate::evidence::{Fact, Section};
use crate::sources::progress::Stage;

/// The log keeps 90 days; a filter that reaches further back is refused.
const HOURS: i64 = 89 * 24;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Event {
    #[serde(deserialize_with = "timestamp")]
    event_timestamp: Option<Timestamp>,
    operation_name: Option<Word>,
    status: Option<Word>,
    correlation_id: Option<String>,
    properties: Option<EventProperties>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Word {
    value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventProperties {
    requestbody: Option<String>,
}

#[derive(Deserialize)]
struct RequestBody {
    properties: RequestProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestProperties {
    bootstrap_profile: Option<BootstrapProfile>,
    network_profile: Option<RequestNetworkProfile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestNetworkProfile {
    outbound_type: Option<String>,
}

impl Collector {
    /// The writes of the bootstrap profile that the log still holds, oldest first.
    pub(super) async fn bootstrap_writes(&self, cluster: &ResourceId, now: Timestamp) -> Fact<Vec<BootstrapWrite>> {
        let _stage = self.progress.stage(Stage::ActivityLog);
        let Some(subscription) = cluster.subscription().filter(|_| self.wants(Section::ActivityLog)) else {
            return Fact::default();
        };
        let from = now.checked_sub(HOURS.hours()).unwrap_or(Timestamp::MIN);
        let filter =
            format!("eventTimestamp ge '{from:.0}' and eventTimestamp le '{now:.0}' and resourceUri eq '{cluster}'");
        let query =
            [("$filter", filter.as_str()), ("$select", "eventTimestamp,operationName,status,correlationId,properties")];
        let path = in_subscription(subscription, "Microsoft.Insights/eventtypes/management/values");
        self.arm.list::<Event>(&api::ACTIVITY_LOG, &path, &query).await.map(|events| writes(&events))
    }
}

/// The writes whose request body is in the log and says which profile it sets; failed ones changed nothing.
fn writes(events: &[Event]) -> Vec<BootstrapWrite> {
    const WRITE: &str = "Microsoft.ContainerService/managedClusters/write";
    let own = |event: &&Event| {
        let name = event.operation_name.as_ref().and_then(|name| name.value.as_deref());
        name.is_some_and(|name| name.eq_ignore_ascii_case(WRITE))
    };
    let failed = events.iter().filter(own).filter(|event| {
        let status = event.status.as_ref().and_then(|status| status.value.as_deref());
        status.is_some_and(|status| ["Failed", "Canceled"].iter().any(|word| word.eq_ignore_ascii_case(status)))
    });
    let failed: BTreeSet<&str> = failed.filter_map(|event| event.correlation_id.as_deref()).collect();
    let lasting = events
        .iter()
        .filter(own)
        .filter(|event| event.correlation_id.as_deref().is_none_or(|correlation| !failed.contains(correlation)));
    let mut writes: Vec<BootstrapWrite> = lasting
        .filter_map(|event| {
            let body = event.properties.as_ref()?.requestbody.as_deref()?;
            let body: RequestBody = serde_json::from_str(body).ok()?;
            let outbound_type = body.properties.network_profile.and_then(|profile| profile.outbound_type);
            Some(BootstrapWrite {
                at: event.event_timestamp?,
                profile: body.properties.bootstrap_profile?,
                outbound_type,
            })
        })
        .collect();
    writes.sort_by_key(|write| write.at);
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_writes_and_other_operations_are_left_out() {
        let event = |at: &str, operation: &str, status: &str, correlation: &str, body: &str| {
            serde_json::json!({
                "eventTimestamp": at, "operationName": {"value": operation}, "status": {"value": status},
                "correlationId": correlation, "properties": {"requestbody": body},
            })
        };
        let write = "Microsoft.ContainerService/managedClusters/write";
        let body = |source: &str| format!(r#"{{"properties":{{"bootstrapProfile":{{"artifactSource":"{source}"}}}}}}"#);
        let events = serde_json::json!([
            event("2026-03-01T00:00:00Z", write, "Started", "c", &body("Cache")),
            event("2026-01-01T00:00:00Z", write, "Started", "a", &body("Direct")),
            event("2026-02-01T00:00:00Z", write, "Started", "b", &body("Cache")),
            event("2026-02-01T00:01:00Z", write, "Failed", "b", ""),
            event(
                "2026-02-02T00:00:00Z",
                "Microsoft.ContainerService/managedClusters/start/action",
                "Started",
                "d",
                &body("Cache")
            ),
            event("2026-02-03T00:00:00Z", write, "Started", "e", "{\"cut"),
        ]);
        let events: Vec<Event> = serde_json::from_value(events).expect("events");
        let writes = writes(&events);
        let sources: Vec<&str> = writes.iter().filter_map(|write| write.profile.artifact_source.as_deref()).collect();
        assert_eq!(sources, ["Direct", "Cache"]);
    }
}
