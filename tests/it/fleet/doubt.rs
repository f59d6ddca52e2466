//! Rows that are old, incomplete or of another branch, and lists that are empty for want of rights: nothing passes, and
//! no error is told, by them alone.

use std::process::Output;

use serde_json::{Value, json};

use super::{settle, tenant};
use crate::fixtures;
use crate::server::Fault;
use crate::server::graph::PageFault;
use crate::site::{Site, report, stderr};

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";

fn site() -> Site {
    site_of(&fixtures::healthy_json("byo"))
}

fn site_of(snapshot: &Value) -> Site {
    let site = Site::new(snapshot);
    settle(&site, snapshot);
    tenant(&site);
    site
}

fn fleet(site: &Site, more: &[&str]) -> Output {
    site.command().arg("fleet").args(more).output().expect("it runs")
}

fn judged(site: &Site, more: &[&str]) -> (Value, Option<i32>) {
    let output = fleet(site, &[&["--output", "json"], more].concat());
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1 | 3)), "{}", stderr(&output));
    (report(&output), code)
}

fn permissions(subscription: &str) -> String {
    format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions")
}

/// Another subscription that Resource Graph shows, without a cluster.
fn show(site: &Site, subscription: &str) {
    site.server.graph(|graph| {
        let row = json!({ "id": format!("/subscriptions/{subscription}"), "name": "a subscription" });
        graph.add("resourcecontainers", "microsoft.resources/subscriptions", row);
    });
    tenant(site);
}

fn fault(site: &Site, table: &str, fault: PageFault) {
    site.server.graph(|graph| graph.faults.insert(table.to_owned(), fault));
}

/// Changes the row of the one cluster.
fn age(site: &Site, change: impl Fn(&mut Value)) {
    site.server.graph(|graph| {
        let kind = "microsoft.containerservice/managedclusters";
        change(&mut graph.rows.iter_mut().find(|row| row.value["type"] == kind).expect("a row").value);
    });
}

/// Resource Graph shows the assignments of every management group, and only some of them lie above a registry.
#[test]
fn a_role_at_a_management_group_may_be_of_another_branch() {
    let mut snapshot = fixtures::healthy_json("byo");
    let group = "/providers/Microsoft.Management/managementGroups/elsewhere";
    let own = &mut snapshot["evidence"]["access"]["roleAssignments"]["known"][0];
    own["id"] = json!(format!("{group}/providers/Microsoft.Authorization/roleAssignments/of-a-group"));
    own["properties"]["scope"] = json!(group);
    let site = site_of(&snapshot);
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!((code, report["verdict"].as_str()), (Some(3), Some("incomplete")), "{report}");
    assert_eq!(report["clusters"][0]["undetermined"][0]["check"], "kubelet-acrpull", "{report}");
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "ARM says that it is above: {report}");
    let registry = fixtures::healthy("byo").registry_id().expect("a registry");
    site.server.route(&format!("{registry}/providers/Microsoft.Authorization/roleAssignments"), &json!([]));
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(1), Some("findings")), "ARM knows no such: {report}");
}

#[test]
fn an_old_row_of_a_cluster_is_no_error() {
    type Aging = fn(&mut Value);
    let agings: [Aging; 3] = [
        |row| {
            row["properties"]["bootstrapProfile"]["containerRegistryId"] = json!(format!(
                "/subscriptions/{SUBSCRIPTION}/resourceGroups/old/providers/Microsoft.ContainerRegistry/registries/old"
            ));
        },
        |row| row["properties"]["identityProfile"]["kubeletidentity"]["objectId"] = json!("former"),
        |row| row["properties"]["bootstrapProfile"]["artifactSource"] = json!("Direct"),
    ];
    for (number, aging) in agings.into_iter().enumerate() {
        let site = site();
        age(&site, aging);
        let (report, code) = judged(&site, &["--depth", "graph"]);
        assert_eq!(code, Some(1), "{number}: {report}");
        let (report, code) = judged(&site, &[]);
        assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "{number}: {report}");
        assert!(report["stale"].as_array().is_some_and(|stale| !stale.is_empty()), "{number}: {report}");
    }
}

#[test]
fn a_cluster_that_arm_does_not_have_is_left_out_and_told() {
    let site = site();
    age(&site, |row| row["properties"]["identityProfile"]["kubeletidentity"]["objectId"] = json!("former"));
    site.server.route(&site.cluster, &Value::Null);
    for depth in ["confirm", "deep"] {
        let saved = site.path("fleet.state").display().to_string();
        let (report, code) = judged(&site, &["--depth", depth, "--save", &saved]);
        assert_eq!((code, &report["clusters"]), (Some(0), &json!([])), "{depth}: {report}");
        assert_eq!(report["gone"], json!([site.cluster]), "{depth}: {report}");
        assert_eq!(report["summary"]["notJudged"], 0);
        let stale = report["stale"].as_array().expect("a list");
        assert!(!stale.is_empty() && stale.iter().all(|own| own["cluster"] == site.cluster.as_str()), "{report}");
        let (again, _) = judged(&site, &["--from", &saved]);
        assert_eq!((&again["gone"], &again["stale"]), (&report["gone"], &report["stale"]));
    }
}

/// Rows may be missing of any table that a check reads, although all that were looked for came.
#[test]
fn a_table_that_is_not_whole_is_never_healthy() {
    let site = site();
    let outcome = |depth: &str| {
        let (report, code) = judged(&site, &["--depth", depth]);
        (report["verdict"].as_str().expect("a word").to_owned(), code)
    };
    let (incomplete, healthy) = (("incomplete".to_owned(), Some(3)), ("healthy".to_owned(), Some(0)));
    for (table, once) in [
        ("microsoft.containerservice/managedclusters", PageFault::TruncatedWithoutToken),
        ("microsoft.containerregistry/registries", PageFault::TruncatedWithoutToken),
        ("microsoft.authorization/roleassignments", PageFault::TruncatedWithoutToken),
        ("microsoft.network/privatednszones/a", PageFault::Miscounted),
        ("microsoft.network/routetables", PageFault::Refused(503, "ServiceUnavailable")),
    ] {
        site.server.graph(|graph| graph.faults.clear());
        fault(&site, table, once);
        assert_eq!(outcome("graph"), incomplete, "{table}");
        // The clusters in doubt were asked of ARM, and the others rest on what came; of clusters nobody else knows.
        let expected = if table.ends_with("managedclusters") { &incomplete } else { &healthy };
        assert_eq!(&outcome("confirm"), expected, "{table}");
        let junit = fleet(&site, &["--depth", "graph", "--output", "junit"]);
        assert!(String::from_utf8_lossy(&junit.stdout).contains("name=\"scope\""), "{table}");
        let metrics = fleet(&site, &["--depth", "graph", "--output", "openmetrics"]);
        assert!(String::from_utf8_lossy(&metrics.stdout).contains("\naksiso_incomplete 1\n"), "{table}");
    }
    // What no check that was asked for reads is missing nowhere.
    let (report, code) = judged(&site, &["--depth", "graph", "--check", "kubelet-acrpull"]);
    assert_eq!(code, Some(0), "{report}");
}

#[test]
fn a_cloud_without_a_table_is_healthy_once_arm_was_asked() {
    let site = site();
    site.server.graph(|graph| graph.lacks = ["authorizationresources"].into());
    assert_eq!(judged(&site, &["--depth", "graph"]).1, Some(3));
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(0), Some("healthy")), "{report}");
}

/// That a subscription has no cluster is an absence like any other.
#[test]
fn no_cluster_is_believed_only_where_the_reader_may_read_all() {
    let site = site();
    show(&site, OTHER);
    for (blocks, expected) in [
        (json!([]), Some(3)),
        (json!([{ "actions": ["Microsoft.Network/*/read"], "notActions": [] }]), Some(3)),
        (json!([{ "actions": ["*/read"], "notActions": [] }]), Some(0)),
    ] {
        site.server.route(&permissions(OTHER), &blocks);
        let (report, code) = judged(&site, &["--depth", "graph"]);
        assert_eq!(code, expected, "{blocks}: {report}");
        let gaps = report["scope"]["gaps"].as_array().map_or(0, Vec::len);
        assert_eq!((gaps, report["verdict"] == "healthy"), (usize::from(code != Some(0)), code == Some(0)), "{report}");
    }
    site.server.fault(&permissions(OTHER), Fault::Status(403));
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!(code, Some(3), "{report}");
    assert!(report["scope"]["gaps"][0]["detail"].as_str().is_some_and(|gap| gap.contains(OTHER)), "{report}");
}

#[test]
fn a_sign_in_that_sees_nothing_is_not_healthy() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    site.server.route("/subscriptions", &json!([]));
    let (report, code) = judged(&site, &[]);
    assert_eq!((code, report["verdict"].as_str()), (Some(3), Some("incomplete")), "{report}");
    assert_eq!(report["scope"]["gaps"].as_array().map(Vec::len), Some(1), "{report}");
}

#[test]
fn without_the_list_of_subscriptions_the_clusters_are_judged() {
    let site = site();
    for refusal in [
        PageFault::Refused(403, "AccessDenied"),
        PageFault::Refused(400, "DisallowedLogicalTableName"),
        PageFault::Html,
    ] {
        fault(&site, "microsoft.resources/subscriptions", refusal.clone());
        let (report, code) = judged(&site, &[]);
        assert_eq!((code, &report["summary"]["clusters"]), (Some(3), &json!(1)), "{refusal:?}: {report}");
        assert_eq!(report["scope"]["gaps"].as_array().map(Vec::len), Some(1), "{refusal:?}: {report}");
    }
}

#[test]
fn named_subscriptions_that_are_refused_are_hidden() {
    let site = site();
    for table in ["microsoft.resources/subscriptions", "microsoft.containerservice/managedclusters"] {
        fault(&site, table, PageFault::Refused(403, "AccessDenied"));
    }
    let (report, code) = judged(&site, &["-s", OTHER]);
    assert_eq!((code, &report["scope"]["hidden"]), (Some(3), &json!([OTHER])), "{report}");
    assert_eq!(report["verdict"], "incomplete");
}

/// What belongs to no subscription comes with each request; it is no row that came twice.
#[test]
fn many_subscriptions_are_asked_about_in_parts() {
    let site = site();
    let tenant_wide = "/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-0000-0000-00000000000a";
    site.server.graph(|graph| {
        let row = json!({ "id": tenant_wide, "properties": { "roleName": "Other", "permissions": [] } });
        graph.add("authorizationresources", "microsoft.authorization/roledefinitions", row);
        graph.rows.last_mut().expect("the row").value["subscriptionId"] = json!("");
    });
    let mut ids: Vec<String> = (1..=300).map(|number| format!("{number:08x}-0000-0000-0000-000000000000")).collect();
    ids.push(SUBSCRIPTION.to_owned());
    let (report, _) = judged(&site, &["--depth", "graph", "-s", &ids.join(",")]);
    let queries = report["queries"].as_array().expect("queries");
    let open: Vec<&Value> =
        queries.iter().filter(|query| query["gaps"].to_string().contains("Resource Graph,")).collect();
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(report["summary"]["verdicts"], json!({ "healthy": 1 }), "{report}");
}

#[test]
fn without_endpoints_no_interface_is_read() {
    let site = site();
    site.server.graph(|graph| graph.rows.retain(|row| row.value["type"] != "microsoft.network/privateendpoints"));
    judged(&site, &["--depth", "graph"]);
    let asked = site.server.graph(|graph| graph.asked.clone());
    assert!(asked.iter().all(|own| !own["query"].to_string().contains("networkinterfaces")), "{asked:?}");
}

#[test]
fn each_permission_is_listed_once() {
    let output = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    let output = { output }.args(["permissions", "--fleet", "--output", "json"]).output().expect("it runs");
    let listed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let actions = listed["permissions"].as_array().expect("a list").iter().map(|own| own["permission"].to_string());
    let actions: Vec<String> = actions.collect();
    let distinct: std::collections::BTreeSet<&String> = actions.iter().collect();
    assert!(distinct.len() == actions.len() && !actions.is_empty(), "{actions:?}");
}
