//! Preflight and what-if in a pipeline: files and lines, exit codes, policies, text that is obeyed by nobody.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;

use crate::fixtures;

fn run(args: &[&str], input: &str) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.current_dir(fixtures::folder().join("manifests"));
    command.env_clear().env("PATH", "").args(args).write_stdin(input.to_owned()).output().expect("it runs")
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const BYO: [&str; 3] = ["--from", "../healthy/byo.json", "--no-config"];

pub fn preflight(args: &[&str], input: &str) -> Output {
    run(&[&["preflight"], args, &BYO].concat(), input)
}

/// The real file and line, in every format that has a place for them.
#[test]
fn findings_point_at_files_and_lines() {
    let json: Value = serde_json::from_str(&out(&preflight(&["shop.yaml", "--output", "json"], ""))).expect("JSON");
    let quay = json["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .find(|finding| finding["subject"]["id"].as_str().is_some_and(|id| id.starts_with("quay")))
        .expect("the finding");
    let place = &quay["locations"][0];
    assert_eq!((place["file"].as_str(), place["line"].as_u64()), (Some("shop.yaml"), Some(22)));
    assert_eq!((place["object"].as_str(), place["container"].as_str()), (Some("Deployment shop/web"), Some("metrics")));
    assert_eq!(place["source"].as_str(), Some("shop/templates/web.yaml"));
    assert_eq!(json["preflight"]["images"].as_array().map(Vec::len), Some(5));
    let sarif: Value = serde_json::from_str(&out(&preflight(&["shop.yaml", "--output", "sarif"], ""))).expect("SARIF");
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"].as_str(), Some("shop.yaml"));
    assert!(place["region"]["startLine"].as_u64().is_some_and(|line| line > 1), "{place}");
    let github = out(&preflight(&["shop.yaml", "--output", "github"], ""));
    assert!(github.contains("::error file=shop.yaml,line=22,title="), "{github}");
    let azure = out(&preflight(&["shop.yaml", "--output", "azure-pipelines"], ""));
    assert!(azure.contains("sourcepath=shop.yaml;linenumber=22;"), "{azure}");
    let gitlab: Value = serde_json::from_str(&out(&preflight(&["shop.yaml", "--output", "gitlab"], ""))).expect("JSON");
    assert!(
        gitlab.as_array().is_some_and(|issues| issues.iter().any(|issue| issue["location"]["lines"]["begin"] == 22))
    );
    for format in ["junit", "markdown", "jsonl", "servicenow", "table"] {
        let output = preflight(&["shop.yaml", "--output", format], "");
        assert!(out(&output).contains("quay.io/prometheus/statsd-exporter"), "{format}");
        assert_eq!(output.status.code(), Some(1), "{format}");
    }
}

/// A gate that is given nothing, or a template, does not pass.
#[test]
fn a_pipe_that_brings_nothing_is_an_error() {
    let refused = |args: &[&str], input: &str, words: &[&str]| {
        let output = preflight(args, input);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
        for word in words {
            assert!(err(&output).contains(word), "{args:?}: no {word:?} in: {}", err(&output));
        }
    };
    refused(&["-"], "", &["standard input holds no Kubernetes object", "pipefail"]);
    refused(&["-"], "Error: chart not found\n", &["no Kubernetes object"]);
    refused(
        &["-"],
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}-x\n",
        &["line 4", "not rendered", "helm template"],
    );
    refused(&["-"], "a: [1\n", &["standard input, line", "not valid YAML"]);
    refused(&["no-such-file.yaml"], "", &["no-such-file.yaml does not exist"]);
    refused(&["-", "-"], "", &["named twice"]);
    refused(&["../../src"], "", &["has no .yaml"]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("Chart.yaml"), "apiVersion: v2\nname: x\n").expect("written");
    refused(&[folder.path().to_str().expect("a path")], "", &["is a Helm chart", "helm template"]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("kustomization.yaml"), "resources: [x.yaml]\n").expect("written");
    refused(&[folder.path().to_str().expect("a path")], "", &["is a folder of kustomize", "kustomize build"]);
    refused(&["shop.yaml", "--what-if", "drop tables"], "", &["no change that is known"]);
    refused(&["shop.yaml", "--image-path", "nonsense"], "", &["KIND.GROUP:PATH"]);
}

#[test]
fn exit_codes_are_those_of_diagnose() {
    let image = |image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: c, image: \"{image}\"}}]}}\n"
        )
    };
    let code = |text: &str, more: &[&str]| preflight(&[&["-"], more].concat(), text).status.code();
    assert_eq!(code(&image("mcr.microsoft.com/a:1"), &[]), Some(0));
    assert_eq!(code(&image("quay.io/a:1"), &[]), Some(1));
    assert_eq!(code(&image("quay.io/a:1"), &["--fail-on", "never"]), Some(0));
    assert_eq!(code(&image("harbor.corp/a:1"), &[]), Some(3));
    assert_eq!(code(&image("harbor.corp/a:1"), &["--allow-incomplete"]), Some(0));
    assert_eq!(code(&image("harbor.corp/a:1"), &["--fail-on", "warning"]), Some(1));
    assert_eq!(code(&image("harbor.corp/a:1"), &["--reachable", "Harbor.corp"]), Some(0), "the operator knows");
    assert_eq!(code(&image("harbor.corp:5000/a:1"), &["--reachable", "harbor.corp"]), Some(3), "another port");
    assert_eq!(code(&image("quay.io/a:1"), &["--reachable", "quay.io"]), Some(0));
    assert_eq!(
        code(&image("other.azurecr.io/a:1"), &["--reachable", "other.azurecr.io"]),
        Some(3),
        "with which right?"
    );
    assert_eq!(code(&image("quay.io/a:1"), &["--reachable", "https://quay.io"]), Some(2));
    assert_eq!(code("apiVersion: v1\nkind: Service\nmetadata: {name: s}\n", &[]), Some(0));
    assert_eq!(code(&image(" mcr.microsoft.com/a:1"), &[]), Some(1), "the API server refuses it");
    let argument = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: mcr.microsoft.com/a, args: [\"--sidecar=quay.io/a/b:1\"]}]}\n";
    assert_eq!(code(argument, &[]), Some(0), "an argument only warns");
    assert_eq!(code(argument, &["--fail-on", "warning"]), Some(1));
    let hook = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {\"helm.sh/hook\": test}}\nspec: {containers: [{name: c, image: \"quay.io/a:1\"}]}\n";
    assert_eq!(code(hook, &[]), Some(0), "a test is not rolled out");
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: r}\nspec: {chart: {}}\n";
    assert_eq!(code(release, &[]), Some(3), "a chart that nobody rendered");
    let injected = image("auto").replace("name: p", "name: p, labels: {sidecar.istio.io/inject: \"true\"}");
    assert_eq!(code(&injected, &[]), Some(3), "another writes the image");
    assert_eq!(code(&image("auto"), &[]), Some(1));
    let without = preflight(
        &["-"],
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}\n---\na: 1\n",
    );
    assert_eq!(without.status.code(), Some(1));
    assert!(
        out(&without).contains("(no image)") && out(&without).contains("1 document without apiVersion"),
        "{}",
        out(&without)
    );
    let workflow = "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: w}\nspec: {templates: [{container: {image: \"{{inputs.parameters.image}}\"}}]}\n";
    assert_eq!(code(workflow, &[]), Some(3), "a parameter of a workflow");
    let created = ["--what-if", "create cache-rule quay-io quay.io/* quay.io/*"];
    let after = preflight(&[&["-", "--output", "json"], &created[..]].concat(), &image("quay.io/a:1"));
    assert!(out(&after).contains("\"pullable-after-rewrite\""), "{}", out(&after));
}

#[test]
fn a_policy_suppresses_images_and_names_paths() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("aksiso.toml");
    std::fs::write(&policy, "[[suppress]]\nrule = \"image-needs-cache-rule\"\nsubject = \"quay.io/*\"\nreason = \"mirrored next week\"\nuntil = \"2027-01-01\"\n\n[[preflight.images]]\nkind = \"Widget.example.com\"\npath = \"spec.server.image\"\n").expect("written");
    let widget =
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {server: {image: \"quay.io/a/b:1\"}}\n";
    let args = [
        "preflight",
        "-",
        "--from",
        "../healthy/byo.json",
        "--output",
        "json",
        "--config",
        policy.to_str().expect("a path"),
    ];
    let output = run(&args, widget);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let report: Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!(report["suppressed"][0]["locations"][0]["object"].as_str(), Some("Widget w"));
    let without = preflight(&["-", "--output", "json"], widget);
    let report: Value = serde_json::from_str(&out(&without)).expect("JSON");
    assert_eq!(report["preflight"]["unjudged"][0]["container"].as_str(), Some("spec.server.image"));
    assert_eq!(without.status.code(), Some(3), "what was not judged is not passed");
    let trusted = "[[preflight.reachable]]\nhost = \"quay.io\"\nreason = \"allowed in the firewall\"\n\n[[preflight.images]]\nkind = \"Widget.example.com\"\npath = \"spec.server.image\"\n";
    std::fs::write(&policy, trusted).expect("written");
    let reached = run(&args, widget);
    assert!(
        reached.status.code() == Some(0) && out(&reached).contains("(allowed in the firewall)"),
        "{}",
        out(&reached)
    );
    for (wrong, word) in [("quay.io/team", "expected the host"), ("https://quay.io", "expected the host")] {
        std::fs::write(&policy, trusted.replace("\"quay.io\"", &format!("\"{wrong}\""))).expect("written");
        let refused = run(&args, widget);
        assert!(refused.status.code() == Some(2) && err(&refused).contains(word), "{}", err(&refused));
    }
    std::fs::write(&policy, "[[preflight.images]]\nkind = \"Wid get\"\npath = \"x\"\n").expect("written");
    let wrong = run(&args, widget);
    assert!(wrong.status.code() == Some(2) && err(&wrong).contains("line 1"), "{}", err(&wrong));
}

/// Names in manifests are hostile, too.
#[test]
fn what_manifests_hold_is_not_obeyed() {
    let hostile = "apiVersion: v1\nkind: Pod\nmetadata: {name: \"x\\e[31m\\n::error::y ##vso[task.complete]\"}\nspec: {containers: [{name: \"a\\u202eb\", image: \"quay.io/a;reboot:1\"}, {name: c, image: \"quay.io/x:$(reboot)\"}]}\n";
    for format in ["table", "github", "azure-pipelines", "markdown", "json", "sarif"] {
        let text = out(&preflight(&["-", "--output", format], hostile));
        assert!(
            !text.contains('\u{1b}')
                && !text.contains('\u{202e}')
                && (format == "github" || !text.contains("##vso[task.complete]")),
            "{format}: {text}"
        );
        assert!(!text.lines().any(|line| line.starts_with("::error::y")), "{format}: {text}");
    }
}

/// The checks on the changed evidence, and which workloads stop pulling.
#[test]
fn a_change_says_which_workloads_stop_pulling() {
    let diagnose = |change: &str| {
        let output = run(
            &["diagnose", "--from", "../healthy/noisy.json", "--no-config", "--output", "json", "--what-if", change],
            "",
        );
        let report: Value =
            serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{change}: {}", err(&output)));
        let list = |name: &str| {
            let moved = report["whatIf"][name].as_array().expect("a list").clone();
            moved.iter().map(|moved| moved["image"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let rules: Vec<String> = report["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|finding| finding["rule"].as_str().unwrap_or_default().to_owned())
            .collect();
        (list("stopsPulling"), list("unclear"), rules)
    };
    let all = ["contosoboot.azurecr.io/shop/web:42", "mcr.microsoft.com/oss/kubernetes/coredns:v1.11.3"];
    let cases: [(&str, &[&str], &str); 8] = [
        ("delete cache-rule aks-managed-mcr", &all[1..], "cache-rule-missing"),
        ("unlink zone privatelink.azurecr.io", &all, "dns-zone-not-linked"),
        ("remove role assignment AcrPull", &all, "acrpull-missing"),
        ("delete private-endpoint contosoboot-pe", &all, "dns-record-missing"),
        ("delete registry", &all, "bootstrap-registry-not-found"),
        ("delete dns-record contosoboot", &all, "dns-record-missing"),
        ("set artifact-source Direct", &all[1..], "isolated-without-cache"),
        ("set outbound loadBalancer", &[], "isolation-incomplete"),
    ];
    for (change, stops, rule) in cases {
        let (stopped, unclear, rules) = diagnose(change);
        let gone: BTreeSet<&str> = stopped.iter().chain(&unclear).map(String::as_str).collect();
        assert!(stops.iter().all(|image| gone.contains(image)), "{change}: {stopped:?} {unclear:?}");
        assert!(rules.iter().any(|own| own == rule), "{change}: {rules:?}");
    }
    let output = run(
        &["diagnose", "--from", "../healthy/noisy.json", "--no-config", "--what-if", "delete cache-rule nothing"],
        "",
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("no cache rule \"nothing\"; available: aks-managed-mcr"), "{}", err(&output));
}

/// A tag, and a digest under the same tag, cannot both be imported as that tag.
#[test]
fn no_two_imports_have_one_target() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.sh");
    let digests = ["a".repeat(64), "b".repeat(64)];
    let image = "docker.elastic.co/beats/filebeat:8";
    let images = [image.to_owned(), format!("{image}@sha256:{}", digests[0]), format!("{image}@sha256:{}", digests[1])];
    let containers = images.map(|image| format!("{{name: c, image: \"{image}\"}}")).join(", ");
    let pod = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{containers}]}}\n");
    let output = preflight(&["-", "--write-rules", &rules.to_string_lossy()], &pod);
    let script = std::fs::read_to_string(rules).expect("written");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    for text in [script, shown] {
        let lines = text.lines().filter(|line| line.contains("az acr import"));
        let targets: Vec<&str> = lines.filter_map(|line| line.split(" -t ").nth(1)?.split(' ').next()).collect();
        let unique: std::collections::BTreeSet<&str> = targets.iter().copied().collect();
        assert_eq!((targets.len(), unique.len()), (3, 3), "{text}");
    }
}
