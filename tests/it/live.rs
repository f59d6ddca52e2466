//! The binary end to end against a TLS server: Entra ID, Azure Resource Manager and the Kubernetes API.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixtures;
use crate::server::{Fault, KUBE_TOKEN, SECRET, Server, TOKEN};

/// A server with what a user of it needs, and the binary to run against it.
pub struct Site {
    pub server: Server,
    pub folder: tempfile::TempDir,
    pub cluster: String,
}

impl Site {
    pub fn new(snapshot: &Value) -> Self {
        let server = Server::start(snapshot);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), &server.certificate).expect("written");
        let cluster = snapshot["evidence"]["cluster"]["id"].as_str().expect("an id").to_owned();
        let site = Self { server, folder, cluster };
        std::fs::write(site.path("kubeconfig"), site.kubeconfig(&site.server.url())).expect("written");
        site
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn kubeconfig(&self, server: &str) -> String {
        self.kubeconfig_with(server, &format!("{{token: {KUBE_TOKEN}}}"))
    }

    pub fn kubeconfig_with(&self, server: &str, user: &str) -> String {
        let ca = self.path("ca.pem").display().to_string();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters:\n- name: c\n  cluster: {{server: '{server}', certificate-authority: '{ca}'}}\ncontexts:\n- name: it\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {user}\n"
        )
    }

    pub fn command(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
        command.env_clear().env("HOME", self.folder.path()).env("PATH", "");
        command.env("SSL_CERT_FILE", self.path("ca.pem")).env("AZURE_AUTHORITY_HOST", self.server.url());
        command.env("AKSISO_ARM_ENDPOINT", self.server.url());
        command
            .env("AZURE_TENANT_ID", "00000000-aaaa-bbbb-cccc-000000000000")
            .env("AZURE_CLIENT_ID", "11111111-aaaa-bbbb-cccc-000000000000");
        command.env("AZURE_CLIENT_SECRET", SECRET);
        command.timeout(Duration::from_secs(90));
        command
    }

    /// `diagnose` of the live cluster, as JSON.
    pub fn diagnose(&self, more: &[&str]) -> Output {
        self.diagnose_as("json", more)
    }

    pub fn diagnose_as(&self, format: &str, more: &[&str]) -> Output {
        let mut command = self.command();
        command.args(["diagnose", "--cluster-id", &self.cluster, "--kubeconfig"]).arg(self.path("kubeconfig"));
        command.args(["--output", format]).args(more);
        command.output().expect("it runs")
    }
}

pub fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("no report: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn offline(snapshot: &Value, folder: &Path) -> Output {
    let path = folder.join("snapshot.json");
    std::fs::write(&path, snapshot.to_string()).expect("written");
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.env_clear().args(["diagnose", "--output", "json", "--from"]).arg(path).output().expect("it runs")
}

/// What must be the same however the evidence came in: everything but the time and the wording of gaps.
fn essence(report: &Value) -> (Value, Vec<(Value, Value)>) {
    let checks = report["checks"].as_array().expect("checks").iter();
    (report["findings"].clone(), checks.map(|check| (check["id"].clone(), check["status"].clone())).collect())
}

/// Live, every fixture gives the same findings, fingerprints, statuses and exit code as from its snapshot; nothing is
/// asked twice, nothing unknown is asked, and nothing is written.
#[test]
fn live_and_snapshot_say_the_same_for_every_fixture() {
    let mut most = (0, String::new());
    for (name, snapshot) in fixtures::all() {
        // These two rest on how long ago something was, and a live run has a clock of its own.
        if name.ends_with("-young") {
            continue;
        }
        let unreachable = snapshot["evidence"]["kubernetes"]["nodes"]["missing"]["reason"] == "unreachable";
        let site = Site::new(&snapshot);
        if unreachable {
            std::fs::write(site.path("kubeconfig"), site.kubeconfig("https://127.0.0.1:1")).expect("written");
        }
        let (live, from) = (site.diagnose(&[]), offline(&snapshot, site.folder.path()));
        let (left, right) = (essence(&report(&live)), essence(&report(&from)));
        assert_eq!(left.1, right.1, "{name}\n{}", stderr(&live));
        for (one, other) in left.0.as_array().into_iter().flatten().zip(right.0.as_array().into_iter().flatten()) {
            assert_eq!(one, other, "{name}");
        }
        assert_eq!(left.0, right.0, "{name}");
        assert_eq!(live.status.code(), from.status.code(), "{name}");
        let requests = site.server.requests();
        let distinct: BTreeSet<_> = requests.iter().collect();
        assert_eq!(distinct.len(), requests.len(), "{name}: something was asked twice: {requests:?}");
        let writes: Vec<_> =
            requests.iter().filter(|(method, path)| method != "GET" && !path.ends_with("/oauth2/v2.0/token")).collect();
        assert!(writes.is_empty(), "{name}: {writes:?}");
        let unexpected: Vec<String> =
            site.server.unexpected().into_iter().filter(|path| !expected_absence(path)).collect();
        assert!(unexpected.is_empty(), "{name}: asked for what nobody told of: {unexpected:?}");
        let arm = requests.iter().filter(|(_, path)| path.starts_with("/subscriptions")).count();
        if arm > most.0 {
            most = (arm, name);
        }
        site.server.stop();
    }
    eprintln!("most ARM calls: {} ({})", most.0, most.1);
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

#[test]
fn throttling_is_obeyed_when_short_and_reported_when_long() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let rules = format!("{}/cacheRules", fixtures::healthy("byo").registry_id().expect("a registry"));
    site.server.fault(&rules, Fault::Once(429, 1));
    assert_eq!(site.diagnose(&[]).status.code(), Some(0));
    site.server.fault(&rules, Fault::RetryAfter(429, 600));
    let started = Instant::now();
    let output = site.diagnose(&[]);
    assert!(started.elapsed() < Duration::from_secs(8), "it waited {:?}", started.elapsed());
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the server asks to wait 600 s"));
}

#[test]
fn an_endless_wait_or_body_ends_in_time() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let registry = fixtures::healthy("byo").registry_id().expect("a registry").to_string();
    for fault in [Fault::NoAnswer, Fault::Huge] {
        site.server.fault(&registry, fault.clone());
        let started = Instant::now();
        let output = site.diagnose(&["--timeout", "3s"]);
        assert!(started.elapsed() < Duration::from_secs(10), "{fault:?}: {:?}", started.elapsed());
        assert_eq!(output.status.code(), Some(3), "{fault:?}: {}", stderr(&output));
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
        let started = Instant::now();
        let output =
            command.args(["diagnose", "--cluster-id", &site.cluster, "--no-kubernetes"]).output().expect("it runs");
        assert!(started.elapsed() < Duration::from_secs(10), "{endpoint}: {:?}", started.elapsed());
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
fn a_refused_sign_in_says_what_was_wrong() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let mut command = site.command();
    command.env("AZURE_CLIENT_SECRET", "wrong");
    let output = command.args(["diagnose", "--cluster-id", &site.cluster]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("AADSTS7000215") && said.contains("create a new one"), "{said}");
    let mut command = site.command();
    command
        .env_remove("AZURE_CLIENT_SECRET")
        .env_remove("AZURE_TENANT_ID")
        .env("IDENTITY_ENDPOINT", "http://127.0.0.1:1")
        .env("IDENTITY_HEADER", "x");
    let output = command.args(["diagnose", "--cluster-id", &site.cluster]).output().expect("it runs");
    let said = stderr(&output);
    for method in [
        "environment: AZURE_TENANT_ID is not set",
        "workload-identity: AZURE_FEDERATED_TOKEN_FILE is not set",
        "managed-identity:",
        "azure-pipelines: AZURESUBSCRIPTION",
        "az:",
        "azd:",
    ] {
        assert!(said.contains(method), "{method} in: {said}");
    }
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_certificate_signs_in_too() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let certificate = rcgen::CertificateParams::new(["aksiso".to_owned()])
        .expect("parameters")
        .self_signed(&key)
        .expect("a certificate");
    std::fs::write(site.path("sp.pem"), format!("{}{}", certificate.pem(), key.serialize_pem())).expect("written");
    let mut command = site.command();
    command.env_remove("AZURE_CLIENT_SECRET").env("AZURE_CLIENT_CERTIFICATE_PATH", site.path("sp.pem"));
    let output = command
        .args(["diagnose", "--no-kubernetes", "--allow-incomplete", "--cluster-id", &site.cluster])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
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

/// Without a kubeconfig, Azure's own credential is fetched; where it would start kubelogin, our sign-in steps in.
#[test]
fn azure_gives_the_credential_where_no_kubeconfig_fits() {
    let site = Site::new(&fixtures::healthy_json("byo"));
    let kubelogin = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, args: [get-token, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630]}}";
    for user in [format!("{{token: {KUBE_TOKEN}}}"), kubelogin.to_owned()] {
        let kubeconfig = site.kubeconfig_with(&site.server.url(), &user);
        let encoded = azure_core::base64::encode(kubeconfig);
        let answer = serde_json::json!({ "kubeconfigs": [{ "name": "clusterUser", "value": encoded }] });
        site.server.route(&format!("{}/listClusterUserCredential", site.cluster), &answer);
        let mut command = site.command();
        let output = command
            .args(["diagnose", "-v", "--output", "json", "--cluster-id", &site.cluster])
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).contains("Kubernetes API: listClusterUserCredential"), "{}", stderr(&output));
    }
    let posts: Vec<_> =
        site.server.requests().into_iter().filter(|(method, _)| method == "POST").map(|(_, path)| path).collect();
    assert!(
        posts.iter().all(|path| path.contains("/oauth2/v2.0/token") || path.contains("/listClusterUserCredential")),
        "{posts:?}"
    );
}

/// A context of this cluster whose plug-in is not on this machine is no dead end; without Azure's credential it is named.
#[test]
fn a_missing_kubelogin_is_made_up_for() {
    let mut snapshot = fixtures::healthy_json("byo");
    snapshot["evidence"]["cluster"]["properties"]["fqdn"] = "127.0.0.1".into();
    let site = Site::new(&snapshot);
    let kubelogin = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, args: [get-token]}}";
    let kubeconfig = site.kubeconfig_with(&site.server.url(), kubelogin);
    std::fs::write(site.path("kubeconfig"), &kubeconfig).expect("written");
    let run = || {
        let mut command = site.command();
        command.env("KUBECONFIG", site.path("kubeconfig"));
        command.args(["diagnose", "-v", "--output", "json", "--cluster-id", &site.cluster]).output().expect("it runs")
    };

    let output = run();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("sign-in plug-in failed"));

    let answer = serde_json::json!({ "kubeconfigs": [{ "value": azure_core::base64::encode(&kubeconfig) }] });
    site.server.route(&format!("{}/listClusterUserCredential", site.cluster), &answer);
    let output = run();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("Kubernetes API: context it"), "{}", stderr(&output));
    assert!(stderr(&output).contains("Kubernetes API: listClusterUserCredential"), "{}", stderr(&output));
}

/// `az` signs in and names the subscription; one that hangs does not hang aksiso.
#[test]
fn the_azure_cli_signs_in_and_names_the_subscription() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new(&fixtures::healthy_json("byo"));
    let az = site.path("az");
    let script = format!(
        "#!/bin/sh\ncase \"$2\" in\nshow) echo '{{\"id\": \"11111111-2222-3333-4444-555555555555\"}}';;\n*) echo '{{\"accessToken\": \"{TOKEN}\", \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}';;\nesac\n"
    );
    let run = |script: &str| {
        std::fs::write(&az, script).expect("written");
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let mut command = site.command();
        command.env("PATH", site.folder.path()).env_remove("AZURE_CLIENT_SECRET").env_remove("AZURE_TENANT_ID");
        let args = [
            "diagnose",
            "-g",
            "prod-rg",
            "-n",
            "aks1",
            "--no-kubernetes",
            "--allow-incomplete",
            "--timeout",
            "4s",
            "-v",
        ];
        let started = Instant::now();
        let output = command.args(args).output().expect("it runs");
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        output
    };
    let output = run(&script);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("signed in by az"));
    let output =
        run("#!/bin/sh\necho \"ERROR: AADSTS700082: The refresh token has expired due to inactivity.\" >&2; exit 1\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("AADSTS700082"), "{}", stderr(&output));
    let output = run("#!/bin/sh\nwhile :; do :; done\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did not answer in time"), "{}", stderr(&output));
    let left = std::process::Command::new("ps")
        .arg("ax")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let az = az.display().to_string();
    assert!(!left.is_ok_and(|processes| processes.contains(&az)), "az is still running");
}

/// Ctrl-C ends a run at once, whatever it waits for, and leaves nothing behind.
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
    let interrupted = Instant::now();
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let status = child.wait().expect("it ends");
    assert!(interrupted.elapsed() < Duration::from_secs(1), "{:?}", interrupted.elapsed());
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
