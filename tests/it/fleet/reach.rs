//! Causes by reach, and everything that is made from them: formats, tickets, trends, exported snapshots, what-if.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::{settle, tenant};
use crate::fixtures;
use crate::server::Fault;
use crate::site::{Site, ended, report, stderr};

/// Clusters that share everything but themselves and their identities.
fn sharing(numbers: impl IntoIterator<Item = u32>) -> (Site, Vec<Value>) {
    let base = fixtures::healthy_json("byo");
    let site = Site::new(&base);
    let (mut all, mut assignments) = (Vec::new(), Vec::new());
    for number in numbers {
        let text = base.to_string().replace("aks1", &format!("aks{number}"));
        let text =
            text.replace("aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb", &format!("aaaaaaaa-0000-1111-2222-{number:012}"));
        let mut snapshot: Value = serde_json::from_str(&text).expect("JSON");
        for own in snapshot["evidence"]["access"]["roleAssignments"]["known"].as_array_mut().expect("assignments") {
            own["id"] = json!(format!("{}-{number}", own["id"].as_str().expect("an id")));
        }
        settle(&site, &snapshot);
        assignments.extend(
            snapshot["evidence"]["access"]["roleAssignments"]["known"].as_array().expect("assignments").clone(),
        );
        all.push(snapshot);
    }
    // ARM would answer each identity with its own; here the program has to tell them apart.
    let path = format!("{}/providers/Microsoft.Authorization/roleAssignments", registry());
    site.server.route(&path, &Value::Array(assignments));
    tenant(&site);
    (site, all)
}

fn registry() -> String {
    fixtures::healthy("byo").registry_id().expect("a registry").to_string()
}

/// The one cache rule is gone, and of one cluster the machines lost their identity too.
fn broken() -> (Site, Vec<Value>) {
    let (site, all) = sharing(1..=5);
    site.server.route(&format!("{}/cacheRules", registry()), &json!([]));
    site.server.graph(|graph| {
        for row in &mut graph.rows {
            let id = row.value["id"].as_str().unwrap_or_default().to_lowercase();
            if id.contains("mc_prod-rg_aks3") && id.contains("virtualmachinescalesets") {
                row.value["identity"] = json!({ "type": "None" });
            }
        }
    });
    (site, all)
}

fn fleet(site: &Site, more: &[&str]) -> Output {
    site.command().arg("fleet").args(more).output().expect("it runs")
}

fn judged(site: &Site, more: &[&str]) -> (Value, Option<i32>) {
    let output = fleet(site, &[&["--output", "json"], more].concat());
    (report(&output), output.status.code())
}

#[test]
fn one_cause_of_many_clusters_is_one_cause_with_its_reach() {
    let (site, _) = broken();
    let (report, code) = judged(&site, &["--depth", "graph"]);
    assert_eq!(code, Some(1), "{report}");
    let cause = &report["causes"][0];
    assert_eq!(cause["rule"], "cache-rule-missing", "{report}");
    assert_eq!(cause["clusters"].as_array().map(Vec::len), Some(5));
    let heals = cause["healsAlone"].as_array().expect("a list");
    assert_eq!(heals.len(), 4, "the third has something else: {heals:?}");
    assert!(heals.iter().all(|id| !id.as_str().is_some_and(|id| id.ends_with("aks3"))));
    assert_eq!(report["summary"]["verdicts"], json!({ "findings": 5 }));
    let asked = site.server.requests();
    let rules = asked.iter().filter(|(_, url)| url.contains("/cacheRules")).count();
    assert_eq!(rules, 1, "what clusters share is asked once");
    let distinct: BTreeSet<_> = asked.iter().filter(|(method, _)| method == "GET").collect();
    assert_eq!(distinct.len(), asked.iter().filter(|(method, _)| method == "GET").count(), "something was asked twice");
    // ARM still has the identity on the machines: that error is stale, and the fix heals all.
    let (report, _) = judged(&site, &[]);
    assert_eq!(report["causes"][0]["healsAlone"].as_array().map(Vec::len), Some(5), "{report}");
    assert!(report["stale"].as_array().is_some_and(|stale| !stale.is_empty()), "{report}");
}

#[test]
fn every_format_says_what_the_report_says() {
    let (site, _) = broken();
    let saved = site.path("fleet.state").display().to_string();
    let (whole, _) = judged(&site, &["--depth", "graph", "--save", &saved]);
    let from = |more: &[&str]| {
        let output = fleet(&site, &[&["--from", saved.as_str()], more].concat());
        assert_eq!(output.status.code(), Some(1), "{more:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    let same: Value = serde_json::from_str(&from(&["--output", "json"])).expect("JSON");
    assert_eq!(same["causes"], whole["causes"], "a saved fleet is judged alike");
    assert_eq!(same["clusters"], whole["clusters"]);
    let table = from(&[]);
    assert!(table.starts_with("UNHEALTHY: "), "{table}");
    assert!(table.contains("5 clusters; 4 of them have nothing else"), "{table}");
    for by in ["cluster", "subscription", "registry"] {
        assert!(from(&["--group-by", by]).contains("cache-rule-missing"), "{by}");
    }
    let causes = whole["causes"].as_array().expect("causes").len();
    let lines = from(&["--output", "jsonl"]);
    assert_eq!(lines.lines().count(), causes, "one ticket a cause");
    assert!(
        lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["clusters"].is_array()))
    );
    let csv = from(&["--output", "csv"]);
    let width = csv.lines().next().expect("a header").split(',').count();
    assert!(csv.lines().all(|line| line.split(',').count() == width), "{csv}");
    let events: Value = serde_json::from_str(&from(&["--output", "servicenow"])).expect("JSON");
    assert_eq!(events["records"].as_array().map(Vec::len), Some(causes));
    let sarif: Value = serde_json::from_str(&from(&["--output", "sarif"])).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(causes));
    let junit = from(&["--output", "junit"]);
    let xml = roxmltree::Document::parse(&junit).expect("XML");
    assert_eq!(xml.descendants().filter(|node| node.has_tag_name("failure")).count(), 5);
    let html = from(&["--output", "html"]);
    assert!(html.contains("default-src 'none'") && !html.contains("<script") && !html.contains("src="), "{html}");
    assert!(html.contains("4 of them have nothing else"));
    assert!(from(&["--output", "markdown"]).contains("`cache-rule-missing`"));
    let metrics = from(&["--output", "openmetrics"]);
    assert!(metrics.ends_with("# EOF\n") && metrics.contains("aksiso_clusters{verdict=\"findings\"} 5\n"), "{metrics}");
    assert_eq!(metrics.lines().filter(|line| line.starts_with("aksiso_cause_clusters{")).count(), causes);
}

/// What `diagnose --from` says of an exported snapshot is what the fleet says, under pseudonyms too.
#[test]
fn exported_snapshots_give_the_same_findings() {
    let (site, _) = broken();
    let folder = site.path("snapshots").display().to_string();
    let (whole, _) = judged(&site, &["--depth", "graph", "--export-snapshots", &folder]);
    let covered: BTreeSet<&str> = whole["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|own| own["fingerprint"].as_str().expect("text"))
        .collect();
    let mut prints = BTreeSet::new();
    let files: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files.len(), 5);
    for file in files {
        let output =
            site.command().args(["diagnose", "--output", "json", "--from"]).arg(&file).output().expect("it runs");
        let own = report(&output);
        let id = &own["cluster"]["id"];
        let cluster =
            whole["clusters"].as_array().expect("clusters").iter().find(|own| own["id"] == *id).expect("the cluster");
        let own: BTreeSet<String> = own["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|own| own["fingerprint"].as_str().expect("text").to_owned())
            .collect();
        let expected: BTreeSet<String> = cluster["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|own| own.as_str().expect("text").to_owned())
            .collect();
        assert_eq!(own, expected, "{id}");
        prints.extend(own);
    }
    assert!(prints.iter().all(|print| covered.contains(print.as_str())));
    let (hidden, map) = (site.path("hidden").display().to_string(), site.path("map.json").display().to_string());
    let output =
        fleet(&site, &["--depth", "graph", "--export-snapshots", &hidden, "--anonymize", "--anonymize-map", &map]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for entry in std::fs::read_dir(&hidden).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text =
            std::fs::read_to_string(&path).expect("a file") + &path.file_name().expect("a name").to_string_lossy();
        assert!(
            !text.contains("contosoboot") && !text.contains("prod-rg") && !text.contains("aks3"),
            "{}",
            path.display()
        );
    }
    assert!(std::fs::read_to_string(&map).expect("a map").contains("contosoboot"));
}

#[test]
fn what_a_change_would_break_is_told_before_anybody_makes_it() {
    let (site, _) = sharing(1..=4);
    let change = "delete cache-rule aks-managed-mcr of contosoboot";
    let (report, code) = judged(&site, &["--what-if", change]);
    assert_eq!(code, Some(1), "{report}");
    assert_eq!(report["effect"]["changes"], json!([change]));
    let hit = report["effect"]["clusters"].as_array().expect("clusters");
    assert_eq!(hit.len(), 4);
    assert!(
        hit.iter()
            .all(|own| own["before"] == "healthy" && own["after"] == "findings" && own["newFindings"] != json!([])),
        "{report}"
    );
    assert_eq!(report["causes"], json!([]), "nothing is wrong as it is");
    let table = fleet(&site, &["--what-if", change]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("4 would become unhealthy"), "{table:?}");
    for (change, why) in [
        ("delete cache-rule aks-managed-mcr of elsewhere", "no cluster that was judged uses it"),
        ("delete cache-rule nothing of contosoboot", "no cache rule \"nothing\""),
        ("delete cache-rule aks-managed-mcr", "names no registry"),
        ("set outbound none", "is about one cluster"),
    ] {
        let output = fleet(&site, &["--what-if", change]);
        assert_eq!(output.status.code(), Some(2), "{change}");
        assert!(stderr(&output).contains(why), "{change}: {}", stderr(&output));
    }
    // A saved fleet holds no zone groups, and none matter where DNS is well without them.
    let saved = site.path("fleet.state").display().to_string();
    assert_eq!(judged(&site, &["--depth", "graph", "--save", &saved]).1, Some(0));
    let (report, _) = judged(&site, &["--from", &saved, "--what-if", "remove role-assignment AcrPull of contosoboot"]);
    let hit = report["effect"]["clusters"].as_array().expect("clusters");
    assert!(hit.len() == 4 && hit.iter().all(|own| own["after"] == "findings"), "{report}");
    let folder = site.path("snapshots").display().to_string();
    assert_eq!(judged(&site, &["--from", &saved, "--export-snapshots", &folder]).1, Some(0));
    for file in std::fs::read_dir(&folder).expect("a folder") {
        let file = file.expect("a file").path();
        let own = site.command().args(["diagnose", "--check", "private-dns", "--from"]).arg(file).output();
        assert_eq!(own.expect("it runs").status.code(), Some(0), "nothing was left open");
    }
    // Adding what nothing breaks is no finding.
    let (_, code) = judged(&site, &["--what-if", "create cache-rule hub docker.io/library/* docker/* of contosoboot"]);
    assert_eq!(code, Some(0));
}

/// A role that a cluster may have through a group, or a cluster of which nothing is known, is not left out.
#[test]
fn what_a_change_may_break_is_told_too() {
    let snapshot = fixtures::healthy_json("noisy");
    let site = Site::new(&snapshot);
    settle(&site, &snapshot);
    tenant(&site);
    let change = ["--depth", "graph", "--what-if", "remove role-assignment AcrPull of contosoboot"];
    let (report, code) = judged(&site, &change);
    assert_eq!(code, Some(3), "{report}");
    assert_eq!(report["effect"]["clusters"][0]["after"], "incomplete", "{report}");
    let table = fleet(&site, &change);
    assert!(String::from_utf8_lossy(&table.stdout).contains("not known for 1 cluster"), "{table:?}");
    let (site, _) = sharing(1..=2);
    site.server.graph(|graph| {
        let row = graph.rows.iter_mut().find(|row| row.value["id"].as_str().is_some_and(|id| id.ends_with("aks2")));
        let row = &mut row.expect("a row").value;
        row["apiVersion"] = json!("2023-02-01");
        row["properties"].as_object_mut().expect("properties").remove("bootstrapProfile");
    });
    let (report, _) = judged(&site, &["--depth", "graph", "--what-if", "delete registry contosoboot"]);
    let after: BTreeSet<&str> = report["effect"]["clusters"]
        .as_array()
        .expect("clusters")
        .iter()
        .map(|own| own["after"].as_str().expect("a word"))
        .collect();
    assert_eq!(after, ["findings", "incomplete"].into(), "{report}");
}

#[test]
fn a_baseline_accepts_and_a_previous_report_shows_the_trend() {
    let (site, _) = broken();
    let former = site.path("former.json").display().to_string();
    let output = fleet(&site, &["--depth", "graph", "--output", &format!("json={former}")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let (report, code) = judged(&site, &["--depth", "graph", "--baseline", &former]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report["summary"]["suppressed"].as_u64().is_some_and(|number| number >= 5));
    // What is accepted is still there: its ticket is not closed.
    let both = ["--depth", "graph", "--baseline", &former, "--previous", &former, "--output", "servicenow"];
    let events: Value = serde_json::from_slice(&fleet(&site, &both).stdout).expect("JSON");
    assert!(events["records"].as_array().expect("records").iter().all(|own| own["severity"] != "0"), "{events}");
    // What was not asked for this time is not known to be gone.
    let known: Value = serde_json::from_slice(&std::fs::read(&former).expect("a file")).expect("JSON");
    let check = known["findings"][0]["check"].as_str().expect("an id");
    for checks in [["--check", "private-dns"], ["--skip", check]] {
        let (report, _) = judged(&site, &[&["--depth", "graph", "--previous", &former], &checks[..]].concat());
        assert_eq!(report["trend"]["fixed"], json!([]), "{checks:?}: {report}");
        assert!(report["trend"]["unseen"].as_array().is_some_and(|unseen| !unseen.is_empty()), "{checks:?}");
    }
    // The rule is back; one cluster is gone for certain, another one is only not seen.
    site.server.route(&format!("{}/cacheRules", registry()), &json!([{
        "id": format!("{}/cacheRules/aks-managed-mcr", registry()),
        "properties": { "sourceRepository": "mcr.microsoft.com/*", "targetRepository": "aks-managed-repository/*", "provisioningState": "Succeeded" },
    }]));
    let cluster = |number: u32| {
        format!(
            "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/prod-rg/providers/Microsoft.ContainerService/managedClusters/aks{number}"
        )
    };
    site.server.graph(|graph| {
        let gone = [cluster(1).to_lowercase(), cluster(2).to_lowercase()];
        graph.rows.retain(|row| !gone.contains(&row.value["id"].as_str().unwrap_or_default().to_lowercase()));
    });
    site.server.route(&cluster(1), &Value::Null);
    site.server.fault(&cluster(2), Fault::Status(403));
    let (report, _) = judged(&site, &["--depth", "graph", "--previous", &former]);
    let of = |list: &str| -> BTreeSet<String> {
        let hits = report["trend"][list].as_array().expect("a list").iter();
        hits.map(|hit| hit["cluster"].as_str().expect("an id").rsplit('/').next().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(of("new"), BTreeSet::new(), "{report}");
    assert_eq!(of("fixed"), ["aks1", "aks3", "aks4", "aks5"].map(str::to_owned).into());
    assert_eq!(of("unseen"), BTreeSet::from(["aks2".to_owned()]), "403 is no proof of absence");
    assert_eq!(of("unchanged"), BTreeSet::from(["aks3".to_owned()]));
    let events = fleet(&site, &["--depth", "graph", "--previous", &former, "--output", "servicenow"]);
    let events: Value = serde_json::from_slice(&events.stdout).expect("JSON");
    let cleared = events["records"].as_array().expect("records").iter().filter(|own| own["severity"] == "0").count();
    assert_eq!(cleared, 0, "the second cluster may still have it");
}

/// What is accepted, not asked for, or only assumed is told in formats that know findings and no clusters, too.
#[test]
fn every_format_tells_what_does_not_count() {
    let (site, _) = broken();
    let former = site.path("former.json").display().to_string();
    fleet(&site, &["--depth", "graph", "--output", &format!("json={former}")]);
    let said = |more: &[&str]| {
        let output = fleet(&site, &[&["--depth", "graph"], more].concat());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let accepted = ["--baseline", &former];
    let with = |format: &'static str| [&accepted[..], &["--output", format]].concat();
    let sarif: Value = serde_json::from_str(&said(&with("sarif"))).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results").clone();
    assert!(!results.is_empty() && results.iter().all(|own| own["suppressions"].is_array()), "{sarif}");
    let junit = said(&with("junit"));
    assert!(junit.contains("<skipped message=\"accepted: ") && junit.contains("failures=\"0\""), "{junit}");
    let events: Value = serde_json::from_str(&said(&with("servicenow"))).expect("JSON");
    assert!(!events["records"].as_array().expect("records").is_empty(), "{events}");
    // A former warning does not make an error known.
    let mut milder: Value = serde_json::from_slice(&std::fs::read(&former).expect("a file")).expect("JSON");
    milder["findings"].as_array_mut().expect("findings").iter_mut().for_each(|own| own["severity"] = json!("warning"));
    let file = site.path("milder.json");
    std::fs::write(&file, milder.to_string()).expect("written");
    let (report, code) = judged(&site, &["--depth", "graph", "--baseline", &file.display().to_string()]);
    assert_eq!(code, Some(1), "{report}");
    // Whoever asks for one check learns nothing of what else a cluster has.
    let one = ["--check", "cache-rules"];
    let (report, _) = judged(&site, &[&["--depth", "graph"], &one[..]].concat());
    let causes = report["causes"].as_array().expect("causes").clone();
    assert!(!causes.is_empty() && causes.iter().all(|own| own["healsAlone"] == json!([])), "{report}");
    for format in ["table", "markdown", "html", "sarif"] {
        let text = said(&[&one[..], &["--output", format]].concat());
        assert!(text.contains("not asked for"), "{format}: {text}");
    }
    for format in ["jsonl", "csv", "sarif", "junit", "servicenow", "openmetrics"] {
        let change = ["--what-if", "delete registry contosoboot", "--output", format];
        let output = fleet(&site, &[&["--depth", "graph"], &change[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(stderr(&output).contains("ask for table, json, markdown or html"), "{}", stderr(&output));
    }
}

/// A run that saves what it gathers.
fn saving(site: &Site, depth: &str, saved: &Path) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("aksiso"));
    command.env_clear().env("SSL_CERT_FILE", site.path("ca.pem")).env("AZURE_AUTHORITY_HOST", site.server.url());
    command.env("AKSISO_ARM_ENDPOINT", site.server.url()).env("AZURE_CLIENT_SECRET", crate::server::SECRET);
    command.env("AZURE_TENANT_ID", "00000000-aaaa-bbbb-cccc-000000000000").env("AZURE_CLIENT_ID", "x");
    command.args(["fleet", "--depth", depth, "--save"]).arg(saved);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Presses Ctrl-C and waits for the end.
fn interrupt(child: &mut Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    assert_eq!(ended(child).code(), Some(130));
}

/// Runs until nothing new is asked any more because of something that never answers, then stops it with Ctrl-C.
fn interrupted(site: &Site, depth: &str, hangs: &str) -> Value {
    site.server.fault(hangs, Fault::NoAnswer);
    let saved = site.path("fleet.state");
    let mut child = saving(site, depth, &saved);
    let hung = |(_, path): &(String, String)| path.to_lowercase().contains(&hangs.to_lowercase());
    let mut asked = 0;
    while !site.server.requests().iter().any(hung) || site.server.requests().len() > asked {
        asked = site.server.requests().len();
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    interrupt(&mut child);
    serde_json::from_slice(&std::fs::read(saved).expect("a file")).expect("JSON")
}

/// Each answer is kept as it comes, whatever it was asked together with.
#[test]
fn ctrl_c_loses_no_answer_that_came() {
    let (site, _) = broken();
    let kept = interrupted(&site, "confirm", &site.cluster.replace("aks1", "aks2"));
    let confirmed = kept["fleet"]["confirmed"].as_object().expect("clusters");
    assert_eq!(confirmed.len(), 4, "all but the one that hangs: {:?}", confirmed.keys());
    assert_eq!(kept["fleet"]["doubtsSettled"], false);
    let (site, _) = sharing(1..=2);
    let kept = interrupted(&site, "graph", crate::server::graph::PATH);
    assert_eq!(kept["fleet"]["rows"]["clusters"]["gaps"][0]["reason"], "timedOut", "{kept}");
}

#[test]
fn ctrl_c_keeps_what_was_gathered() {
    let (site, _) = sharing(1..=2);
    site.server.fault(&format!("{}/cacheRules", registry()), Fault::NoAnswer);
    let saved = site.path("fleet.state");
    let mut child = saving(&site, "graph", &saved);
    while !site.server.requests().iter().any(|(_, path)| path.contains("/cacheRules")) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    interrupt(&mut child);
    let output = fleet(&site, &["--output", "json", "--from", &saved.display().to_string()]);
    let kept = report(&output);
    assert_eq!(output.status.code(), Some(3), "what was not asked is unknown: {kept}");
    assert_eq!(kept["summary"]["clusters"], 2);
}
