//! Sign-in plug-ins of every kind: expiring, failing, flooding, hanging, absent.

use std::os::unix::fs::PermissionsExt as _;

use crate::fixtures;
use crate::server::KUBE_TOKEN;
use crate::site::{Site, gap, stderr};

fn site() -> Site {
    Site::new(&fixtures::healthy_json("byo"))
}

/// Writes a plug-in that notes each of its runs.
fn plugin(site: &Site, body: &str) -> String {
    let (path, runs) = (site.path("plugin"), site.path("runs"));
    std::fs::write(&path, format!("#!/bin/sh\necho run >> {}\n{body}\n", runs.display())).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let _ = std::fs::remove_file(&runs);
    "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: IfAvailable, installHint: \
     get it}}"
        .to_owned()
}

fn runs(site: &Site) -> usize {
    std::fs::read_to_string(site.path("runs")).unwrap_or_default().lines().count()
}

#[test]
fn a_plug_in_runs_once_whatever_it_says_of_its_token() {
    let site = site();
    for expiry in ["", ", \"expirationTimestamp\": \"2020-01-01T00:00:00Z\"", ", \"expirationTimestamp\": \"soon\""] {
        let answer = format!("{{\"kind\": \"ExecCredential\", \"status\": {{\"token\": \"{KUBE_TOKEN}\"{expiry}}}}}");
        let user = plugin(&site, &format!("echo '{answer}'"));
        site.write_kubeconfig(&site.kubeconfig_with(&site.server.url(), &user));
        let output = site.diagnose(&["-vv"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(runs(&site), 1, "{expiry}");
        assert!(!stderr(&output).contains(KUBE_TOKEN));
    }
}

/// What a plug-in complains of is shown, escaped and bounded; what it prints never is. One that hangs is ended with what
/// it started, and one that floods fills no memory.
#[test]
fn a_plug_in_that_fails_says_why_and_leaves_nothing_behind() {
    let site = site();
    let run = |body: &str| {
        let user = plugin(&site, body);
        site.write_kubeconfig(&site.kubeconfig_with(&site.server.url(), &user));
        let output = site.diagnose(&["--timeout", "6s"]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert_eq!(runs(&site), 1);
        let said = gap(&output, "image-pulls");
        assert!(!said.contains("CANARY") && said.len() < 700, "{said}");
        said
    };
    let failed = run(
        "echo CANARY; printf 'AADSTS70043: \\033[2Jsign in again. Authorization: Bearer CANARY0123456789\\n' >&2; exit 7",
    );
    assert!(failed.contains("failed (exit status: 7): AADSTS70043: \\u{1b}[2Jsign in again"), "{failed}");
    let none = run("echo CANARY");
    assert!(none.contains("printed no credential"), "{none}");
    let hanging = run(&format!(
        "echo $$ > {}; echo 'enter the code 1234' >&2; /bin/sleep 600 & wait",
        site.path("pid").display()
    ));
    assert!(hanging.contains("did not end in time: enter the code 1234"), "{hanging}");
    let group = std::fs::read_to_string(site.path("pid")).expect("a process id");
    let ps = std::process::Command::new("ps").args(["-eo", "pgid=,stat="]).output().expect("ps");
    let ps = String::from_utf8_lossy(&ps.stdout).into_owned();
    // One that has ended and that nobody has asked about yet is a name and nothing more.
    let left = ps.lines().any(|line| line.split_whitespace().next() == Some(group.trim()) && !line.contains('Z'));
    assert!(!left, "a process of group {group} is still there");
    let flood = run("while :; do echo CANARYCANARYCANARYCANARYCANARYCANARYCANARYCANARY; done");
    assert!(flood.contains("printed more than 1 MiB"), "{flood}");
    site.write_kubeconfig(
        &site.kubeconfig_with(
            &site.server.url(),
            "{exec: {apiVersion: v1, command: no-such-login, installHint: get it}}",
        ),
    );
    let absent = gap(&site.diagnose(&[]), "image-pulls");
    assert!(absent.contains("no-such-login cannot be run") && absent.ends_with("; get it"), "{absent}");
}
