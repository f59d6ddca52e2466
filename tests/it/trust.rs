//! What an operator has to be able to trust: nothing is written anywhere, nothing secret comes out, the permissions that
//! are printed are those that are asked for, and Azure's patience is not tried.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::process::{Output, Stdio};
use std::time::Duration;

use aksiso::app::cli::Cli;
use aksiso::checks::catalogue;
use aksiso::report::permissions::Permissions;
use clap::CommandFactory as _;
use serde_json::json;

use crate::fixtures;
use crate::fleet::{settle, tenant};
use crate::matrix::{FIXTURES, permission};
use crate::server::{Fault, KUBE_TOKEN, SECRET, TOKEN};
use crate::site::{Site, ended, report, stderr};

/// How each subcommand is run against a server; one that is not here fails the test.
fn arguments(subcommand: &str, site: &Site) -> Vec<Vec<String>> {
    let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let snapshot = fixtures::folder().join("example.json").display().to_string();
    let live = |words: &str| {
        let kubeconfig = site.path("kubeconfig").display().to_string();
        let target = ["--cluster-id".to_owned(), site.cluster.clone(), "--kubeconfig".to_owned(), kubeconfig];
        words.split(' ').map(str::to_owned).chain(target).collect::<Vec<_>>()
    };
    let file = |name: &str| site.path(name).display().to_string();
    match subcommand {
        "diagnose" => vec![
            live("diagnose"),
            live(&format!("diagnose --output json --plan {}", file("plan.sh"))),
            words(&format!("diagnose --from {snapshot}")),
            vec!["diagnose".to_owned(), "--cluster-id".to_owned(), site.cluster.clone()],
        ],
        "collect" => vec![
            live(&format!("collect -o {}", file("s.json"))),
            live(&format!("collect --anonymize --anonymize-map {} -o {}", file("m.json"), file("a.json"))),
        ],
        "preflight" => {
            let manifests = fixtures::folder().join("manifests/shop.yaml").display().to_string();
            vec![
                live(&format!("preflight {manifests}")),
                live(&format!("preflight {manifests} --registry --output json")),
                words(&format!("preflight {manifests} --from {snapshot}")),
            ]
        }
        "cutover" => {
            let registry = fixtures::healthy("byo").registry_id().expect("a registry").to_string();
            vec![
                live("cutover"),
                live(&format!("cutover --output json --to-registry {registry}")),
                live("cutover --to direct"),
                words(&format!("cutover --from {snapshot}")),
            ]
        }
        "fleet" => {
            let saved = file("fleet.state");
            vec![
                words(&format!("fleet --save {saved} --export-snapshots {}", file("snapshots"))),
                words("fleet --depth graph --output json"),
                words("fleet --depth deep --where all -s 11111111-2222-3333-4444-555555555555"),
                words(&format!("fleet --from {saved} --output html")),
            ]
        }
        // As the kubelet nobody is asked here: that is held by the tests of the probe.
        "probe" => vec![
            words(&format!("probe --from {snapshot} --timeout 1s")),
            words(&format!("probe --script --from {snapshot}")),
            words("probe --how"),
        ],
        "checks" | "permissions" => vec![words(subcommand), words(&format!("{subcommand} --output json"))],
        "explain" => vec![words("explain cache-rules"), words("explain layers")],
        "compare" => {
            let report = file("report.json");
            let run =
                site.command().args(["diagnose", "--output", &format!("json={report}"), "--from", &snapshot]).output();
            assert!(run.is_ok());
            vec![words(&format!("compare {report} {report}"))]
        }
        "doctor" => vec![live("doctor"), live("doctor --output json"), words("doctor")],
        "schema" => vec![words("schema report")],
        "completions" => vec![words("completions bash")],
        "man" => vec![words("man")],
        "help" => vec![words("help")],
        other => panic!("{other}: say here how it is run against a server"),
    }
}

/// Whatever is run, on a healthy cluster and on broken ones: only reads are sent.
#[test]
fn no_subcommand_ever_writes() {
    let mut sent = BTreeSet::new();
    for case in ["three-faults", "many-managed", "dns-zone-missing", "scale-up-failing-node-claim"] {
        let snapshot = fixtures::case(&fixtures::folder().join(format!("cases/{case}.json"))).1;
        let site = Site::new(&snapshot);
        settle(&site, &snapshot);
        tenant(&site);
        for subcommand in Cli::command().get_subcommands() {
            for arguments in arguments(subcommand.get_name(), &site) {
                let output = site.command().args(&arguments).output().expect("it runs");
                assert!(output.status.code().is_some(), "{arguments:?}");
            }
        }
        sent.extend(site.server.requests());
        site.server.stop();
    }
    let reading_posts = [
        "/oauth2/v2.0/token",
        "/listClusterUserCredential",
        "/oauth2/exchange",
        "/oauth2/token",
        "/providers/Microsoft.ResourceGraph/resources",
    ];
    for (method, url) in &sent {
        let path = url.split('?').next().unwrap_or_default();
        let reads = method == "GET" || (method == "POST" && reading_posts.iter().any(|end| path.ends_with(end)));
        assert!(reads, "{method} {url}");
    }
    assert!(sent.iter().any(|(method, url)| method == "POST" && url.contains("listClusterUserCredential")));
    eprintln!("{} different requests, all of them reads", sent.len());
}

fn all_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(output))
}

const CANARIES: [&str; 12] = [
    TOKEN,
    SECRET,
    KUBE_TOKEN,
    "CANARY-annotation",
    "CANARY-redirect-secret",
    "CANARY-environment",
    "CANARY-label",
    "CANARY-tag",
    "CANARY-plugin",
    "CANARY-kubeconfig-password",
    "CANARY-body",
    "CANARY-file",
];

/// Secrets in every place where aksiso meets them: none of them in any output, log, snapshot, map, plan or error.
#[test]
fn no_canary_sings() {
    let mut snapshot = fixtures::case(&fixtures::folder().join("cases/three-faults.json")).1;
    snapshot["evidence"]["cluster"]["tags"] = json!({ "owner": "CANARY-tag" });
    snapshot["evidence"]["cluster"]["properties"]["linuxProfile"] = json!({ "ssh": "CANARY-tag" });
    snapshot["evidence"]["cluster"]["properties"]["httpProxyConfig"] =
        json!({ "httpsProxy": "http://user:CANARY-tag@proxy:8080/", "enabled": true, "trustedCa": "CANARY-tag" });
    let site = Site::new(&snapshot);
    let pod = json!({
        "metadata": { "namespace": "n", "name": "p", "annotations": { "a": "CANARY-annotation" }, "labels": { "l": "CANARY-label" } },
        "spec": { "containers": [{ "name": "c", "image": "contosoboot.azurecr.io/a:1", "env": [{ "name": "P", "value": "CANARY-environment" }], "args": ["CANARY-environment"] }] },
        "status": { "phase": "Pending", "containerStatuses": [{ "name": "c", "image": "contosoboot.azurecr.io/a:1", "state": { "waiting": {
            "reason": "ErrImagePull",
            "message": "failed to do request: Head \"https://user:CANARY-body@contosoboot.azurecr.io/v2/a?sig=CANARY-body\": Authorization: Bearer CANARY-body1 403 Forbidden" } } }] },
    });
    site.server.route("/api/v1/pods", &json!([pod]));
    let body = "{\"access_token\":\"CANARY-body\"}";
    site.server
        .route(&format!("{}/agentPools/apps/upgradeProfiles/default", site.cluster), &json!({ "message": body }));
    let runs: Vec<Vec<String>> = arguments("diagnose", &site).into_iter().chain(arguments("collect", &site)).collect();
    let mut seen = 0;
    for fault in [None, Some(Fault::Status(403)), Some(Fault::Status(500)), Some(Fault::WrongTypes), Some(Fault::Reset)]
    {
        site.server.clear();
        if let Some(fault) = fault {
            let registry = fixtures::healthy("byo").registry_id().expect("a registry").to_string();
            site.server.fault(&registry, fault);
        }
        for arguments in &runs {
            let output = site.command().args(arguments).arg("-vvv").output().expect("it runs");
            check_secrecy(&all_of(&output), arguments);
            seen += output.stdout.len() + output.stderr.len();
        }
        for file in ["s.json", "a.json", "m.json", "plan.sh"] {
            check_secrecy(&std::fs::read_to_string(site.path(file)).expect("it was written"), &[file.to_owned()]);
        }
    }
    assert!(seen > 100_000, "only {seen} bytes were looked at");
}

fn check_secrecy(text: &str, what: &[String]) {
    for canary in CANARIES {
        let at = text.find(canary).map(|at| text[at.saturating_sub(200)..].chars().take(300).collect::<String>());
        assert_eq!(at, None, "{canary} in {what:?}");
    }
}

/// A pipe or a device that output is sent to stays what it is: who runs as root would lose /dev/null. A link leads to its file.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let (pipe, file, link) =
        (folder.path().join("pipe"), folder.path().join("file.json"), folder.path().join("link.json"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    std::fs::write(&file, "old").expect("written");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe).expect("a report")
    });
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.args(["diagnose", "--no-config", "--from"]).arg(fixtures::folder().join("example.json"));
    command.arg("--output").arg(format!("json={}", pipe.display()));
    let output = command.arg("--output").arg(format!("jsonl={}", link.display())).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::metadata(&pipe).expect("it is there").file_type().is_fifo());
    assert!(reader.join().expect("read").contains("\"findings\""));
    assert!(link.is_symlink() && std::fs::read_to_string(&file).expect("a file").contains("fingerprint"));
}

/// What stands in files that are not what they should be does not come out in the error either.
#[test]
fn errors_about_files_do_not_quote_them() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let secret = "users: [{name: u, user: {password: CANARY-kubeconfig-password}}]\n\tCANARY-file: [";
    std::fs::write(site.path("kubeconfig"), secret).expect("written");
    std::fs::write(site.path("bad.pem"), "-----BEGIN PRIVATE KEY-----\nCANARY-file\n-----END PRIVATE KEY-----\n")
        .expect("written");
    std::fs::write(
        site.path("bad.json"),
        "{\"format\": \"aksiso-snapshot\", \"version\": 1, \"evidence\": {\"cluster\": \"CANARY-file\"}}",
    )
    .expect("written");
    let output = site.diagnose(&["-vvv"]);
    assert_eq!(output.status.code(), Some(2));
    check_secrecy(&all_of(&output), &["kubeconfig".to_owned()]);
    let mut command = site.command();
    command.env_remove("AZURE_CLIENT_SECRET").env("AZURE_CLIENT_CERTIFICATE_PATH", site.path("bad.pem"));
    let output = command.args(["diagnose", "--cluster-id", &site.cluster, "-vvv"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    check_secrecy(&all_of(&output), &["certificate".to_owned()]);
    let plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: /bin/sh, args: [-c, 'echo CANARY-plugin; echo password=CANARY-plugin >&2; exit 1']}}";
    std::fs::write(site.path("kubeconfig"), site.kubeconfig_with(&site.server.url(), plugin)).expect("written");
    let output = site.diagnose(&["-vvv"]);
    assert_eq!(output.status.code(), Some(3));
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!report.contains("CANARY-plugin"), "{report}");
}

/// Every run's requests need exactly what `permissions` prints: for all checks together, and never more than it prints
/// for one of them alone.
#[test]
fn printed_permissions_are_those_that_runs_ask_for() {
    let mut asked = BTreeSet::new();
    for (name, snapshot) in fixtures::all() {
        let chosen = FIXTURES.contains(&name.as_str());
        if !chosen && !name.len().is_multiple_of(5) {
            continue;
        }
        let site = Site::new(&snapshot);
        site.diagnose(&[]);
        asked.extend(site.server.requests().iter().filter_map(|(method, url)| permission(method, path_of(url))));
        if chosen {
            one_by_one(&site, &name);
        }
        site.server.stop();
    }
    let all = Permissions::of(catalogue::ALL);
    let azure = all.azure.iter().map(|(api, _)| api.action.to_owned());
    let printed: BTreeSet<String> = azure.chain(all.kubernetes.iter().map(|(own, _)| own.words())).collect();
    let unprinted: Vec<_> = asked.difference(&printed).collect();
    assert!(unprinted.is_empty(), "asked, but not printed: {unprinted:?}");
    // These are asked only where a kubeconfig, the cluster's own list of pools, its name or its registry is missing, which
    // no fixture is run with.
    let rare = [
        "listClusterUserCredential/action",
        "agentPools/read",
        "Microsoft.Resources/subscriptions/read",
        "subscriptions/providers/read",
    ];
    let idle: Vec<_> =
        printed.difference(&asked).filter(|action| !rare.iter().any(|end| action.ends_with(end))).collect();
    assert!(idle.is_empty(), "printed, but never asked: {idle:?}");
}

fn path_of(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

fn one_by_one(site: &Site, name: &str) {
    for check in catalogue::ALL {
        site.server.clear();
        site.diagnose(&["--check", check.about.id]);
        let own = Permissions::of(&[check]);
        let azure = own.azure.iter().map(|(api, _)| api.action.to_owned());
        let printed: BTreeSet<String> = azure.chain(own.kubernetes.iter().map(|(own, _)| own.words())).collect();
        for (method, url) in site.server.requests() {
            if let Some(needed) = permission(&method, path_of(&url)) {
                // Whose nodes they are is always looked at first.
                let nodes = needed == aksiso::evidence::calls::kubernetes::KubernetesCall::NODES.words();
                assert!(printed.contains(&needed) || nodes, "{name}: {} asks for {needed}", check.about.id);
            }
        }
    }
}

/// A throttled call is made once more, and all calls of a run carry one correlation id, which `-v` shows. That the others
/// wait meanwhile is told in `patience`.
#[test]
fn throttled_calls_are_made_again_under_the_same_correlation_id() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    site.server.fault(&site.cluster, Fault::Once(429, 1));
    let output = site.diagnose(&["-v"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let asked = site.server.requests().iter().filter(|(_, url)| path_of(url) == site.cluster).count();
    assert_eq!(asked, 2);
    let correlations = site.server.correlations();
    assert_eq!(correlations.len(), 1, "{correlations:?}");
    let log = stderr(&output);
    assert!(log.contains(correlations.first().expect("one")), "{log}");
    assert!(log.contains("x-ms-ratelimit-remaining-subscription-reads: 249 left for this sign-in"), "{log}");
    let other = Site::new(&fixtures::healthy_json("byo"));
    other.diagnose(&[]);
    assert_ne!(other.server.correlations(), correlations, "each run has its own");
}

/// `--wait` asks again until it is well, in between only for the checks that are not settled, and at the end for all.
#[test]
fn waiting_asks_only_for_what_is_not_settled() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let rules = format!("{}/cacheRules", fixtures::healthy("byo").registry_id().expect("a registry"));
    site.server.fault(&rules, Fault::Status(403));
    let (output, requests) = std::thread::scope(|scope| {
        let run = scope.spawn(|| site.diagnose(&["--wait", "--wait-interval", "2s", "--wait-timeout", "60s"]));
        let asked = || site.server.requests().iter().filter(|(_, url)| path_of(url) == rules).count();
        while asked() < 2 {
            std::thread::sleep(Duration::from_millis(50));
        }
        let requests = site.server.requests();
        site.server.clear();
        (run.join().expect("it ends"), requests)
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(report(&output)["checks"].as_array().expect("checks").len(), catalogue::ALL.len());
    assert!(stderr(&output).contains("asking again in"), "{}", stderr(&output));
    let records = requests.iter().filter(|(_, url)| path_of(url).ends_with("azurecr.io/A")).count();
    assert_eq!(records, 1, "DNS was well, and is asked for only at the end");
    let late = site.diagnose(&["--wait", "--wait-interval", "1s", "--wait-timeout", "1s"]);
    assert_eq!(late.status.code(), Some(0));
}

/// With one call at a time, no call begins before the one before it was answered.
#[test]
fn concurrency_is_what_was_asked_for() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    site.server.delay(Duration::from_millis(5));
    let whole = report(&site.diagnose(&["--concurrency", "1"]));
    assert_eq!(whole["verdict"], "healthy");
    assert_eq!(site.server.at_a_time(), 1);
    assert_eq!(report(&site.diagnose(&[]))["verdict"], "healthy");
    assert!(site.server.at_a_time() > 1, "what can be asked at a time is");
    for bad in ["0", "65", "many"] {
        let output = site.diagnose(&["--concurrency", bad]);
        assert_eq!(output.status.code(), Some(2), "{bad}");
    }
}

/// Ctrl-C and a request to terminate end a run wherever it is: reading a snapshot that never ends, writing to a reader
/// that does not read. Without them it would wait for ever.
#[test]
fn an_interruption_ends_any_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let big = large_snapshot(folder.path());
    let whole = std::fs::read(&big).expect("a snapshot");
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        for arguments in [vec!["diagnose", "--from", "-"], vec!["diagnose", "--from", big.as_str(), "--output", "json"]]
        {
            let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("aksiso"));
            command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let mut child = command.spawn().expect("it starts");
            let mut input = child.stdin.take().expect("a pipe");
            if arguments.contains(&"-") {
                // Once all but the end is written, which is more than a pipe holds, the program is reading.
                input.write_all(&whole[..whole.len() - 1]).expect("it reads");
            } else {
                let mut first = [0];
                child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("it writes");
            }
            assert!(child.try_wait().expect("a child").is_none(), "{arguments:?} did not wait");
            let sent =
                std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
            assert!(sent.success());
            assert_eq!(ended(&mut child).code(), Some(code), "{arguments:?}");
        }
    }
}

/// A snapshot that is larger than what a pipe holds, and so is its report.
fn large_snapshot(folder: &std::path::Path) -> String {
    let big = folder.join("big.json");
    let mut snapshot = fixtures::named("cases/three-faults");
    let used: Vec<_> = (0..400)
        .map(|n| json!({ "image": format!("docker.io/library/n{n}:1"), "containers": 1, "example": "a/b" }))
        .collect();
    snapshot["evidence"]["kubernetes"]["images"]["known"]["used"] = json!(used);
    snapshot["evidence"]["cluster"]["tags"] = json!({ "long": "x".repeat(1 << 18) });
    std::fs::write(&big, snapshot.to_string()).expect("written");
    big.display().to_string()
}
