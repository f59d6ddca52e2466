//! The command line as its users meet it: output, errors, exit codes. Nothing here touches a network.

use std::io::Write as _;
use std::process::Output;

use serde_json::Value;

use crate::{fixtures, snapshots};

fn run(args: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.env_clear().env("PATH", "").args(args).output().expect("it runs")
}

fn example(args: &[&str]) -> Output {
    let path = snapshots::example();
    let mut all = vec!["diagnose", "--from", path.to_str().expect("a path")];
    all.extend(args);
    run(&all)
}

fn healthy(name: &str, args: &[&str]) -> Output {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), fixtures::healthy_json(name).to_string()).expect("written");
    let mut all = vec!["diagnose", "--from", file.path().to_str().expect("a path")];
    all.extend(args);
    run(&all)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Wrong usage: exit 2, nothing on stdout, and an error that names what was wrong and what to do.
fn refused(args: &[&str], words: &[&str]) {
    let output = run(args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}: {}", stdout(&output));
    for word in words {
        assert!(said.contains(word), "{args:?}: no {word:?} in: {said}");
    }
}

/// Tickets, alerts and baselines are about what is.
#[test]
fn assumptions_feed_no_ticket_alert_or_baseline() {
    let path = snapshots::example();
    let from = ["diagnose", "--from", path.to_str().expect("a path"), "--what-if", "delete registry"];
    for acting in
        [&["--output", "servicenow"][..], &["--output", "openmetrics"], &["--baseline", "x", "--update-baseline"]]
    {
        refused(&[&from[..], acting].concat(), &[acting.last().expect("a word"), "--what-if"]);
    }
}

/// What another cluster had is not fixed because this one lacks it.
#[test]
fn a_previous_report_is_of_the_same_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let former = folder.path().join("former.json");
    let report = stdout(&example(&["--output", "json"])).replace("managedClusters/aks1", "managedClusters/other");
    std::fs::write(&former, report).expect("written");
    let path = snapshots::example();
    let from = ["diagnose", "--from", path.to_str().expect("a path"), "--output", "servicenow", "--previous"];
    refused(&[&from[..], &[former.to_str().expect("a path")]].concat(), &["another cluster", "managedClusters/other"]);
}

#[test]
fn exit_codes_are_the_same_in_every_format() {
    for format in ["table", "json"] {
        let with = |more: &[&str]| example(&[&["--output", format], more].concat()).status.code();
        assert_eq!(with(&[]), Some(1));
        assert_eq!(with(&["--fail-on", "never"]), Some(0));
        assert_eq!(with(&["--check", "cache-rules"]), Some(0));
        let quiet = |name: &str, more: &[&str]| healthy(name, &[&["--output", format], more].concat()).status.code();
        assert_eq!(quiet("byo", &["--fail-on", "info"]), Some(0));
        assert_eq!(quiet("cut-over", &["--fail-on", "warning"]), Some(0));
        assert_eq!(quiet("cut-over", &["--fail-on", "info"]), Some(1));
    }
}

#[test]
fn incomplete_is_3_unless_it_is_allowed() {
    let (_, snapshot) = fixtures::case(&fixtures::folder().join("cases/role-assignments-forbidden.json"));
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(snapshot.to_string().as_bytes()).expect("written");
    let path = file.path().to_str().expect("a path");
    let code = |more: &[&str]| run(&[&["diagnose", "--from", path], more].concat()).status.code();
    assert_eq!(code(&[]), Some(3));
    assert_eq!(code(&["--fail-on", "never"]), Some(3));
    assert_eq!(code(&["--allow-incomplete"]), Some(0));
    assert_eq!(code(&["--skip", "kubelet-acrpull"]), Some(0));
}

#[test]
fn the_json_report_keeps_its_contract() {
    let report: Value = serde_json::from_str(&stdout(&example(&["--output", "json"]))).expect("JSON");
    assert_eq!(report["schemaVersion"], "1");
    assert_eq!(report["tool"]["name"], "aksiso");
    assert_eq!(report["collectedAt"], "2026-11-20T12:00:00Z");
    assert_eq!(report["verdict"], "findings");
    let summary = &report["summary"];
    assert_eq!(
        [&summary["error"], &summary["warning"], &summary["info"], &summary["undetermined"]],
        [&serde_json::json!(5), &serde_json::json!(0), &serde_json::json!(0), &serde_json::json!(0)]
    );
    assert_eq!((&summary["rootCauses"], &summary["symptoms"]), (&serde_json::json!(3), &serde_json::json!(2)));
    let states: Vec<&str> =
        report["chain"].as_array().expect("a chain").iter().filter_map(|link| link["state"].as_str()).collect();
    assert_eq!(states, ["broken", "broken", "ok", "broken", "ok", "unseen", "ok", "ok"]);
    for key in [
        "id",
        "name",
        "resourceGroup",
        "location",
        "kubernetesVersion",
        "artifactSource",
        "outboundType",
        "registryId",
        "registryOwnership",
    ] {
        assert!(report["cluster"][key].is_string(), "cluster.{key}");
    }
    let check = &report["checks"][0];
    assert_eq!(
        (&check["id"], &check["status"], &check["reason"]),
        (&"bootstrap-profile".into(), &"passed".into(), &Value::Null)
    );
    assert_eq!(check["gaps"], serde_json::json!([]));
    let finding = &report["findings"][0];
    for key in ["rule", "check", "severity", "title", "detail", "fingerprint"] {
        assert!(finding[key].is_string(), "findings[].{key}");
    }
    for (key, inner) in [
        ("subject", "kind"),
        ("subject", "id"),
        ("subject", "name"),
        ("remediation", "kind"),
        ("remediation", "summary"),
        ("remediation", "docs"),
    ] {
        assert!(finding[key][inner].is_string(), "findings[].{key}.{inner}");
    }
    assert!(finding["evidence"][0]["source"].as_str().expect("a source").starts_with("GET /subscriptions/"));
    assert!(finding["remediation"]["commands"][0].as_str().expect("a command").starts_with("az "));
    assert_eq!(finding["causedBy"], serde_json::json!([]));
}

#[test]
fn the_same_snapshot_gives_the_same_bytes() {
    assert_eq!(example(&["--output", "json"]).stdout, example(&["--output", "json"]).stdout);
    let from_stdin = {
        let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
        let bytes = std::fs::read(snapshots::example()).expect("the example");
        command.args(["diagnose", "--from", "-", "--output", "json"]).write_stdin(bytes).output().expect("it runs")
    };
    assert_eq!(example(&["--output", "json"]).stdout, from_stdin.stdout);
}

#[test]
fn a_pipe_gets_no_colour_and_no_line_needs_it() {
    let text = stdout(&example(&[]));
    assert!(!text.contains('\u{1b}'));
    for word in [
        "UNHEALTHY  aks1 (prod-rg) - 3 root causes, 2 symptoms; 3 pods cannot pull",
        " 1 x dns-record-missing",
        "aksiso explain dns-record-missing",
        "x #2 acrpull",
    ] {
        assert!(text.contains(word), "{word} in: {text}");
    }
}

#[test]
fn text_of_a_cluster_steers_neither_terminal_nor_pipeline() {
    let mut snapshot = fixtures::healthy_json("byo");
    let properties = &mut snapshot["evidence"]["cluster"]["properties"];
    properties["provisioningState"] = "Failed".into();
    properties["status"] = serde_json::json!({ "provisioningError": { "code": "\u{1b}[2J::error::x", "message": "\n::error file=x::owned\n##vso[task.setvariable]x ##[error] \u{202e}desrever \u{9b}31m" } });
    properties["agentPoolProfiles"][0]["name"] = "a'; touch /tmp/owned; '".into();
    snapshot["evidence"]["pools"]["agentPools"]["known"][0]["name"] = "a'; touch /tmp/owned; '".into();
    snapshot["evidence"]["kubernetes"]["nodes"]["known"][0]["agentPool"] = "a'; touch /tmp/owned; '".into();
    snapshot["evidence"]["kubernetes"]["nodes"]["known"][0]["created"] = "2025-01-01T00:00:00Z".into();
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(snapshot.to_string().as_bytes()).expect("written");
    let path = file.path().to_str().expect("a path");
    for format in ["table", "json"] {
        let output = run(&["diagnose", "--from", path, "--output", format]);
        let text = stdout(&output);
        assert!(
            !text.contains("##") && !text.contains('\u{1b}') && !text.contains('\u{9b}') && !text.contains('\u{202e}'),
            "{text}"
        );
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
        let json = format == "json";
        let quoted = if json { "-n 'a'\\\\''; touch /tmp/owned; '\\\\'''" } else { "-n " };
        assert!(
            text.contains(quoted)
                || text.contains("-n \"a'; touch /tmp/owned; '\"")
                || text.contains("-n \\\"a'; touch /tmp/owned; '\\\""),
            "{text}"
        );
    }
}

#[test]
fn wrong_usage_says_what_was_expected() {
    refused(&["diagnose"], &["no cluster is named", "-g GROUP -n NAME", "--from FILE"]);
    refused(&["diagnose", "-g", "rg"], &["--name"]);
    refused(&["diagnose", "-n", "x"], &["az has no default resource group", "-g GROUP"]);
    refused(&["diagnose", "-g", "r/g", "-n", "x"], &["--resource-group \"r/g\"", "letters, digits"]);
    refused(&["diagnose", "-g", "rg", "-n", "x", "-s", "Production"], &["no sign-in to Azure"]);
    refused(&["diagnose", "--cluster-id", "aks1"], &["not the id of a cluster", "/subscriptions/", "az aks show"]);
    refused(&["diagnose", "--cluster-id", "/x", "-g", "rg", "-n", "x"], &["cannot be used with"]);
    refused(&["diagnose", "--from", "x.json", "-g", "rg", "-n", "x"], &["cannot be used with"]);
    refused(
        &["diagnose", "--from", "x.json", "--check", "cache-rule"],
        &["cache-rule", "similar value exists: 'cache-rules'"],
    );
    refused(
        &["diagnose", "--from", "x.json", "--check", "cache-rules", "--skip", "node-image"],
        &["cannot be used with"],
    );
    refused(&["diagnose", "--from", "x.json", "--timeout", "soon"], &["60s or 2m"]);
    refused(&["diagnose", "-g", "rg", "-n", "x", "--arm-endpoint", "http://arm"], &["https://"]);
    refused(
        &["diagnose", "-g", "rg", "-n", "x", "--kubeconfig", "/no/such/file"],
        &["/no/such/file cannot be read", "--no-kubernetes"],
    );
    refused(&["explain", "acrpull-misssing"], &["did you mean acrpull-missing?"]);
    refused(&["explain", "\u{1b}[31m"], &["\\u{1b}[31m"]);
    refused(&["collect", "-g", "rg", "-n", "x"], &["--output"]);
}

#[test]
fn a_file_that_is_no_snapshot_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.json");
    let whole = std::fs::read_to_string(snapshots::example()).expect("the example");
    let newer = whole.replacen("\"version\": 1", "\"version\": 2", 1);
    let kubeconfig = "apiVersion: v1\nkind: Config\n";
    for (content, words) in [
        (&whole[..whole.len() / 2], "is cut short"),
        (newer.as_str(), "has snapshot version 2; this aksiso reads versions up to 1"),
        (kubeconfig, "it is not a JSON object"),
        ("", "it is empty"),
        ("{\"a\": 1}", "it does not say \"format\": \"aksiso-snapshot\""),
        ("{\"format\": \"aksiso-snapshot\", \"version\": 1, \"evidence\": {\"cluster\": 5}}", "is not a snapshot"),
    ] {
        std::fs::write(&path, content).expect("written");
        refused(&["diagnose", "--from", path.to_str().expect("a path")], &[words, "hint:"]);
    }
    refused(&["diagnose", "--from", "/no/such/file"], &["cannot be read"]);
}

#[test]
fn a_gigabyte_of_zeros_is_refused_at_once() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(1 << 30).expect("a sparse file");
    refused(&["diagnose", "--from", file.path().to_str().expect("a path")], &["it is not a JSON object"]);
}

#[test]
fn checks_and_pages_are_printed() {
    let list = stdout(&run(&["checks"]));
    let json: Value = serde_json::from_str(&stdout(&run(&["checks", "--output", "json"]))).expect("JSON");
    for check in json.as_array().expect("checks") {
        let id = check["id"].as_str().expect("an id");
        assert!(list.contains(id));
        assert!(stdout(&run(&["explain", id])).starts_with(id));
        for rule in check["rules"].as_array().expect("rules") {
            let rule = rule["id"].as_str().expect("an id");
            assert!(list.contains(rule), "{rule}");
            let page = stdout(&run(&["explain", rule]));
            assert!(page.starts_with(rule) && page.contains("Remediation."), "{page}");
            assert!(page.lines().all(|line| line.chars().count() <= 100 || line.contains("https://")), "{page}");
        }
    }
}

#[test]
fn help_shows_the_exit_codes_and_examples() {
    assert!(stdout(&run(&["diagnose", "-h"])).contains("Exit codes:"));
    let long = stdout(&run(&["diagnose", "--help"]));
    assert!(long.contains("Exit codes:") && long.contains("Examples:"));
    assert!(stdout(&run(&["--version"])).starts_with("aksiso "));
}

#[test]
fn the_plan_is_a_script_that_asks_confirms_and_verifies() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("plan.sh");
    let output = example(&["--plan", file.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let script = std::fs::read_to_string(&file).expect("the plan");
    let steps: Vec<&str> = script.lines().filter(|line| line.starts_with("step 'Step ")).collect();
    assert_eq!(
        steps,
        ["step 'Step 1 of 3: create-dns-record'", "step 'Step 2 of 3: assign-role'", "step 'Step 3 of 3: reimage'"]
    );
    if cfg!(unix) {
        let mut run = assert_cmd::Command::new("/bin/sh");
        let output = run.arg(&file).env("PATH", "").write_stdin("y\ny\ny\n").output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("terminal") && !stderr(&output).contains("az"), "{}", stderr(&output));
    }
    let powershell = example(&["--shell", "powershell", "--plan", file.to_str().expect("a path")]);
    assert_eq!(powershell.status.code(), Some(1));
    assert!(std::fs::read_to_string(&file).expect("the plan").contains("$LASTEXITCODE"));
    refused(
        &["diagnose", "--from", snapshots::example().to_str().expect("a path"), "--plan", "/no/such/folder/plan.sh"],
        &["/no/such/folder/plan.sh cannot be written"],
    );
}

/// At a terminal, with an az and an aksiso that say what they are asked.
#[cfg(target_os = "linux")]
#[test]
fn the_plan_runs_what_is_answered_with_yes() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for (name, text) in [("az", "echo RAN $*"), ("aksiso", "echo CHECKED $*; exit ${CHECK:-0}")] {
        std::fs::write(path(name), format!("#!/bin/sh\n{text}\n")).expect("written");
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(0o755)).expect("executable");
    }
    let plan = |fixture: &str| {
        let snapshot = path("snapshot.json");
        std::fs::write(&snapshot, fixtures::named(fixture).to_string()).expect("written");
        let (snapshot, plan) = (snapshot.display().to_string(), path("plan.sh").display().to_string());
        run(&["diagnose", "--no-config", "--from", &snapshot, "--plan", &plan]);
    };
    let answered = |answers: &str, check: &str| {
        let mut shell = assert_cmd::Command::new("script");
        let line = format!("sh {}", path("plan.sh").display());
        let inherited = std::env::var("PATH").unwrap_or_default();
        shell.args(["-qec", &line, "/dev/null"]).env("PATH", format!("{}:{inherited}", folder.path().display()));
        let output = shell.env("CHECK", check).write_stdin(answers).output().expect("script of util-linux is here");
        (output.status.code(), stdout(&output).lines().filter(|line| line.contains("RAN")).count())
    };
    plan("cases/cache-rule-mismatch");
    assert_eq!(answered("y\naks-managed-mcr\n", "0"), (Some(0), 2), "deleted by name, then created");
    assert_eq!(answered("y\nsomething\n", "0"), (Some(0), 0), "another name deletes nothing");
    assert_eq!(answered("s\n", "0"), (Some(0), 0), "skipped");
    assert_eq!(answered("q\n", "0"), (Some(1), 0), "quit");
    plan("cases/acrpull-missing-anonymous");
    assert_eq!(answered("y\ny\n", "0"), (Some(0), 2), "the role, then anonymous pull off");
    assert_eq!(answered("y\ng\n", "1"), (Some(0), 1), "nothing is hardened while the check fails");
}

#[test]
fn one_fault_on_many_nodes_is_one_finding_at_the_top() {
    let mut snapshot = fixtures::healthy_json("byo");
    let evidence = &mut snapshot["evidence"];
    evidence["access"]["roleAssignments"]["known"] = serde_json::json!([]);
    let template = evidence["kubernetes"]["nodes"]["known"][0].clone();
    let nodes = (0..200).map(|number| {
        let mut node = template.clone();
        node["name"] = format!("aks-apps-11112222-vmss{number:06}").into();
        node
    });
    evidence["kubernetes"]["nodes"]["known"] = nodes.collect::<Vec<_>>().into();
    let waiting = (0..2_000).map(|number| {
        serde_json::json!({
            "namespace": "shop", "pod": format!("web-{number}"), "container": "c", "node": format!("aks-apps-11112222-vmss{:06}", number % 200),
            "image": "contosoboot.azurecr.io/shop/web:42", "reason": "ImagePullBackOff",
            "message": "failed to fetch anonymous token: unexpected status from GET request to https://contosoboot.azurecr.io/oauth2/token: 401 Unauthorized",
        })
    });
    evidence["kubernetes"]["images"]["known"]["waiting"] = waiting.collect::<Vec<_>>().into();
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(snapshot.to_string().as_bytes()).expect("written");
    let path = file.path().to_str().expect("a path");
    let report: Value =
        serde_json::from_str(&stdout(&run(&["diagnose", "--from", path, "--output", "json"]))).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert_eq!(findings[0]["rule"], "acrpull-missing");
    assert_eq!(findings[1]["causedBy"], serde_json::json!([findings[0]["fingerprint"]]));
    assert!(
        findings[1]["detail"]
            .as_str()
            .expect("a detail")
            .starts_with("2000 containers of 2000 pods on 200 nodes cannot pull")
    );
    assert_eq!(report["plan"].as_array().map(Vec::len), Some(1));
    let table = stdout(&run(&["diagnose", "--from", path]));
    assert!(table.contains("2000 pods cannot pull") && table.contains("explains pull-unauthorized"), "{table}");
    assert!(table.lines().count() < 20, "{table}");
    let table = stdout(&run(&["diagnose", "--from", path, "--details"]));
    assert!(table.contains("Explains  ERROR pull-unauthorized 2000 containers"), "{table}");
    assert!(table.lines().count() < 60, "{table}");
}

#[test]
fn the_layers_name_every_check() {
    let page = stdout(&run(&["explain", "layers"]));
    for check in aksiso::checks::catalogue::ALL {
        assert!(page.contains(check.about.id), "{} is in no layer", check.about.id);
    }
    for layer in ["Control plane", "Data plane", "Pod network", "Service", "DNS", "Egress", "Platform"] {
        assert!(page.contains(layer), "{layer}");
    }
}

#[test]
fn no_secret_of_a_cluster_is_kept() {
    let mut snapshot = fixtures::healthy_json("byo");
    let properties = &mut snapshot["evidence"]["cluster"]["properties"];
    properties["httpProxyConfig"] =
        serde_json::json!({ "httpsProxy": "http://user:CANARY-proxy@proxy.contoso.com:8080/", "noProxy": [] });
    properties["provisioningState"] = "Failed".into();
    properties["status"] = serde_json::json!({ "provisioningError": { "code": "X", "message": "GET https://store.blob.core.windows.net/x?sig=CANARY-sas failed" } });
    let evidence = fixtures::evidence(&snapshot);
    let kept = aksiso::evidence::snapshot::render(&evidence).expect("JSON");
    assert!(!kept.contains("CANARY"), "{kept}");
    assert!(kept.contains("proxy.contoso.com:8080"));
}

#[test]
fn an_image_outside_the_cache_says_how_it_can_be_pulled() {
    let printed = |case: &str| {
        let (_, snapshot) = fixtures::case(&fixtures::folder().join(format!("cases/{case}.json")));
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(snapshot.to_string().as_bytes()).expect("written");
        stdout(&run(&[
            "diagnose",
            "--output",
            "json",
            "--check",
            "image-pulls",
            "--from",
            file.path().to_str().expect("a path"),
        ]))
    };
    let with_rule = printed("image-outside-cache-with-rule");
    assert!(with_rule.contains("Write contosoboot.azurecr.io/dockerhub/redis:7 into the workload"), "{with_rule}");
    assert!(!with_rule.contains("az acr cache create"), "{with_rule}");
    let without = printed("image-outside-cache");
    for words in [
        "contosoboot.azurecr.io/docker.io/bitnami/redis:7",
        "-s 'docker.io/*' -t 'docker.io/*' -c docker-io",
        "contosoboot.azurecr.io/quay.io/prometheus/node-exporter:v1.8.0",
        "Its upstream requires credentials",
    ] {
        assert!(without.contains(words), "{words} in: {without}");
    }
    assert!(!without.contains("artifacts.contoso.com"), "{without}");
}
