//! One cluster, every answer delayed: what concurrency leaves of the calls.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::Server;
use crate::{fixtures, measure};

const DELAY: Duration = Duration::from_millis(80);

/// What a run cost, what it asked and when.
type Run = (measure::Cost, Vec<(String, String)>, Vec<Instant>);

pub fn run() {
    let mut snapshot = fixtures::healthy_json("byo");
    third_pool(&mut snapshot["evidence"]);
    let server = Server::start(&snapshot);
    server.delay(DELAY);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ca.pem"), &server.certificate).expect("written");
    let kubeconfig = measure::kubeconfig(&server.url(), folder.path());
    let cluster = snapshot["evidence"]["cluster"]["id"].as_str().expect("an id").to_owned();
    let mut best: Option<Run> = None;
    for _ in 0..7 {
        server.clear();
        let mut command = measure::against(&server.url(), folder.path());
        command.args(["diagnose", "--cluster-id", &cluster, "--kubeconfig"]).arg(&kubeconfig);
        let cost = measure::run(command);
        assert_eq!(cost.code, Some(0), "the healthy cluster is not healthy");
        if best.as_ref().is_none_or(|(known, ..)| cost.wall < known.wall) {
            best = Some((cost, server.requests(), server.times()));
        }
    }
    let (cost, requests, times) = best.expect("a run");
    let chain = chain(&times);
    let distinct: BTreeSet<_> = requests.iter().collect();
    let arm = requests.iter().filter(|(_, path)| path.starts_with("/subscriptions")).count();
    let least = DELAY.as_secs_f64() * f64::from(chain);
    println!("live: a cluster of three pools with its own registry, every answer after {} ms", DELAY.as_millis());
    println!("  longest chain of dependent calls: {chain}, sign-in included (goal: at most 5)");
    println!("  wall time / (chain x delay): {:.2} (goal: at most 1.3)", cost.wall.as_secs_f64() / least);
    println!(
        "  calls: {} ({arm} to ARM; goal: at most 25), asked twice: {}",
        requests.len(),
        requests.len() - distinct.len()
    );
    server.stop();
}

/// A call depends on another when it began after that one was answered: the longest such chain.
fn chain(times: &[Instant]) -> u32 {
    let mut depths: Vec<u32> = Vec::new();
    for (at, began) in times.iter().enumerate() {
        let before = (0..at).filter(|other| times[*other] + DELAY <= *began).map(|other| depths[other]);
        depths.push(before.max().unwrap_or(0) + 1);
    }
    depths.into_iter().max().unwrap_or(0)
}

/// The fixture has two pools; this adds one like the second.
fn third_pool(evidence: &mut Value) {
    for pools in ["/cluster/properties/agentPoolProfiles", "/pools/agentPools/known"] {
        if let Some(pools) = evidence.pointer_mut(pools).and_then(Value::as_array_mut) {
            let mut third = pools[1].clone();
            third["name"] = "third".into();
            pools.push(third);
        }
    }
    let mut profile = evidence["pools"]["upgradeProfiles"]["apps"].clone();
    rename(&mut profile);
    evidence["pools"]["upgradeProfiles"]["third"] = profile;
    for list in ["/pools/scaleSets/known", "/kubernetes/nodes/known"] {
        if let Some(items) = evidence.pointer_mut(list).and_then(Value::as_array_mut) {
            let third: Vec<Value> = items.iter().filter(|item| item.to_string().contains("apps")).cloned().collect();
            items.extend(third.into_iter().map(|mut item| {
                rename(&mut item);
                item
            }));
        }
    }
}

fn rename(value: &mut Value) {
    let text = value
        .to_string()
        .replace("aks-apps-", "aks-third-")
        .replace("\"apps\"", "\"third\"")
        .replace("/apps/", "/third/");
    *value = serde_json::from_str(&text).expect("JSON");
}
