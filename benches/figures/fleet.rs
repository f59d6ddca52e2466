//! A thousand clusters in a hundred subscriptions on three hundred registries, with the quotas of Resource Graph and
//! the budgets of Resource Manager kept by the server, every answer delayed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::Server;
use crate::world::{settle_on, subscription};
use crate::{fixtures, measure};

const DELAY: Duration = Duration::from_millis(80);
const SUBSCRIPTIONS: u32 = 100;
const REGISTRIES: u32 = 300;
/// Registries whose cache rule is gone.
const BROKEN: u32 = 12;
/// What `diagnose` asks ARM for one cluster, the Activity Log and pools included.
const CALLS_OF_ONE: u32 = 20;

pub fn run() {
    let clusters: u32 = std::env::var("AKSISO_FLEET_CLUSTERS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let base = fixtures::healthy_json("byo").to_string();
    let server = Server::start(&fixtures::healthy_json("byo"));
    for number in 0..clusters {
        settle_on(&server, &member(&base, number));
    }
    let listed: Vec<Value> = (0..SUBSCRIPTIONS)
        .map(|number| json!({ "subscriptionId": subscription(number), "state": "Enabled" }))
        .collect();
    server.route("/subscriptions", &Value::Array(listed));
    for number in 0..BROKEN {
        let registry = format!(
            "/subscriptions/{}/resourceGroups/prod-rg/providers/Microsoft.ContainerRegistry/registries/contosoboot{number}",
            subscription(number % SUBSCRIPTIONS)
        );
        server.route(&format!("{registry}/cacheRules"), &json!([]));
    }
    server.delay(DELAY);
    server.graph(|graph| graph.quota = true);
    server.keep_budgets();
    server.clear();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ca.pem"), &server.certificate).expect("written");
    let report = folder.path().join("fleet.json");
    let mut command = measure::against(&server.url(), folder.path());
    command.args(["fleet", "--timeout", "10m", "--output", &format!("json={}", report.display())]);
    let cost = measure::run(command);
    let report: Value = serde_json::from_slice(&std::fs::read(report).expect("a report")).expect("JSON");
    let requests = server.requests();
    let pages = requests.iter().filter(|(method, path)| method == "POST" && path.contains("ResourceGraph")).count();
    let reads = requests.iter().filter(|(method, _)| method == "GET").count();
    let rules = requests.iter().filter(|(_, path)| path.contains("/cacheRules")).count();
    let (refused, throttled) = (server.graph(|graph| graph.throttled), server.throttled());
    println!(
        "fleet: {clusters} clusters, {SUBSCRIPTIONS} subscriptions, {REGISTRIES} registries, {} ms an answer",
        DELAY.as_millis()
    );
    println!("  exit code {:?}, verdicts {}", cost.code, report["summary"]["verdicts"]);
    println!("  causes: {}", report["causes"].as_array().map_or(0, Vec::len));
    println!("  wall time: {:.1} s (goal: below 30)", cost.wall.as_secs_f64());
    println!("  processor time: {:.1} s", cost.processor);
    println!("  peak memory: {:.0} MiB (goal: at most 200)", cost.peak);
    println!("  pages of Resource Graph: {pages} (goal: at most 45), refused for want of quota: {refused}");
    println!("  reads of Resource Manager: {reads}, of these cache rules {rules}; throttled: {throttled}");
    println!("  Resource Manager alone would need about {} reads", clusters * CALLS_OF_ONE);
    server.stop();
}

/// One cluster; what it shares bears the number of its registry, and lies in that registry's subscription.
fn member(base: &str, number: u32) -> Value {
    let registry = number % REGISTRIES;
    let (own, shared) = (subscription(number % SUBSCRIPTIONS), subscription(registry % SUBSCRIPTIONS));
    let root = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/";
    let text = base
        .replace(&format!("{root}net-rg"), &format!("/subscriptions/{shared}/resourceGroups/net-rg{registry}"))
        .replace(
            &format!("{root}prod-rg/providers/Microsoft.ContainerRegistry"),
            &format!("/subscriptions/{shared}/resourceGroups/prod-rg/providers/Microsoft.ContainerRegistry"),
        )
        .replace("11111111-2222-3333-4444-555555555555", &own)
        .replace("contosoboot", &format!("contosoboot{registry}"))
        .replace("aks1", &format!("aks{number}"))
        .replace("aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb", &format!("aaaaaaaa-0000-1111-2222-{number:012}"));
    let mut snapshot: Value = serde_json::from_str(&text).expect("JSON");
    for assignment in snapshot["evidence"]["access"]["roleAssignments"]["known"].as_array_mut().expect("assignments") {
        assignment["id"] = json!(format!("{}-{number}", assignment["id"].as_str().expect("an id")));
    }
    snapshot
}
