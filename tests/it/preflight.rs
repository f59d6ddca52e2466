//! Images before they are rolled out, and changes before they are made: verdicts, files and lines, gates of a pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;

use aksiso::answers::preflight::{ImageResult, Preflight, RULES};
use aksiso::answers::pull::ImageVerdict;
use aksiso::evidence::image::Image;
use aksiso::evidence::kubernetes::ImageUse;
use aksiso::evidence::manifests::{Artifact, Asked, Manifests};
use aksiso::evidence::{Evidence, Fact};
use serde_json::{Value, json};

use crate::{fixtures, judged};

/// The verdicts on the images of manifests.
fn results<'m>(evidence: &Evidence, manifests: &'m Manifests) -> Vec<ImageResult<'m>> {
    Preflight::of(&judged::diagnose(evidence), manifests).images
}

fn healthy(name: &str) -> Evidence {
    fixtures::healthy(name)
}

fn case(name: &str) -> Evidence {
    fixtures::evidence(&fixtures::case(&fixtures::folder().join(format!("cases/{name}.json"))).1)
}

/// Without a way out of the operator's own.
fn no_proxy(mut evidence: Evidence) -> Evidence {
    evidence.cluster.properties.http_proxy_config = None;
    evidence
}

/// An ABAC registry whose role is for the managed repositories alone, as the documentation has it.
fn conditioned() -> Evidence {
    let mut evidence = healthy("abac");
    let condition = "((!(ActionMatches{'Microsoft.ContainerRegistry/registries/repositories/content/read'})) OR (@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringStartsWithIgnoreCase 'aks-managed-repository/'))";
    if let Fact::Known(assignments) = &mut evidence.access.role_assignments {
        assignments.iter_mut().for_each(|assignment| assignment.properties.condition = Some(condition.to_owned()));
    }
    evidence
}

fn pod(image: &str) -> Manifests {
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - name: c\n    image: {image:?}\n"
    );
    aksiso::sources::manifests::read_text("pod.yaml", &text, &[]).expect("a manifest")
}

/// The verdict on one image, why, and the rule that reports it.
fn verdict(evidence: &Evidence, image: &str) -> (ImageVerdict, String, Option<&'static str>) {
    let manifests = pod(image);
    let judged = results(evidence, &manifests).remove(0);
    let said = format!("{} {}", judged.answer.why, judged.answer.reference.unwrap_or_default());
    let commands = judged.answer.remediation.map(|remediation| {
        let commands = remediation.commands.iter().map(|command| command.posix() + "\n").collect::<String>();
        format!("{} {commands}", remediation.summary)
    });
    (judged.answer.verdict, format!("{said} {}", commands.unwrap_or_default()), judged.rule.map(|rule| rule.id))
}

/// A gateway's `auto` is what the cluster's proxies have; where there are none, or of several registries, nobody can tell.
#[test]
fn the_image_that_istio_injects_is_that_of_the_proxies() {
    let gateway = "apiVersion: v1\nkind: Pod\nmetadata: {name: g, labels: {sidecar.istio.io/inject: yes}}\nspec: {containers: [{name: istio-proxy, image: auto}]}\n";
    let manifests = aksiso::sources::manifests::read_text("-", gateway, &[]).expect("a manifest");
    let judged = |proxies: &[&str]| {
        let mut evidence = healthy("byo");
        let Fact::Known(images) = &mut evidence.kubernetes.images else { panic!("images") };
        let used =
            proxies.iter().map(|image| ImageUse { image: (*image).to_owned(), containers: 1, ..ImageUse::default() });
        images.used.extend(used);
        let judged = results(&evidence, &manifests).remove(0);
        (judged.answer.verdict, judged.answer.why, judged.answer.gaps.len())
    };
    assert_eq!(judged(&[]).0, ImageVerdict::Unknown);
    let (verdict, why, gaps) = judged(&["mcr.microsoft.com/oss/istio/proxyv2:1.27"]);
    assert!(
        verdict == ImageVerdict::Pullable && gaps == 0 && why.contains("probably that of the cluster's proxies"),
        "{why}"
    );
    assert_eq!(
        judged(&["docker.io/istio/proxyv2:1.26", "istio/proxyv2:1.27"]).0,
        ImageVerdict::CacheRule,
        "one repository"
    );
    let (verdict, _, gaps) = judged(&["docker.io/istio/proxyv2:1", "mcr.microsoft.com/oss/istio/proxyv2:1"]);
    assert_eq!((verdict, gaps), (ImageVerdict::Unknown, 1));
}

const OTHER: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/prod-rg/providers/Microsoft.ContainerRegistry/registries/contosoapps";

/// The cluster beside a registry that was looked at besides.
fn with_other_registry(spoil: impl Fn(&mut Value)) -> Evidence {
    fixtures::evidence(&other_registry(spoil))
}

fn other_registry(spoil: impl Fn(&mut Value)) -> Value {
    let mut snapshot = fixtures::healthy_json("byo");
    let evidence = &mut snapshot["evidence"];
    let text =
        json!({ "registry": evidence["registry"], "network": evidence["network"], "access": evidence["access"] })
            .to_string();
    let mut other: Value = serde_json::from_str(&text.replace("contosoboot", "contosoapps")).expect("JSON");
    other["registry"]["cacheRules"] = json!({ "known": [] });
    spoil(&mut other);
    // One zone answers for both.
    let zones = other["network"]["dnsZones"].as_object().expect("zones").clone();
    for (zone, facts) in zones {
        let records = facts["records"]["known"].as_array().expect("records").clone();
        evidence["network"]["dnsZones"][&zone]["records"]["known"].as_array_mut().expect("records").extend(records);
    }
    evidence["otherRegistries"] = json!({ OTHER: other });
    snapshot
}

#[test]
fn every_verdict_has_its_cases_and_every_rule_fires() {
    let forbidden = case("cache-rules-forbidden");
    let open = case("isolation-incomplete");
    let legacy = case("cache-rule-legacy-target");
    let stale = case("node-not-reimaged-cut-over");
    let cases: &[(&str, &Evidence, &str, ImageVerdict, &[&str])] = &[
        (
            "mirror",
            &healthy("byo"),
            "mcr.microsoft.com/dotnet/aspnet:8.0",
            ImageVerdict::Pullable,
            &["cache of mcr.microsoft.com"],
        ),
        (
            "mirror, managed",
            &healthy("managed"),
            "mcr.microsoft.com/a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ImageVerdict::Pullable,
            &[],
        ),
        ("legacy rule", &legacy, "mcr.microsoft.com/a:1", ImageVerdict::Pullable, &["preview's target"]),
        ("pushed", &healthy("byo"), "contosoboot.azurecr.io/shop/web:42", ImageVerdict::Pullable, &["was not asked"]),
        (
            "already rewritten",
            &healthy("noisy"),
            "contosoboot.azurecr.io/dockerhub/redis:7",
            ImageVerdict::Pullable,
            &["docker.io/library/redis"],
        ),
        ("egress is open", &open, "quay.io/a/b:1", ImageVerdict::Pullable, &["no longer once egress is closed"]),
        ("direct", &case("not-network-isolated"), "redis", ImageVerdict::Pullable, &["egress"]),
        (
            "a rule covers it",
            &no_proxy(healthy("noisy")),
            "redis:7",
            ImageVerdict::Rewrite,
            &["contosoboot.azurecr.io/dockerhub/redis:7"],
        ),
        (
            "with its host",
            &no_proxy(healthy("noisy")),
            "docker.io/redis:7",
            ImageVerdict::Rewrite,
            &["dockerhub/redis:7"],
        ),
        (
            "no rule",
            &healthy("byo"),
            "ghcr.io/a/b:1",
            ImageVerdict::CacheRule,
            &["-n ghcr-io -s 'ghcr.io/*' -t 'ghcr.io/*'", "contosoboot.azurecr.io/ghcr.io/a/b:1"],
        ),
        (
            "credentials",
            &healthy("byo"),
            "nginx",
            ImageVerdict::CacheRule,
            &["az acr credential-set create", "-l docker.io", "-c docker-io", "docker.io/library/nginx:latest"],
        ),
        ("no room", &legacy, "quay.io/a/b:1", ImageVerdict::CacheRule, &["leaves no room"]),
        (
            "no rule for Microsoft",
            &case("cache-rule-missing"),
            "mcr.microsoft.com/a:1",
            ImageVerdict::CacheRule,
            &["aks-managed-mcr"],
        ),
        (
            "not cacheable",
            &healthy("byo"),
            "docker.elastic.co/beats/filebeat:8.1",
            ImageVerdict::Never,
            &["not among its upstreams", "az acr import"],
        ),
        (
            "not cacheable, by digest",
            &healthy("managed"),
            "nvcr.io/a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ImageVerdict::Never,
            &["--repository nvcr.io/a/b", "one of your own"],
        ),
        ("frozen", &healthy("byo"), "k8s.gcr.io/pause:3.1", ImageVerdict::Never, &["registry.k8s.io"]),
        (
            "no role",
            &case("acrpull-missing"),
            "mcr.microsoft.com/a:1",
            ImageVerdict::Blocked,
            &["acrpull-missing", "az role assignment create"],
        ),
        (
            "no record",
            &case("dns-record-missing"),
            "contosoboot.azurecr.io/a:1",
            ImageVerdict::Blocked,
            &["dns-record-missing"],
        ),
        (
            "sick credentials",
            &no_proxy(case("credential-set-unhealthy")),
            "redis:7",
            ImageVerdict::Blocked,
            &["credential"],
        ),
        ("not reimaged", &stale, "mcr.microsoft.com/a:1", ImageVerdict::Pullable, &[]),
        (
            "fails now",
            &case("pull-not-found-own"),
            "contosoboot.azurecr.io/shop/web:43",
            ImageVerdict::Blocked,
            &["It fails in the cluster now"],
        ),
        ("rules not seen", &forbidden, "quay.io/a/b:1", ImageVerdict::Unknown, &["could not be seen"]),
        ("rules not seen, mirror", &forbidden, "mcr.microsoft.com/a:1", ImageVerdict::Unknown, &[]),
        (
            "roles not seen",
            &case("role-assignments-forbidden"),
            "contosoboot.azurecr.io/a:1",
            ImageVerdict::Unknown,
            &[],
        ),
        ("a condition", &conditioned(), "contosoboot.azurecr.io/shop/web:42", ImageVerdict::Unknown, &["condition"]),
        ("a condition, no rule", &conditioned(), "quay.io/a/b:1", ImageVerdict::CacheRule, &["widen it"]),
        ("a condition, mirror", &conditioned(), "mcr.microsoft.com/a:1", ImageVerdict::Pullable, &[]),
        (
            "own egress",
            &case("image-outside-cache-own-egress"),
            "quay.io/a/b:1",
            ImageVerdict::Unknown,
            &["way out of your own"],
        ),
        ("unknown host", &healthy("byo"), "harbor.corp:8443/a/b:1", ImageVerdict::Unknown, &["harbor.corp:8443"]),
        ("another registry", &healthy("byo"), "contosoapps.azurecr.io/a:1", ImageVerdict::Unknown, &[]),
        (
            "another registry, looked at",
            &with_other_registry(|_| ()),
            "contosoapps.azurecr.io/a:1",
            ImageVerdict::Pullable,
            &["contosoapps"],
        ),
        (
            "another registry without a role",
            &with_other_registry(|other| other["access"]["roleAssignments"] = json!({ "known": [] })),
            "contosoapps.azurecr.io/a:1",
            ImageVerdict::Blocked,
            &["az role assignment create"],
        ),
        (
            "another registry, half seen",
            &with_other_registry(|other| {
                other["access"]["roleAssignments"] = json!({ "missing": { "reason": "forbidden", "detail": "403" } });
            }),
            "contosoapps.azurecr.io/a:1",
            ImageVerdict::Unknown,
            &["403"],
        ),
        ("invalid", &healthy("byo"), "UPPER/case", ImageVerdict::Invalid, &[]),
        ("template", &healthy("byo"), "{{ .Values.image }}", ImageVerdict::Invalid, &["not rendered"]),
        ("shell", &healthy("byo"), "ghcr.io/a/b:${TAG}", ImageVerdict::Invalid, &[]),
    ];
    let mut fired: BTreeSet<&str> = BTreeSet::new();
    let mut seen: BTreeSet<ImageVerdict> = BTreeSet::new();
    let mut wrong = Vec::new();
    for (name, evidence, image, expected, words) in cases {
        let (found, said, rule) = verdict(evidence, image);
        fired.extend(rule);
        seen.insert(found);
        if found != *expected || words.iter().any(|word| !said.contains(word)) {
            wrong.push(format!("{name}: {} ({said})", found.as_str()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fired.extend(asked_cases());
    let rules: Vec<&str> = RULES.rules.iter().map(|rule| rule.id).collect();
    let silent: Vec<&&str> = rules.iter().filter(|rule| !fired.contains(**rule)).collect();
    assert!(silent.is_empty(), "rules that never fire: {silent:?}");
    let missing: Vec<&str> = ImageVerdict::ALL
        .iter()
        .filter(|verdict| !seen.contains(verdict) && **verdict != ImageVerdict::NotPulled)
        .map(|verdict| verdict.as_str())
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// What the registry says, where it was asked: the rules that fire.
fn asked_cases() -> Vec<&'static str> {
    let mut snapshot = fixtures::healthy_json("byo");
    for node in snapshot["evidence"]["kubernetes"]["nodes"]["known"].as_array_mut().expect("nodes") {
        node["architecture"] = "arm64".into();
    }
    let evidence = fixtures::evidence(&snapshot);
    let asked = |image: &str, repository: &str, answer: Fact<Option<Artifact>>| {
        let mut manifests = pod(image);
        let version = Image::parse(image).expect("an image").version().to_owned();
        let artifacts = BTreeMap::from([((repository.to_owned(), version), answer)]);
        manifests.registry = Some(Asked { artifacts, repositories: Fact::Known(Vec::new()) });
        let judged = results(&evidence, &manifests).remove(0);
        (judged.answer.verdict, judged.rule.map(|rule| rule.id), judged.answer.why, judged.answer.gaps.len())
    };
    let built = |platforms: &[&str]| {
        Fact::Known(Some(Artifact { platforms: platforms.iter().map(|text| (*text).to_owned()).collect() }))
    };
    let own = "contosoboot.azurecr.io/shop/web:42";
    assert_eq!(asked(own, "shop/web", built(&["linux/amd64", "linux/arm64"])).0, ImageVerdict::Pullable);
    let (verdict, platform, ..) = asked(own, "shop/web", built(&["linux/amd64"]));
    assert_eq!(verdict, ImageVerdict::Never);
    let (verdict, absent, ..) = asked(own, "shop/web", Fact::Known(None));
    assert_eq!(verdict, ImageVerdict::Never);
    let (verdict, _, why, _) = asked("mcr.microsoft.com/a:1", "aks-managed-repository/a", Fact::Known(None));
    assert!(verdict == ImageVerdict::Pullable && why.contains("not cached this version yet"), "{why}");
    let (.., gaps) = asked(own, "shop/web", Fact::default());
    assert_eq!(gaps, 1, "what the registry did not answer is a gap");
    platform.into_iter().chain(absent).collect()
}

fn run(args: &[&str], input: &str) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    command.current_dir(fixtures::folder().join("manifests"));
    command.env_clear().env("PATH", "").args(args).write_stdin(input.to_owned()).output().expect("it runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const BYO: [&str; 3] = ["--from", "../healthy/byo.json", "--no-config"];

fn preflight(args: &[&str], input: &str) -> Output {
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
    assert!(err(&output).contains("there is no cache rule \"nothing\", but: aks-managed-mcr"), "{}", err(&output));
}

#[cfg(target_os = "linux")]
mod live {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use aksiso::diagnosis::Diagnosis;
    use serde_json::json;

    use super::{err, fixtures, out};
    use crate::live::Site;

    /// A proxy that leads every host to one address, as an operator's way to a private registry may.
    fn proxy(to: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let to = to.clone();
                std::thread::spawn(move || tunnel(stream, &to));
            }
        });
        format!("http://{address}")
    }

    fn tunnel(mut client: TcpStream, to: &str) -> Option<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let mut server = TcpStream::connect(to).ok()?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
        let (mut from, mut into) = (client.try_clone().ok()?, server.try_clone().ok()?);
        std::thread::spawn(move || std::io::copy(&mut from, &mut into));
        std::io::copy(&mut server, &mut client).ok()?;
        Some(())
    }

    /// The registry is asked for metadata only: a pull through a cache rule would make it fetch and keep the image.
    #[test]
    fn the_registry_is_asked_for_tags_and_platforms() {
        let site = Site::new(&fixtures::healthy_json("byo"));
        let web = json!({ "tag": { "name": "42", "digest": "sha256:web" } });
        site.server.route("/acr/v1/shop/web/_tags/42", &web);
        let platforms = json!({ "manifest": { "digest": "sha256:web", "references": [
            { "digest": "a", "os": "linux", "architecture": "amd64" }, { "digest": "b", "os": "unknown", "architecture": "unknown" } ] } });
        site.server.route("/acr/v1/shop/web/_manifests/sha256:web", &platforms);
        site.server.route("/acr/v1/_catalog", &json!({ "repositories": ["quay.io/old/copy", "shop/web"] }));
        let address = site.server.url().trim_start_matches("https://").to_owned();
        let run = |more: &[&str]| {
            let mut command = site.command();
            command.env("HTTPS_PROXY", proxy(address.clone())).env("NO_PROXY", "127.0.0.1");
            command.arg("preflight").arg(fixtures::folder().join("manifests/shop.yaml"));
            command.args(["--cluster-id", &site.cluster, "--kubeconfig"]).arg(site.path("kubeconfig"));
            command.args(["--no-config", "--output", "json", "-vv"]).args(more).output().expect("it runs")
        };
        let output = run(&["--registry"]);
        let report: serde_json::Value =
            serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{}", err(&output)));
        let of = |name: &str| {
            let images = report["preflight"]["images"].as_array().expect("images");
            let image = images.iter().find(|image| image["image"].as_str().is_some_and(|own| own.contains(name)));
            image.unwrap_or_else(|| panic!("{name}")).clone()
        };
        assert_eq!(report["preflight"]["registryAsked"], true);
        assert_eq!(of("shop/web:42")["verdict"], "pullable");
        assert!(
            of("shop/web:42")["detail"].as_str().is_some_and(|why| why.contains("The registry has it")),
            "{}",
            of("shop/web:42")
        );
        assert_eq!(of("shop/migrate:42")["verdict"], "never");
        assert!(of("dotnet/runtime")["detail"].as_str().is_some_and(|why| why.contains("not cached this version yet")));
        // A repository stands where the rule would put its own: another target is proposed.
        let quay = of("quay.io/prometheus/statsd-exporter");
        assert_eq!(quay["reference"], "contosoboot.azurecr.io/cache/quay.io/prometheus/statsd-exporter:v0.28.0");
        let requests = site.server.requests();
        let signed_in = requests.iter().filter(|(_, path)| path.ends_with("/oauth2/v2.0/token")).count();
        assert_eq!(signed_in, 2, "a token for ARM and one for registries, each once: {requests:?}");
        let asked: Vec<(String, String)> =
            requests.into_iter().filter(|(_, path)| path.contains("/acr/") || path.contains("/oauth2/")).collect();
        assert!(!asked.iter().any(|(_, path)| path.contains("/v2/")), "{asked:?}");
        assert_eq!(asked.iter().filter(|(_, path)| path.contains("/oauth2/exchange")).count(), 1, "signed in once");
        assert!(!err(&output).contains(crate::server::REFRESH) && !out(&output).contains(crate::server::REFRESH));
        // Without the way to it: a gap, and no pass.
        let mut command = site.command();
        command.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "127.0.0.1");
        command
            .args(["preflight", "-", "--registry", "--no-config", "--cluster-id", &site.cluster, "--kubeconfig"])
            .arg(site.path("kubeconfig"));
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"contosoboot.azurecr.io/shop/web:42\"}]}\n";
        let blind = command.write_stdin(pod).output().expect("it runs");
        assert_eq!(blind.status.code(), Some(3), "{}{}", out(&blind), err(&blind));
        assert!(out(&blind).contains("repository shop/web of contosoboot.azurecr.io"), "{}", out(&blind));
        site.server.stop();
    }

    /// A registry besides the cluster's own: the same chain, asked live and kept in a snapshot.
    #[test]
    fn another_registry_is_looked_at() {
        let site = Site::new(&super::other_registry(|_| ()));
        let file = site.path("s.json");
        let mut command = site.command();
        command
            .args(["collect", "--cluster-id", &site.cluster, "--other-registry", super::OTHER, "--kubeconfig"])
            .arg(site.path("kubeconfig"));
        let collected = command.arg("-o").arg(&file).output().expect("it runs");
        let blind = || {
            Diagnosis::of(
                &aksiso::app::files::read_snapshot(&file).expect("a snapshot"),
                aksiso::checks::catalogue::ALL,
            )
            .checks
            .iter()
            .flat_map(|judged| judged.gaps.clone())
            .collect::<Vec<_>>()
        };
        assert_eq!(collected.status.code(), Some(0), "{:?}", blind());
        let read = aksiso::app::files::read_snapshot(&file).expect("a snapshot");
        assert_eq!(read.other_registries.len(), 1);
        let (verdict, why, _) = super::verdict(&read, "contosoapps.azurecr.io/a:1");
        assert_eq!(verdict, aksiso::answers::pull::ImageVerdict::Pullable, "{why}");
        site.server.stop();
    }
}
