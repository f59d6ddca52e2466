//! What nodes reach, and what stands in the registry: nothing is called pullable on the strength of half a remedy.

use std::collections::BTreeMap;

use aksiso::answers::preflight::Preflight;
use aksiso::answers::pull::{ImageVerdict, Puller};
use aksiso::checks::command::Command;
use aksiso::diagnosis::policy::ways::Ways;
use aksiso::evidence::image::{Caching, Image, caching};
use aksiso::evidence::manifests::{Artifact, Asked};
use aksiso::evidence::{Evidence, Fact};

use super::{case, healthy, pod, verdict};
use crate::{fixtures, judged};

/// An upstream of each kind, and hosts that lead to one.
const CACHEABLE: [&str; 16] = [
    "docker.io/library/redis:7",
    "dhi.io/python:3",
    "public.ecr.aws/a/b:1",
    "ghcr.io/a/b:1",
    "quay.io/a/b:1",
    "registry.k8s.io/pause:3.10",
    "gcr.io/a/b:1",
    "europe-docker.pkg.dev/a/b/c:1",
    "nvcr.io/nvidia/driver:580",
    "registry.redhat.io/ubi9/ubi:9",
    "registry.access.redhat.com/ubi9/ubi:9",
    "k8s.gcr.io/pause:3.1",
    "mirror.gcr.io/library/redis:7",
    "cr.l5d.io/linkerd/proxy:1",
    "lscr.io/linuxserver/code-server:4",
    "docker.n8n.io/n8nio/n8n:1",
];

/// Every upstream of the table gets a rule with the sign-in that it takes, and a reference.
#[test]
fn whatever_can_be_cached_gets_a_rule() {
    let evidence = healthy("byo");
    for image in CACHEABLE {
        let (found, said, _) = verdict(&evidence, image);
        assert_eq!(found, ImageVerdict::CacheRule, "{image}: {said}");
        let set = said.contains("az acr credential-set create");
        let host = image.split('/').next().unwrap_or_default();
        assert_eq!(set, caching(host) == Caching::Credentials, "{image}: {said}");
        assert_eq!(set, said.contains("Key Vault Secrets User"), "{image}: {said}");
    }
    let mut ways = Ways::default();
    ways.block("*".to_owned(), "no public registries".to_owned());
    let (found, said) = under(&evidence, &ways, "other.azurecr.io/a:1");
    assert!(found == ImageVerdict::CacheRule && said.contains("--identity"), "{said}");
}

/// With and without every fixture's faults: a reference into the registry that a missing rule would fill.
#[test]
fn half_a_remedy_turns_no_gate_green() {
    for (name, snapshot) in fixtures::all() {
        let evidence = fixtures::evidence(&snapshot);
        let Some(server) = evidence.login_server() else { continue };
        let diagnosis = judged::diagnose(&evidence);
        let puller = Puller::new(&diagnosis);
        for reference in CACHEABLE.iter().flat_map(|image| ["", "cache/"].map(|at| format!("{server}/{at}{image}"))) {
            let answer = puller.judge(&Image::parse(&reference).expect("a reference"), false);
            let filled = answer.why.contains("fills this repository from");
            assert!(!answer.pulls() || filled, "{name}: {reference}: {}", answer.why);
        }
    }
}

/// Nodes mirror Microsoft's registry under its names in their own cloud only.
#[test]
fn another_clouds_name_of_microsofts_registry_is_not_mirrored() {
    let evidence = healthy("byo");
    let (found, said, _) = verdict(&evidence, "mcr.azure.cn/oss/kubernetes/pause:3.9");
    assert!(found == ImageVerdict::Rewrite, "{said}");
    assert!(said.contains("mcr.microsoft.com/oss/kubernetes/pause:3.9"), "{said}");
    let mut china = evidence;
    china.cluster.location = Some("chinanorth3".to_owned());
    let puller = judged::diagnose(&china);
    let answer = |image: &str| Puller::new(&puller).judge(&Image::parse(image).expect("a reference"), false);
    assert_ne!(answer("mcr.azure.cn/oss/kubernetes/pause:3.9").verdict, ImageVerdict::Rewrite);
    assert_ne!(answer("mcr.azk8s.cn/oss/kubernetes/pause:3.9").verdict, ImageVerdict::Rewrite);
}

#[test]
fn only_the_registry_proves_a_copy() {
    let evidence = healthy("byo");
    let copy = "contosoboot.azurecr.io/quay.io/a/b:1";
    let (found, said, _) = verdict(&evidence, copy);
    assert!(found == ImageVerdict::CacheRule && said.contains("-s 'quay.io/*' -t 'quay.io/*'"), "{said}");
    let imported = "contosoboot.azurecr.io/docker.elastic.co/beats/filebeat:8";
    let (found, said, _) = verdict(&evidence, imported);
    assert!(found == ImageVerdict::Unknown && said.contains("az acr import"), "{said}");
    let mirrored = "contosoboot.azurecr.io/mcr.microsoft.com/a/b:1";
    let (found, said, _) = verdict(&evidence, mirrored);
    assert!(found == ImageVerdict::Rewrite && said.contains(" mcr.microsoft.com/a/b:1"), "{said}");
    let managed = "contosoboot.azurecr.io/aks-managed-repository/a/b:1";
    assert_eq!(verdict(&evidence, managed).0, ImageVerdict::Pullable);
    let without = case("cache-rule-missing");
    assert_eq!(verdict(&without, managed).0, ImageVerdict::CacheRule);
    for image in [copy, imported] {
        let manifests = pod(image);
        let diagnosis = judged::diagnose(&evidence);
        let wanted = Preflight::of(&Puller::new(&diagnosis), &manifests).wanted(&evidence);
        let [(repository, versions)] = wanted.as_slice() else { panic!("{image} is not asked for: {wanted:?}") };
        let key = (repository.clone(), versions[0].clone());
        let saw = |answer| {
            let asked =
                Asked { artifacts: BTreeMap::from([(key.clone(), answer)]), repositories: Fact::Known(Vec::new()) };
            Preflight::of(&Puller::new(&diagnosis).knowing(&asked), &manifests).images.remove(0).answer.verdict
        };
        assert_eq!(saw(Fact::Known(Some(Artifact::default()))), ImageVerdict::Pullable, "{image}");
        assert_ne!(saw(Fact::Known(None)), ImageVerdict::Pullable, "{image}");
    }
}

/// A registry that has as many rules as it takes gets no further one.
#[test]
fn the_limit_of_rules_is_counted() {
    let mut evidence = healthy("byo");
    let Fact::Known(rules) = &mut evidence.registry.cache_rules else { panic!("rules") };
    rules.extend(std::iter::repeat_n(rules[0].clone(), 999));
    let (found, said, _) = verdict(&evidence, "quay.io/a/b:1");
    assert!(found == ImageVerdict::CacheRule && said.contains("at most 1000") && !said.contains("az acr"), "{said}");
}

/// With egress open any public host is alike; what is called unreachable is judged as if it were closed.
#[test]
fn open_egress_treats_public_hosts_alike() {
    let open = case("isolation-incomplete");
    for image in ["quay.io/a:1", "registry.vendor.example/a:1", "docker.elastic.co/a:1"] {
        assert_eq!(verdict(&open, image).0, ImageVerdict::Pullable, "{image}");
    }
    for image in ["harbor.corp/a:1", "10.0.0.4:5000/a:1", "other.azurecr.io/a:1"] {
        assert_eq!(verdict(&open, image).0, ImageVerdict::Unknown, "{image}");
    }
    let mut ways = Ways::default();
    ways.block("*".to_owned(), "public registries are not meant to be used".to_owned());
    ways.reach("registry.vendor.example".to_owned(), "allowed".to_owned());
    for (image, expected) in [
        ("quay.io/a:1", ImageVerdict::CacheRule),
        ("docker.elastic.co/a:1", ImageVerdict::Never),
        ("harbor.corp/a:1", ImageVerdict::Never),
        ("registry.vendor.example/a:1", ImageVerdict::Pullable),
        ("mcr.microsoft.com/a:1", ImageVerdict::Pullable),
        ("contosoboot.azurecr.io/shop/web:42", ImageVerdict::Pullable),
    ] {
        let (found, said) = under(&open, &ways, image);
        assert_eq!(found, expected, "{image}: {said}");
    }
}

/// The verdict on an image under what the operator says of registries.
fn under(evidence: &Evidence, ways: &Ways, image: &str) -> (ImageVerdict, String) {
    let (diagnosis, manifests) = (judged::diagnose(evidence), pod(image));
    let answer = Preflight::of(&Puller::new(&diagnosis).believing(ways), &manifests).images.remove(0).answer;
    let commands = answer.remediation.iter().flat_map(|own| &own.commands).map(Command::posix);
    (answer.verdict, format!("{} {}", answer.why, commands.collect::<Vec<_>>().join("; ")))
}
