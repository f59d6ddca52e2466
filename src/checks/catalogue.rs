//! The list of all checks, which no check imports.

use super::check::Check;
use super::{
    add_ons, api_server, bootstrap_profile, cache_rules, image_pulls, kubelet_acrpull, node_bootstrap, node_image,
    node_network, node_view, outbound, private_dns, private_endpoint, registry,
};

/// What the checks look at, layer by layer, and what they do not.
pub const LAYERS: &str = include_str!("layers.txt");

/// Names of rules that are gone, each with the reason. A name here is never used again; a policy that still has it is
/// told so, and works on.
pub const RETIRED: &[(&str, &str)] = &[(
    "registry-not-zone-redundant",
    "since March 2026 every registry in a region with zones is zone redundant, whatever its settings say",
)];

/// Why a rule's name is gone, where it is one of those.
pub fn retired(name: &str) -> Option<&'static str> {
    RETIRED.iter().find(|(own, _)| *own == name).map(|(_, why)| *why)
}

/// Every check, in the order of the report.
pub const ALL: &[&Check] = &[
    &bootstrap_profile::CHECK,
    &registry::CHECK,
    &cache_rules::CHECK,
    &private_endpoint::CHECK,
    &private_dns::CHECK,
    &kubelet_acrpull::CHECK,
    &node_image::CHECK,
    &node_bootstrap::CHECK,
    &outbound::CHECK,
    &api_server::CHECK,
    &node_network::CHECK,
    &image_pulls::CHECK,
    &add_ons::CHECK,
    &node_view::CHECK,
];
