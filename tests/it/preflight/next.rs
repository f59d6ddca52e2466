//! What comes next is printed to be used: remedies, files, commands.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::pipeline::{err, out};
use crate::{examples, fixtures, judged};

const MANY: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - {name: a, image: \"redis:7\"}\n  - {name: b, image: \"quay.io/a/b:1\"}\n  - {name: c, image: \"quay.io/a/c:1\", args: [\"--x=quay.io/a/side:1\"]}\n  - {name: d, image: \"docker.elastic.co/beats/filebeat:8\"}\n  - {name: e, image: \"k8s.gcr.io/pause:3.1\"}\n  - {name: f, image: \"mcr.microsoft.com/a:1\"}\n";

fn run(folder: &Path, text: &str, args: &[&str]) -> Output {
    let byo = fixtures::folder().join("healthy/byo.json");
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.current_dir(folder).env_clear().env("PATH", "");
    command.args(["preflight", "-", "--no-config", "--from"]).arg(byo).args(args);
    command.write_stdin(text.to_owned()).output().expect("it runs")
}

fn report(output: &Output) -> Value {
    serde_json::from_str(&out(output)).unwrap_or_else(|_| panic!("{}", err(output)))
}

/// One rule for all images of an upstream, and each command once.
#[test]
fn remedies_are_told_for_all_images_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = report(&run(folder.path(), MANY, &["--output", "json"]));
    let remedies = report["preflight"]["remedies"].as_array().expect("remedies");
    let kinds: Vec<&str> = remedies.iter().filter_map(|own| own["kind"].as_str()).collect();
    assert_eq!(kinds, ["cache-rule", "cache-rule", "cache-rule", "import", "rewrite"]);
    let quay = remedies.iter().find(|own| own["title"].as_str().is_some_and(|title| title.contains("quay.io")));
    let quay = quay.expect("a rule for quay.io");
    assert_eq!(quay["title"].as_str(), Some("A cache rule for quay.io makes 3 images pullable"));
    let commands: Vec<&str> =
        remedies.iter().flat_map(|own| own["commands"].as_array().expect("a list")).filter_map(Value::as_str).collect();
    assert_eq!(commands.iter().collect::<BTreeSet<_>>().len(), commands.len(), "{commands:#?}");
    let images = report["preflight"]["images"].as_array().expect("images");
    let side = images.iter().find(|image| image["image"] == "quay.io/a/side:1").expect("the argument");
    assert_eq!((side["severity"].as_str(), side["mentioned"].as_bool()), (Some("warning"), Some(true)));
    let own = images.iter().find(|image| image["image"] == "mcr.microsoft.com/a:1").expect("the image");
    assert_eq!((own["severity"].as_str(), own["mentioned"].as_bool()), (None, Some(false)));
    let table = out(&run(folder.path(), MANY, &[]));
    for command in commands {
        assert_eq!(table.matches(command).count(), 1, "{command}\n{table}");
    }
}

/// The script asks for what only the operator knows before it makes anything, and hands every word to az as it is.
#[cfg(unix)]
#[test]
fn the_script_of_rules_runs_as_it_is_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let hostile = MANY.replace("filebeat:8", "file--beat:8").replace("name: p", "name: \"p\\n$(touch broken)\"");
    run(folder.path(), &hostile, &["--write-rules", "rules.sh"]);
    let az = folder.path().join("az");
    std::fs::write(
        &az,
        "#!/bin/sh\nprintf '%s|' \"$@\" >> calls\necho >> calls\ncase \"$3\" in show) echo the-principal;; esac\n",
    )
    .expect("written");
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let sh = |variables: &[(&str, &str)]| {
        let mut command = Command::new("/bin/sh");
        command.arg("rules.sh").current_dir(folder.path()).env_clear().env("PATH", folder.path());
        command.envs(variables.iter().copied()).output().expect("sh")
    };
    let calls = || std::fs::read_to_string(folder.path().join("calls")).unwrap_or_default();
    let refused = sh(&[]);
    assert!(!refused.status.success() && calls().is_empty(), "{}", err(&refused));
    let known = [
        ("FOR_DOCKER_IO_SECRET_URI_OF_USERNAME", "https://kv/secrets/user"),
        ("FOR_DOCKER_IO_SECRET_URI_OF_PASSWORD", "https://kv/secrets/pass word"),
        ("FOR_DOCKER_IO_KEY_VAULT_ID", "/subscriptions/x"),
    ];
    let done = sh(&known);
    assert!(done.status.success(), "{}", err(&done));
    let calls = calls();
    assert!(calls.contains("|-p|https://kv/secrets/pass word|"), "{calls}");
    assert!(calls.contains("|--assignee-object-id|the-principal|") && calls.contains("|-s|quay.io/*|-t|quay.io/*|"));
    assert!(!folder.path().join("broken").exists());
    assert_eq!(calls.matches("acr|cache|create|").count(), 3, "{calls}");
}

#[test]
fn new_references_are_written_for_kustomize_and_helm() {
    let folder = tempfile::tempdir().expect("a folder");
    let values = "image: {registry: docker.io, repository: redis, tag: 7}\nside: {image: {repository: quay.io/a/b}}\nother: {image: \"k8s.gcr.io/pause:3.1\"}\nlist: [{image: quay.io/a/c}]\n";
    std::fs::write(folder.path().join("values.yaml"), values).expect("written");
    let args = ["--write-kustomize", "k.yaml", "--write-helm-values", "new.yaml", "--helm-values", "values.yaml"];
    assert_eq!(run(folder.path(), MANY, &args).status.code(), Some(1));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("written");
    let kustomize = read("k.yaml");
    for line in [
        "  - name: redis\n    newName: contosoboot.azurecr.io/docker.io/library/redis\n",
        "  - name: k8s.gcr.io/pause\n    newName: contosoboot.azurecr.io/registry.k8s.io/pause\n",
    ] {
        assert!(kustomize.contains(line), "{kustomize}");
    }
    assert!(!kustomize.contains("side") && !kustomize.contains("mcr.microsoft.com"), "{kustomize}");
    let helm = read("new.yaml");
    for line in [
        "image:\n  registry: contosoboot.azurecr.io\n  repository: docker.io/library/redis\n",
        "side:\n  image:\n    repository: contosoboot.azurecr.io/quay.io/a/b\n",
        "other:\n  image: \"contosoboot.azurecr.io/registry.k8s.io/pause:3.1\"\n",
        "# no field is known of quay.io/a/c:1: write contosoboot.azurecr.io/quay.io/a/c:1\n",
    ] {
        assert!(helm.contains(line), "{helm}");
    }
    let same = run(folder.path(), MANY, &["--write-rules", "x", "--write-kustomize", "x"]);
    assert!(same.status.code() == Some(2) && err(&same).contains("would both go to x"), "{}", err(&same));
    assert!(!folder.path().join("x").exists());
}

/// A single thing that cannot be judged is accepted by name, with a reason and a date; it is told, and the rest counts.
#[test]
fn what_cannot_be_judged_is_accepted_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"harbor.corp/a:1\"}]}\n---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {chart: {}}\n";
    let accept = |subject: &str| {
        format!(
            "[[suppress]]\nrule = \"image-pull-unknown\"\nsubject = \"{subject}\"\nreason = \"seen to work\"\nuntil = \"2027-01-01\"\n"
        )
    };
    let code = |policy: &str| {
        std::fs::write(folder.path().join("own.toml"), policy).expect("written");
        let byo = fixtures::folder().join("healthy/byo.json");
        let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
        command.current_dir(folder.path()).env_clear().env("PATH", "").args(["preflight", "-", "--from"]).arg(byo);
        let output =
            command.args(["--config", "own.toml", "--output", "json"]).write_stdin(text).output().expect("it runs");
        (output.status.code(), report(&output)["suppressed"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(code(""), (Some(3), 0));
    assert_eq!(code(&accept("harbor.corp/*")), (Some(3), 1));
    assert_eq!(code(&accept("HelmRelease r")), (Some(3), 1));
    let both = accept("harbor.corp/*") + &accept("HelmRelease r");
    assert_eq!(code(&both), (Some(0), 2));
    assert_eq!(code(&both.replace("2027-01-01", "2026-01-01")), (Some(3), 0), "it has expired");
    let blocked = "[[preflight.unreachable]]\nhost = \"*\"\nreason = \"no public registries\"\n";
    assert_eq!(code(blocked).0, Some(1), "the operator says that nodes do not reach it");
}

/// Operators' defaults and parameters that have one are judged, as what they probably are.
#[test]
fn images_that_are_probably_started_are_judged() {
    let text = "apiVersion: elasticsearch.k8s.elastic.co/v1\nkind: Elasticsearch\nmetadata: {name: es}\nspec: {version: 8.17.0}\n---\napiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec: {params: [{name: image, default: \"mcr.microsoft.com/a:1\"}], steps: [{name: s, image: \"$(params.image)\"}]}\n";
    let manifests = aksiso::sources::manifests::read_text("-", text, &[]).expect("manifests");
    let evidence = fixtures::healthy("byo");
    let report = judged::preflight(&evidence, &manifests);
    let images = report.preflight.expect("images").images;
    let said: Vec<(&str, &str, bool)> =
        images.iter().map(|own| (own.image.as_str(), own.verdict.as_str(), own.probable)).collect();
    let elastic = "docker.elastic.co/elasticsearch/elasticsearch:8.17.0";
    assert_eq!(said, [(elastic, "never", true), ("mcr.microsoft.com/a:1", "pullable", true)]);
    assert!(images.iter().all(|own| own.detail.starts_with("Probably, as ")));
    assert!(report.checks.iter().all(|check| check.gaps.is_empty()), "what is judged leaves no gap");
}

/// Every command of ours that any report prints is one that there is.
#[test]
fn every_printed_command_of_ours_is_accepted() {
    let manifests = aksiso::sources::manifests::read_text("-", MANY, &[]).expect("manifests");
    let mut seen = BTreeSet::new();
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        for report in [judged::report(&evidence), judged::preflight(&evidence, &manifests)] {
            let value = serde_json::to_value(&report).expect("JSON");
            commands(&value, &mut |line| {
                if seen.insert(line.to_owned()) {
                    let words = shlex::split(line).unwrap_or_else(|| panic!("{name}: {line}"));
                    examples::accepted(&name, &words);
                }
            });
        }
    }
    assert!(seen.iter().any(|line| line.starts_with("aksiso preflight ")), "{seen:?}");
}

/// The command lines of a report that call this program.
fn commands(value: &Value, each: &mut impl FnMut(&str)) {
    const FIELDS: [&str; 3] = ["commands", "scriptCommands", "verify"];
    match value {
        Value::Array(items) => items.iter().for_each(|item| commands(item, each)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if FIELDS.contains(&name.as_str()) {
                    let lines = field.as_array().map_or(std::slice::from_ref(field), Vec::as_slice);
                    lines
                        .iter()
                        .filter_map(Value::as_str)
                        .filter(|line| line.starts_with("aksiso "))
                        .for_each(&mut *each);
                }
                commands(field, each);
            }
        }
        _ => {}
    }
}
