//! What a terminal gets: colours where they are wanted, help in groups, completed values, a line while it waits.

use std::process::Output;

use aksiso::answers;
use aksiso::app::cli;
use aksiso::checks::catalogue;

use crate::snapshots;

fn run(environment: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.env_clear().env("PATH", "").envs(environment.iter().copied()).args(args).output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn colours_are_as_one_wants_them() {
    let path = snapshots::example();
    let path = path.to_str().expect("a path");
    let coloured = |environment: &[(&str, &str)], more: &[&str]| {
        stdout(&run(environment, &[&["diagnose", "--no-config", "--from", path], more].concat())).contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]), "a pipe has none");
    assert!(coloured(&[], &["--color", "always"]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]));
    assert!(!coloured(&[], &["--color", "always", "--output", "json"]), "JSON is no text for people");
}

/// An option that is new stands in a group, or in no command that has groups.
#[test]
fn every_option_stands_in_a_group() {
    for command in cli::command().get_subcommands().filter(|command| command.get_name() != "fleet") {
        let options: Vec<_> = command.get_arguments().filter(|arg| !arg.is_positional()).collect();
        if !options.iter().any(|arg| arg.get_help_heading() == Some("Cluster")) {
            continue;
        }
        for arg in options {
            assert!(arg.get_help_heading().is_some(), "--{} of {} has no group", arg.get_id(), command.get_name());
        }
    }
    let help = stdout(&run(&[], &["diagnose", "-h"]));
    for group in ["Cluster:", "Sign-in:", "Evidence:", "Output:", "Policy:", "Waiting:"] {
        assert!(help.contains(&format!("\n{group}\n")), "{group} in: {help}");
    }
}

/// What bash would be offered after these words.
fn completed(words: &[&str]) -> Vec<String> {
    let last = (words.len() - 1).to_string();
    let environment = [
        ("COMPLETE", "bash"),
        ("_CLAP_COMPLETE_INDEX", last.as_str()),
        ("_CLAP_IFS", "\n"),
        ("_CLAP_COMPLETE_SPACE", "false"),
    ];
    let output = run(&environment, &[&["--"], words].concat());
    stdout(&output).lines().map(str::to_owned).collect()
}

#[test]
fn values_are_completed() {
    let pages = completed(&["aksiso", "explain", ""]);
    for set in answers::rule_sets() {
        for name in set.rules.iter().map(|rule| rule.id).chain([set.id]) {
            assert!(pages.iter().any(|page| page == name), "{name} in {pages:?}");
        }
    }
    let dns = catalogue::ALL.iter().map(|check| check.about.id).find(|id| id.ends_with("dns")).expect("a check");
    assert_eq!(completed(&["aksiso", "diagnose", "--check", &dns[..dns.len() - 2]]), [dns]);
    let second = format!("{dns},{}", &dns[..dns.len() - 2]);
    assert_eq!(completed(&["aksiso", "diagnose", "--check", &second]), [format!("{dns},{dns}")]);
    assert!(completed(&["aksiso", "diagnose", "--output", "sa"]).contains(&"sarif".to_owned()));
    assert!(completed(&["aksiso", "do"]).contains(&"doctor".to_owned()));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&run(&[], &["completions", shell]));
        assert!(script.contains("aksiso") && script.contains("COMPLETE"), "{shell}: {script}");
    }
}

/// At a terminal a live run says how far it is.
#[cfg(target_os = "linux")]
#[test]
fn a_live_run_says_how_far_it_is() {
    let site = crate::first_minutes::site();
    site.server.delay(std::time::Duration::from_millis(200));
    let binary = assert_cmd::cargo::cargo_bin("aksiso");
    let kubeconfig = site.path("kubeconfig");
    let line = format!("{} diagnose --kubeconfig {}", binary.display(), kubeconfig.display());
    let mut command = assert_cmd::Command::new("script");
    for (name, value) in site.command().get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm").env("COLUMNS", "100");
    let output = command.args(["-qec", &line, "/dev/null"]).output().expect("script of util-linux is here");
    let shown = stdout(&output);
    assert!(shown.contains("/12] ") && shown.contains(" reads · "), "{shown}");
    assert!(shown.contains("kubeconfig context it leads to its API server"), "{shown}");
}
