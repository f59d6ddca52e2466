//! `fleet` against a Resource Graph of the tests: the same judgement as `diagnose`, and honest about what it cannot see.

#[path = "fleet/doubt.rs"]
mod doubt;
#[path = "fleet/honest.rs"]
mod honest;
#[path = "fleet/reach.rs"]
mod reach;
#[path = "fleet/same.rs"]
mod same;
#[path = "fleet/world.rs"]
pub mod world;

use serde_json::Value;

use crate::site::Site;

/// Puts a snapshot into the tenant of a site.
pub fn settle(site: &Site, snapshot: &Value) {
    world::settle_on(&site.server, snapshot);
}

/// Lists the subscriptions of the tenant for ARM, too.
pub fn tenant(site: &Site) {
    world::tenant_on(&site.server);
}
