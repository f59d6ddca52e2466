//! The checks: evidence and what it means in, findings and gaps out. One file and one page each.

pub mod add_ons;
pub mod api_server;
pub mod barrier;
pub mod bootstrap_profile;
pub mod cache_rules;
pub mod catalogue;
pub mod check;
pub mod command;
pub mod finding;
pub mod image_pulls;
pub mod impact;
pub mod judge;
pub mod kubelet_acrpull;
pub mod node_bootstrap;
pub mod node_image;
pub mod node_network;
pub mod node_view;
pub mod observe;
pub mod open;
pub mod outbound;
pub mod private_dns;
pub mod private_endpoint;
pub mod registry;
pub mod remedy;
pub mod rule;
