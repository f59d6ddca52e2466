//! Images in the templates of workloads, whether or not a pod of them runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::raw::{RawContainer, RawMetadata};
use crate::evidence::kubernetes::ImageUse;
use crate::evidence::lenient::null_is_default;

/// Most workloads that are named of one image.
const WORKLOADS: usize = 20;

/// A Deployment, StatefulSet or DaemonSet, or a CronJob around its job's template.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawWorkload {
    #[serde(deserialize_with = "null_is_default")]
    metadata: RawMetadata,
    #[serde(deserialize_with = "null_is_default")]
    spec: RawSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSpec {
    #[serde(deserialize_with = "null_is_default")]
    template: RawTemplate,
    #[serde(deserialize_with = "null_is_default")]
    job_template: RawJob,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawJob {
    #[serde(deserialize_with = "null_is_default")]
    spec: RawJobSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawJobSpec {
    #[serde(deserialize_with = "null_is_default")]
    template: RawTemplate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawTemplate {
    #[serde(deserialize_with = "null_is_default")]
    spec: RawTemplateSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawTemplateSpec {
    #[serde(deserialize_with = "null_is_default")]
    containers: Vec<RawContainer>,
    #[serde(deserialize_with = "null_is_default")]
    init_containers: Vec<RawContainer>,
    #[serde(deserialize_with = "null_is_default")]
    node_selector: BTreeMap<String, String>,
}

/// Gathers the images of one kind of workload; memory grows with distinct images.
#[derive(Default)]
pub(super) struct Templates(BTreeMap<String, (ImageUse, BTreeSet<String>)>);

impl Templates {
    pub(super) fn add(&mut self, kind: &str, workload: &RawWorkload) {
        let template =
            if kind == "CronJob" { &workload.spec.job_template.spec.template } else { &workload.spec.template };
        // Virtual nodes pull by ways of their own.
        if template.spec.node_selector.get("type").is_some_and(|kind| kind == "virtual-kubelet") {
            return;
        }
        let place = format!("{}/{}", workload.metadata.namespace, workload.metadata.name);
        let containers = template.spec.init_containers.iter().chain(&template.spec.containers);
        for container in containers.filter(|own| own.image_pull_policy != "Never" && !own.image.is_empty()) {
            let (usage, workloads) = self.0.entry(container.image.clone()).or_default();
            usage.containers += 1;
            if usage.example.is_empty() {
                usage.example.clone_from(&place);
            }
            if workloads.len() < WORKLOADS {
                workloads.insert(format!("{kind} {place}"));
            }
        }
    }

    pub(super) fn finish(self) -> Vec<ImageUse> {
        let images = self.0.into_iter();
        images
            .map(|(image, (usage, workloads))| ImageUse { image, workloads: workloads.into_iter().collect(), ..usage })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(kind: &str, workload: serde_json::Value) -> Vec<(String, Vec<String>)> {
        let mut templates = Templates::default();
        templates.add(kind, &serde_json::from_value(workload).expect("a workload"));
        templates.finish().into_iter().map(|usage| (usage.image, usage.workloads)).collect()
    }

    #[test]
    fn images_of_templates_are_read_wherever_they_stand() {
        let pod = serde_json::json!({ "spec": {
            "initContainers": [{ "image": "docker.io/a:1" }],
            "containers": [{ "image": "docker.io/b:1" }, { "image": "docker.io/c:1", "imagePullPolicy": "Never" }],
        } });
        let metadata = serde_json::json!({ "namespace": "shop", "name": "web" });
        let expected = |kind: &str| {
            let named = vec![format!("{kind} shop/web")];
            vec![("docker.io/a:1".to_owned(), named.clone()), ("docker.io/b:1".to_owned(), named)]
        };
        let deployment = serde_json::json!({ "metadata": metadata, "spec": { "replicas": 0, "template": pod } });
        assert_eq!(images("Deployment", deployment), expected("Deployment"));
        let job = serde_json::json!({ "spec": { "template": pod } });
        let cron = serde_json::json!({ "metadata": metadata, "spec": { "suspend": true, "jobTemplate": job } });
        assert_eq!(images("CronJob", cron), expected("CronJob"));
    }

    #[test]
    fn what_runs_on_virtual_nodes_and_what_is_empty_is_left_out() {
        let spec =
            serde_json::json!({ "nodeSelector": { "type": "virtual-kubelet" }, "containers": [{ "image": "a" }] });
        assert!(images("Deployment", serde_json::json!({ "spec": { "template": { "spec": spec } } })).is_empty());
        assert!(images("DaemonSet", serde_json::json!({ "spec": null })).is_empty());
    }
}
