//! Tests of what is found in custom resources, and in objects that are not quite what they should be.

use super::images;
use crate::sources::manifests::read_text;

/// An object of a group, kind and specification; the specification begins on line 5.
fn object(version: &str, kind: &str, spec: &str) -> String {
    let spec = spec.trim_end().replace('\n', "\n  ");
    format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n  {spec}\n")
}

#[test]
fn what_stands_beside_an_image_in_parts_is_found_too() {
    let cluster = object(
        "postgresql.cnpg.io/v1",
        "Cluster",
        "imageName: ghcr.io/cloudnative-pg/postgresql:18\npostgresql:\n  extensions:\n  - name: postgis\n    image:\n      \
         reference: ghcr.io/cloudnative-pg/postgis:3\n",
    );
    assert_eq!(
        images(&cluster),
        [
            "5:ghcr.io/cloudnative-pg/postgresql:18 Cluster a | spec.imageName",
            "10:ghcr.io/cloudnative-pg/postgis:3 Cluster a | spec.postgresql.extensions[].image.reference",
        ]
    );
    let widget = object(
        "example.com/v1",
        "Widget",
        "image:\n  repository: ghcr.io/a/b\n  tag: v1\n  sidecar:\n    image: {reference: ghcr.io/a/c:1}\n  \
         exporterImage: ghcr.io/a/d:1\n",
    );
    let unjudged = read_text("-", &widget, &[]).expect("manifests").unjudged;
    let found: Vec<&str> = unjudged.iter().map(|place| place.image.as_str()).collect();
    assert_eq!(found, ["ghcr.io/a/b:v1", "ghcr.io/a/c:1", "ghcr.io/a/d:1"]);
}

#[test]
fn containers_that_stand_alone_are_found() {
    let task = "templates:\n- name: t\n  task:\n    container:\n      name: main\n      image: busybox\n";
    assert_eq!(
        images(&object("chaos-mesh.org/v1alpha1", "Workflow", task)),
        ["10:busybox Workflow a | spec.templates[].task.container.image"]
    );
    assert_eq!(images(&object("example.com/v1", "Flow", task)), ["10:busybox Flow a | main"]);
    let collector = "collector:\n  image: quay.io/a/b:1\n  imagePullPolicy: Always\n";
    assert_eq!(images(&object("example.com/v1", "Ray", collector)), ["6:quay.io/a/b:1 Ray a | collector"]);
    for none in [
        "machine:\n  image: ubuntu\n",
        "container: {image: \"{{ .Values.image }}\"}\n",
        "container: {image: web, repository: ghcr.io/a, tag: 1}\n",
        "container: {image: web, enabled: false}\n",
        "container: {image: \"\"}\n",
        "job: {image: Not An Image, args: [a]}\n",
    ] {
        assert!(images(&object("example.com/v1", "Flow", none)).is_empty(), "{none}");
    }
}

#[test]
fn an_empty_image_is_the_operators_own() {
    let read = |text: &str| read_text("-", text, &[]).expect("manifests");
    let empty = read(&object("dragonflydb.io/v1", "Dragonfly", "image: \"\"\n"));
    assert!(empty.places.is_empty() && empty.chosen == ["Dragonfly a"], "{empty:?}");
    let pod = "template:\n  spec:\n    containers:\n    - {name: c, image: \"\"}\n    - {name: d, image: \"x:1\"}\n";
    assert_eq!(images(&object("example.com/v1", "Widget", pod)), ["9:x:1 Widget a | d"]);
    // Of Kubernetes' own kinds it is a mistake.
    assert_eq!(images(&object("apps/v1", "Deployment", pod)).len(), 2);
}

#[test]
fn manifests_as_a_text_are_looked_into() {
    let step = |image: &str| {
        format!(
            "templates:\n- resource:\n    action: create\n    manifest: |\n      apiVersion: batch/v1\n      kind: \
             Job\n      spec:\n        template:\n          spec:\n            containers:\n            - name: \
             c\n              image: {image}\n"
        )
    };
    let workflow = object("argoproj.io/v1alpha1", "Workflow", &step("quay.io/a/b:1"));
    let found = read_text("-", &workflow, &[]).expect("manifests").places;
    assert_eq!(
        found.iter().map(|place| (place.image.as_str(), place.line, place.mentioned)).collect::<Vec<_>>(),
        [("quay.io/a/b:1", 16, false)]
    );
    assert_eq!(found[0].container, "c of Job (unnamed) in spec.templates[].resource.manifest");
    let parameter = object("argoproj.io/v1alpha1", "Workflow", &step("'{{inputs.parameters.image}}'"));
    assert!(read_text("-", &parameter, &[]).expect("manifests").places[0].injected);
    let unquoted = object("argoproj.io/v1alpha1", "Workflow", &step("{{inputs.parameters.image}}:1"));
    let unrendered = read_text("-", &unquoted, &[]).expect("manifests").unrendered;
    assert_eq!(unrendered, ["spec.templates[].resource.manifest of Workflow a"]);
    let other = object("example.com/v1", "Widget", &step("quay.io/a/b:1"));
    assert!(read_text("-", &other, &[]).expect("manifests").places[0].mentioned, "nobody knows who applies it");
}

#[test]
fn lists_of_a_kind_and_kinds_in_a_wrong_group_have_images() {
    let list = "apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: p}\n  spec: {containers: [{name: c, image: \
                a}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n";
    assert_eq!(images(list), ["5:a Pod p | c"]);
    let template = "template:\n  spec:\n    containers: [{name: c, image: a}]\n";
    for (version, kind) in [("apps/v1", "Rollout"), ("v1", "Deployment"), ("batch/v1", "Deployment")] {
        assert_eq!(images(&object(version, kind, template)), [format!("7:a {kind} a | c")], "{version}");
    }
    for (version, kind) in [("apps/v1", "ControllerRevision"), ("v1", "Event"), ("apiextensions.k8s.io/v1", "X")] {
        assert!(images(&object(version, kind, template)).is_empty(), "{kind}");
    }
}

#[test]
fn pods_without_containers_are_told() {
    for spec in ["containers: []\n", "containers:\n", "nodeName: a\n"] {
        assert_eq!(images(&object("v1", "Pod", spec)), ["2: Pod a | (no containers)"], "{spec}");
    }
    assert_eq!(images(&object("apps/v1", "Deployment", "replicas: 1\n")), ["2: Deployment a | (no containers)"]);
    // What a ConfigMap holds may be a part of a pod.
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  p: |\n    apiVersion: v1\n    kind: \
               Pod\n    spec: {containers: [{name: c}]}\n";
    assert!(images(map).is_empty());
}

#[test]
fn the_sidecar_of_an_injector_is_put_together() {
    let map = |values: &str| {
        let name = "istio-sidecar-injector-canary";
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  values: |-\n    {{\n      \
             \"global\": {values}\n    }}\n"
        )
    };
    let parts = r#"{"hub": "docker.io/istio", "tag": "1.27.1", "variant": "distroless", "proxy": {"image": "proxyv2"}, "proxy_init": {"image": "proxyv2"}}"#;
    assert_eq!(
        images(&map(parts)),
        [format!(
            "7:docker.io/istio/proxyv2:1.27.1-distroless ConfigMap {} | sidecar that Istio injects",
            "istio-sidecar-injector-canary"
        )]
    );
    assert!(images(&map(r#"{"proxy": {"image": "proxyv2"}}"#)).is_empty());
    let whole = images(&map(r#"{"proxy": {"image": "quay.io/a/proxy:1"}}"#));
    assert!(whole.iter().all(|place| place.starts_with("7:quay.io/a/proxy:1 ")) && !whole.is_empty(), "{whole:?}");
}
