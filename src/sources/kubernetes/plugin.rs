//! A kubeconfig's sign-in plug-in (`exec`), such as kubelogin: run once, without a terminal, and ended with us.

use std::collections::HashMap;
use std::process::Output;

use kube::config::{ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use tokio::time::Instant;

use crate::sources::process;
use crate::text;

/// Longest piece of a plug-in's own words that is shown.
const WORDS: usize = 300;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plugin {
    command: String,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    /// `KUBERNETES_EXEC_INFO`.
    info: String,
    /// What the kubeconfig says to do where the program is not there.
    hint: Option<String>,
}

/// What a plug-in gave.
#[derive(Debug)]
pub enum Credential {
    Token(String),
    Certificate { certificate: Vec<u8>, key: Vec<u8> },
}

#[derive(Deserialize)]
struct Answer {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Plugin {
    /// Reads the `exec` of a user.
    ///
    /// # Errors
    /// Where it cannot be run without a person.
    pub fn of(exec: &ExecConfig, cluster: Option<&ExecAuthCluster>) -> Result<Self, String> {
        let command = exec.command.clone().filter(|command| !command.is_empty());
        let command = command.ok_or("its exec plug-in names no command")?;
        if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
            return Err("its exec plug-in needs a terminal (interactiveMode: Always)".to_owned());
        }
        let mut spec = json!({ "interactive": false });
        if let Some(cluster) = cluster {
            spec["cluster"] = serde_json::to_value(cluster).map_err(|_| "its cluster is no JSON")?;
        }
        let info = json!({ "kind": "ExecCredential", "apiVersion": exec.api_version, "spec": spec }).to_string();
        let pair = |entry: &HashMap<String, String>| Some((entry.get("name")?.clone(), entry.get("value")?.clone()));
        let environment = exec.env.iter().flatten().filter_map(pair).collect();
        let hint = exec.install_hint.clone().filter(|hint| !hint.trim().is_empty());
        Ok(Self { command, args: exec.args.clone().unwrap_or_default(), environment, info, hint })
    }

    /// Runs it.
    ///
    /// # Errors
    /// A sentence with what it wrote to standard error: escaped, bounded and without secrets. What it printed may be a
    /// token, and is never shown.
    pub async fn run(&self, until: Instant) -> Result<Credential, String> {
        let name = text::clean(&text::bounded(&self.command, 100));
        let mut command = Command::new(&self.command);
        command.args(&self.args).envs(self.environment.iter().cloned()).env("KUBERNETES_EXEC_INFO", &self.info);
        let mut complaint = Vec::new();
        let ran = tokio::time::timeout_at(until, process::run_with(command, &mut complaint)).await;
        let said = said(&complaint);
        match ran {
            Err(_) => Err(format!("sign-in plug-in {name} did not end in time{said}")),
            Ok(Err(error)) => {
                let missing = error.kind() == std::io::ErrorKind::NotFound;
                let hint = self.hint.as_deref().filter(|_| missing);
                let hint =
                    hint.map_or_else(String::new, |hint| format!("; {}", text::clean(&text::bounded(hint, WORDS))));
                Err(format!("sign-in plug-in {name} cannot be run: {error}{hint}"))
            }
            Ok(Ok(output)) if !output.status.success() => {
                Err(format!("sign-in plug-in {name} failed ({}){said}", output.status))
            }
            Ok(Ok(output)) => credential(&output)
                .ok_or_else(|| format!("sign-in plug-in {name} printed no credential (ExecCredential){said}")),
        }
    }
}

/// What it wrote to standard error, as the end of a sentence.
fn said(complaint: &[u8]) -> String {
    let words = String::from_utf8_lossy(complaint);
    let words = text::clean(&text::bounded(text::without_secrets(words.trim()).as_str(), WORDS));
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

/// JSON as a rule; client-go takes YAML too.
fn credential(output: &Output) -> Option<Credential> {
    let status = serde_saphyr::from_slice::<Answer>(&output.stdout).ok()?.status?;
    match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => {
            Some(Credential::Certificate { certificate: certificate.into_bytes(), key: key.into_bytes() })
        }
        _ => status
            .token
            .filter(|token| !token.trim().is_empty())
            .map(|token| Credential::Token(token.trim().to_owned())),
    }
}
