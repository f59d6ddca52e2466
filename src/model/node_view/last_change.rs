//! When the cluster last changed in a way that outdates what a node saw, as far as the evidence dates it.

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::evidence::cluster::BootstrapWrite;
use crate::model::history;

/// The last change that the evidence dates, and of what.
pub fn last_change(evidence: &Evidence) -> Option<(Timestamp, &'static str)> {
    let writes = evidence.pools.bootstrap_writes.known().map_or(&[] as &[BootstrapWrite], Vec::as_slice);
    let (profile, _) = history::changes(writes, &evidence.bootstrap(), evidence.ownership());
    let registry = evidence.known_registry().and_then(|registry| registry.properties.creation_date);
    let rules = evidence.registry.cache_rules.known().into_iter().flatten();
    let rules = rules.filter_map(|rule| rule.properties.creation_date).max();
    let changes = [
        (profile, "the bootstrap profile"),
        (outbound(writes), "the outbound type"),
        (registry, "the registry"),
        (rules, "a cache rule"),
    ];
    changes.into_iter().filter_map(|(at, what)| Some((at?, what))).max_by_key(|(at, _)| *at)
}

/// The last write that set another outbound type than the one before.
fn outbound(writes: &[BootstrapWrite]) -> Option<Timestamp> {
    let said: Vec<(Timestamp, &str)> =
        writes.iter().filter_map(|write| Some((write.at, write.outbound_type.as_deref()?))).collect();
    let differs = said.windows(2).rfind(|pair| !pair[0].1.eq_ignore_ascii_case(pair[1].1))?;
    Some(differs[1].0)
}
