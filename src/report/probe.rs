//! What `probe` prints: the file itself, a table for people, the script for a node, and how to run it.

mod how;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};

pub use how::how;

use crate::checks::command::Command;
use crate::evidence::probe::{
    Connected, Handshake, HostFile, Identity, Outcome, Probe, Proxy, RegistryAnswer, Resolved,
};
use crate::text;

/// The script for a node, with places for the targets.
const SCRIPT: &str = include_str!("probe/node.sh");

/// The formats of `probe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbeFormat {
    /// For people
    Table,
    /// The file that --probe reads
    Json,
}

/// The hosts that a script asks.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    pub login_server: Option<String>,
    pub data: Vec<String>,
    /// The port of the registry's hosts.
    pub port: u16,
    pub api_server: Option<String>,
    pub api_port: u16,
    /// Hosts of the internet, with the port where it is not 443.
    pub egress: Vec<String>,
    /// Host of Microsoft's registry.
    pub mcr: String,
}

/// The probe file as text, ending in a line break.
///
/// # Errors
/// A probe that is no JSON, which does not happen.
pub fn json(probe: &Probe) -> serde_json::Result<String> {
    Ok(text::escape_json(&serde_json::to_string_pretty(probe)?) + "\n")
}

/// The script with its targets, each in quotes that a shell takes as they are.
pub fn script(targets: &Targets) -> String {
    let word = |text: &str| Command::new("").word(text).posix();
    let one = |host: Option<&String>| word(host.map_or("", String::as_str));
    let all = |hosts: &[String]| word(&hosts.join(" "));
    SCRIPT
        .replace("@SERVER@", &one(targets.login_server.as_ref()))
        .replace("@DATA@", &all(&targets.data))
        .replace("@PORT@", &targets.port.to_string())
        .replace("@API_PORT@", &targets.api_port.to_string())
        .replace("@API@", &one(targets.api_server.as_ref()))
        .replace("@MCR@", &word(&targets.mcr))
        .replace("@EGRESS@", &all(&targets.egress))
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
}

/// The table: one line a result. `expected` are the addresses that names should have.
pub fn table(probe: &Probe, expected: &[std::net::IpAddr], width: usize) -> String {
    let mut out = header(probe, width) + "\n\n";
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX)).set_header(vec!["PROBE", "TARGET", "VIA", "RESULT"]);
    for result in &probe.results {
        let mut words = words(&result.outcome);
        if let Outcome::Resolve(answer) = &result.outcome
            && !expected.is_empty()
            && !answer.addresses().is_empty()
        {
            let right = answer.addresses().iter().all(|address| expected.contains(address));
            words.push_str(if right { " (as expected)" } else { " (NOT as expected)" });
        }
        let via = result.via.as_deref().unwrap_or("");
        table.add_row([result.outcome.probe(), &result.target, via, &words].map(text::clean));
    }
    let lines = table.to_string();
    out.push_str(&lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    let untried = probe.results.iter().filter(|result| result.outcome.not_tried().is_some()).count();
    out.push_str(&format!("\n\n{}", text::count(probe.results.len(), "result")));
    if untried > 0 {
        out.push_str(&format!(", {untried} not tried"));
    }
    out.push_str(". To evaluate it for the cluster: aksiso diagnose … --probe FILE\n");
    text::for_ci_log(&out)
}

/// Who looked, and when, within the width. A name and name servers are the machine's own words.
fn header(probe: &Probe, width: usize) -> String {
    let name = text::clean(&text::bounded(&probe.host.name, 64));
    let resolvers = probe.host.resolvers.iter().map(|own| text::clean(&text::bounded(own, 64)));
    let resolvers = resolvers.collect::<Vec<_>>().join(", ");
    let whole = format!(
        "Probe of {} ({}), {}, name servers {}",
        if name.is_empty() { "this machine" } else { &name },
        probe.vantage.as_str(),
        probe.taken_at,
        if resolvers.is_empty() { "unknown" } else { &resolvers },
    );
    let mut lines: Vec<String> = Vec::new();
    for word in whole.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// What became of a probe, in words.
fn words(outcome: &Outcome) -> String {
    if let Some(reason) = outcome.not_tried() {
        return format!("not tried: {reason}");
    }
    match outcome {
        Outcome::Resolve(own) => resolved(own),
        Outcome::Connect(own) | Outcome::Egress(own) => connected(own).to_owned(),
        Outcome::Tls(own) => handshake(own),
        Outcome::Registry(own) => registry(own),
        Outcome::HostFile(own) => file(own),
        Outcome::Proxy(Proxy::Set { https, http, no_proxy }) => {
            let word = |own: &Option<String>| own.clone().unwrap_or_else(|| "-".to_owned());
            format!("https {}, http {}, except {}", word(https), word(http), word(no_proxy))
        }
        Outcome::Proxy(_) => "none".to_owned(),
        Outcome::Identity(own) => identity(own),
    }
}

fn resolved(own: &Resolved) -> String {
    let word = match own {
        Resolved::Addresses { addresses, cnames } => {
            let last = text::listed(addresses.iter().map(ToString::to_string));
            return cnames.iter().map(String::as_str).chain([last.as_str()]).collect::<Vec<_>>().join(" -> ");
        }
        Resolved::Nxdomain => "NXDOMAIN: the name does not exist",
        Resolved::NoData => "the name has no address",
        Resolved::Servfail => "SERVFAIL",
        Resolved::Refused => "REFUSED",
        Resolved::TimedOut => "no answer in time",
        Resolved::Malformed | Resolved::NotTried { .. } => "an answer that cannot be read",
    };
    word.to_owned()
}

fn connected(own: &Connected) -> &'static str {
    match own {
        Connected::Open => "open",
        Connected::Refused => "refused",
        Connected::TimedOut => "timed out",
        Connected::Unreachable | Connected::NotTried { .. } => "unreachable",
        Connected::Reset => "reset",
    }
}

fn handshake(own: &Handshake) -> String {
    let issuer = |issuer: &Option<String>| issuer.clone().unwrap_or_else(|| "unknown".to_owned());
    match own {
        Handshake::Trusted { issuer: by, .. } => format!("trusted, issuer {}", issuer(by)),
        Handshake::Untrusted { reason, issuer: by } => {
            format!("NOT trusted: {}, issuer {}", reason.as_str(), issuer(by))
        }
        Handshake::NotTls => "what answers does not speak TLS".to_owned(),
        Handshake::TimedOut => "timed out".to_owned(),
        Handshake::Reset | Handshake::NotTried { .. } => "reset".to_owned(),
    }
}

fn registry(own: &RegistryAnswer) -> String {
    match own {
        RegistryAnswer::Challenge { realm, .. } => format!("401, sign in at {realm}"),
        RegistryAnswer::Anonymous => "200 without credentials".to_owned(),
        RegistryAnswer::Forbidden => "403: its firewall".to_owned(),
        RegistryAnswer::Redirected { host } => format!("redirected to {}", host.as_deref().unwrap_or("another host")),
        RegistryAnswer::Other { status } => format!("{status}: not a registry's answer"),
        RegistryAnswer::NotHttp => "what answers does not speak HTTP".to_owned(),
        RegistryAnswer::TimedOut => "timed out".to_owned(),
        RegistryAnswer::Reset | RegistryAnswer::NotTried { .. } => "reset".to_owned(),
    }
}

fn file(own: &HostFile) -> String {
    match own {
        HostFile::Present(read) => {
            let mirrors = text::listed(&read.mirrors);
            let code = read.exit_code.map(|code| format!("exit code {code}")).unwrap_or_default();
            let said = [mirrors, code].into_iter().filter(|own| !own.is_empty()).collect::<Vec<_>>().join(", ");
            if said.is_empty() { "present".to_owned() } else { format!("present: {said}") }
        }
        HostFile::Absent => "absent".to_owned(),
        HostFile::Refused { reason } | HostFile::NotTried { reason } => format!("not read: {reason}"),
        HostFile::Malformed => "cannot be understood".to_owned(),
    }
}

fn identity(own: &Identity) -> String {
    match own {
        Identity::MayPull { actions } => format!("may pull ({})", text::listed(actions)),
        Identity::MayNotPull { actions } => format!("may NOT pull ({})", text::listed(actions)),
        Identity::NotSaid => "the token names no actions (ABAC)".to_owned(),
        Identity::Refused { status } => format!("refused ({status})"),
        Identity::Unreachable | Identity::NotTried { .. } => {
            "the metadata service or the registry does not answer".to_owned()
        }
    }
}
