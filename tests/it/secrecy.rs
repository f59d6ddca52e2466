//! A snapshot holds what a check reads, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use aksiso::answers::cutover::{Goal, ReimagePolicy};
use aksiso::answers::whatif::{Change, Effect};
use aksiso::checks::command::Shell;
use aksiso::evidence::Evidence;
use aksiso::evidence::anonymize;
use aksiso::report::cutover::CutoverReport;
use serde_json::Value;

use crate::{fixtures, judged};

/// A path with `*` for the keys of maps and the places in lists.
type Pattern = Vec<String>;

/// Whether an object's keys are data: names of the operator's, or those of add-ons.
fn is_map(field: &str) -> bool {
    anonymize::MAPS.contains(&field) || field == "addonProfiles"
}

/// Fields that no report of a fixture shows, each with the reason why it is there.
const EXCEPTIONS: [(&str, &str); 33] = [
    ("probe/schemaVersion", "a probe file is kept as it was supplied"),
    ("probe/tool/name", "the same"),
    ("probe/tool/version", "the same"),
    ("results/*/elapsedMs", "the same"),
    ("outcome/notAfter", "the same"),
    ("outcome/service", "the same"),
    ("nodes/known/*/architecture", "preflight compares it with what the registry says of an image"),
    ("enableAutoScaling", "collection asks by it whether the autoscaler's status can be missing"),
    ("networkInterfaces/*/id", "collection asks for them"),
    ("scaleSets/known/*/properties/provisioningState", "collection asks by it for instances"),
    ("virtualMachines/known/*/properties/provisioningState", "the same for machines of their own"),
    ("properties/fqdn", "collection finds the kubeconfig's context by it"),
    ("properties/privateFQDN", "the same"),
    ("nodes/known/*/providerId", "collection sees by it that the nodes are this cluster's"),
    ("cluster/properties/kubernetesVersion", "stands in where the current version is absent"),
    ("autoscaler/known/*/code", "stands in where the message is absent"),
    ("registry/known/properties/creationDate", "stands in where the cache rule has none"),
    ("subnets/*/properties/addressPrefix", "stands in where the list of prefixes is absent"),
    (
        "privateLinkServiceConnections/*/properties/privateLinkServiceConnectionState/status",
        "stands in for the registry's own",
    ),
    ("listedEndpoints/known/*/properties/provisioningState", "endpoints have one type wherever they are listed"),
    ("managedNetworks/known/*/properties/subnets/*/id", "networks have one type, also AKS' own"),
    ("managedNetworks/known/*/properties/subnets/*/properties/defaultOutboundAccess", "the same"),
    ("managedNetworks/known/*/properties/subnets/*/properties/privateEndpointNetworkPolicies", "the same"),
    ("virtualNetworkPeerings/*/id", "Azure's own peerings are told by it; a fixture's peerings all have one"),
    (
        "apiServer/dnsZones/*/links/known/*/properties/virtualNetworkLinkState",
        "zones have one type, also the API server's",
    ),
    (
        "apiServer/privateEndpoints/*/endpoint/known/properties/provisioningState",
        "endpoints have one type, also AKS' own",
    ),
    ("apiServer/privateEndpoints/*/endpoint/known/properties/subnet/id", "the same"),
    ("missing/needed", "every gap has one, shown where a check meets the gap"),
    ("missing/role", "the same"),
    ("missing/call", "the same"),
    ("missing/kubernetes", "the same"),
    ("cluster/identity/principalId", "the envelope is one type for cluster and registry"),
    ("cluster/sku/name", "the same"),
];

/// The diagnosis of a snapshot.
fn report(evidence: &Value) -> Option<String> {
    let evidence: Evidence = serde_json::from_value(evidence.clone()).ok()?;
    Some(judged::json(&evidence))
}

/// What else is said of a snapshot: the way to isolation, and what a change would do.
fn further(evidence: &Value) -> Option<String> {
    let evidence: Evidence = serde_json::from_value(evidence.clone()).ok()?;
    let goal = Goal::Isolated(evidence.other_registries.keys().next().cloned());
    let cutover = CutoverReport::of(&judged::cutover(&evidence, goal, ReimagePolicy::Conservative), Shell::Posix);
    let mut after = evidence.clone();
    Change::DeleteRegistry.apply(&mut after).ok()?;
    let effect = Effect::of(&judged::diagnose(&evidence), &judged::diagnose(&after), &[]);
    Some(format!("{effect:?}{}", serde_json::to_string(&cutover).ok()?))
}

/// Every leaf with the pattern of its path.
fn leaves(value: &Value, path: &mut Vec<String>, pattern: &mut Pattern, found: &mut Vec<(Pattern, Vec<String>)>) {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        Value::Null => return,
        _ => return found.push((pattern.clone(), path.clone())),
    };
    let open = value.is_array() || pattern.last().is_some_and(|last| is_map(last));
    for (key, value) in entries {
        pattern.push(if open { "*".to_owned() } else { key.clone() });
        path.push(key);
        leaves(value, path, pattern, found);
        path.pop();
        pattern.pop();
    }
}

fn at<'v>(value: &'v mut Value, path: &[String]) -> &'v mut Value {
    path.iter().fold(value, |value, key| match value {
        Value::Array(items) => &mut items[key.parse::<usize>().expect("an index")],
        value => &mut value[key.as_str()],
    })
}

/// What a leaf could be instead: another value of its kind, or nothing.
const OTHERS: [fn(&Value) -> Value; 2] = [another, |_| Value::Null];

fn another(leaf: &Value) -> Value {
    match leaf {
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => "2020-01-01T00:00:00Z".into(),
        Value::String(text) if text.starts_with('/') => format!("{text}x").into(),
        Value::String(_) => "other".into(),
        Value::Bool(value) => (!value).into(),
        Value::Number(_) => 4_000_000.into(),
        _ => Value::Null,
    }
}

/// How many fields of one pattern are changed in one fixture.
const MOST_ALIKE: usize = 4;

/// For every field that any fixture's snapshot has, there is a fixture whose report changes with it.
#[test]
fn every_field_of_a_snapshot_matters_to_a_report() {
    let mut read: BTreeSet<Pattern> = BTreeSet::new();
    let mut unread: BTreeSet<Pattern> = BTreeSet::new();
    // First by the diagnosis alone, which is quick; then, for what is left, by what else is said.
    for said in [report, further] {
        unread.clear();
        for snapshot in fixtures::all().into_values() {
            look(&snapshot, said, &mut read, &mut unread);
        }
    }
    let unread: Vec<String> = unread.iter().map(|pattern| pattern.join("/")).collect();
    assert!(read.len() > 150, "only {} fields are read", read.len());
    assert!(unread.is_empty(), "{} fields are read, these are not: {unread:#?}", read.len());
}

/// Changes every field that was not read yet, and sees whether something else is said.
fn look(
    snapshot: &Value,
    said: fn(&Value) -> Option<String>,
    read: &mut BTreeSet<Pattern>,
    unread: &mut BTreeSet<Pattern>,
) {
    // As collect would write it: fields that the types do not know are gone.
    let evidence = serde_json::to_value(fixtures::evidence(snapshot)).expect("JSON");
    let mut found = Vec::new();
    leaves(&evidence, &mut Vec::new(), &mut Vec::new(), &mut found);
    // Another registry has the types of the bootstrap registry, and is judged by the same checks.
    for (pattern, _) in found.iter_mut().filter(|(pattern, _)| pattern[0] == "otherRegistries") {
        pattern.drain(..2);
    }
    let mut tried: BTreeMap<Pattern, usize> = BTreeMap::new();
    found.retain(|(pattern, _)| {
        // What a few nodes, pods or rules of one cluster leave unread, the others of its kind would leave unread, too.
        let times = tried.entry(pattern.clone()).or_default();
        *times += 1;
        let excepted = || EXCEPTIONS.iter().any(|(end, _)| pattern.join("/").ends_with(end));
        *times <= MOST_ALIKE && !read.contains(pattern) && !excepted()
    });
    if found.is_empty() {
        return;
    }
    unread.extend(found.iter().map(|(pattern, _)| pattern.clone()));
    let whole = said(&evidence);
    for other in OTHERS {
        found.retain(|(pattern, _)| !read.contains(pattern));
        matter(&evidence, &found, &|changed| said(changed) != whole, other, read);
    }
    unread.retain(|pattern| !read.contains(pattern));
}

/// Finds those of the fields whose change matters. Most do not, so they are changed together first, and apart where
/// that matters.
fn matter(
    evidence: &Value,
    fields: &[(Pattern, Vec<String>)],
    differs: &dyn Fn(&Value) -> bool,
    other: fn(&Value) -> Value,
    read: &mut BTreeSet<Pattern>,
) {
    if fields.iter().all(|(pattern, _)| read.contains(pattern)) {
        return;
    }
    let mut changed = evidence.clone();
    for (_, path) in fields {
        let leaf = at(&mut changed, path);
        *leaf = other(leaf);
    }
    if !differs(&changed) {
        return;
    }
    if let [(pattern, _)] = fields {
        read.insert(pattern.clone());
        return;
    }
    let (some, rest) = fields.split_at(fields.len() / 2);
    matter(evidence, some, differs, other, read);
    matter(evidence, rest, differs, other, read);
}
