//! The probe files that a report rests on: which count, and why the others do not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::model::node_view::{self, Standing, View};
use crate::text;

/// A probe file, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeEntry {
    /// As the command line named it.
    pub file: String,
    /// `node`, `pod`, `jumpbox` or `unknown`.
    pub vantage: String,
    /// The node that it belongs to; absent where there is none.
    pub node: Option<String>,
    /// Whether it counts.
    pub used: bool,
    /// Why it does not count, or not in everything.
    pub reason: Option<String>,
}

/// Every probe file of the evidence, in its order.
pub(super) fn probe_entries(evidence: &Evidence) -> Vec<ProbeEntry> {
    node_view::views(evidence).iter().map(entry).collect()
}

fn entry(view: &View<'_>) -> ProbeEntry {
    let place = &view.place;
    let known = place.contradiction.is_none() && (place.node.is_some() || (view.is_node() && place.is_known()));
    let reason = match &view.standing {
        Standing::Node => None,
        Standing::Connections => Some("not a node's own view: only its connections count".to_owned()),
        Standing::Shown(why) => Some(why.clone()),
    };
    ProbeEntry {
        file: text::bounded(&view.supplied.file, 500),
        vantage: view.supplied.probe.vantage.as_str().to_owned(),
        node: known.then(|| place.name.clone()),
        used: view.counts(),
        reason,
    }
}
