//! What the server answers about workloads, budgets and storage. A snapshot of before has none of them: a cluster does.

use serde_json::{Value, json};

/// A list of a snapshot as the API server gives it; empty where the snapshot does not have it.
fn each(fact: &Value, turn: impl Fn(&Value) -> Value) -> Value {
    match fact["known"].as_array() {
        Some(items) => json!({ "known": items.iter().map(turn).collect::<Vec<_>>() }),
        None if fact["missing"].is_object() && fact["missing"]["reason"] != "notCollected" => fact.clone(),
        None => json!({ "known": [] }),
    }
}

/// `namespace/name` in its two parts.
fn metadata(place: &Value) -> Value {
    let (namespace, name) = place.as_str().and_then(|place| place.split_once('/')).unwrap_or(("default", "x"));
    json!({ "namespace": namespace, "name": name, "annotations": { "secret": "CANARY-annotation" } })
}

pub fn routes(facts: &Value, add: &mut impl FnMut(String, Value)) {
    let desired = &facts["desired"];
    let pod = |usage: &Value| {
        let count = usage["containers"].as_u64().unwrap_or(1);
        let container = |_| json!({ "image": usage["image"], "env": [{ "name": "p", "value": "CANARY-env" }] });
        json!({ "spec": { "containers": (0..count).map(container).collect::<Vec<_>>() } })
    };
    let plain = |usage: &Value| json!({ "metadata": metadata(&usage["example"]), "spec": { "template": pod(usage) } });
    let cron = |usage: &Value| {
        let job = json!({ "spec": { "template": pod(usage) } });
        json!({ "metadata": metadata(&usage["example"]), "spec": { "jobTemplate": job } })
    };
    add("/apis/apps/v1/deployments".to_owned(), each(&desired["deployments"], plain));
    add("/apis/apps/v1/statefulsets".to_owned(), each(&desired["statefulSets"], plain));
    add("/apis/apps/v1/daemonsets".to_owned(), each(&desired["daemonSets"], plain));
    add("/apis/batch/v1/cronjobs".to_owned(), each(&desired["cronJobs"], cron));
    let budget = |budget: &Value| {
        let (current, desired) = (&budget["currentHealthy"], &budget["desiredHealthy"]);
        json!({
            "metadata": { "namespace": budget["namespace"], "name": budget["name"] },
            "spec": { "selector": { "matchLabels": { "budget": budget["name"] } } },
            "status": { "disruptionsAllowed": 0, "expectedPods": 1, "currentHealthy": current, "desiredHealthy": desired },
        })
    };
    add("/apis/policy/v1/poddisruptionbudgets".to_owned(), each(&facts["budgets"], budget));
    storage(&facts["storage"], add);
}

fn storage(storage: &Value, add: &mut impl FnMut(String, Value)) {
    let class = |class: &Value| {
        let (name, provisioner) = (&class["name"], &class["provisioner"]);
        json!({ "metadata": { "name": name }, "provisioner": provisioner, "parameters": parameters(class) })
    };
    add("/apis/storage.k8s.io/v1/storageclasses".to_owned(), each(&storage["classes"], class));
    let volume = |volume: &Value| {
        let csi =
            json!({ "driver": volume["driver"], "volumeAttributes": parameters(volume), "volumeHandle": "CANARY" });
        json!({ "metadata": { "name": volume["name"] }, "spec": { "csi": csi, "storageClassName": volume["class"] } })
    };
    add("/api/v1/persistentvolumes".to_owned(), each(&storage["volumes"], volume));
    let claims = each(&storage["claims"], Value::clone);
    let claims = match claims["known"].as_array() {
        Some(classes) => {
            let all = classes.iter().flat_map(|class| {
                let one =
                    json!({ "metadata": metadata(&class["example"]), "spec": { "storageClassName": class["class"] } });
                std::iter::repeat_n(one, usize::try_from(class["claims"].as_u64().unwrap_or(1)).unwrap_or(1))
            });
            json!({ "known": all.collect::<Vec<_>>() })
        }
        None => claims,
    };
    add("/api/v1/persistentvolumeclaims".to_owned(), claims);
}

fn parameters(of: &Value) -> Value {
    let mut parameters = serde_json::Map::new();
    for name in ["networkEndpointType", "server"] {
        if of[name].is_string() {
            parameters.insert(name.to_owned(), of[name].clone());
        }
    }
    Value::Object(parameters)
}

/// Events of failed mounts and provisioning.
pub fn failures(facts: &Value) -> Vec<Value> {
    let failures = facts["storage"]["failures"]["known"].as_array().cloned().unwrap_or_default();
    let event = |failure: &Value| {
        let mount = |name: &str| format!("MountVolume.MountDevice failed for volume \"{name}\" : rpc error CANARY");
        let claim = |name: &str| format!("failed to provision volume with StorageClass \"{name}\": rpc error CANARY");
        let message = failure["volume"].as_str().map(mount).or_else(|| failure["class"].as_str().map(claim));
        json!({
            "message": message, "reason": failure["reason"], "lastTimestamp": failure["lastSeen"],
            "involvedObject": metadata(&failure["object"]),
        })
    };
    failures.iter().map(event).collect()
}

/// The pods that budgets cover, on their nodes.
pub fn covered(facts: &Value) -> Vec<Value> {
    let budgets = facts["budgets"]["known"].as_array().cloned().unwrap_or_default();
    let pods = budgets.iter().flat_map(|budget| {
        let (namespace, labels) = (budget["namespace"].clone(), json!({ "budget": budget["name"] }));
        let pods = budget["pods"].as_array().cloned().unwrap_or_default();
        pods.into_iter().map(move |pod| {
            let metadata = json!({ "namespace": namespace, "name": pod["pod"], "labels": labels });
            json!({ "metadata": metadata, "spec": { "nodeName": pod["node"] }, "status": { "phase": "Running" } })
        })
    });
    pods.collect()
}
