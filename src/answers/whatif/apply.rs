//! Makes changes in the evidence.

use std::collections::BTreeSet;

use jiff::ToSpan as _;

use super::{Change, managed};
use crate::evidence::access::RoleAssignment;
use crate::evidence::cluster::{BootstrapProfile, BootstrapWrite, NetworkProfile};
use crate::evidence::id::ResourceId;
use crate::evidence::registry::{CacheRule, CacheRuleProperties, RegistryFacts};
use crate::evidence::{Evidence, Fact, Gap};
use crate::text;

impl Change {
    /// Makes the change in the evidence.
    ///
    /// # Errors
    /// There is nothing to change: what was named does not exist, or was not seen.
    pub fn apply(&self, evidence: &mut Evidence) -> Result<(), String> {
        match self {
            Self::DeleteCacheRule(name) => delete_cache_rule(evidence, name),
            Self::CreateCacheRule(name, source, target) => create_cache_rule(evidence, name, source, target),
            Self::DeletePrivateEndpoint(name) => delete_endpoint(evidence, name),
            Self::DeleteRegistry => {
                if evidence.registry_id().is_none() {
                    return Err("the cluster names no registry".to_owned());
                }
                evidence.registry = RegistryFacts { registry: Fact::Known(None), ..RegistryFacts::default() };
                Ok(())
            }
            Self::DeleteDnsRecord(name) => delete_record(evidence, name),
            Self::UnlinkZone(zone, network) => unlink(evidence, zone, network.as_deref()),
            Self::RemoveRoleAssignment(name) => remove_role(evidence, name),
            Self::SetOutbound(kind) => {
                outbound_is_open(evidence, kind)?;
                set_outbound(evidence, kind);
                Ok(())
            }
            Self::SetArtifactSource(source) => {
                set_artifact_source(evidence, source);
                Ok(())
            }
            Self::ChangeRegistry(id) => {
                change_registry(evidence, id);
                Ok(())
            }
            Self::Reimage(pool) => reimage(evidence, pool.as_deref()),
        }
    }
}

/// Whether Azure would take another outbound type.
fn outbound_is_open(evidence: &Evidence, kind: &str) -> Result<(), String> {
    if evidence.auto_provisioning() && !evidence.outbound_type().eq_ignore_ascii_case(kind) {
        return Err("Azure would refuse it: with node auto-provisioning the outbound type cannot be changed".to_owned());
    }
    let pools = evidence.pools.agent_pools.known().into_iter().flatten();
    let own = pools.into_iter().find(|pool| pool.vnet_subnet_id.is_some());
    match own.filter(|_| kind.eq_ignore_ascii_case("block")) {
        Some(pool) => {
            let why = "Azure would refuse it: outboundType block needs a virtual network that AKS manages, and pool";
            Err(format!("{why} {} is in a subnet of your own; none is for such clusters", text::clean(&pool.name)))
        }
        None => Ok(()),
    }
}

/// The cluster with another outbound type, whether Azure would take it or not.
pub fn set_outbound(evidence: &mut Evidence, kind: &str) {
    let profile = evidence.cluster.properties.network_profile.get_or_insert_with(NetworkProfile::default);
    profile.outbound_type = Some(kind.to_owned());
}

/// What does not exist, and what does.
fn absent<'n>(what: &str, name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().take(20).collect();
    let name = text::clean(&text::bounded(name, 100));
    if names.is_empty() {
        return format!("no {what} \"{name}\", nor any other");
    }
    format!("no {what} \"{name}\"; available: {}", text::clean(&names.join(", ")))
}

fn unseen(what: &str, gap: Option<&Gap>) -> String {
    format!("{what} are not in the evidence: {}", gap.map_or("not collected", |gap| gap.detail.as_str()))
}

fn delete_cache_rule(evidence: &mut Evidence, name: &str) -> Result<(), String> {
    let gap = evidence.registry.cache_rules.gap().cloned();
    let Fact::Known(rules) = &mut evidence.registry.cache_rules else {
        return Err(unseen("cache rules", gap.as_ref()));
    };
    let before = rules.len();
    let names: Vec<String> = rules.iter().map(|rule| rule.name().to_owned()).collect();
    rules.retain(|rule| !rule.name().eq_ignore_ascii_case(name));
    if rules.len() == before { Err(absent("cache rule", name, names.iter().map(String::as_str))) } else { Ok(()) }
}

fn create_cache_rule(evidence: &mut Evidence, name: &str, source: &str, target: &str) -> Result<(), String> {
    let now = evidence.collected_at;
    let Some(registry) = evidence.registry_id() else { return Err("the cluster names no registry".to_owned()) };
    let gap = evidence.registry.cache_rules.gap().cloned();
    let Fact::Known(rules) = &mut evidence.registry.cache_rules else {
        return Err(unseen("cache rules", gap.as_ref()));
    };
    let clash = rules.iter().find(|rule| {
        let own = rule.properties.target_repository.as_deref().unwrap_or_default();
        rule.name().eq_ignore_ascii_case(name) || crate::model::cache::overlaps(own, target)
    });
    if let Some(rule) = clash {
        return Err(format!("the registry would refuse the rule: it clashes with {}", rule.name()));
    }
    rules.push(CacheRule {
        id: ResourceId::new(format!("{registry}/cacheRules/{name}")),
        properties: CacheRuleProperties {
            source_repository: Some(source.to_owned()),
            target_repository: Some(target.to_owned()),
            provisioning_state: Some("Succeeded".to_owned()),
            creation_date: Some(now),
            credential_set_resource_id: None,
        },
    });
    Ok(())
}

/// The endpoint goes, with its connection and with the addresses that its zone groups keep.
fn delete_endpoint(evidence: &mut Evidence, name: &str) -> Result<(), String> {
    let names: Vec<String> = evidence.network.private_endpoints.keys().map(|id| id.name().to_owned()).collect();
    let id = evidence.network.private_endpoints.keys().find(|id| id.name().eq_ignore_ascii_case(name)).cloned();
    let Some(id) = id else { return Err(absent("private endpoint", name, names.iter().map(String::as_str))) };
    let facts = evidence.network.private_endpoints.remove(&id).unwrap_or_default();
    if let Fact::Known(Some(registry)) = &mut evidence.registry.registry {
        registry
            .properties
            .private_endpoint_connections
            .retain(|connection| connection.properties.endpoint_id() != Some(&id));
    }
    let interfaces = facts.interfaces.values().filter_map(Fact::known);
    let addresses = interfaces.flat_map(|interface| &interface.properties.ip_configurations);
    let addresses: BTreeSet<String> =
        addresses.filter_map(|address| address.properties.private_ip_address.clone()).collect();
    let groups = facts.zone_groups.known().into_iter().flatten();
    let zones = groups.flat_map(|group| &group.properties.private_dns_zone_configs);
    let zones: BTreeSet<ResourceId> = zones.filter_map(|zone| zone.properties.private_dns_zone_id.clone()).collect();
    for (zone, facts) in &mut evidence.network.dns_zones {
        let Fact::Known(records) = &mut facts.records else { continue };
        if zones.contains(zone) {
            for record in records.iter_mut() {
                record
                    .properties
                    .a_records
                    .retain(|own| own.ipv4_address.as_ref().is_none_or(|own| !addresses.contains(own)));
            }
        }
    }
    // Asked only where there is no connection: as far as is known, no other endpoint names the registry.
    if evidence.network.listed_endpoints.not_collected() {
        evidence.network.listed_endpoints = Fact::Known(Vec::new());
    }
    Ok(())
}

fn delete_record(evidence: &mut Evidence, name: &str) -> Result<(), String> {
    let mut names: Vec<String> = Vec::new();
    let mut found = false;
    for facts in evidence.network.dns_zones.values_mut() {
        let Fact::Known(records) = &mut facts.records else { continue };
        names.extend(records.iter().map(|record| record.name().to_owned()));
        let before = records.len();
        records.retain(|record| !record.name().eq_ignore_ascii_case(name));
        found |= records.len() < before;
    }
    if found { Ok(()) } else { Err(absent("record", name, names.iter().map(String::as_str))) }
}

fn unlink(evidence: &mut Evidence, zone: &str, network: Option<&str>) -> Result<(), String> {
    let same =
        |id: &ResourceId, name: &str| id.name().eq_ignore_ascii_case(name) || id.as_str().eq_ignore_ascii_case(name);
    let names: Vec<String> = evidence.network.dns_zones.keys().map(|id| id.name().to_owned()).collect();
    let mut found = false;
    for (id, facts) in &mut evidence.network.dns_zones {
        if !same(id, zone) {
            continue;
        }
        let gap = facts.links.gap().cloned();
        let Fact::Known(links) = &mut facts.links else { return Err(unseen("the zone's links", gap.as_ref())) };
        let before = links.len();
        links.retain(|link| {
            network.is_some_and(|network| !link.properties.network_id().is_some_and(|id| same(id, network)))
        });
        found |= links.len() < before;
    }
    if !found {
        return Err(absent("linked zone", zone, names.iter().map(String::as_str)));
    }
    assume_nothing_else_answers(evidence);
    Ok(())
}

/// What collection asks only where no zone is linked: as far as is known, nothing else answers for the registry.
fn assume_nothing_else_answers(evidence: &mut Evidence) {
    for listed in evidence.network.dns_zone_lists.values_mut() {
        if let Fact::Known(listed) = listed
            && listed.whole_subscription.not_collected()
        {
            listed.whole_subscription = Fact::Known(true);
        }
    }
    let subscriptions: Vec<String> = evidence.network.dns_zone_lists.keys().cloned().collect();
    for subscription in subscriptions {
        evidence.network.forwarding_links.entry(subscription).or_insert_with(|| Fact::Known(Vec::new()));
    }
}

fn remove_role(evidence: &mut Evidence, name: &str) -> Result<(), String> {
    let definitions = evidence.access.role_definitions.clone();
    let role_of = |assignment: &RoleAssignment| {
        let id = &assignment.properties.role_definition_id;
        let definition = definitions.get(id).and_then(Fact::known);
        definition
            .and_then(|definition| definition.properties.role_name.clone())
            .unwrap_or_else(|| id.name().to_owned())
    };
    let gap = evidence.access.role_assignments.gap().cloned();
    let Fact::Known(assignments) = &mut evidence.access.role_assignments else {
        return Err(unseen("role assignments", gap.as_ref()));
    };
    let names: Vec<String> = assignments.iter().map(role_of).collect();
    let before = assignments.len();
    assignments.retain(|assignment| {
        let id = assignment.properties.role_definition_id.name();
        let same = [role_of(assignment).as_str(), id, assignment.id.name(), assignment.id.as_str()]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name));
        !same
    });
    if assignments.len() == before {
        Err(absent("role assignment", name, names.iter().map(String::as_str)))
    } else {
        Ok(())
    }
}

/// A cluster that goes to Cache and names no registry gets one from AKS.
fn set_artifact_source(evidence: &mut Evidence, source: &str) {
    let to_cache = source == "Cache";
    let registry = evidence.registry_id().filter(|_| to_cache);
    let created = (to_cache && registry.is_none()).then(|| managed::create(evidence));
    set_bootstrap(evidence, source, registry.or(created));
}

/// The change happens now, so that every node is older than it.
fn set_bootstrap(evidence: &mut Evidence, source: &str, registry: Option<ResourceId>) {
    let former = evidence.bootstrap();
    let profile = BootstrapProfile { artifact_source: Some(source.to_owned()), container_registry_id: registry };
    if let Fact::Known(writes) = &mut evidence.pools.bootstrap_writes {
        let at = evidence.collected_at;
        writes.push(BootstrapWrite { at, profile: former, outbound_type: None });
        writes.push(BootstrapWrite { at, profile: profile.clone(), outbound_type: None });
    }
    evidence.cluster.properties.bootstrap_profile = Some(profile);
}

/// The other registry's facts are known only where they were collected beside the present one's.
fn change_registry(evidence: &mut Evidence, id: &ResourceId) {
    let former = evidence.clone();
    set_bootstrap(evidence, "Cache", Some(id.clone()));
    evidence.look_at_registry(id, &former);
}

fn reimage(evidence: &mut Evidence, pool: Option<&str>) -> Result<(), String> {
    // After every change that one thinks of, which happen now.
    let now = evidence.collected_at.checked_add(1.second()).unwrap_or(evidence.collected_at);
    let pools = evidence.pools.agent_pools.known().map_or(&[] as &[_], Vec::as_slice);
    if let Some(name) = pool
        && !pools.iter().any(|own| own.name.eq_ignore_ascii_case(name))
    {
        return Err(absent("node pool", name, pools.iter().map(|pool| pool.name.as_str())));
    }
    let latest: Vec<(String, Option<String>)> = evidence
        .pools
        .upgrade_profiles
        .iter()
        .map(|(name, profile)| {
            (name.clone(), profile.known().and_then(|profile| profile.properties.latest_node_image_version.clone()))
        })
        .collect();
    let gap = evidence.kubernetes.nodes.gap().cloned();
    let Fact::Known(nodes) = &mut evidence.kubernetes.nodes else { return Err(unseen("nodes", gap.as_ref())) };
    let mut renewed = BTreeSet::new();
    for node in nodes.iter_mut().filter(|node| !node.is_virtual) {
        let own = node.agent_pool.clone().unwrap_or_default();
        if pool.is_some_and(|pool| !own.eq_ignore_ascii_case(pool)) {
            continue;
        }
        node.created = Some(now);
        if let Some((_, Some(image))) = latest.iter().find(|(name, _)| name.eq_ignore_ascii_case(&own)) {
            node.image_version = Some(image.clone());
        }
        renewed.insert(node.name.clone());
    }
    if let Fact::Known(failures) = &mut evidence.kubernetes.mirror_failures {
        failures.retain(|failure| !renewed.contains(&failure.node));
    }
    if let Fact::Known(pools) = &mut evidence.pools.agent_pools {
        for own in pools.iter_mut().filter(|own| pool.is_none_or(|pool| own.name.eq_ignore_ascii_case(pool))) {
            let newest = latest.iter().find(|(name, _)| name.eq_ignore_ascii_case(&own.name));
            own.node_image_version =
                newest.and_then(|(_, image)| image.clone()).or_else(|| own.node_image_version.take());
        }
    }
    Ok(())
}
