//! Runs a program and looks at it from outside.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::SECRET;

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    /// Peak resident memory, in MiB.
    pub peak: f64,
    /// Time on the processors, in seconds (Linux counts in hundredths).
    pub processor: f64,
    pub code: Option<i32>,
}

/// Runs a program to its end.
pub fn run(mut command: Command) -> Cost {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let times = format!("/proc/{}/stat", child.id());
    let (mut peak, mut processor) = (0_f64, 0_f64);
    loop {
        if let Ok(text) = std::fs::read_to_string(&times) {
            // Fields 14 and 15, counted behind the name in parentheses.
            let fields: Vec<f64> = text
                .rsplit(')')
                .next()
                .into_iter()
                .flat_map(str::split_whitespace)
                .filter_map(|field| field.parse().ok())
                .collect();
            // The state is a letter and not among them.
            processor = fields.get(10).zip(fields.get(11)).map_or(processor, |(user, system)| (user + system) / 100.0);
        }
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            peak = kib.map_or(peak, |kib| peak.max(kib / 1024.0));
        }
        if let Some(status) = child.try_wait().expect("a child") {
            return Cost { wall: started.elapsed(), peak, processor, code: status.code() };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What several runs cost: the least time, in which the machine disturbed least, and the most memory.
pub fn best(times: usize, command: impl Fn() -> Command) -> Cost {
    let runs = (0..times).map(|_| run(command()));
    let cheaper = |one: Cost, other: Cost| Cost {
        wall: one.wall.min(other.wall),
        processor: one.processor.min(other.processor),
        peak: one.peak.max(other.peak),
        code: if one.code == other.code { one.code } else { None },
    };
    runs.reduce(cheaper).expect("a run")
}

/// The program that is measured.
pub fn aksiso() -> Command {
    Command::new(env!("CARGO_BIN_EXE_aksiso"))
}

/// The program against a server that is Entra ID, ARM and Kubernetes.
pub fn against(url: &str, folder: &Path) -> Command {
    let mut command = aksiso();
    command.env_clear().env("HOME", folder).env("SSL_CERT_FILE", folder.join("ca.pem"));
    command.env("AZURE_AUTHORITY_HOST", url).env("AKSISO_ARM_ENDPOINT", url).env("AZURE_CLIENT_SECRET", SECRET);
    command.env("AZURE_TENANT_ID", "00000000-aaaa-bbbb-cccc-000000000000").env("AZURE_CLIENT_ID", "x");
    command
}

/// A kubeconfig for that server.
pub fn kubeconfig(url: &str, folder: &Path) -> std::path::PathBuf {
    let path = folder.join("kubeconfig");
    let ca = folder.join("ca.pem").display().to_string();
    let token = crate::server::KUBE_TOKEN;
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters:\n- name: c\n  cluster: {{server: '{url}', certificate-authority: '{ca}'}}\ncontexts:\n- name: it\n  context: {{cluster: c, user: u}}\nusers:\n- name: u\n  user: {{token: {token}}}\n"
    );
    std::fs::write(&path, text).expect("written");
    path
}
