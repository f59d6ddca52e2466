//! Probe files that are refused, and what a report says of those that are not.

use std::fs;

use aksiso::evidence::probe;
use serde_json::{Value, json};

use crate::fixtures;

/// The probe of a fixture.
fn good() -> Value {
    let snapshot = fixtures::named("cases/node-view-settles-own-servers");
    snapshot["evidence"]["probes"][0]["probe"].clone()
}

/// Exit code, standard output and standard error of a diagnosis with one probe file.
fn diagnose(content: &[u8]) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("node.json");
    fs::write(&file, content).expect("written");
    run(&file, &folder)
}

fn run(file: &std::path::Path, folder: &tempfile::TempDir) -> (i32, String, String) {
    let snapshot = folder.path().join("snapshot.json");
    let evidence = fixtures::named("cases/custom-dns-servers");
    fs::write(&snapshot, evidence.to_string()).expect("written");
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.args(["diagnose", "--no-config", "--output", "json", "--from"]).arg(&snapshot).arg("--probe").arg(file);
    let output = command.timeout(std::time::Duration::from_secs(30)).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_good_file_settles_what_own_servers_left_open() {
    let (code, report, _) = diagnose(good().to_string().as_bytes());
    assert_eq!(code, 0, "{report}");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["verdict"], "healthy");
    let probe = &report["probes"][0];
    assert_eq!((&probe["vantage"], &probe["used"], &probe["reason"]), (&json!("node"), &json!(true), &Value::Null));
    assert_eq!(probe["node"], "aks-apps-11112222-vmss000000");
    assert!(probe["file"].as_str().expect("a name").ends_with("node.json"));
}

#[test]
fn a_file_that_cannot_be_used_ends_the_run_with_its_name() {
    let whole = good().to_string();
    let with = |path: &str, value: Value| {
        let mut probe = good();
        *probe.pointer_mut(path).expect("a field") = value;
        probe.to_string().into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("cut", whole.as_bytes()[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("no object", b"[]".to_vec()),
        ("another version", with("/schemaVersion", json!("2"))),
        ("a number for a version", with("/schemaVersion", json!(1))),
        ("no date", with("/takenAt", json!("yesterday"))),
        ("another vantage", with("/vantage", json!("moon"))),
        ("no list", with("/results", json!({}))),
        ("an unknown kind", with("/results/0/outcome/kind", json!("perhaps"))),
        ("no address", with("/results/0/outcome/addresses/0", json!("10.1.2"))),
        ("a number for mirrors", with("/results/12/outcome/mirrors", json!(5))),
        ("a number in mirrors", with("/results/12/outcome/mirrors", json!([5]))),
        ("an object for a code", with("/results/14/outcome/exitCode", json!({}))),
        ("a code below zero", with("/results/14/outcome/exitCode", json!(-1))),
        ("too large", [whole.as_bytes(), &vec![b' '; 1 << 20]].concat()),
        ("no text", vec![0xff, 0xfe, 0]),
    ];
    for (what, content) in cases {
        let (code, _, error) = diagnose(&content);
        assert_eq!(code, 2, "{what}: {error}");
        assert!(error.contains("node.json"), "{what}: {error}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().to_owned(), folder.path().join("not-there.json")] {
        let (code, _, error) = run(&path, &folder);
        assert_eq!(code, 2, "{error}");
    }
    #[cfg(unix)]
    {
        let pipe = folder.path().join("pipe.json");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        let (code, _, error) = run(&pipe, &folder);
        assert_eq!(code, 2, "a pipe is not waited for: {error}");
    }
}

#[test]
fn a_file_without_results_counts_for_nothing() {
    for change in [|probe: &mut Value| drop(probe["results"].take()), |probe: &mut Value| probe["results"] = json!([])]
    {
        let mut probe = good();
        change(&mut probe);
        if probe["results"].is_null() {
            probe.as_object_mut().expect("an object").remove("results");
        }
        let (_, report, _) = diagnose(probe.to_string().as_bytes());
        let report: Value = serde_json::from_str(&report).expect("JSON");
        assert_eq!(report["probes"][0]["used"], false);
        assert_eq!(report["probes"][0]["reason"], "it holds no results");
        let checks = report["checks"].as_array().expect("checks");
        let own = checks.iter().find(|own| own["id"] == "node-view").expect("the check");
        assert_eq!(own["status"], "not-applicable", "{own}");
    }
}

/// An action of a registry's token stays a word; what is none may name a repository.
#[test]
fn actions_that_are_no_words_become_pseudonyms() {
    use aksiso::evidence::anonymize::{Pseudonyms, anonymize};
    let mut snapshot = fixtures::named("cases/probe-identity-contradicts");
    let results = snapshot["evidence"]["probes"][0]["probe"]["results"].as_array_mut().expect("results");
    let own = results.iter_mut().find(|own| own["probe"] == "identity").expect("an identity");
    own["outcome"]["actions"] = json!(["metadata_read", "repository:contoso-secret-app:pull"]);
    let evidence = anonymize(&fixtures::evidence(&snapshot), &mut Pseudonyms::default()).expect("JSON");
    let text = serde_json::to_string(&evidence.probes).expect("JSON");
    assert!(text.contains("metadata_read") && !text.contains("secret-app"), "{text}");
}

/// What a machine calls itself is escaped, and the first lines fit the screen as the others do.
#[test]
fn the_table_begins_with_clean_lines_that_fit() {
    let mut probe = probe::parse(good().to_string().as_bytes(), "it").expect("a probe");
    probe.host.name = "aks\u{1b}[2J\u{202e}\r\nevil".to_owned();
    probe.host.resolvers = (1..8).map(|at| format!("10.0.0.{at}\u{7}")).collect();
    let table = aksiso::report::probe::table(&probe, &[], 80);
    assert!(!table.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{table}");
    let head = table.split("\n\n").next().expect("a head");
    assert!(head.lines().count() > 1 && head.lines().all(|line| line.chars().count() <= 80), "{head}");
}

#[test]
fn unknown_fields_and_nulls_are_no_fault() {
    let mut probe = good();
    probe["later"] = json!({ "x": 1 });
    probe["results"][0]["later"] = json!(true);
    probe["results"][0]["elapsedMs"] = Value::Null;
    let (code, report, _) = diagnose(probe.to_string().as_bytes());
    assert_eq!(code, 0, "{report}");
}

#[test]
fn what_a_file_says_steers_no_terminal_and_no_pipeline() {
    let mut probe = good();
    probe["host"]["name"] = json!("##vso[task.x]\u{1b}[31m");
    probe["host"]["addresses"] = json!(["192.168.1.1"]);
    probe["results"][0]["target"] = json!("##[error]\u{202e}");
    let (code, report, _) = diagnose(probe.to_string().as_bytes());
    assert_eq!(code, 3);
    assert!(!report.contains("##") && !report.contains('\u{1b}') && !report.contains('\u{202e}'), "{report}");
}

#[test]
fn what_probe_prints_is_read_back_and_matches_its_schema() {
    let schema = aksiso::app::schema::SchemaOf::Probe.schema();
    let validator = jsonschema::validator_for(&serde_json::to_value(&schema).expect("JSON")).expect("a schema");
    for (name, snapshot) in fixtures::all() {
        for supplied in &fixtures::evidence(&snapshot).probes {
            let text = aksiso::report::probe::json(&supplied.probe).expect("JSON");
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let wrong: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}");
            assert_eq!(probe::parse(text.as_bytes(), "it").as_ref(), Ok(&supplied.probe), "{name}");
        }
    }
}

/// Said only where a probe would settle something, and only on a machine that stands in the node network.
#[test]
fn a_live_run_in_the_node_network_says_that_a_probe_would_tell_more() {
    use aksiso::answers::probe_hint::probe_hint;
    let inside = ["10.1.1.50".parse().expect("an address")];
    let hint = |fixture: &str, own: &[std::net::IpAddr]| {
        let evidence = fixtures::evidence(&fixtures::named(fixture));
        probe_hint(&crate::judged::diagnose(&evidence), own)
    };
    let said = hint("cases/custom-dns-servers", &inside).expect("a hint");
    for words in [
        "private-dns",
        "aksiso probe --login-server contosoboot.azurecr.io --region eastus --api-server aks1-x1y2z3.",
        "aksiso diagnose -g prod-rg -n aks1",
        "--probe probe.json",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(hint("cases/dns-forwarding-ruleset", &inside).is_some());
    assert!(hint("cases/private-endpoint-behind-appliance", &inside).is_some());
    assert_eq!(hint("cases/custom-dns-servers", &["192.0.2.7".parse().expect("an address")]), None);
    assert_eq!(hint("cases/node-view-settles-own-servers", &inside), None);
    assert_eq!(hint("healthy/byo", &inside), None);
}
