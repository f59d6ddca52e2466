//! Why no node comes: the cluster autoscaler's status, and NodeClaims of node auto-provisioning.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::raw::{RawCondition, RawMetadata};
use crate::evidence::kubernetes::ScaleUpProblem;
use crate::evidence::lenient::null_is_default;
use crate::text;

/// Longest message that is kept.
const MESSAGE: usize = 2_000;

#[derive(Deserialize)]
struct ConfigMap {
    data: BTreeMap<String, String>,
}

/// The status that the autoscaler writes as YAML since Kubernetes 1.30.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "null_is_default")]
    node_groups: Vec<NodeGroup>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeGroup {
    #[serde(deserialize_with = "null_is_default")]
    name: String,
    #[serde(deserialize_with = "null_is_default")]
    scale_up: ScaleUp,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScaleUp {
    #[serde(deserialize_with = "null_is_default")]
    status: String,
    #[serde(deserialize_with = "null_is_default")]
    backoff_info: BackoffInfo,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BackoffInfo {
    error_code: Option<String>,
    error_message: Option<String>,
}

/// The node groups in `Backoff` with an error; `None` where the status cannot be read.
pub(super) fn backed_off(body: &[u8]) -> Option<Vec<ScaleUpProblem>> {
    let map: ConfigMap = serde_json::from_slice(body).ok()?;
    let Some(yaml) = map.data.get("status") else { return Some(Vec::new()) };
    let status: Status = serde_saphyr::from_str(yaml).ok()?;
    let groups = status.node_groups.into_iter().filter(|group| group.scale_up.status == "Backoff");
    let problems = groups.filter_map(|group| {
        let info = group.scale_up.backoff_info;
        (info.error_code.is_some() || info.error_message.is_some()).then(|| ScaleUpProblem {
            group: group.name,
            is_node_pool: false,
            code: info.error_code,
            message: info.error_message.map(|message| kept(&message)),
            since: None,
        })
    });
    Some(problems.collect())
}

fn kept(message: &str) -> String {
    text::truncated(&text::without_secrets(message), MESSAGE)
}

/// `karpenter.sh/v1` NodeClaim.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawNodeClaim {
    #[serde(deserialize_with = "null_is_default")]
    metadata: RawMetadata,
    #[serde(deserialize_with = "null_is_default")]
    status: ClaimStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClaimStatus {
    #[serde(deserialize_with = "null_is_default")]
    conditions: Vec<RawCondition>,
}

impl RawNodeClaim {
    /// The problem of a claim that has not registered; how long that may take is for a check to say.
    pub(super) fn problem(mut self) -> Option<ScaleUpProblem> {
        let registered = self.status.conditions.iter().find(|condition| condition.is("Registered"));
        if registered.is_some_and(RawCondition::holds) {
            return None;
        }
        let launched = self.status.conditions.iter().find(|condition| condition.is("Launched"));
        let message = [launched, registered].into_iter().flatten().find_map(|condition| condition.message.clone());
        let group = self.metadata.labels.remove("karpenter.sh/nodepool").unwrap_or(self.metadata.name);
        Some(ScaleUpProblem {
            group,
            is_node_pool: true,
            code: None,
            message: message.map(|message| kept(&message)),
            since: self.metadata.creation_timestamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_in_backoff_tells_its_error() {
        let status = "time: 2026-11-20 12:00:00 +0000 UTC\nautoscalerStatus: Running\nnodeGroups:\n- name: \
                      aks-work-11112222-vmss\n  health:\n    status: Healthy\n  scaleUp:\n    status: Backoff\n    \
                      backoffInfo:\n      errorCode: VMExtensionProvisioningError\n      errorMessage: 'command \
                      terminated with exit status=211'\n- name: aks-system-11112222-vmss\n  scaleUp:\n    status: \
                      NoActivity\n";
        let body = serde_json::json!({ "data": { "status": status } }).to_string();
        let problems = backed_off(body.as_bytes()).expect("a status");
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].group, "aks-work-11112222-vmss");
        assert!(problems[0].message.as_deref().is_some_and(|message| message.contains("exit status=211")));
        assert_eq!(backed_off(br#"{"data":{}}"#), Some(Vec::new()));
        assert_eq!(backed_off(b"{}"), None);
        assert_eq!(backed_off(b"nonsense"), None);
    }
}
