//! `doctor`: what it finds right, what is missing, and what it says to do.

use std::process::Output;

use aksiso::app::schema::SchemaOf;
use serde_json::{Value, json};

use crate::first_minutes::site;
use crate::server::{Fault, KUBE_TOKEN, SECRET, TOKEN};
use crate::site::{Site, report, stderr};

fn doctor(site: &Site, args: &[&str]) -> Output {
    let mut command = site.command();
    command.current_dir(site.folder.path()).env("KUBECONFIG", site.path("kubeconfig"));
    let output = command.args(["doctor", "--output", "json"]).args(args).output().expect("it runs");
    for secret in [TOKEN, SECRET, KUBE_TOKEN] {
        assert!(!String::from_utf8_lossy(&output.stdout).contains(secret) && !stderr(&output).contains(secret));
    }
    output
}

/// Lets the reader do something at every place that matters, but for some.
fn grant(site: &Site, actions: &Value, but: &str) {
    let group = site.cluster.split("/providers/").next().expect("a group").to_owned();
    let subscription = group.split("/resourceGroups/").next().expect("a subscription").to_owned();
    let snapshot = crate::fixtures::healthy_json("byo");
    let properties = &snapshot["evidence"]["cluster"]["properties"];
    let node_group = properties["nodeResourceGroup"].as_str().expect("a group");
    let registry = properties["bootstrapProfile"]["containerRegistryId"].as_str().expect("a registry").to_owned();
    let subnet = properties["agentPoolProfiles"][0]["vnetSubnetID"].as_str().expect("a subnet");
    let network = subnet.split("/subnets/").next().expect("a network").to_owned();
    let node_group = format!("{subscription}/resourceGroups/{node_group}");
    for scope in [site.cluster.clone(), subscription, registry, network, node_group] {
        let own = if !but.is_empty() && scope.contains(but) { json!([]) } else { actions.clone() };
        let path = format!("{scope}/providers/Microsoft.Authorization/permissions");
        site.server.route(&path, &json!([{ "actions": own, "notActions": [] }]));
    }
}

fn step<'r>(report: &'r Value, id: &str) -> &'r Value {
    let mut steps = report["steps"].as_array().expect("steps").iter();
    steps.find(|step| step["id"] == id).unwrap_or_else(|| panic!("no {id} in {report:#}"))
}

fn granted(report: &Value, permission: &str) -> String {
    let mut all = report["permissions"].as_array().expect("permissions").iter();
    let right = all.find(|right| right["permission"].as_str().expect("a text").starts_with(permission));
    right.expect("the permission")["granted"].as_str().expect("a word").to_owned()
}

#[test]
fn who_may_read_everything_is_ready() {
    let site = site();
    grant(&site, &json!(["*/read"]), "");
    let output = doctor(&site, &[]);
    let said = report(&output);
    assert_eq!(output.status.code(), Some(0), "{said:#}\n{}", stderr(&output));
    assert_eq!(said["state"], "ok");
    assert_eq!(step(&said, "sign-in")["facts"]["method"], "environment");
    assert_eq!(step(&said, "subscription")["facts"]["name"], "Production");
    assert_eq!(step(&said, "cluster")["facts"]["chosenBy"], "kubeconfig-context");
    assert_eq!(step(&said, "kubeconfig")["facts"]["context"], "it");
    assert_eq!(granted(&said, "Microsoft.ContainerService/managedClusters/listCluster"), "not-needed");
    assert_eq!(granted(&said, "list pods"), "yes");
    let schema = jsonschema::validator_for(&SchemaOf::Doctor.schema().to_value()).expect("a schema");
    assert!(schema.is_valid(&said), "{said:#}");
    let writes = site.server.requests().into_iter().filter(|(method, url)| method != "GET" && !url.ends_with("/token"));
    assert_eq!(writes.count(), 0);
}

#[test]
fn what_is_missing_is_named_with_its_checks() {
    let site = site();
    grant(&site, &json!(["*/read"]), "/registries/");
    site.server.fault("/api/v1/pods", Fault::Status(403));
    site.server.fault("/api/v1/events", Fault::Status(503));
    let output = doctor(&site, &[]);
    let said = report(&output);
    assert_eq!(output.status.code(), Some(1), "{said:#}");
    assert_eq!(granted(&said, "Microsoft.ContainerRegistry/registries/cacheRules/read"), "no");
    assert_eq!(granted(&said, "list pods"), "no");
    assert_eq!(granted(&said, "list events"), "unknown");
    let checks = said["checks"].as_array().expect("checks");
    let rules = checks.iter().find(|check| check["id"] == "cache-rules").expect("the check");
    assert_eq!(rules["granted"], "no");
    // What may be granted closer to the resource is not known to be missing.
    grant(&site, &json!(["*/read"]), "");
    let subscription = site.cluster.split("/resourceGroups/").next().expect("a subscription").to_owned();
    site.server.route(&format!("{subscription}/providers/Microsoft.Authorization/permissions"), &json!([]));
    let said = report(&doctor(&site, &[]));
    assert_eq!(granted(&said, "Microsoft.Network/privateEndpoints/read"), "unknown");
    assert_eq!(granted(&said, "Microsoft.Network/privateDnsZones/read"), "no");
}

#[test]
fn an_api_server_out_of_reach_has_three_ways_on() {
    let site = site();
    grant(&site, &json!(["*/read"]), "");
    std::fs::write(site.path("kubeconfig"), site.kubeconfig("https://127.0.0.1:1")).expect("written");
    let output = doctor(&site, &[]);
    let said = report(&output);
    assert_eq!(output.status.code(), Some(1), "{said:#}");
    let step = step(&said, "kubernetes-api");
    assert_eq!(step["state"], "limited");
    let next = step["next"].to_string();
    for words in ["aksiso collect", "VPN or peering", "--no-kubernetes"] {
        assert!(next.contains(words), "{words} in {next}");
    }
}

#[test]
fn without_a_sign_in_or_a_cluster_nothing_can_be_diagnosed() {
    let site = site();
    let mut command = site.command();
    command.env("AZURE_CLIENT_SECRET", "wrong");
    let output = command.args(["doctor", "--output", "json"]).output().expect("it runs");
    let said = report(&output);
    assert_eq!(output.status.code(), Some(2), "{said:#}");
    assert!(step(&said, "sign-in")["next"].to_string().contains("client secret"), "{said:#}");

    let output = doctor(&site, &["--cluster-id", &site.cluster.replace("prod-rg", "gone-rg")]);
    let said = report(&output);
    assert_eq!(output.status.code(), Some(2), "{said:#}");
    assert_eq!(step(&said, "cluster")["state"], "failed");
    assert_eq!(said["permissions"], json!([]));
}

#[test]
fn people_read_one_line_a_step_and_a_check() {
    let site = site();
    grant(&site, &json!(["*/read"]), "/registries/");
    let mut command = site.command();
    command.current_dir(site.folder.path()).env("KUBECONFIG", site.path("kubeconfig"));
    let output = command.args(["doctor"]).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in ["ok       Sign-in", "ok       Cluster", "no       cache-rules", "Limited: aksiso diagnose runs"] {
        assert!(text.contains(words), "{words} in: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100 || line.contains("/subscriptions/")), "{text}");
}

/// A machine without a network is not told to sign in.
#[test]
fn no_network_is_no_missing_sign_in() {
    let site = site();
    let mut command = site.command();
    command.env("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1");
    let output = command.args(["diagnose", "--cluster-id", &site.cluster]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("HTTPS_PROXY") && !said.contains("run: az login"), "{said}");
}
