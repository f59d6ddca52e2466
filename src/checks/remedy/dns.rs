//! Commands on private DNS zones: what creates one, and what links it to a network.

use super::{addressed, in_subscription};
use crate::checks::command::Command;
use crate::checks::impact::Impact;
use crate::evidence::id::ResourceId;

/// What LocalDNS keeps.
pub const LOCAL_DNS: &str =
    "Nodes with LocalDNS (the default from Kubernetes 1.36) may serve the old answer for up to an hour.";

/// Creates a private DNS zone.
pub fn create_zone(zone: &ResourceId) -> Command {
    let words = |verb: &str| addressed(Command::new("az network private-dns zone").word(verb), zone);
    let delete = in_subscription(words("delete").word("--yes"), zone);
    in_subscription(words("create"), zone).changing(Impact::Access, zone, delete)
}

/// Links a zone to a network.
pub fn link_zone(zone: &ResourceId, network: &ResourceId) -> Command {
    let name = format!("{}-link", network.name());
    let words = |verb: &str| {
        let command = Command::new("az network private-dns link vnet").word(verb);
        let command = command.with("-g", zone.resource_group().unwrap_or_default());
        command.with("-z", zone.name()).with("-n", &name)
    };
    let create = words("create").with("-v", network.as_str()).with("-e", "false");
    let delete = in_subscription(words("delete").word("--yes"), zone);
    let id = zone.child("virtualNetworkLinks").child(&name);
    in_subscription(create, zone).changing(Impact::Access, &id, delete)
}
