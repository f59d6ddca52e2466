//! The binary end to end against a TLS server: Entra ID, Azure Resource Manager and the Kubernetes API.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use aksiso::app::exit::{Exit, FailOn};
use serde_json::{Value, json};

use crate::server::{Fault, KUBE_TOKEN, SECRET, TOKEN};
use crate::site::{Site, ended, report, stderr};
use crate::{fixtures, in_parallel, judged};

/// What must be the same however the evidence came in: everything but the time and the wording of gaps.
fn essence(report: &Value) -> (Value, Vec<(Value, Value)>) {
    let checks = report["checks"].as_array().expect("checks").iter();
    (report["findings"].clone(), checks.map(|check| (check["id"].clone(), check["status"].clone())).collect())
}

/// Live, every fixture gives the same findings, fingerprints, statuses and exit code as from its snapshot; nothing is
/// asked twice, nothing unknown is asked, and nothing is written.
#[test]
fn live_and_snapshot_say_the_same_for_every_fixture() {
    let most = Mutex::new((0, String::new()));
    // Some rest on how long ago something was, and a live run has a clock of its own.
    let timeless = |(name, snapshot): &(String, Value)| !name.ends_with("-young") && probes(snapshot).is_empty();
    let fixtures = fixtures::all().into_iter().filter(timeless).collect();
    in_parallel::each(4, fixtures, |(name, snapshot): (String, Value)| {
        let calls = says_the_same(&name, &snapshot);
        let mut most = most.lock().expect("a lock");
        *most = std::mem::take(&mut *most).max((calls, name));
    });
    let (calls, name) = most.into_inner().expect("a lock");
    eprintln!("most ARM calls: {calls} ({name})");
}

fn probes(snapshot: &Value) -> Vec<Value> {
    snapshot["evidence"]["probes"].as_array().cloned().unwrap_or_default()
}

/// Probe files that are named on the command line count live as they do in a snapshot; both are twenty minutes old.
#[test]
fn probe_files_count_live_as_in_a_snapshot() {
    let counting = |(_, snapshot): &(String, Value)| {
        let probes = probes(snapshot);
        !probes.is_empty() && probes.iter().all(|own| own["probe"]["takenAt"] == "2026-11-20T11:40:00Z")
    };
    let fixtures: Vec<(String, Value)> = fixtures::all().into_iter().filter(counting).collect();
    assert!(fixtures.len() > 20, "{}", fixtures.len());
    in_parallel::each(4, fixtures, |(name, snapshot): (String, Value)| {
        let site = Site::new(&snapshot);
        let taken = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(20);
        let mut arguments = Vec::new();
        for (at, own) in probes(&snapshot).into_iter().enumerate() {
            let mut probe = own["probe"].clone();
            probe["takenAt"] = taken.to_string().into();
            let file = site.path(&format!("{at}-{}", own["file"].as_str().expect("a name")));
            std::fs::write(&file, probe.to_string()).expect("written");
            arguments.extend(["--probe".to_owned(), file.display().to_string()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let live = site.diagnose(&arguments);
        let from = serde_json::from_str(&judged::json(&fixtures::evidence(&snapshot))).expect("a report");
        assert_eq!(verdicts(&report(&live)), verdicts(&from), "{name}\n{}", stderr(&live));
        site.server.stop();
    });
}

/// Findings by fingerprint with their severities, and the statuses of the checks.
fn verdicts(report: &Value) -> (BTreeSet<String>, Vec<(Value, Value)>) {
    let findings = report["findings"].as_array().expect("findings").iter();
    let shown = findings.map(|own| format!("{} {} {}", own["rule"], own["severity"], own["fingerprint"]));
    (shown.collect(), essence(report).1)
}

/// Compares a live run with its snapshot; gives the number of calls to ARM.
fn says_the_same(name: &str, snapshot: &Value) -> usize {
    let site = Site::new(snapshot);
    if snapshot["evidence"]["kubernetes"]["nodes"]["missing"]["reason"] == "unreachable" {
        std::fs::write(site.path("kubeconfig"), site.kubeconfig("https://127.0.0.1:1")).expect("written");
    }
    let evidence = fixtures::evidence(snapshot);
    let from = serde_json::from_str(&judged::json(&evidence)).expect("a report");
    let code = Exit::of(&judged::diagnose(&evidence), FailOn::Error, false).code();
    let live = site.diagnose(&[]);
    let (left, right) = (essence(&report(&live)), essence(&from));
    assert_eq!(left.1, right.1, "{name}\n{}", stderr(&live));
    for (one, other) in left.0.as_array().into_iter().flatten().zip(right.0.as_array().into_iter().flatten()) {
        assert_eq!(one, other, "{name}");
    }
    assert_eq!(left.0, right.0, "{name}");
    assert_eq!(live.status.code(), Some(code.into()), "{name}");
    let requests = site.server.requests();
    let distinct: BTreeSet<_> = requests.iter().collect();
    assert_eq!(distinct.len(), requests.len(), "{name}: something was asked twice: {requests:?}");
    let writes: Vec<_> =
        requests.iter().filter(|(method, path)| method != "GET" && !path.ends_with("/oauth2/v2.0/token")).collect();
    assert!(writes.is_empty(), "{name}: {writes:?}");
    let unexpected: Vec<String> = site.server.unexpected().into_iter().filter(|path| !expected_absence(path)).collect();
    assert!(unexpected.is_empty(), "{name}: asked for what nobody told of: {unexpected:?}");
    site.server.stop();
    requests.iter().filter(|(_, path)| path.starts_with("/subscriptions")).count()
}

/// What a fixture does not describe: a network on which nothing rests there.
fn expected_absence(path: &str) -> bool {
    path.contains("/virtualnetworks/other-vnet") || path == "/rt"
}

#[test]
fn a_snapshot_of_a_live_run_gives_the_same_report_byte_for_byte() {
    let site = Site::new(&fixtures::case(&fixtures::folder().join("cases/three-faults.json")).1);
    let file = site.path("collected.json");
    let mut collect = site.command();
    let output = collect
        .args(["collect", "--cluster-id", &site.cluster, "--kubeconfig"])
        .arg(site.path("kubeconfig"))
        .arg("-o")
        .arg(&file)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = std::fs::read_to_string(&file).expect("the snapshot");
    assert!(!text.contains("CANARY"), "a secret is in the snapshot");
    let run = || {
        assert_cmd::Command::cargo_bin("aksiso")
            .expect("the binary")
            .args(["diagnose", "--output", "json", "--from"])
            .arg(&file)
            .output()
            .expect("it runs")
    };
    let (first, second) = (run(), run());
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.status.code(), Some(1));
    assert_eq!(essence(&report(&first)), essence(&report(&site.diagnose(&[]))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn no_secret_reaches_any_output() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    site.server.fault(&format!("{}/agentPools/apps/upgradeProfiles/default", site.cluster), Fault::Status(500));
    for format in ["json", "table"] {
        let output = site.diagnose_as(format, &["-vv"]);
        let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        for canary in [TOKEN, SECRET, KUBE_TOKEN, "CANARY-annotation", "CANARY-redirect-secret"] {
            assert!(!all.contains(canary), "{canary} in: {all}");
        }
        assert!(stderr(&output).contains("signed in by environment"), "{}", stderr(&output));
    }
}

#[test]
fn a_forbidden_list_names_the_permission_and_the_role() {
    let site = Site::new(&fixtures::case(&fixtures::folder().join("cases/role-assignments-forbidden.json")).1);
    let output = site.diagnose(&[]);
    assert_eq!(output.status.code(), Some(3));
    let report = report(&output);
    let check = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|check| check["id"] == "kubelet-acrpull")
        .expect("the check");
    assert_eq!(check["status"], "undetermined");
    let gap = &check["gaps"][0];
    assert_eq!(gap["needed"], "Microsoft.Authorization/roleAssignments/read");
    assert_eq!(gap["role"], "Reader");
    assert!(gap["scope"].as_str().expect("a scope").contains("/registries/contosoboot"));
    assert!(gap["detail"].as_str().expect("a detail").starts_with("403 AuthorizationFailed"));
    assert_eq!(site.diagnose(&["--allow-incomplete"]).status.code(), Some(0));
}

/// A cluster whose own answer lists no pools is asked for them; a refusal is named, and what rests on them is not known.
#[test]
fn pools_that_the_cluster_does_not_list_are_asked_for() {
    let mut snapshot = fixtures::healthy_json("byo");
    let pools = snapshot["evidence"]["pools"]["agentPools"]["known"].take();
    let properties = snapshot["evidence"]["cluster"]["properties"].as_object_mut().expect("properties");
    properties.remove("agentPoolProfiles");
    snapshot["evidence"]["pools"]["agentPools"]["known"] = json!([]);
    let site = Site::new(&snapshot);
    let path = format!("{}/agentPools", site.cluster);
    site.server.fault(&path, Fault::Status(403));
    let refused = report(&site.diagnose(&["--check", "outbound"]));
    assert_eq!(refused["checks"][0]["gaps"][0]["needed"], "Microsoft.ContainerService/managedClusters/agentPools/read");
    assert_eq!(refused["checks"][0]["status"], "undetermined");

    let site = Site::new(&snapshot);
    let item = |pool: &Value| json!({ "name": pool["name"], "properties": pool });
    let items: Vec<Value> = pools.as_array().expect("pools").iter().map(item).collect();
    site.server.route(&path, &json!(items));
    let seen = report(&site.diagnose(&["--check", "outbound"]));
    assert_eq!(seen["checks"][0]["status"], "passed", "{seen}");
}

#[test]
fn throttling_is_obeyed_when_short_and_reported_when_long() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let rules = format!("{}/cacheRules", fixtures::healthy("byo").registry_id().expect("a registry"));
    site.server.fault(&rules, Fault::Once(429, 1));
    assert_eq!(site.diagnose(&[]).status.code(), Some(0));
    site.server.clear();
    site.server.fault(&rules, Fault::RetryAfter(429, 600));
    let output = site.diagnose(&[]);
    let asked = site.server.requests().iter().filter(|(_, url)| url.starts_with(&rules)).count();
    assert_eq!(asked, 1, "a wait that is too long is not begun");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the server asks to wait 600 s"));
}

/// The server would hang for longer than a run may take: that it ends, with the gap, is what its time limits are for.
#[test]
fn an_endless_wait_or_body_ends_in_time() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let registry = fixtures::healthy("byo").registry_id().expect("a registry").to_string();
    for (fault, why) in [(Fault::NoAnswer, "did not answer in time"), (Fault::Huge, "larger than 32 MiB")] {
        site.server.fault(&registry, fault.clone());
        let output = site.diagnose(&["--timeout", "6s"]);
        assert_eq!(output.status.code(), Some(3), "{fault:?}: {}", stderr(&output));
        let all = report(&output);
        let gaps = all["checks"].as_array().expect("checks").iter().filter_map(|check| check["gaps"].as_array());
        let said = gaps.flatten().any(|gap| gap["detail"].as_str().is_some_and(|detail| detail.contains(why)));
        assert!(said, "{fault:?}: {all}");
    }
}

#[test]
fn the_hosts_that_fail_are_told_apart() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let ask = |endpoint: &str, ca: bool| {
        let mut command = site.command();
        command.env("AKSISO_ARM_ENDPOINT", endpoint);
        if !ca {
            command.env_remove("SSL_CERT_FILE");
            let empty = site.path("empty.pem");
            std::fs::write(
                &empty,
                rcgen::generate_simple_self_signed(["x".to_owned()]).expect("a certificate").cert.pem(),
            )
            .expect("written");
            command.env("SSL_CERT_FILE", empty);
        }
        let output =
            command.args(["diagnose", "--cluster-id", &site.cluster, "--no-kubernetes"]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{endpoint}");
        stderr(&output)
    };
    assert!(ask("https://127.0.0.1:1", true).contains("refuses the connection"));
    assert!(ask("https://no-such-host.invalid", true).contains("does not resolve"));
    assert!(ask(&site.server.url(), false).contains("certificate is not trusted"));
}

#[test]
fn a_cluster_that_does_not_exist_is_answered_with_those_that_do() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    for (wrong, hint) in [
        ("prod-rg/aks2", "did you mean aks1 in resource group prod-rg"),
        ("other-rg/aks1", "a cluster of that name is at: /subscriptions/"),
    ] {
        let (group, name) = wrong.split_once('/').expect("two names");
        let mut command = site.command();
        let output = command
            .args(["diagnose", "-s", "11111111-2222-3333-4444-555555555555", "-g", group, "-n", name])
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(hint), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_kubeconfig_of_another_cluster_is_not_believed() {
    let mut snapshot = fixtures::healthy_json("byo");
    for node in snapshot["evidence"]["kubernetes"]["nodes"]["known"].as_array_mut().expect("nodes") {
        let provider = node["providerId"].as_str().expect("an id").replace("MC_prod-rg_aks1", "MC_test-rg_aks9");
        node["providerId"] = provider.into();
    }
    let site = Site::new(&snapshot);
    let output = site.diagnose(&[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&output.stdout)
            .contains("belongs to another cluster: its nodes lie in resource group MC_test-rg_aks9")
    );
}

/// Ctrl-C ends a run, whatever it waits for, and leaves nothing behind: the exit code tells it from a time limit.
#[test]
fn ctrl_c_ends_a_run_at_once() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    site.server.fault(&site.cluster, Fault::NoAnswer);
    let file = site.path("never.json");
    let binary = assert_cmd::cargo::cargo_bin("aksiso");
    let mut command = std::process::Command::new(binary);
    command.env_clear().env("SSL_CERT_FILE", site.path("ca.pem")).env("AZURE_AUTHORITY_HOST", site.server.url());
    command.env("AKSISO_ARM_ENDPOINT", site.server.url()).env("AZURE_CLIENT_SECRET", SECRET);
    command.env("AZURE_TENANT_ID", "00000000-aaaa-bbbb-cccc-000000000000").env("AZURE_CLIENT_ID", "x");
    command.args(["collect", "--no-kubernetes", "--cluster-id", &site.cluster, "-o"]).arg(&file);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    while !site.server.requests().iter().any(|(_, path)| path.starts_with(&site.cluster)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let status = ended(&mut child);
    assert_eq!(status.code(), Some(130));
    let left: Vec<_> = std::fs::read_dir(site.folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().contains("never") && !name.to_string_lossy().starts_with(".aksiso-")),
        "{left:?}"
    );
}
