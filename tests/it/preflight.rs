//! Images before they are rolled out, and changes before they are made: verdicts, files and lines, gates of a pipeline.

#[cfg(target_os = "linux")]
mod live;
mod next;
mod pipeline;
mod reach;
mod reading;

use std::collections::{BTreeMap, BTreeSet};

use aksiso::answers::preflight::{ImageResult, Preflight, RULES};
use aksiso::answers::pull::{ImageVerdict, Puller};
use aksiso::evidence::image::Image;
use aksiso::evidence::kubernetes::ImageUse;
use aksiso::evidence::manifests::{Artifact, Asked, Manifests};
use aksiso::evidence::{Evidence, Fact};
use serde_json::{Value, json};

use crate::{fixtures, judged};

/// The verdicts on the images of manifests.
fn results<'m>(evidence: &Evidence, manifests: &'m Manifests) -> Vec<ImageResult<'m>> {
    Preflight::of(&Puller::new(&judged::diagnose(evidence)), manifests).images
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
        ("pushed", &healthy("byo"), "contosoboot.azurecr.io/shop/web:42", ImageVerdict::Pullable, &["not verified"]),
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
            "cgr.dev/a/b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ImageVerdict::Never,
            &["-t cgr.dev/a/b:sha256-aaaaaaaaaaaa ", "one of your own"],
        ),
        (
            "not cacheable, by tag and digest",
            &healthy("byo"),
            "cgr.dev/a/b:1.2@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ImageVerdict::Never,
            &["--source cgr.dev/a/b@sha256:aa", "-t cgr.dev/a/b:1.2 ", ".azurecr.io/cgr.dev/a/b:1.2@sha256:aa"],
        ),
        (
            "a host that leads to an upstream",
            &healthy("byo"),
            "k8s.gcr.io/pause:3.1",
            ImageVerdict::CacheRule,
            &["leads to registry.k8s.io", "-s 'registry.k8s.io/*'", "contosoboot.azurecr.io/registry.k8s.io/pause:3.1"],
        ),
        ("anonymous upstream", &healthy("byo"), "public.ecr.aws/a/b:1", ImageVerdict::CacheRule, &["public-ecr-aws"]),
        (
            "upstream with credentials",
            &healthy("byo"),
            "registry.redhat.io/ubi9/ubi:1",
            ImageVerdict::CacheRule,
            &["-l registry.redhat.io", "'Key Vault Secrets User'", "--query identity.principalId"],
        ),
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
        ("rules not seen", &forbidden, "quay.io/a/b:1", ImageVerdict::Unknown, &["could not be determined"]),
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
        let manifests = pod(image);
        let version = Image::parse(image).expect("an image").version().to_owned();
        let artifacts = BTreeMap::from([((repository.to_owned(), version), answer)]);
        let asked = Asked { artifacts, repositories: Fact::Known(Vec::new()) };
        let diagnosis = judged::diagnose(&evidence);
        let judged = Preflight::of(&Puller::new(&diagnosis).knowing(&asked), &manifests).images.remove(0);
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
