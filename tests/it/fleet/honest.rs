//! Honest about what it cannot see: whatever a page, a table or a subscription lacks, nothing passes for it.

use std::process::Output;

use serde_json::{Value, json};

use super::{settle, tenant};
use crate::fixtures;
use crate::server::Fault;
use crate::server::graph::PageFault;
use crate::site::{Site, report, stderr};

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

/// A healthy cluster in a tenant of its own, in pages of one row.
fn site(name: &str) -> Site {
    site_of(&fixtures::named(name))
}

fn site_of(snapshot: &Value) -> Site {
    let site = Site::new(snapshot);
    settle(&site, snapshot);
    tenant(&site);
    site.server.graph(|graph| graph.page = Some(1));
    site
}

fn fleet(site: &Site, more: &[&str]) -> Output {
    site.command().args(["fleet", "--output", "json"]).args(more).output().expect("it runs")
}

fn judged(site: &Site, more: &[&str]) -> (Value, Option<i32>) {
    let output = fleet(site, more);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1 | 3)), "{}", stderr(&output));
    (report(&output), code)
}

fn undetermined(report: &Value) -> Vec<&str> {
    let all = report["clusters"][0]["undetermined"].as_array().expect("a list");
    all.iter().map(|check| check["check"].as_str().expect("an id")).collect()
}

#[test]
fn a_healthy_cluster_is_healthy_at_every_depth() {
    let site = site("healthy/byo");
    for depth in ["graph", "confirm", "deep"] {
        let (report, code) = judged(&site, &["--depth", depth]);
        assert_eq!((report["verdict"].as_str(), code), (Some("healthy"), Some(0)), "{depth}: {report}");
        assert_eq!(report["summary"]["clusters"], 1);
        assert_eq!(report["scope"], json!({ "expected": [SUBSCRIPTION], "seen": [SUBSCRIPTION], "hidden": [] }));
        assert!(report["clusters"][0]["notCovered"].as_array().expect("a list").len() >= 3, "{report}");
        let complete =
            |query: &Value| query["complete"] == true || query["table"] == "Microsoft.Compute/virtualMachines";
        assert!(report["queries"].as_array().expect("queries").iter().all(complete), "{report}");
    }
}

/// Each fault of each table, at the depth that has nothing but the table.
#[test]
fn no_table_may_fail_unnoticed() {
    let site = site("healthy/byo");
    let tables = [
        "microsoft.containerservice/managedclusters",
        "microsoft.containerregistry/registries",
        "microsoft.network/virtualnetworks",
        "microsoft.network/privateendpoints",
        "microsoft.network/networkinterfaces",
        "microsoft.network/privatednszones",
        "microsoft.network/privatednszones/virtualnetworklinks",
        "microsoft.network/privatednszones/a",
        "microsoft.network/networksecuritygroups",
        "microsoft.compute/virtualmachinescalesets",
        "microsoft.authorization/roleassignments",
        "microsoft.authorization/roledefinitions",
        "microsoft.kubernetesconfiguration/extensions",
    ];
    let faults = [
        PageFault::Cut,
        PageFault::Short,
        PageFault::Odd,
        PageFault::Html,
        PageFault::Refused(400, "DisallowedLogicalTableName"),
        PageFault::Refused(403, "AccessDenied"),
        PageFault::Refused(500, "InternalError"),
    ];
    for table in tables {
        for fault in &faults {
            // At this depth no check that is covered reads extensions.
            if table.ends_with("/extensions") {
                continue;
            }
            site.server.graph(|graph| {
                graph.faults.clear();
                graph.faults.insert(table.to_owned(), fault.clone());
            });
            let output = fleet(&site, &["--depth", "graph"]);
            let code = output.status.code();
            if table.ends_with("managedclusters") && code == Some(2) {
                continue; // where there is not one cluster there is nothing to judge
            }
            let report = report(&output);
            assert_eq!(code, Some(3), "{table} {fault:?}: {report}");
            assert_ne!(report["verdict"], "healthy", "{table} {fault:?}");
            assert!(
                report["summary"]["verdicts"]["healthy"].is_null() || table.ends_with("managedclusters"),
                "{table} {fault:?}: {report}"
            );
        }
    }
}

/// What goes wrong between pages: there are three pages of networks.
#[test]
fn no_page_may_fail_unnoticed() {
    let site = site("healthy/byo");
    site.server.graph(|graph| {
        for name in ["a", "b", "z"] {
            let id = format!(
                "/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}/providers/Microsoft.Network/virtualNetworks/{name}"
            );
            graph.add("resources", "microsoft.network/virtualnetworks", json!({ "id": id, "properties": {} }));
        }
    });
    let networks = "microsoft.network/virtualnetworks";
    for fault in [PageFault::Lost, PageFault::TruncatedWithoutToken, PageFault::Circle, PageFault::Twice] {
        site.server.graph(|graph| graph.faults.insert(networks.to_owned(), fault.clone()));
        let (report, code) = judged(&site, &["--depth", "graph"]);
        assert_eq!((report["verdict"].as_str(), code), (Some("incomplete"), Some(3)), "{fault:?}: {report}");
        let queries = report["queries"].as_array().expect("queries");
        let query =
            queries.iter().find(|query| query["table"] == "Microsoft.Network/virtualNetworks").expect("a query");
        assert_eq!(query["complete"], false, "{fault:?}: {query}");
    }
}

#[test]
fn pages_that_are_too_large_are_asked_for_in_halves() {
    let site = site("healthy/byo");
    site.server.graph(|graph| {
        (graph.page, graph.payload) = (None, Some(40_000));
        for number in 0..300 {
            let id = format!(
                "/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Network/routeTables/r{number}"
            );
            graph.add(
                "resources",
                "microsoft.network/routetables",
                json!({ "id": id, "properties": { "routes": [] } }),
            );
        }
    });
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!((report["verdict"].as_str(), code), (Some("healthy"), Some(0)), "{report}");
    let tops: Vec<u64> = site.server.graph(|graph| {
        let asked = graph
            .asked
            .iter()
            .filter(|asked| asked["query"].as_str().is_some_and(|query| query.contains("routetables")));
        asked.filter_map(|asked| asked["options"]["$top"].as_u64()).collect()
    });
    assert!(tops.starts_with(&[1000, 500, 250]), "{tops:?}");
}

#[test]
fn a_subscription_that_does_not_answer_is_told() {
    let site = site("healthy/byo");
    let other = "99999999-2222-3333-4444-555555555555";
    let listed = json!([{ "subscriptionId": SUBSCRIPTION }, { "subscriptionId": other }]);
    site.server.route("/subscriptions", &listed);
    for scope in [vec![], vec!["-s", SUBSCRIPTION, "-s", other]] {
        let (report, code) = judged(&site, &scope);
        assert_eq!((code, &report["scope"]["hidden"]), (Some(3), &json!([other])), "{report}");
        assert_eq!(report["verdict"], "incomplete");
    }
    let below = json!([
        { "type": "/subscriptions", "name": other },
        { "type": "Microsoft.Management/managementGroups/subscriptions", "name": SUBSCRIPTION },
        { "type": "Microsoft.Management/managementGroups", "name": "below" },
    ]);
    site.server.route("/providers/Microsoft.Management/managementGroups/platform/descendants", &below);
    let (report, code) = judged(&site, &["--management-group", "platform"]);
    assert_eq!((code, &report["scope"]["hidden"]), (Some(3), &json!([other])), "{report}");
    // Where not even that list can be read, it is not whole.
    let (report, code) = judged(&site, &["--management-group", "secret"]);
    assert_eq!(code, Some(3));
    assert_eq!(report["scope"]["gaps"].as_array().map(Vec::len), Some(1), "{report}");
}

#[test]
fn a_tenant_that_is_too_large_is_told() {
    let site = site("healthy/byo");
    site.server.graph(|graph| graph.limit_hit = true);
    let (report, code) = judged(&site, &[]);
    assert_eq!(code, Some(3));
    assert!(
        report["scope"]["gaps"][0]["detail"].as_str().is_some_and(|gap| gap.contains("more subscriptions")),
        "{report}"
    );
}

/// The reader sees the rows that he may, and nothing says that there are others: no absence is believed.
#[test]
fn absence_is_believed_only_where_the_reader_may_read_all() {
    for case in ["cases/dns-zone-missing", "cases/acrpull-missing", "cases/bootstrap-registry-not-found"] {
        let site = site(case);
        let path = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/permissions");
        let (report, code) = judged(&site, &["--depth", "graph"]);
        assert_eq!(code, Some(1), "{case}: {report}");
        site.server.route(
            &path,
            &json!([{ "actions": ["Microsoft.ContainerService/managedClusters/read"], "notActions": [] }]),
        );
        let (report, code) = judged(&site, &["--depth", "graph"]);
        assert_eq!(code, Some(3), "{case}: {report}");
        site.server.fault(&path, Fault::Status(403));
        let (report, code) = judged(&site, &["--depth", "graph"]);
        assert_eq!(code, Some(3), "{case}: {report}");
    }
}

#[test]
fn a_bootstrap_profile_that_an_old_api_version_hides_is_no_absence() {
    let mut snapshot = fixtures::healthy_json("byo");
    let site = site_of(&snapshot);
    site.server.graph(|graph| {
        let row = graph
            .rows
            .iter_mut()
            .find(|row| row.value["type"] == "microsoft.containerservice/managedclusters")
            .expect("a row");
        row.value["apiVersion"] = json!("2023-02-01");
        row.value["properties"].as_object_mut().expect("properties").remove("bootstrapProfile");
    });
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!((code, report["verdict"].as_str()), (Some(3), Some("incomplete")), "{report}");
    assert_eq!(report["findings"], json!([]), "nothing is concluded from it");
    assert!(undetermined(&report).len() >= 8);
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "{report}");
    assert_eq!(report["clusters"][0]["confirmed"], true);
    // ARM refuses: still unknown, and never passed.
    let id = snapshot["evidence"]["cluster"]["id"].take();
    site.server.fault(id.as_str().expect("an id"), Fault::Status(403));
    let (_, code) = judged(&site, &[]);
    assert_eq!(code, Some(3));
}

/// Resource Graph does not know who is in a group.
#[test]
fn a_role_through_a_group_is_asked_of_arm() {
    let site = site("healthy/noisy");
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!(code, Some(3), "{report}");
    assert_eq!(undetermined(&report), ["kubelet-acrpull"]);
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "{report}");
}

/// The rows are of yesterday: ARM says otherwise.
#[test]
fn an_error_that_arm_does_not_confirm_is_dropped_and_told() {
    let site = site("healthy/byo");
    site.server.graph(|graph| {
        graph.rows.retain(|row| row.value["type"] != "microsoft.network/privatednszones/virtualnetworklinks");
    });
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!(code, Some(1), "{report}");
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "{report}");
    assert_eq!(report["stale"].as_array().map(Vec::len), Some(1), "{report}");
    // What ARM cannot say either is unknown.
    let zone = fixtures::healthy("byo")
        .network
        .dns_zones
        .keys()
        .next()
        .expect("a zone")
        .child("virtualNetworkLinks")
        .to_string();
    site.server.fault(&zone, Fault::Status(403));
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, &report["findings"]), (Some(3), &json!([])), "{report}");
    assert!(undetermined(&report).contains(&"private-dns"), "{report}");
}

/// A registry in a subscription that nobody asked about: ARM knows it, or says why not.
#[test]
fn what_lies_outside_the_scope_is_asked_of_arm() {
    let text = fixtures::healthy_json("byo").to_string();
    let hub = "99999999-2222-3333-4444-555555555555";
    let id = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/prod-rg/providers/Microsoft.ContainerRegistry");
    let snapshot: Value = serde_json::from_str(&text.replace(&id, &id.replace(SUBSCRIPTION, hub))).expect("JSON");
    let site = site_of(&snapshot);
    let (report, code) = judged(&site, &["--depth", "graph", "-s", SUBSCRIPTION]);
    assert_eq!(code, Some(3), "{report}");
    let (report, code) = judged(&site, &["-s", SUBSCRIPTION]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "{report}");
    let registry = snapshot["evidence"]["cluster"]["properties"]["bootstrapProfile"]["containerRegistryId"]
        .as_str()
        .expect("an id");
    site.server.fault(registry, Fault::Status(403));
    let (report, code) = judged(&site, &["-s", SUBSCRIPTION]);
    assert_eq!(code, Some(3), "{report}");
}

#[test]
fn the_quota_is_kept_and_throttling_is_waited_for() {
    let site = site("healthy/byo");
    site.server.graph(|graph| graph.quota = true);
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "{report}");
    assert_eq!(site.server.graph(|graph| graph.throttled), 0, "the quota was exceeded");
    let rules = format!("{}/cacheRules", fixtures::healthy("byo").registry_id().expect("a registry"));
    site.server.fault(&rules, Fault::Once(429, 6));
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!(
        (code, report["verdict"].as_str()),
        (Some(0), Some("healthy")),
        "a wait of six seconds is waited for: {report}"
    );
}

#[test]
fn nothing_to_ask_is_no_report() {
    let site = site("healthy/byo");
    site.server.graph(|graph| {
        graph
            .faults
            .insert("microsoft.containerservice/managedclusters".to_owned(), PageFault::Refused(403, "AccessDenied"))
    });
    let output = fleet(&site, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Azure Resource Graph may not be read"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}
