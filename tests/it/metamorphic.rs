//! What must not matter to a judgement: resources of others, the order of lists, the casing of ids, how many nodes suffer.
//! Other names are told of in `anonymize`, pages of one item in `live`.

use aksiso::evidence::Evidence;
use serde_json::{Value, json};

use crate::judged::{self, essence};
use crate::{fixtures, in_parallel};

/// What is known to matter although it should not, each with its reason: property, fixture, why.
const KNOWN: [(&str, &str, &str); 0] = [];

/// Holds every fixture against its changed self; `None` where the change has nothing to change.
fn holds(property: &str, change: impl Fn(&Value) -> Option<Value> + Sync) {
    let wrong = std::sync::Mutex::new(Vec::new());
    let changed = std::sync::atomic::AtomicUsize::new(0);
    in_parallel::each(2, fixtures::all().into_iter().collect(), |(name, snapshot): (String, Value)| {
        let Some(other) = change(&snapshot) else { return };
        changed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (before, after) = (essence(&fixtures::evidence(&snapshot)), essence(&fixtures::evidence(&other)));
        let known = KNOWN.iter().any(|(own, fixture, _)| (*own, *fixture) == (property, name.as_str()));
        if (before == after) == known {
            let what = if known { "is no longer known to differ" } else { "differs" };
            wrong.lock().expect("a lock").push(format!("{name} {what}:\n  {before:?}\n  {after:?}"));
        }
    });
    let (mut wrong, changed) = (wrong.into_inner().expect("a lock"), changed.into_inner());
    wrong.sort();
    assert!(changed > 150, "{property}: only {changed} fixtures were changed");
    assert!(wrong.is_empty(), "{property}: {} of {changed}\n{}", wrong.len(), wrong.join("\n"));
}

fn list<'v>(evidence: &'v mut Value, path: &str) -> Option<&'v mut Vec<Value>> {
    evidence.pointer_mut(path).and_then(Value::as_array_mut)
}

/// Zones, rules, roles, records, subnets and networks that have nothing to do with pulls from the registry.
fn with_strangers(snapshot: &Value) -> Value {
    const GROUP: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/strangers/providers";
    let mut snapshot = snapshot.clone();
    let evidence = &mut snapshot["evidence"];
    if let Some(rules) = list(evidence, "/registry/cacheRules/known") {
        let id = format!("{GROUP}/Microsoft.ContainerRegistry/registries/x/cacheRules/gcr");
        rules.push(json!({ "id": id, "properties": { "sourceRepository": "gcr.io/strangers/*", "targetRepository": "gcr/*", "provisioningState": "Succeeded" } }));
    }
    if let Some(roles) = list(evidence, "/access/roleAssignments/known") {
        let definition = "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.Authorization/roleDefinitions/8311e382-0749-4cb8-b61a-304f252e45ec";
        let scope = roles.first().map_or(json!("/subscriptions/11111111-2222-3333-4444-555555555555"), |role| {
            role["properties"]["scope"].clone()
        });
        roles.push(json!({ "id": format!("{GROUP}/Microsoft.Authorization/roleAssignments/s"), "properties": { "roleDefinitionId": definition, "principalId": "99990000-0000-0000-0000-000000000000", "principalType": "User", "scope": scope } }));
    }
    if let Some(zones) = evidence.pointer_mut("/network/dnsZones").and_then(Value::as_object_mut) {
        for zone in zones.values_mut() {
            if let Some(records) = list(zone, "/records/known") {
                let id = format!("{GROUP}/Microsoft.Network/privateDnsZones/privatelink.azurecr.io/A/strangers");
                records.push(json!({ "id": id, "properties": { "aRecords": [{ "ipv4Address": "10.9.9.9" }] } }));
            }
        }
    }
    if let Some(networks) = evidence.pointer_mut("/network/virtualNetworks").and_then(Value::as_object_mut) {
        for network in networks.values_mut() {
            if let Some(subnets) = list(network, "/known/properties/subnets") {
                let id = format!("{GROUP}/Microsoft.Network/virtualNetworks/v/subnets/strangers");
                subnets.push(json!({ "id": id, "properties": { "addressPrefix": "10.9.9.0/24", "defaultOutboundAccess": true } }));
            }
        }
    }
    if let Some(used) = list(evidence, "/kubernetes/images/known/used") {
        let image = used.iter().find(|own| own["image"].as_str().is_some_and(|image| image.contains(".azurecr.io/")));
        let own = image.map(|own| own["image"].as_str().unwrap_or_default().replace("shop", "strangers"));
        used.extend(own.map(|image| json!({ "image": image, "containers": 3, "example": "strangers/x" })));
    }
    snapshot
}

#[test]
fn resources_of_others_change_nothing() {
    holds("strangers", |snapshot| Some(with_strangers(snapshot)));
}

/// Lists that have an order of their own: what came first in time, which server is asked first.
const ORDERED: [&str; 2] = ["bootstrapWrites", "dnsServers"];

fn reversed(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.reverse();
            items.iter_mut().for_each(reversed);
        }
        Value::Object(map) => {
            map.iter_mut().filter(|(key, _)| !ORDERED.contains(&key.as_str())).for_each(|(_, value)| reversed(value));
        }
        _ => {}
    }
}

#[test]
fn the_order_of_lists_changes_nothing() {
    let turned = |snapshot: &Value| {
        let mut snapshot = snapshot.clone();
        reversed(&mut snapshot["evidence"]);
        Some(snapshot)
    };
    holds("order", turned);
}

/// Ids in another casing, where they are values and where they are keys.
fn recased(value: &Value, case: fn(&str) -> String) -> Value {
    let id = |text: &str| {
        let head = text.get(..text.len().min(24)).unwrap_or_default().to_ascii_lowercase();
        head.starts_with("/subscriptions/") || head.starts_with("azure:///subscriptions/")
    };
    let text = |text: &str| match text.strip_prefix("azure://") {
        Some(rest) if id(text) => format!("azure://{}", case(rest)),
        _ if id(text) => case(text),
        _ => text.to_owned(),
    };
    match value {
        Value::String(own) => Value::String(text(own)),
        Value::Array(items) => items.iter().map(|item| recased(item, case)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (text(key), recased(value, case))).collect(),
        other => other.clone(),
    }
}

/// The fingerprints too: a ticket is found again, however Azure writes an id tomorrow.
#[test]
fn the_casing_of_ids_changes_nothing() {
    for (property, case) in [("upper case", str::to_uppercase as fn(&str) -> String), ("lower case", str::to_lowercase)]
    {
        let other = |snapshot: &Value| {
            let mut other = snapshot.clone();
            other["evidence"] = recased(&snapshot["evidence"], case);
            assert_eq!(fingerprints(snapshot), fingerprints(&other), "{property}");
            Some(other)
        };
        holds(property, other);
    }
}

fn fingerprints(snapshot: &Value) -> Vec<String> {
    let evidence: Evidence = fixtures::evidence(snapshot);
    let findings = judged::diagnose(&evidence).findings;
    let mut all: Vec<String> =
        findings.iter().map(|own| format!("{} {}", own.rule.id, own.fingerprint().as_str())).collect();
    all.sort();
    all
}

/// Every node `times` times, with what it waits for and what events tell of it.
fn many(snapshot: &Value, times: usize) -> Option<Value> {
    let mut snapshot = snapshot.clone();
    let evidence = &mut snapshot["evidence"];
    let copy = |text: &Value, number: usize| match text.as_str() {
        Some(text) if number > 0 && !text.is_empty() => json!(format!("{text}-{number}")),
        _ => text.clone(),
    };
    let multiply = |items: &mut Vec<Value>, fields: &[&str]| {
        let all = std::mem::take(items);
        for number in 0..times {
            items.extend(all.iter().cloned().map(|mut item| {
                fields.iter().for_each(|field| item[*field] = copy(&item[*field], number));
                item
            }));
        }
    };
    multiply(list(evidence, "/kubernetes/nodes/known").filter(|nodes| !nodes.is_empty())?, &["name"]);
    for (path, fields) in [
        ("/kubernetes/images/known/waiting", &["node", "pod"][..]),
        ("/kubernetes/mirrorFailures/known", &["node"]),
        ("/kubernetes/nodeClaims/known", &[]),
    ] {
        if let Some(items) = list(evidence, path) {
            multiply(items, fields);
        }
    }
    for path in ["/pools/agentPools/known", "/cluster/properties/agentPoolProfiles"] {
        for pool in list(evidence, path).into_iter().flatten() {
            if let Some(count) = pool["count"].as_u64() {
                pool["count"] = json!(count * times as u64);
            }
        }
    }
    Some(snapshot)
}

/// The same fault on 8, on 28 and on 80 nodes (a fixture has four): the same rules, causes, statuses, and ages of pools.
#[test]
fn how_many_nodes_suffer_changes_nothing() {
    for (property, times) in [("8 nodes", 2), ("28 nodes", 7), ("80 nodes", 20)] {
        holds(property, |snapshot| many(snapshot, times));
    }
}
