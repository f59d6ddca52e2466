//! A server with what a user of it needs, and the binary to run against it.

use std::process::{Child, ExitStatus, Output};
use std::time::Duration;

use serde_json::Value;

use crate::server::{KUBE_TOKEN, SECRET, Server};

/// After this long a test that waits is given up: no measure of speed, only an end. Above every time limit of a run.
const PATIENCE: Duration = Duration::from_secs(90);

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

    pub fn kubeconfig(&self, server: &str) -> String {
        self.kubeconfig_with(server, &format!("{{token: {KUBE_TOKEN}}}"))
    }

    pub fn kubeconfig_with(&self, server: &str, user: &str) -> String {
        let ca = self.path("ca.pem").display().to_string();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters:\n- name: c\n  cluster: {{server: '{server}', certificate-authority: '{ca}'}}\ncontexts:\n- name: it\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {user}\n"
        )
    }

    pub fn write_kubeconfig(&self, kubeconfig: &str) {
        std::fs::write(self.path("kubeconfig"), kubeconfig).expect("written");
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
        command.timeout(PATIENCE);
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

/// What the report says of the first thing that a check could not see.
pub fn gap(output: &Output, check: &str) -> String {
    let whole = report(output);
    let mut checks = whole["checks"].as_array().expect("checks").iter();
    let check = checks.find(|entry| entry["id"] == check).expect("the check");
    check["gaps"][0]["detail"].as_str().unwrap_or_default().to_owned()
}

/// The status of a check.
pub fn status(output: &Output, check: &str) -> Value {
    let whole = report(output);
    let mut checks = whole["checks"].as_array().expect("checks").iter();
    checks.find(|entry| entry["id"] == check).expect("the check")["status"].clone()
}

pub fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("no report: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for a program to end; one that does not is killed, and fails the test.
pub fn ended(child: &mut Child) -> ExitStatus {
    for _ in 0..PATIENCE.as_millis() / 20 {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    panic!("it did not end");
}
