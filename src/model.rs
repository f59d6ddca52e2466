//! What the evidence means, without a verdict: what several checks, collection and the cut-over need to know.

pub mod addresses;
pub mod age;
pub mod api_server;
pub mod bootstrap_code;
pub mod cache;
pub mod cluster;
pub mod drains;
pub mod egress;
pub mod endpoints;
pub mod gpu;
pub mod history;
pub mod image_version;
pub mod lens;
pub mod message;
pub mod names;
pub mod networks;
pub mod node_systems;
pub mod node_view;
pub mod nodes;
pub mod open;
pub mod other_registries;
pub mod paths;
pub mod rights;
pub mod storage;
pub mod zones;
