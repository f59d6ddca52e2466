//! Tests of what is found in manifests.

mod operators;

use super::*;

fn images(text: &str) -> Vec<String> {
    let manifests = read_text("f.yaml", text, &[]).expect("manifests");
    manifests
        .places
        .iter()
        .map(|place| format!("{}:{} {} | {}", place.line, place.image, place.object, place.container))
        .collect()
}

#[test]
fn every_built_in_kind_is_looked_into() {
    let pod = "containers: [{name: c, image: \"a:1\"}], initContainers: [{name: i, image: b}], ephemeralContainers: \
               [{name: e, image: c}], volumes: [{name: v, image: {reference: d}}]";
    let template = format!("spec: {{template: {{spec: {{{pod}}}}}}}");
    let kinds = [
        ("v1", "Pod", format!("spec: {{{pod}}}")),
        ("v1", "PodTemplate", format!("template: {{spec: {{{pod}}}}}")),
        ("v1", "ReplicationController", template.clone()),
        ("apps/v1", "Deployment", template.clone()),
        ("apps/v1", "ReplicaSet", template.clone()),
        ("apps/v1", "StatefulSet", template.clone()),
        ("apps/v1", "DaemonSet", template.clone()),
        ("batch/v1", "Job", template.clone()),
        ("batch/v1", "CronJob", format!("spec: {{jobTemplate: {{{template}}}}}")),
        ("argoproj.io/v1alpha1", "Rollout", template.clone()),
        ("serving.knative.dev/v1", "Service", template),
    ];
    for (version, kind, body) in kinds {
        let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: n, namespace: s}}\n{body}\n");
        let expected = [
            format!("4:b {kind} s/n | init container i"),
            format!("4:a:1 {kind} s/n | c"),
            format!("4:c {kind} s/n | ephemeral container e"),
            format!("4:d {kind} s/n | volume v"),
        ];
        assert_eq!(images(&text), expected, "{kind}");
    }
}

#[test]
fn lists_json_and_several_documents_are_read() {
    let pod = |name: &str| {
        let spec = format!(r#"{{"containers":[{{"name":"c","image":"{name}"}}]}}"#);
        format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{spec}}}"#)
    };
    let list =
        format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n{},\n{}\n]}}\n", pod("a"), pod("b"));
    assert_eq!(images(&list), ["2:a Pod a | c", "3:b Pod b | c"]);
    assert_eq!(images(&format!("---\n{}\n---\n{}\n", pod("a"), pod("b"))), ["2:a Pod a | c", "4:b Pod b | c"]);
    assert_eq!(images(&format!("[{}]", pod("a"))), ["1:a Pod a | c"]);
}

#[test]
fn operators_resources_are_known_and_what_is_not_is_told() {
    let text = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: p}\nspec:\n  image: \
                quay.io/prometheus/prometheus:v3\n  containers:\n  - name: proxy\n    image: quay.io/x/proxy:1\n";
    let found = images(text);
    assert_eq!(
        found,
        ["5:quay.io/prometheus/prometheus:v3 Prometheus p | spec.image", "8:quay.io/x/proxy:1 Prometheus p | proxy"]
    );
    let widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec:\n  server:\n    image: \
                  ghcr.io/a/b:1\n    other: {image: {repository: ghcr.io/c/d, tag: 1}}\n";
    let manifests = read_text("-", widget, &[]).expect("manifests");
    assert!(manifests.places.is_empty());
    let unjudged: Vec<(&str, &str)> =
        manifests.unjudged.iter().map(|place| (place.image.as_str(), place.container.as_str())).collect();
    assert_eq!(unjudged, [("ghcr.io/a/b:1", "spec.server.image"), ("ghcr.io/c/d:1", "spec.server.other.image")]);
    let own = [ImagePath::parse("Widget.example.com:spec.server.image").expect("a path")];
    let manifests = read_text("-", widget, &own).expect("manifests");
    assert_eq!((manifests.places.len(), manifests.unjudged.len()), (1, 1));
}

#[test]
fn arguments_that_name_images_are_found() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: o\n    image: x\n    \
                args:\n    - \
                --prometheus-config-reloader=quay.io/prometheus-operator/prometheus-config-reloader:v0.80.0\n    - \
                --log=info\n    - --registry=ghcr.io\n    env:\n    - {name: SOLVER, value: \
                \"quay.io/jetstack/solver:v1\"}\n    - {name: URL, value: \"https://quay.io/x:y\"}\n";
    let manifests = read_text("-", text, &[]).expect("manifests");
    let found: Vec<(&str, bool)> =
        manifests.places.iter().map(|place| (place.image.as_str(), place.mentioned)).collect();
    assert_eq!(
        found,
        [
            ("x", false),
            ("quay.io/prometheus-operator/prometheus-config-reloader:v0.80.0", true),
            ("quay.io/jetstack/solver:v1", true)
        ]
    );
}

#[test]
fn config_maps_annotations_and_tests_only_mention_images() {
    let text = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: m, namespace: s}
data:
  _example: |
    image: quay.io/an/example:1
  ROOK_CSI_CEPH_IMAGE: quay.io/cephcsi/cephcsi:v3
  pod.yaml: |-
    apiVersion: v1
    kind: Pod
    spec:
      containers:
      - name: worker
        image: apache/airflow:3
  agents: |

    agent:
      image: "jenkins/agent:3"
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: s}
spec:
  template:
    metadata:
      annotations:
        sidecar.istio.io/proxyImage: docker.io/istio/proxyv2:1.27
        kubectl.kubernetes.io/last-applied-configuration: '{"image":"a/b:1"}'
    spec:
      containers: [{name: c, image: mcr.microsoft.com/a}]
---
# a template that rendered to nothing
---
apiVersion: v1
kind: Pod
metadata:
  name: t
  annotations: {"helm.sh/hook": "test-success,test"}
spec:
  containers: [{name: c, image: bats}]
"#;
    assert_eq!(
        images(text),
        [
            "7:quay.io/cephcsi/cephcsi:v3 ConfigMap s/m | entry ROOK_CSI_CEPH_IMAGE",
            "14:apache/airflow:3 ConfigMap s/m | worker of Pod (unnamed) in entry pod.yaml",
            "18:jenkins/agent:3 ConfigMap s/m | entry agents",
            "30:mcr.microsoft.com/a Deployment s/d | c",
            "27:docker.io/istio/proxyv2:1.27 Deployment s/d | annotation sidecar.istio.io/proxyImage",
            "40:bats Pod t | c (by helm test only)",
        ]
    );
    let manifests = read_text("-", text, &[]).expect("manifests");
    let certain: Vec<&str> =
        manifests.places.iter().filter(|place| !place.mentioned).map(|place| place.image.as_str()).collect();
    assert_eq!((certain, manifests.others), (vec!["mcr.microsoft.com/a"], 0));
}

#[test]
fn gateways_and_containers_without_image_are_told_apart() {
    let deployment = |container: &str, labels: &str| {
        format!(
            "apiVersion: apps/v1
kind: Deployment
metadata: {{name: d}}
spec:
  template:
    metadata: {{labels: {{{labels}}}}}
    spec:
      containers:
      - {container}
"
        )
    };
    let place = |text: &str| read_text("-", text, &[]).expect("manifests").places.remove(0);
    let gateway = place(&deployment("{name: istio-proxy, image: auto}", "sidecar.istio.io/inject: yes"));
    assert!(gateway.injected && gateway.image == "auto");
    assert!(!place(&deployment("{name: c, image: auto}", "a: b")).injected);
    let patch = place(&deployment("{name: c, resources: {}}", "a: b"));
    assert_eq!((patch.image.as_str(), patch.line), ("", 9));
    let custom = "apiVersion: elasticsearch.k8s.elastic.co/v1
kind: Elasticsearch
metadata: {name: e}
spec:
  image: docker.elastic.co/elasticsearch/elasticsearch:9.0.0
  nodeSets:
  - podTemplate:
      spec: {initContainers: [{name: i, image: busybox}], containers: [{name: elasticsearch, resources: {}}]}
";
    assert_eq!(
        images(custom),
        [
            "5:docker.elastic.co/elasticsearch/elasticsearch:9.0.0 Elasticsearch e | spec.image",
            "8:busybox Elasticsearch e | init container i",
        ]
    );
}

#[test]
fn images_in_parts_and_what_is_switched_off() {
    let policy = "apiVersion: nvidia.com/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  toolkit: {repository: nvcr.io/nvidia/k8s, image: container-toolkit, version: v1}
  vgpuManager: {enabled: false, repository: nvcr.io/nvidia, image: vgpu-manager, version: v1}
  new: {repository: nvcr.io/nvidia, image: new, version: v1}
";
    assert_eq!(images(policy), ["5:nvcr.io/nvidia/k8s/container-toolkit:v1 ClusterPolicy p | spec.toolkit"]);
    let unjudged = read_text("-", policy, &[]).expect("manifests").unjudged;
    assert_eq!(unjudged.iter().map(|place| place.image.as_str()).collect::<Vec<_>>(), ["nvcr.io/nvidia/new:v1"]);
    // On one line, too.
    let spark = concat!(
        r#"{"apiVersion":"sparkoperator.k8s.io/v1beta2","kind":"SparkApplication","metadata":{"name":"s"},"#,
        r#""spec":{"image":"a/b:1","other":{"image":"c/d:1"}}}"#
    );
    let manifests = read_text("-", spark, &[]).expect("manifests");
    assert_eq!((manifests.places[0].image.as_str(), manifests.unjudged[0].image.as_str()), ("a/b:1", "c/d:1"));
}

#[test]
fn images_that_operators_choose_are_told() {
    let chosen = |group: &str, kind: &str, spec: &str| {
        let text = format!("apiVersion: {group}/v1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n");
        read_text("-", &text, &[]).expect("manifests").chosen
    };
    assert_eq!(chosen("postgresql.cnpg.io", "Cluster", "{instances: 3}"), ["Cluster a"]);
    assert!(chosen("postgresql.cnpg.io", "Cluster", "{imageName: ghcr.io/a/b:1}").is_empty());
    assert!(chosen("postgresql.cnpg.io", "Cluster", "{imageCatalogRef: {name: c}}").is_empty());
    let sidecar = "{podTemplate: {spec: {containers: [{name: c, image: x}]}}}";
    assert_eq!(chosen("kibana.k8s.elastic.co", "Kibana", sidecar), ["Kibana a"], "another container is not its own");
    assert!(chosen("example.com", "Widget", "{}").is_empty());
}

#[test]
fn parameters_of_workflows_are_no_templates_of_charts() {
    let task = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: t}\nspec: {params: [{name: image, default: \
                \"gcr.io/a/b:1\"}], steps: [{name: s, image: $(params.image)}]}\n";
    let manifests = read_text("-", task, &[]).expect("manifests");
    assert!(manifests.places.is_empty() && manifests.unjudged.is_empty(), "{manifests:?}");
    assert_eq!(manifests.probable[0].place.image, "gcr.io/a/b:1", "the default");
    let open = read_text("-", &task.replace("name: image", "name: other"), &[]).expect("manifests");
    assert!(open.places[0].injected && open.places[0].image == "$(params.image)", "{open:?}");
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: \"$(IMAGE)\"}]}\n";
    assert!(!read_text("-", pod, &[]).expect("manifests").places[0].injected);
}

#[test]
fn a_policy_about_images_starts_none() {
    let text = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {name: r}\nspec: {image: \
                ghcr.io/a/b}\n---\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec: {rules: \
                [{verifyImages: [{imageReferences: [\"ghcr.io/a/b:1\"]}]}]}\n";
    let manifests = read_text("-", text, &[]).expect("manifests");
    assert!(manifests.places.is_empty() && manifests.unjudged.is_empty(), "{manifests:?}");
}

#[test]
fn manifests_that_bring_others_are_told() {
    let text = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: a, namespace: argocd}
spec: {source: {chart: x}}
";
    assert_eq!(read_text("-", text, &[]).expect("manifests").unrendered, ["Application argocd/a"]);
    let error = read_text(
        "-",
        "apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [a]
",
        &[],
    )
    .expect_err("a kustomization");
    assert!(error.to_string().contains("not what it builds to") && error.hint.contains("kustomize build"), "{error}");
}

#[test]
fn secrets_of_service_accounts_count() {
    let text = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: s}\nimagePullSecrets: [{name: \
                x}]\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: s}\nspec: {serviceAccountName: a, \
                containers: [{name: c, image: h/i}]}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: q, namespace: \
                s}\nspec: {containers: [{name: c, image: h/i, imagePullPolicy: Never}]}\n";
    let manifests = read_text("-", text, &[]).expect("manifests");
    let seen: Vec<(bool, bool)> = manifests.places.iter().map(|place| (place.secret, place.never)).collect();
    assert_eq!(seen, [(true, false), (false, true)]);
}

#[test]
fn templates_and_nothing_are_errors() {
    let error = read_text("t.yaml", "{{- if .Values.x }}\napiVersion: v1\n{{- end }}\n", &[]).expect_err("a template");
    assert!(error.to_string().contains("not rendered") && error.hint.contains("helm template"), "{error}");
    let error = read_text("t.yaml", "a: [1\n", &[]).expect_err("no YAML");
    assert!(error.to_string().starts_with("t.yaml, line "), "{error}");
    assert_eq!(read_text("v.yaml", "replicaCount: 1\n", &[]).expect("a file").objects, 0);
}
