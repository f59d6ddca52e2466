//! The first minutes: a cluster that nobody named, a subscription by its name, and what stands in the way.

use serde_json::{Value, json};

use crate::fixtures;
use crate::site::{Site, report, stderr};

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

/// A site whose server lists its subscriptions and clusters, and is the API server of the fixture's cluster.
pub fn site() -> Site {
    let mut snapshot = fixtures::healthy_json("byo");
    snapshot["evidence"]["cluster"]["properties"]["fqdn"] = "127.0.0.1".into();
    let site = Site::new(&snapshot);
    let subscriptions = json!([
        { "subscriptionId": SUBSCRIPTION, "displayName": "Production" },
        { "subscriptionId": "22222222-2222-3333-4444-555555555555", "displayName": "Test" },
    ]);
    site.server.route("/subscriptions", &subscriptions);
    let mut other = snapshot["evidence"]["cluster"].clone();
    other["id"] = site.cluster.replace("/prod-rg/", "/other-rg/").into();
    other["properties"]["fqdn"] = "other.hcp.eastus.azmk8s.io".into();
    list_clusters(&site, SUBSCRIPTION, &json!([other, snapshot["evidence"]["cluster"]]));
    list_clusters(&site, "22222222-2222-3333-4444-555555555555", &json!([]));
    site
}

fn list_clusters(site: &Site, subscription: &str, clusters: &Value) {
    let path = format!("/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters");
    site.server.route(&path, clusters);
}

fn group(site: &Site) -> String {
    site.cluster.split('/').nth(4).expect("a group").to_owned()
}

fn run(site: &Site, environment: &[(&str, &str)], args: &[&str]) -> std::process::Output {
    let mut command = site.command();
    command.current_dir(site.folder.path()).envs(environment.iter().copied());
    command.args(["diagnose", "--output", "json"]).args(args).output().expect("it runs")
}

#[test]
fn the_cluster_of_the_current_context_is_diagnosed() {
    let site = site();
    let config = site.path("kubeconfig").display().to_string();
    let output = run(&site, &[("KUBECONFIG", &config)], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(report(&output)["cluster"]["id"], site.cluster.as_str());
    assert!(stderr(&output).contains("kubeconfig context it leads to its API server 127.0.0.1"), "{}", stderr(&output));
    // A subscription that is named is the only one that is listed; the flags name a file and a context too.
    site.server.clear();
    let output = run(&site, &[], &["--kubeconfig", &config, "--context", "it", "-s", SUBSCRIPTION, "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    let lists = site.server.requests().into_iter().filter(|(_, url)| url.contains("/managedClusters?")).count();
    assert_eq!(lists, 1, "{:?}", site.server.requests());
    assert!(!site.server.requests().iter().any(|(_, url)| url.starts_with("/subscriptions?")));
}

#[test]
fn a_context_of_another_kind_of_cluster_names_none() {
    let site = site();
    std::fs::write(site.path("kubeconfig"), site.kubeconfig("https://kind.local:6443")).expect("written");
    let config = site.path("kubeconfig").display().to_string();
    let output = run(&site, &[("KUBECONFIG", &config)], &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for words in ["context it leads to kind.local", "2 clusters", "2 subscriptions", "-g GROUP -n NAME"] {
        assert!(said.contains(words), "{words} in: {said}");
    }
}

#[test]
fn az_has_defaults_too() {
    let site = site();
    std::fs::create_dir(site.path(".azure")).expect("a folder");
    let file = site.path(".azure").join("config");
    std::fs::write(&file, format!("[defaults]\ngroup = {}\n", group(&site))).expect("written");
    let subscription = [("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)];
    let output = run(&site, &subscription, &["--no-kubernetes", "--allow-incomplete"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(report(&output)["cluster"]["id"], site.cluster.as_str());
    assert!(stderr(&output).contains("default resource group of az"), "{}", stderr(&output));
    let name = site.cluster.rsplit('/').next().expect("a name").to_owned();
    let output = run(&site, &subscription, &["-n", &name, "--no-kubernetes", "--allow-incomplete"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // The variable goes first, and an empty group says so.
    let output = run(&site, &[subscription[0], ("AZURE_DEFAULTS_GROUP", "nothing-rg")], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("az's default resource group nothing-rg shows no cluster"), "{}", stderr(&output));
}

#[test]
fn a_subscription_may_be_named() {
    let site = site();
    let name = site.cluster.rsplit('/').next().expect("a name").to_owned();
    let group = group(&site);
    let config = site.path("kubeconfig").display().to_string();
    let with = |subscription: &str| {
        run(&site, &[], &["-g", &group, "-n", &name, "-s", subscription, "--kubeconfig", &config, "--timeout", "30"])
    };
    let output = with("production");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(report(&output)["cluster"]["id"], site.cluster.as_str());
    let output = with("Prodution");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean \"Production\"?"), "{}", stderr(&output));
    let twice = json!([
        { "subscriptionId": SUBSCRIPTION, "displayName": "Production" },
        { "subscriptionId": "22222222-2222-3333-4444-555555555555", "displayName": "production" },
    ]);
    site.server.route("/subscriptions", &twice);
    let output = with("Production");
    assert!(stderr(&output).contains("2 subscriptions are named \"Production\""), "{}", stderr(&output));
}
