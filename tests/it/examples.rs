//! The shipped examples and packaging, run as far as they run here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aksiso::app::cli::Cli;
use aksiso::app::files::read_policy;
use clap::{CommandFactory as _, Parser as _};
use serde_json::Value;

use crate::fixtures;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const YAML: [&str; 10] = [
    "action.yml",
    ".github/workflows/ci.yml",
    ".github/workflows/release.yml",
    "examples/fleet/cronjob.yaml",
    "examples/fleet/github.yml",
    "examples/github/gate.yml",
    "examples/github/helm-gate.yml",
    "examples/azure-pipelines/aksiso.yml",
    "examples/azure-pipelines/azure-pipelines.yml",
    "examples/gitlab/gitlab-ci.yml",
];

/// The scripts that run it.
const SCRIPTS: [&str; 2] = ["examples/helm/gate.sh", "examples/tickets/servicenow.sh"];

/// How scripts name the program.
const NAMES: [&str; 3] = ["aksiso", "$AKSISO", "${AKSISO:-aksiso}"];

const ID: &str = "11111111-2222-3333-4444-555555555555";

/// A line with what a page leaves out of ids.
fn whole(line: &str) -> String {
    let group = format!("/subscriptions/{ID}/resourceGroups/g/providers");
    line.replace("/subscriptions/…/registries/", &format!("{group}/Microsoft.ContainerRegistry/registries/"))
        .replace("/subscriptions/…/managedClusters/", &format!("{group}/Microsoft.ContainerService/managedClusters/"))
        .replace("/subscriptions/ID", &format!("/subscriptions/{ID}"))
        .replace("--object-id OBJECT_ID", &format!("--object-id {ID}"))
        .replace("--object-id ID", &format!("--object-id {ID}"))
}

/// The command lines of the program in a text for a shell, as words that begin with its name. What stands before it in a line,
/// after a pipe or in a redirection is another's.
pub fn command_lines(text: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        // YAML folds lines without a sign.
        let open =
            |last: &String| last.ends_with('\\') || (line.trim_start().starts_with("--") && last.contains("aksiso"));
        match lines.last_mut().filter(|last| open(last)) {
            Some(last) => *last = format!("{} {}", last.trim_end_matches('\\'), line.trim_start()),
            None => lines.push(line.trim().trim_start_matches("- ").to_owned()),
        }
    }
    lines.iter().filter_map(|line| command_line(line)).collect()
}

fn command_line(line: &str) -> Option<Vec<String>> {
    let words = shlex::split(&whole(line))?;
    let begins = |at: usize| {
        at == 0 || ["|", "&&", ";", "kubectl"].contains(&words[at - 1].as_str()) || words[at - 1].contains('=')
    };
    let own = |at: &usize| NAMES.contains(&words[*at].as_str()) && begins(*at) && *at + 1 < words.len();
    let cargo = words.iter().position(|word| word == "--").filter(|_| line.starts_with("cargo run --release"));
    let start = cargo.or_else(|| (0..words.len()).find(own))?;
    let ends = |word: &str| ["|", "||", ">", ">>", "<", "&&", ";"].contains(&word);
    let rest = words[start + 1..].iter().take_while(|word| !ends(word)).cloned();
    Some(std::iter::once("aksiso".to_owned()).chain(rest).collect())
}

/// A command line must be one that the program takes; of one with variables, the subcommand and the names of its options.
pub fn accepted(place: &str, words: &[String]) {
    if !words.iter().any(|word| word.contains('$')) {
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{place}: {}: {error}", words.join(" "));
        }
        return;
    }
    let mut command = Cli::command();
    command.build();
    let name = words[1].as_str();
    let subcommand = command.find_subcommand(name).unwrap_or_else(|| panic!("{place}: no subcommand {name}"));
    let known: BTreeSet<String> =
        subcommand.get_arguments().filter_map(|own| own.get_long().map(|long| format!("--{long}"))).collect();
    for word in words.iter().filter(|word| word.starts_with("--")) {
        let option = word.split('=').next().unwrap_or_default();
        assert!(known.contains(option), "{place}: {option} is no option of {name}");
    }
}

#[test]
fn pipelines_are_yaml_and_use_options_that_exist() {
    for path in YAML.into_iter().chain(SCRIPTS) {
        let text = read(path);
        if YAML.contains(&path) {
            let value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(value.is_object(), "{path}");
        }
        let lines = command_lines(&text);
        lines.iter().for_each(|words| accepted(path, words));
        // A pipeline of the project's own does not run the program, and one that only calls the template neither.
        let others = path.starts_with(".github/")
            || ["azure-pipelines.yml", "github/gate.yml", "cronjob.yaml"].iter().any(|end| path.ends_with(end));
        assert_eq!(lines.len(), usize::from(!others), "{path}: {lines:?}");
    }
}

/// The examples of `--help` are command lines too.
#[test]
fn examples_of_the_help_are_accepted() {
    let mut seen = 0;
    for subcommand in Cli::command().get_subcommands() {
        let help = subcommand.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, examples)) = help.split_once("Examples:\n") else { continue };
        for words in command_lines(examples) {
            accepted(&format!("aksiso {} --help", subcommand.get_name()), &words);
            seen += 1;
        }
    }
    assert!(seen >= 30, "only {seen} examples were found");
}

#[test]
fn command_lines_are_found_among_what_surrounds_them() {
    let found = |line: &str| command_lines(line).into_iter().next().map(|words| words.join(" "));
    assert_eq!(found("helm template x | aksiso preflight - # c").as_deref(), Some("aksiso preflight -"));
    assert_eq!(found("aksiso permissions > role.json").as_deref(), Some("aksiso permissions"));
    assert_eq!(found("cargo run --release -- checks").as_deref(), Some("aksiso checks"));
    assert_eq!(found("kubectl aksiso checks").as_deref(), Some("aksiso checks"));
    assert_eq!(found("\"$AKSISO\" diagnose \\\n  --from x").as_deref(), Some("aksiso diagnose --from x"));
    assert_eq!(found("az login"), None);
}

/// The gate of a Helm release, with a helm that prints a chart that is rendered already.
#[cfg(unix)]
#[test]
fn the_helm_gate_installs_only_what_can_be_pulled() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let helm = folder.path().join("helm");
    let shop = fixtures::folder().join("manifests/shop.yaml");
    let pod = folder.path().join("pod.yaml");
    std::fs::write(&pod, "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"mcr.microsoft.com/a:1\"}]}\n").expect("written");
    let script = "#!/bin/sh\ncase $1 in template) [ \"$3\" != broken ] && cat \"$3\";; *) echo \"helm $*\" ;; esac\n";
    std::fs::write(&helm, script).expect("written");
    std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let gate = |chart: &str| {
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let snapshot = fixtures::folder().join("healthy/byo.json");
        let run = std::process::Command::new("sh")
            .arg(root().join("examples/helm/gate.sh"))
            .args(["shop", chart])
            .env("PATH", path)
            .env("AKSISO", assert_cmd::cargo::cargo_bin("aksiso"))
            .env("AKSISO_OPTIONS", format!("--no-config --from {}", snapshot.display()))
            .output()
            .expect("it runs");
        (run.status.code(), String::from_utf8_lossy(&run.stdout).contains("helm upgrade --install shop"))
    };
    assert_eq!(gate(pod.to_str().expect("a path")), (Some(0), true));
    assert_eq!(gate(shop.to_str().expect("a path")), (Some(1), false), "an image cannot be pulled");
    assert_eq!(gate("broken"), (Some(1), false), "helm itself failed");
}

#[test]
fn the_example_policy_is_valid() {
    read_policy(&root().join("examples/aksiso.toml")).expect("a policy");
}

/// A program that a test runs: one that is not here must not make the test green.
#[cfg(unix)]
fn need(program: &str) {
    let found = std::process::Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    assert!(found.is_ok_and(|output| output.status.success()), "{program} is not here, and this test needs it");
}

#[cfg(unix)]
fn script(path: &str, arguments: &[&str], variables: &[(&str, &str)], folder: &Path) -> String {
    let binary = assert_cmd::cargo::cargo_bin("aksiso");
    let own = binary.parent().expect("a folder").display().to_string();
    let inherited = std::env::var("PATH").unwrap_or_default();
    let mut command = std::process::Command::new("bash");
    command.arg(root().join(path)).args(arguments).current_dir(folder).env("PATH", format!("{own}:{inherited}"));
    let output = command.envs(variables.iter().copied()).output().expect("it runs");
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(unix)]
fn report(folder: &Path) -> (String, Value) {
    let file = folder.join("report.json").display().to_string();
    let example = fixtures::folder().join("example.json");
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.args(["diagnose", "--no-config", "--output", &format!("json={file}"), "--from"]).arg(example);
    assert_eq!(command.output().expect("it runs").status.code(), Some(1));
    let report = serde_json::from_str(&std::fs::read_to_string(&file).expect("a report")).expect("JSON");
    (file, report)
}

/// Issues are opened for root causes that have none, and closed for findings that are gone; nothing else is touched.
#[cfg(unix)]
#[test]
fn tickets_are_opened_once_and_closed_when_gone() {
    need("jq");
    need("bash");
    let folder = tempfile::tempdir().expect("a folder");
    let (file, report) = report(folder.path());
    let first = report["findings"][0]["fingerprint"].as_str().expect("a fingerprint");
    let gone = "0".repeat(32);
    let issues = serde_json::json!([
        { "number": 1, "body": format!("x\naksiso-fingerprint: {first}") },
        { "number": 2, "body": format!("aksiso-fingerprint: {gone}") },
    ]);
    let open = folder.path().join("open.json").display().to_string();
    std::fs::write(&open, issues.to_string()).expect("written");
    let said = script(
        "examples/tickets/github-issues.sh",
        &[&file, "o/r"],
        &[("DRY_RUN", "1"), ("ISSUES_FILE", &open)],
        folder.path(),
    );
    assert_eq!(said.matches("gh issue create").count(), 2, "{said}");
    assert_eq!(said.matches("gh issue close 2").count(), 1, "{said}");
    assert!(!said.contains("close 1"), "{said}");

    let issues = serde_json::json!({ "issues": [
        { "key": "P-1", "fields": { "labels": ["aksiso", format!("aksiso-{first}")] } },
        { "key": "P-2", "fields": { "labels": ["aksiso", format!("aksiso-{gone}")] } },
    ] });
    std::fs::write(&open, issues.to_string()).expect("written");
    let said =
        script("examples/tickets/jira.sh", &[&file, "P"], &[("DRY_RUN", "1"), ("ISSUES_FILE", &open)], folder.path());
    assert_eq!(said.matches("POST issue {").count(), 2, "{said}");
    assert!(said.contains("POST issue/P-2/transitions") && !said.contains("P-1/transitions"), "{said}");
}

/// Programs that a test puts before those of the machine: each writes down how it was called.
#[cfg(unix)]
fn stub(folder: &Path, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/bash\n{script}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
}

#[cfg(unix)]
fn path_with(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}

/// A dry run asks nobody: it works before anything is set up.
#[cfg(unix)]
#[test]
fn a_dry_run_of_tickets_asks_nobody() {
    need("jq");
    let folder = tempfile::tempdir().expect("a folder");
    let (file, report) = report(folder.path());
    for program in ["gh", "curl"] {
        stub(folder.path(), program, "echo \"network\" >&2; exit 1");
    }
    let path = path_with(folder.path());
    let roots = report["findings"].as_array().expect("findings").iter();
    let roots = roots.filter(|own| own["severity"] != "info" && own["causedBy"] == serde_json::json!([])).count();
    for (name, target, word) in [("github-issues", "o/r", "gh issue create"), ("jira", "P", "POST issue {")] {
        let said = script(
            &format!("examples/tickets/{name}.sh"),
            &[&file, target],
            &[("DRY_RUN", "1"), ("PATH", &path)],
            folder.path(),
        );
        assert_eq!(said.matches(word).count(), roots, "{name}: {said}");
    }
}

/// Jira's search gives its issues page by page; what a later page holds is not opened again.
#[cfg(unix)]
#[test]
fn every_page_of_jiras_search_is_read() {
    need("jq");
    let folder = tempfile::tempdir().expect("a folder");
    let (file, report) = report(folder.path());
    let prints = report["findings"].as_array().expect("findings").iter();
    let issues: Vec<Value> = prints
        .enumerate()
        .map(|(at, own)| {
            let label = format!("aksiso-{}", own["fingerprint"].as_str().expect("a fingerprint"));
            serde_json::json!({ "key": format!("P-{at}"), "fields": { "labels": ["aksiso", label] } })
        })
        .collect();
    let page = |issues: &[Value], next: Option<&str>| {
        serde_json::json!({ "issues": issues, "nextPageToken": next, "isLast": next.is_none() }).to_string()
    };
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    write("first.json", page(&issues[..1], Some("two")));
    write("second.json", page(&issues[1..], None));
    let answer = "echo \"$*\" >> calls; case \"$*\" in *nextPageToken*) cat second.json;; *search*) cat first.json;; *) \
                  exit 1;; esac";
    stub(folder.path(), "curl", answer);
    let path = path_with(folder.path());
    let variables =
        [("JIRA_URL", "https://jira.example"), ("JIRA_USER", "u"), ("JIRA_TOKEN", "t"), ("PATH", path.as_str())];
    script("examples/tickets/jira.sh", &[&file, "P"], &variables, folder.path());
    let calls = std::fs::read_to_string(folder.path().join("calls")).expect("calls");
    let searches = calls.matches("https://jira.example/rest/api/3/search/jql").count();
    assert_eq!((searches, calls.lines().count()), (2, 2), "{calls}");
}

/// The step of Azure Pipelines that installs: it takes the release of the agent's architecture, and only with the right
/// checksum.
#[cfg(unix)]
#[test]
fn the_azure_pipelines_template_installs_a_release() {
    need("sha256sum");
    let folder = tempfile::tempdir().expect("a folder");
    let template: Value =
        serde_saphyr::from_str(&read("examples/azure-pipelines/aksiso.yml")).expect("the template is YAML");
    let install = template["steps"][0]["bash"].as_str().expect("the first step installs");
    let temp = folder.path().join("temp").display().to_string();
    let install = install.replace("$(Agent.TempDirectory)", &temp);
    let make = "target=aksiso-$(uname -m)-unknown-linux-musl; mkdir -p $target; echo '#!/bin/sh' > $target/aksiso; tar \
                -czf $target.tar.gz $target; sha256sum $target.tar.gz > SHA256SUMS";
    let run = |script: &str, path: &str| {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script]).current_dir(folder.path()).env("PATH", path);
        command.env("REPOSITORY", "o/aksiso").env("VERSION", "0.1.0");
        command.output().expect("it runs")
    };
    assert!(run(make, &path_with(folder.path())).status.success());
    let copy = format!(
        "for url; do case $url in https://github.com/o/aksiso/releases/download/v0.1.0/*) cp {}/${{url##*/}} .;; esac; done",
        folder.path().display()
    );
    stub(folder.path(), "curl", &copy);
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let output = run(&install, &path);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("##vso[task.prependpath]"), "{said}");
    assert!(Path::new(&temp).join("aksiso/aksiso").exists());
    std::fs::write(folder.path().join("SHA256SUMS"), format!("{}  other\n", "0".repeat(64))).expect("written");
    assert!(!run(&install, &path).status.success(), "nothing was verified");
}

#[cfg(unix)]
#[test]
fn servicenow_gets_events_and_then_clears() {
    need("bash");
    let folder = tempfile::tempdir().expect("a folder");
    let run = |fixture: &str| {
        let from = format!("--no-config --from {}", fixtures::folder().join(fixture).display());
        script(
            "examples/tickets/servicenow.sh",
            &["g", "c", "state"],
            &[("DRY_RUN", "1"), ("AKSISO_ARGS", &from)],
            folder.path(),
        );
        let events = std::fs::read_to_string(folder.path().join("state/events.json")).expect("events");
        let events: Value = serde_json::from_str(&events).expect("JSON");
        events["records"]
            .as_array()
            .expect("records")
            .iter()
            .map(|event| event["severity"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(run("example.json"), vec!["\"1\""; 5]);
    assert_eq!(run("healthy/byo.json"), vec!["\"0\""; 5]);
    assert!(run("healthy/byo.json").is_empty());
}

/// The manifests of a release name every archive with its checksum.
#[cfg(unix)]
#[test]
fn release_manifests_name_every_archive() {
    need("sha256sum");
    let folder = tempfile::tempdir().expect("a folder");
    let targets =
        ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin"];
    for target in targets {
        std::fs::write(folder.path().join(format!("aksiso-{target}.tar.gz")), target).expect("written");
    }
    std::fs::write(folder.path().join("aksiso-x86_64-pc-windows-msvc.zip"), "w").expect("written");
    script("packaging/manifests.sh", &["v1.2.3", "o/aksiso", "."], &[], folder.path());
    let krew = std::fs::read_to_string(folder.path().join("aksiso.yaml")).expect("a manifest");
    let krew: Value = serde_saphyr::from_str(&krew).expect("YAML");
    let platforms = krew["spec"]["platforms"].as_array().expect("platforms");
    assert_eq!(platforms.len(), 5);
    assert!(platforms.iter().all(|own| own["sha256"].as_str().is_some_and(|sum| sum.len() == 64)));
    let formula = std::fs::read_to_string(folder.path().join("aksiso.rb")).expect("a formula");
    assert_eq!(formula.matches("sha256 \"").count(), 4);
    assert!(formula.contains("version \"1.2.3\""));
}
