//! What the server answers where: every path that a snapshot knows something of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn entries(value: &Value) -> Vec<(String, Value)> {
    value
        .as_object()
        .map(|map| map.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
        .unwrap_or_default()
}

/// Every path that a snapshot answers.
pub fn of(evidence: &Value) -> HashMap<String, Value> {
    let mut routes = HashMap::new();
    let mut add = |path: String, fact: Value| {
        if !fact.is_null() && fact["missing"]["reason"] != "notCollected" {
            routes.insert(path.to_lowercase(), fact);
        }
    };
    let cluster = text(&evidence["cluster"]["id"]);
    let subscription = cluster.split('/').nth(2).unwrap_or_default().to_owned();
    add(cluster.clone(), json!({ "known": evidence["cluster"] }));
    add(
        format!("/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters"),
        json!({ "known": [{ "id": cluster }] }),
    );
    add(
        format!("/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"),
        events(&evidence["pools"]["bootstrapWrites"]),
    );
    let provider = evidence["registryProvider"]["known"].as_str().unwrap_or("Registered");
    add(
        format!("/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry"),
        json!({ "known": { "registrationState": provider } }),
    );
    let group = text(&evidence["cluster"]["properties"]["nodeResourceGroup"]);
    let in_group = |kind: &str| format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}");
    add(in_group("Microsoft.Compute/virtualMachineScaleSets"), evidence["pools"]["scaleSets"].clone());
    add(in_group("Microsoft.Compute/virtualMachines"), evidence["pools"]["virtualMachines"].clone());
    add(in_group("Microsoft.Network/virtualNetworks"), evidence["network"]["managedNetworks"].clone());
    add(
        format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions"),
        evidence["pools"]["extensions"].clone(),
    );
    for set in evidence["pools"]["scaleSets"]["known"].as_array().into_iter().flatten() {
        add(format!("{}/virtualMachines", text(&set["id"])), json!({ "known": [] }));
    }
    for (pool, instances) in entries(&evidence["pools"]["instances"]) {
        add(
            format!(
                "{}/aks-{pool}-11112222-vmss/virtualMachines",
                in_group("Microsoft.Compute/virtualMachineScaleSets")
            ),
            instances,
        );
    }
    for (pool, profile) in entries(&evidence["pools"]["upgradeProfiles"]) {
        add(format!("{cluster}/agentPools/{pool}/upgradeProfiles/default"), profile);
    }
    for (id, other) in entries(&evidence["otherRegistries"]) {
        self::registry(&id, &other["registry"], &other["access"], &mut add);
        network(&other["network"], &subscription, &id, &mut add);
    }
    let registry = text(&evidence["cluster"]["properties"]["bootstrapProfile"]["containerRegistryId"]);
    self::registry(&registry, &evidence["registry"], &evidence["access"], &mut add);
    network(&evidence["network"], &subscription, &registry, &mut add);
    endpoints(&evidence["apiServer"], &mut add);
    zones(&evidence["apiServer"], &mut add);
    for (subscription, locks) in entries(&evidence["locks"]) {
        add(format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/locks"), locks);
    }
    kubernetes(&evidence["kubernetes"], &mut add);
    routes
}

fn registry(id: &str, registry: &Value, access: &Value, add: &mut impl FnMut(String, Value)) {
    if id.is_empty() {
        return;
    }
    add(id.to_owned(), registry["registry"].clone());
    let connections = registry["registry"]["known"]["properties"]["privateEndpointConnections"].clone();
    let unread = &registry["connectionsUnread"];
    let listed = if unread.is_null() { json!({ "known": connections }) } else { json!({ "missing": unread }) };
    add(format!("{id}/privateEndpointConnections"), listed);
    for child in ["cacheRules", "credentialSets", "replications"] {
        add(format!("{id}/{child}"), registry[child].clone());
    }
    add(format!("{id}/providers/Microsoft.Authorization/roleAssignments"), access["roleAssignments"].clone());
    for (role, definition) in entries(&access["roleDefinitions"]) {
        add(role, definition);
    }
}

fn network(network: &Value, subscription: &str, registry: &str, add: &mut impl FnMut(String, Value)) {
    for kind in ["virtualNetworks", "routeTables", "securityGroups"] {
        for (id, fact) in entries(&network[kind]) {
            add(id, fact);
        }
    }
    endpoints(network, add);
    let listed = network["listedEndpoints"]["known"].as_array().cloned().unwrap_or_default();
    add(
        format!("/subscriptions/{subscription}/providers/Microsoft.Network/privateEndpoints"),
        json!({ "known": listed }),
    );
    self::zones(network, add);
    let mut zones: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (id, facts) in entries(&network["dnsZones"]) {
        let owner = id.split('/').nth(2).unwrap_or_default().to_lowercase();
        // A list never says what it leaves out for want of rights.
        zones.entry(owner).or_default().extend(facts["zone"].get("known").filter(|zone| !zone.is_null()).cloned());
    }
    let others = registry.split('/').nth(2).into_iter().chain([subscription]).map(str::to_lowercase);
    let listed = entries(&network["dnsZoneLists"]).into_iter().map(|(id, _)| id.to_lowercase());
    let managed = entries(&network["networkManagers"]).into_iter().map(|(id, _)| id.to_lowercase());
    let all: BTreeSet<String> = listed.chain(others).chain(managed).chain(zones.keys().cloned()).collect();
    for owner in all {
        let place = |kind: &str| format!("/subscriptions/{owner}/providers/{kind}");
        let missing = &network["dnsZoneLists"][&owner]["missing"];
        let zones = zones.get(&owner).cloned().unwrap_or_default();
        let list = if missing.is_null() { json!({ "known": zones }) } else { json!({ "missing": missing }) };
        add(place("Microsoft.Network/privateDnsZones"), list);
        let whole = network["dnsZoneLists"][&owner]["known"]["wholeSubscription"]["known"].as_bool().unwrap_or(true);
        let actions =
            if whole { json!(["*/read"]) } else { json!(["Microsoft.ContainerService/managedClusters/read"]) };
        add(
            place("Microsoft.Authorization/permissions"),
            json!({ "known": [{ "actions": actions, "notActions": [] }] }),
        );
        add(place("Microsoft.Authorization/locks"), json!({ "known": [] }));
        let managers = network["networkManagers"][&owner]["known"].as_array().cloned().unwrap_or_default();
        let managers: Vec<Value> = managers.into_iter().map(|id| json!({ "id": id })).collect();
        add(place("Microsoft.Network/networkManagers"), json!({ "known": managers }));
        let linked = network["forwardingLinks"][&owner]["known"].as_array().cloned().unwrap_or_default();
        let ruleset = format!(
            "/subscriptions/{owner}/resourceGroups/dns-rg/providers/Microsoft.Network/dnsForwardingRulesets/rules"
        );
        let rulesets = if linked.is_empty() { json!([]) } else { json!([{ "id": ruleset }]) };
        let unread = &network["forwardingLinks"][&owner]["missing"];
        let rulesets = if unread.is_null() { json!({ "known": rulesets }) } else { json!({ "missing": unread }) };
        add(place("Microsoft.Network/dnsForwardingRulesets"), rulesets);
        let links: Vec<Value> = linked.into_iter().map(|id| json!({ "id": format!("{ruleset}/virtualNetworkLinks/l"), "properties": { "virtualNetwork": { "id": id } } })).collect();
        add(format!("{ruleset}/virtualNetworkLinks"), json!({ "known": links }));
    }
}

/// Private endpoints with what belongs to them.
fn endpoints(facts: &Value, add: &mut impl FnMut(String, Value)) {
    for (id, facts) in entries(&facts["privateEndpoints"]) {
        add(id.clone(), facts["endpoint"].clone());
        add(format!("{id}/privateDnsZoneGroups"), facts["zoneGroups"].clone());
        for (interface, fact) in entries(&facts["interfaces"]) {
            add(interface, fact);
        }
    }
}

/// Private DNS zones with their links and all their records.
fn zones(facts: &Value, add: &mut impl FnMut(String, Value)) {
    for (id, facts) in entries(&facts["dnsZones"]) {
        add(id.clone(), facts["zone"].clone());
        add(format!("{id}/virtualNetworkLinks"), facts["links"].clone());
        let others = facts["otherNames"]["known"].as_array().into_iter().flatten();
        let others = others.map(|name| {
            json!({ "id": format!("{id}/A/{}", text(name)), "properties": { "aRecords": [{ "ipv4Address": "10.250.0.1" }] } })
        });
        let mut records = facts["records"].clone();
        if let Some(known) = records["known"].as_array_mut() {
            known.extend(others);
        }
        add(format!("{id}/A"), records);
    }
}

/// Activity Log events, newest first as Azure gives them, with noise between.
fn events(writes: &Value) -> Value {
    let Some(list) = writes["known"].as_array() else {
        return writes.clone();
    };
    let write = "Microsoft.ContainerService/managedClusters/write";
    let mut events = vec![
        json!({ "eventTimestamp": "2026-11-19T00:00:00Z", "operationName": { "value": "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action" }, "status": { "value": "Succeeded" } }),
    ];
    for (number, entry) in list.iter().enumerate().rev() {
        let body = json!({ "properties": { "bootstrapProfile": entry["profile"] } }).to_string();
        let correlation = format!("c{number}");
        events.push(json!({ "eventTimestamp": entry["at"], "operationName": { "value": write }, "status": { "value": "Succeeded" }, "correlationId": correlation, "properties": {} }));
        events.push(json!({ "eventTimestamp": entry["at"], "operationName": { "value": write }, "status": { "value": "Started" }, "correlationId": correlation, "properties": { "requestbody": body } }));
    }
    json!({ "known": events })
}

fn kubernetes(facts: &Value, add: &mut impl FnMut(String, Value)) {
    let node = |node: &Value| {
        let mut labels = serde_json::Map::new();
        let mut label = |name: &str, value: &Value| {
            if let Some(value) = value.as_str() {
                labels.insert(name.to_owned(), json!(value));
            }
        };
        label("kubernetes.azure.com/agentpool", &node["agentPool"]);
        label("karpenter.sh/nodepool", &node["nodePool"]);
        label("kubernetes.azure.com/node-image-version", &node["imageVersion"]);
        label("kubernetes.azure.com/upgrade-status", &node["upgradeStatus"]);
        if node["isVirtual"] == true {
            label("type", &json!("virtual-kubelet"));
        }
        let mut conditions = vec![
            json!({ "type": "MemoryPressure", "status": "False" }),
            json!({ "type": "Ready", "status": if node["ready"] == true { "True" } else { "False" } }),
        ];
        let problems = node["problems"].as_array().into_iter().flatten();
        conditions.extend(problems.map(|problem| json!({ "type": problem, "status": "True" })));
        let addresses = node["addresses"].as_array().into_iter().flatten();
        let mut addresses: Vec<Value> =
            addresses.map(|address| json!({ "type": "InternalIP", "address": address })).collect();
        addresses.push(json!({ "type": "Hostname", "address": node["name"] }));
        json!({
            "metadata": { "name": node["name"], "creationTimestamp": node["created"], "labels": labels, "annotations": { "secret": "CANARY-annotation" } },
            "spec": { "providerID": node["providerId"] },
            "status": {
                "conditions": conditions,
                "addresses": addresses,
                "nodeInfo": { "containerRuntimeVersion": node["containerRuntime"] },
                "images": [{ "names": ["mcr.microsoft.com/oss/kubernetes/pause:3.6"] }],
            },
        })
    };
    let event = |failure: &Value| {
        let host = text(&failure["host"]);
        json!({
            "message": format!("Failed to pull image \"mcr.microsoft.com/a:1\": Head \"https://{host}/v2/aks-managed-repository/a/manifests/1?ns=mcr.microsoft.com&sig=CANARY\": i/o timeout"),
            "reason": "Failed", "source": { "component": "kubelet", "host": failure["node"] }, "lastTimestamp": failure["lastSeen"], "eventTime": null,
        })
    };
    let each = |fact: &Value, turn: &dyn Fn(&Value) -> Value| match fact["known"].as_array() {
        Some(items) => json!({ "known": items.iter().map(turn).collect::<Vec<_>>() }),
        None => fact.clone(),
    };
    add("/api/v1/nodes".to_owned(), each(&facts["nodes"], &node));
    let mut events = each(&facts["mirrorFailures"], &event);
    let waiting = facts["images"]["known"]["waiting"].as_array().into_iter().flatten();
    let told = waiting.filter(|pull| pull["fromEvent"] == true).map(|pull| {
        json!({
            "message": pull["message"], "reason": "Failed", "lastTimestamp": null, "eventTime": "2026-01-01T00:00:00.000000Z",
            "series": { "lastObservedTime": pull["lastSeen"] },
            "involvedObject": { "kind": "Pod", "namespace": pull["namespace"], "name": pull["pod"] },
        })
    });
    if let Some(events) = events["known"].as_array_mut() {
        events.extend(told);
    }
    add("/api/v1/events".to_owned(), with(events, super::workloads::failures(facts)));
    add("/api/v1/pods".to_owned(), with(pods(&facts["images"]), super::workloads::covered(facts)));
    let status = facts["autoscaler"]["known"].as_array().filter(|groups| !groups.is_empty()).map(|groups| {
        let groups = groups.iter().map(|group| {
            json!({ "name": group["group"], "scaleUp": { "status": "Backoff", "backoffInfo": { "errorCode": group["code"], "errorMessage": group["message"] } } })
        });
        json!({ "autoscalerStatus": "Running", "nodeGroups": groups.collect::<Vec<_>>() }).to_string()
    });
    let map = match (status, &facts["autoscaler"]["missing"]) {
        (Some(status), _) => json!({ "known": { "data": { "status": status } } }),
        (None, Value::Null) => json!({ "known": null }),
        (None, _) => facts["autoscaler"].clone(),
    };
    add("/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status".to_owned(), map);
    let claim = |claim: &Value| {
        json!({
            "metadata": { "name": "claim", "creationTimestamp": claim["since"], "labels": { "karpenter.sh/nodepool": claim["group"] } },
            "status": { "conditions": [{ "type": "Registered", "status": "Unknown", "message": claim["message"] }] },
        })
    };
    add("/apis/karpenter.sh/v1/nodeclaims".to_owned(), each(&facts["nodeClaims"], &claim));
    super::workloads::routes(facts, add);
}

/// A list with more items, where it is known.
fn with(mut list: Value, more: Vec<Value>) -> Value {
    if let Some(items) = list["known"].as_array_mut() {
        items.extend(more);
    }
    list
}

/// Pods that use and wait for the images of a snapshot, and some that have ended, are never pulled or run elsewhere.
fn pods(images: &Value) -> Value {
    let Some(known) = images.get("known") else { return images.clone() };
    let pod = |namespace: &Value, name: &Value, node: &Value, containers: &Value, statuses: Value, phase: &str| json!({ "metadata": { "namespace": namespace, "name": name }, "spec": { "nodeName": node, "containers": containers }, "status": { "phase": phase, "containerStatuses": statuses } });
    let mut pods = vec![
        pod(
            &json!("jobs"),
            &json!("done"),
            &json!(""),
            &json!([{ "name": "c", "image": "docker.io/library/done:1" }]),
            json!([]),
            "Succeeded",
        ),
        pod(
            &json!("jobs"),
            &json!("never"),
            &json!(""),
            &json!([{ "name": "c", "image": "docker.io/library/never:1", "imagePullPolicy": "Never" }]),
            json!(null),
            "Running",
        ),
    ];
    for usage in known["used"].as_array().into_iter().flatten() {
        let example = text(&usage["example"]);
        let (namespace, name) = example.split_once('/').unwrap_or(("default", "pod"));
        let count = usage["containers"].as_u64().unwrap_or(1);
        let containers: Vec<Value> =
            (0..count).map(|number| json!({ "name": format!("c{number}"), "image": usage["image"] })).collect();
        pods.push(pod(&json!(namespace), &json!(name), &json!("some-node"), &json!(containers), json!([]), "Running"));
    }
    for pull in known["waiting"].as_array().into_iter().flatten() {
        let message = if pull["fromEvent"] == true {
            json!(format!("Back-off pulling image {}", pull["image"]))
        } else {
            pull["message"].clone()
        };
        let status = json!([{ "name": pull["container"], "image": pull["image"], "state": { "waiting": { "reason": pull["reason"], "message": message } } }]);
        let mut waiting = pod(&pull["namespace"], &pull["pod"], &pull["node"], &json!([]), json!([]), "Pending");
        // Init containers wait as others do.
        waiting["spec"]["initContainers"] = json!([{ "name": pull["container"], "image": pull["image"] }]);
        waiting["status"]["initContainerStatuses"] = status;
        pods.push(waiting);
    }
    json!({ "known": pods })
}
