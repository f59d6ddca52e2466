//! When the cluster's bootstrap configuration changed, as far as the Activity Log and creation dates tell.

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::evidence::cluster::{BootstrapProfile, BootstrapWrite};
use crate::model::cluster::Ownership;

/// The last change to the present profile, and since when the log shows the present profile unchanged.
///
/// A full write that repeats the profile is no change, and the oldest write in the log has none before it to differ
/// from. A last write that set something else than the cluster has now did not take effect, and proves nothing.
pub fn changes(
    writes: &[BootstrapWrite],
    present: &BootstrapProfile,
    ownership: Ownership,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let tail = writes.iter().rposition(|write| !same(&write.profile, present, ownership)).map_or(0, |at| at + 1);
    let Some(first) = writes.get(tail) else {
        return (None, None);
    };
    (if tail > 0 { Some(first.at) } else { None }, Some(first.at))
}

/// Whether a write names the source of the present profile and, for one's own registry, the registry.
pub fn same(write: &BootstrapProfile, present: &BootstrapProfile, ownership: Ownership) -> bool {
    let source = |profile: &BootstrapProfile| profile.artifact_source.as_deref().unwrap_or("Direct").to_lowercase();
    let registries = match (&write.container_registry_id, &present.container_registry_id) {
        (Some(written), Some(present)) => written == present,
        // A managed registry's id is not in the operator's own write; a write without an id means a managed one.
        (None, Some(_)) => ownership == Ownership::Managed,
        (_, None) => true,
    };
    source(write) == source(present) && (source(present) == "direct" || registries)
}

/// The younger of the two things that a node's bootstrap needs.
pub fn created(evidence: &Evidence) -> Option<(Timestamp, &'static str)> {
    let registry = evidence.known_registry().and_then(|registry| registry.properties.creation_date);
    let hosts = evidence.mcr_hosts();
    let rules = evidence.registry.cache_rules.known().into_iter().flatten();
    let rule = rules.filter(|rule| {
        let source = rule.properties.source_repository.as_deref().unwrap_or_default();
        hosts.iter().any(|host| source.eq_ignore_ascii_case(&format!("{host}/*")))
    });
    let rule = rule.filter_map(|rule| rule.properties.creation_date).min();
    let registry = registry.map(|at| (at, "the registry"));
    registry.into_iter().chain(rule.map(|at| (at, "its cache rule"))).max_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::id::ResourceId;

    fn write(at: &str, source: &str, registry: Option<&str>) -> BootstrapWrite {
        BootstrapWrite { at: at.parse().expect("a date"), profile: profile(source, registry), outbound_type: None }
    }

    fn profile(source: &str, registry: Option<&str>) -> BootstrapProfile {
        BootstrapProfile {
            artifact_source: Some(source.to_owned()),
            container_registry_id: registry.map(ResourceId::new),
        }
    }

    const DAYS: [&str; 4] =
        ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"];

    #[test]
    fn only_a_write_that_differs_from_the_one_before_is_a_change() {
        let cache = profile("Cache", Some("/R"));
        let at = |day: usize| Some(DAYS[day].parse().expect("a date"));
        let repeated = [write(DAYS[0], "Cache", Some("/r")), write(DAYS[1], "cache", Some("/R"))];
        assert_eq!(changes(&repeated, &cache, Ownership::Byo), (None, at(0)));
        let switched =
            [write(DAYS[0], "Direct", None), write(DAYS[1], "Cache", Some("/r")), write(DAYS[2], "Cache", Some("/r"))];
        assert_eq!(changes(&switched, &cache, Ownership::Byo), (at(1), at(1)));
        let other = [write(DAYS[0], "Cache", Some("/old")), write(DAYS[1], "Cache", Some("/r"))];
        assert_eq!(changes(&other, &cache, Ownership::Byo), (at(1), at(1)));
        let undone = [write(DAYS[0], "Cache", Some("/r")), write(DAYS[1], "Direct", None)];
        assert_eq!(changes(&undone, &cache, Ownership::Byo), (None, None));
        assert_eq!(changes(&[], &cache, Ownership::Byo), (None, None));
        // A write without an id means a managed registry: one's own came after it, a managed one is it.
        let managed = [write(DAYS[0], "Cache", None), write(DAYS[1], "Cache", Some("/r"))];
        assert_eq!(changes(&managed, &cache, Ownership::Byo), (at(1), at(1)));
        assert_eq!(changes(&managed, &cache, Ownership::Managed), (None, at(0)));
    }
}
