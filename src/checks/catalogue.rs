//! The list of all checks, which no check imports.

use super::check::Check;
use super::{
    add_ons, bootstrap_profile, cache_rules, image_pulls, kubelet_acrpull, node_bootstrap, node_image, outbound,
    private_dns, private_endpoint, registry,
};

/// What the checks look at, layer by layer, and what they do not.
pub const LAYERS: &str = include_str!("layers.txt");

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
    &image_pulls::CHECK,
    &add_ons::CHECK,
];
