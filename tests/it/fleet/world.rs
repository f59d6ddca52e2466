//! Fixtures as a tenant: each in subscriptions of its own, as rows of Resource Graph and as answers of ARM.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::server::Server;
use crate::server::graph::Graph;

const HEX: &str = "0123456789abcdef";

/// The same snapshot with every GUID another one, so that many of them make one tenant.
pub fn renamed(snapshot: &Value, number: u32) -> Value {
    let text = snapshot.to_string();
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_str());
    while let Some(at) = next_guid(rest) {
        let first = u32::from_str_radix(&rest[at..at + 8], 16).expect("hexadecimal");
        out.push_str(&rest[..at]);
        out.push_str(&format!("{:08x}", first ^ (number << 8)));
        out.push_str(&rest[at + 8..at + 36]);
        rest = &rest[at + 36..];
    }
    out.push_str(rest);
    whole(&serde_json::from_str(&out).expect("JSON"))
}

/// A place in a snapshot; nothing is put there where nothing is.
fn at<'v>(value: &'v mut Value, pointer: &str) -> &'v mut Value {
    // A null that nobody reads again: the tests' process does not live long.
    value.pointer_mut(pointer).unwrap_or_else(|| Box::leak(Box::default()))
}

/// The same snapshot without the short ids that a single cluster's fixture may use: here everybody shares a tenant.
fn whole(snapshot: &Value) -> Value {
    let cluster = text(&snapshot["evidence"]["cluster"]["id"]).to_owned();
    let subscription = cluster.split('/').nth(2).unwrap_or_default();
    let table =
        format!("\"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Network/routeTables/rt\"");
    let mut snapshot: Value = serde_json::from_str(&snapshot.to_string().replace("\"/rt\"", &table)).expect("JSON");
    let last = |id: &Value| text(id).rsplit('/').next().unwrap_or_default().to_owned();
    for extension in at(&mut snapshot, "/evidence/pools/extensions/known").as_array_mut().into_iter().flatten() {
        let id = format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{}", last(&extension["id"]));
        extension["id"] = json!(id);
    }
    for (zone, facts) in at(&mut snapshot, "/evidence/network/dnsZones").as_object_mut().into_iter().flatten() {
        for (key, child) in [("links", "virtualNetworkLinks"), ("records", "A")] {
            for own in at(facts, &format!("/{key}/known")).as_array_mut().into_iter().flatten() {
                own["id"] = json!(format!("{zone}/{child}/{}", last(&own["id"])));
            }
        }
    }
    for (owner, managers) in
        at(&mut snapshot, "/evidence/network/networkManagers").as_object_mut().into_iter().flatten()
    {
        for id in at(managers, "/known").as_array_mut().into_iter().flatten() {
            let group = format!("/subscriptions/{owner}/resourceGroups/g");
            *id = json!(format!("{group}/providers/Microsoft.Network/networkManagers/{}", last(id)));
        }
    }
    snapshot
}

fn next_guid(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let dashes = [8, 13, 18, 23];
    (0..bytes.len().saturating_sub(35)).find(|at| {
        bytes[*at..at + 36].iter().enumerate().all(|(place, byte)| {
            if dashes.contains(&place) { *byte == b'-' } else { HEX.contains(char::from(byte.to_ascii_lowercase())) }
        })
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn entries(value: &Value) -> Vec<(&String, &Value)> {
    value.as_object().map(|map| map.iter().collect()).unwrap_or_default()
}

fn items(value: &Value) -> Vec<&Value> {
    value["known"].as_array().map(|items| items.iter().collect()).unwrap_or_default()
}

/// What the reader may not do, by subscription: what a snapshot does not know, Resource Graph leaves out.
type Forbidden = BTreeMap<String, BTreeSet<&'static str>>;

struct Rows<'g> {
    graph: &'g mut Graph,
    forbidden: Forbidden,
    seen: BTreeSet<String>,
}

impl Rows<'_> {
    fn add(&mut self, kind: &str, row: &Value) {
        self.add_to("resources", kind, row);
    }

    fn add_to(&mut self, table: &'static str, kind: &str, row: &Value) {
        let id = text(&row["id"]).to_lowercase();
        if !id.is_empty() && self.seen.insert(id) {
            self.graph.add(table, kind, row.clone());
        }
    }

    fn forbid(&mut self, id: &str, action: &'static str) {
        let subscription = id.split('/').nth(2).unwrap_or_default().to_lowercase();
        self.forbidden.entry(subscription).or_default().insert(action);
    }

    /// A resource by its id: a row where it is known to exist; where it is not known, the reader may not see it.
    fn resource(&mut self, kind: &str, id: &str, fact: &Value, action: &'static str) {
        match fact.get("known") {
            Some(row) if !row.is_null() => self.add(kind, row),
            Some(_) => {}
            None => self.forbid(id, action),
        }
    }

    /// A list: its rows; where it is not known, the reader may not see it.
    fn list(&mut self, kind: &str, id: &str, fact: &Value, action: &'static str) {
        items(fact).into_iter().for_each(|row| self.add(kind, row));
        if fact.get("known").is_none() {
            self.forbid(id, action);
        }
    }
}

/// The id of a subscription by its number.
#[allow(dead_code, reason = "the benchmark's")]
pub fn subscription(number: u32) -> String {
    format!("{number:08x}-2222-3333-4444-555555555555")
}

/// Puts a snapshot into the tenant of a server.
pub fn settle_on(server: &Server, snapshot: &Value) {
    server.add(snapshot);
    let evidence = &snapshot["evidence"];
    let forbidden = server.graph(|graph| {
        let mut rows = Rows { graph, forbidden: Forbidden::new(), seen: BTreeSet::new() };
        cluster(&mut rows, evidence);
        registry(&mut rows, evidence);
        network(&mut rows, &evidence["network"]);
        let subscriptions: BTreeSet<String> = subscriptions(&evidence.to_string());
        for id in &subscriptions {
            let row = json!({ "id": format!("/subscriptions/{id}"), "name": "a subscription" });
            rows.add_to("resourcecontainers", "microsoft.resources/subscriptions", &row);
        }
        let forbidden = rows.forbidden;
        subscriptions
            .into_iter()
            .map(|id| (id.clone(), forbidden.get(&id).cloned().unwrap_or_default()))
            .collect::<Forbidden>()
    });
    for (subscription, not) in forbidden {
        let whole = evidence["network"]["dnsZoneLists"][&subscription]["known"]["wholeSubscription"]["known"].as_bool();
        let mut not: Vec<&str> = not.into_iter().collect();
        if whole == Some(false) || evidence["network"]["dnsZoneLists"][&subscription].get("missing").is_some() {
            not.push("Microsoft.Network/privateDnsZones/read");
        }
        let path = format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions");
        server.route(&path, &json!([{ "actions": ["*/read"], "notActions": not }]));
    }
}

/// Lists the subscriptions of the tenant for ARM, too.
pub fn tenant_on(server: &Server) {
    let ids = server.graph(|graph| {
        let own = graph.rows.iter().filter(|row| row.table == "resourcecontainers");
        own.map(|row| row.value["subscriptionId"].clone()).collect::<Vec<_>>()
    });
    let listed: Vec<Value> = ids.into_iter().map(|id| json!({ "subscriptionId": id, "state": "Enabled" })).collect();
    server.route("/subscriptions", &Value::Array(listed));
}

fn subscriptions(text: &str) -> BTreeSet<String> {
    text.match_indices("/subscriptions/")
        .filter_map(|(at, word)| text.get(at + word.len()..at + word.len() + 36))
        .filter(|id| next_guid(id) == Some(0))
        .map(str::to_lowercase)
        .collect()
}

fn cluster(rows: &mut Rows<'_>, evidence: &Value) {
    let mut cluster = evidence["cluster"].clone();
    let pools = &evidence["pools"];
    let id = text(&cluster["id"]).to_owned();
    cluster["properties"]["agentPoolProfiles"] = pools["agentPools"]["known"].clone();
    rows.add("Microsoft.ContainerService/managedClusters", &cluster);
    rows.list(
        "Microsoft.Compute/virtualMachineScaleSets",
        &id,
        &pools["scaleSets"],
        "Microsoft.Compute/virtualMachineScaleSets/read",
    );
    rows.list(
        "Microsoft.Compute/virtualMachines",
        &id,
        &pools["virtualMachines"],
        "Microsoft.Compute/virtualMachines/read",
    );
    for extension in items(&pools["extensions"]) {
        rows.add_to("kubernetesconfigurationresources", "microsoft.kubernetesconfiguration/extensions", extension);
    }
    if pools["extensions"].get("known").is_none() {
        rows.forbid(&id, "Microsoft.KubernetesConfiguration/extensions/read");
    }
}

fn registry(rows: &mut Rows<'_>, evidence: &Value) {
    let id = text(&evidence["cluster"]["properties"]["bootstrapProfile"]["containerRegistryId"]).to_owned();
    if id.is_empty() {
        return;
    }
    let registry = &evidence["registry"];
    rows.resource(
        "Microsoft.ContainerRegistry/registries",
        &id,
        &registry["registry"],
        "Microsoft.ContainerRegistry/registries/read",
    );
    rows.list(
        "Microsoft.ContainerRegistry/registries/replications",
        &id,
        &registry["replications"],
        "Microsoft.ContainerRegistry/registries/replications/read",
    );
    let access = &evidence["access"];
    for assignment in items(&access["roleAssignments"]) {
        rows.add_to("authorizationresources", "microsoft.authorization/roleassignments", assignment);
    }
    if access["roleAssignments"].get("known").is_none() {
        rows.forbid(&id, "Microsoft.Authorization/roleAssignments/read");
    }
    for (_, definition) in entries(&access["roleDefinitions"]) {
        if !definition["known"].is_null() {
            rows.add_to("authorizationresources", "microsoft.authorization/roledefinitions", &definition["known"]);
        }
    }
}

fn network(rows: &mut Rows<'_>, network: &Value) {
    for (kind, key, action) in [
        ("Microsoft.Network/virtualNetworks", "virtualNetworks", "Microsoft.Network/virtualNetworks/read"),
        ("Microsoft.Network/routeTables", "routeTables", "Microsoft.Network/routeTables/read"),
        ("Microsoft.Network/networkSecurityGroups", "securityGroups", "Microsoft.Network/networkSecurityGroups/read"),
    ] {
        for (id, fact) in entries(&network[key]) {
            rows.resource(kind, id, fact, action);
        }
    }
    items(&network["managedNetworks"]).into_iter().for_each(|row| rows.add("Microsoft.Network/virtualNetworks", row));
    items(&network["listedEndpoints"]).into_iter().for_each(|row| rows.add("Microsoft.Network/privateEndpoints", row));
    for (id, facts) in entries(&network["privateEndpoints"]) {
        rows.resource(
            "Microsoft.Network/privateEndpoints",
            id,
            &facts["endpoint"],
            "Microsoft.Network/privateEndpoints/read",
        );
        for (id, interface) in entries(&facts["interfaces"]) {
            rows.resource(
                "Microsoft.Network/networkInterfaces",
                id,
                interface,
                "Microsoft.Network/networkInterfaces/read",
            );
        }
    }
    for (id, zone) in entries(&network["dnsZones"]) {
        rows.resource("Microsoft.Network/privateDnsZones", id, &zone["zone"], "Microsoft.Network/privateDnsZones/read");
        rows.list(
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
            id,
            &zone["links"],
            "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
        );
        for record in items(&zone["records"]) {
            rows.add_to("dnsresources", "microsoft.network/privatednszones/a", record);
        }
        if zone["records"].get("known").is_none() {
            rows.forbid(id, "Microsoft.Network/privateDnsZones/A/read");
        }
    }
    for (_, managers) in entries(&network["networkManagers"]) {
        for id in items(managers) {
            rows.add("Microsoft.Network/networkManagers", &json!({ "id": id }));
        }
    }
    for (owner, linked) in entries(&network["forwardingLinks"]) {
        if !items(linked).is_empty() {
            let id = format!(
                "/subscriptions/{owner}/resourceGroups/dns-rg/providers/Microsoft.Network/dnsForwardingRulesets/rules"
            );
            rows.add("Microsoft.Network/dnsForwardingRulesets", &json!({ "id": id }));
        }
    }
}
