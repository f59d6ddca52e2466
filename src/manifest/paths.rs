//! Where the images of an object stand: pod templates of built-in kinds, and fields of well-known operators' resources.

use super::yaml::Node;

/// A place in an object: keys separated by dots, `[]` for every item of a list, `*` for every key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePath {
    /// The kind, such as `Prometheus`.
    pub kind: String,
    /// Its API group, such as `monitoring.coreos.com`; empty = any.
    pub group: String,
    /// The path to the image's text.
    pub path: String,
}

impl ImagePath {
    /// Reads `KIND[.GROUP]:PATH`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected KIND.GROUP:PATH, such as Prometheus.monitoring.coreos.com:spec.containers[].image";
        let (name, path) = text.split_once(':').ok_or(expected)?;
        Self::new(name, path)
    }

    /// A path of a kind that is named with or without its group.
    ///
    /// # Errors
    /// What was expected.
    pub fn new(name: &str, path: &str) -> Result<Self, String> {
        let (kind, group) = name.split_once('.').unwrap_or((name, ""));
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
        let step = |step: &str| !step.trim_end_matches("[]").is_empty() && !step.contains(char::is_whitespace);
        if !word(kind) {
            return Err(format!("\"{name}\" is no kind: expected KIND or KIND.GROUP"));
        }
        if path.is_empty() || !path.split('.').all(step) {
            return Err(format!(
                "\"{path}\" is no path: expected keys separated by dots, with [] for every item of a list"
            ));
        }
        Ok(Self { kind: kind.to_owned(), group: group.to_owned(), path: path.to_owned() })
    }

    /// Whether the path is about a kind.
    pub fn is_for(&self, kind: &str, group: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && (self.group.is_empty() || self.group.eq_ignore_ascii_case(group))
    }
}

/// The nodes at a path.
pub fn walk<'n>(node: &'n Node, path: &str, found: &mut Vec<&'n Node>) {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let (key, lists) = step.strip_suffix("[]").map_or((step, false), |key| (key, true));
    let below: Vec<&Node> = match (key, node) {
        ("*", Node::Map(entries)) => entries.iter().map(|(_, value)| value).collect(),
        _ => node.get(key).into_iter().collect(),
    };
    let below = below.into_iter().flat_map(|node| if lists { node.items() } else { std::slice::from_ref(node) });
    for node in below {
        match rest {
            Some(rest) => walk(node, rest, found),
            None => found.push(node),
        }
    }
}

/// The pod specification of a built-in kind.
pub fn pod_spec<'n>(kind: &str, group: &str, root: &'n Node) -> Option<&'n Node> {
    let path: &[&str] = match (group, kind) {
        ("", "Pod") => &["spec"],
        ("", "PodTemplate") => &["template", "spec"],
        ("", "ReplicationController")
        | ("apps" | "extensions", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job") => &["spec", "template", "spec"],
        ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    };
    root.at(path)
}

/// Whether objects of a built-in group are done with once their pod template has been looked at.
pub fn is_built_in(group: &str) -> bool {
    group.is_empty() || !group.contains('.') || group.ends_with(".k8s.io") && !CUSTOM_K8S.contains(&group)
}

/// Groups under `k8s.io` whose objects make pods.
const CUSTOM_K8S: [&str; 4] = ["jobset.x-k8s.io", "leaderworkerset.x-k8s.io", "agents.x-k8s.io", "kueue.x-k8s.io"];

/// Fields that name an image, by group and kind. Pod templates in custom resources need no line here: they are found by
/// what they look like.
const KNOWN: &[(&str, &str, &[&str])] = &[
    ("monitoring.coreos.com", "Prometheus", &["spec.image", "spec.thanos.image"]),
    ("monitoring.coreos.com", "PrometheusAgent", &["spec.image"]),
    ("monitoring.coreos.com", "Alertmanager", &["spec.image"]),
    ("monitoring.coreos.com", "ThanosRuler", &["spec.image"]),
    ("argoproj.io", "Workflow", WORKFLOW),
    ("argoproj.io", "WorkflowTemplate", WORKFLOW),
    ("argoproj.io", "ClusterWorkflowTemplate", WORKFLOW),
    (
        "argoproj.io",
        "CronWorkflow",
        &["spec.workflowSpec.templates[].container.image", "spec.workflowSpec.templates[].script.image"],
    ),
    ("tekton.dev", "Task", TASK),
    ("tekton.dev", "ClusterTask", TASK),
    ("tekton.dev", "TaskRun", &["spec.taskSpec.steps[].image", "spec.taskSpec.sidecars[].image"]),
    ("tekton.dev", "Pipeline", &["spec.tasks[].taskSpec.steps[].image", "spec.finally[].taskSpec.steps[].image"]),
    ("tekton.dev", "PipelineRun", &["spec.pipelineSpec.tasks[].taskSpec.steps[].image"]),
    ("postgresql.cnpg.io", "Cluster", &["spec.imageName"]),
    ("postgresql.cnpg.io", "ImageCatalog", &["spec.images[].image"]),
    ("postgresql.cnpg.io", "ClusterImageCatalog", &["spec.images[].image"]),
    ("acid.zalan.do", "postgresql", &["spec.dockerImage", "spec.sidecars[].image"]),
    ("elasticsearch.k8s.elastic.co", "Elasticsearch", IMAGE),
    ("kibana.k8s.elastic.co", "Kibana", IMAGE),
    ("beat.k8s.elastic.co", "Beat", IMAGE),
    ("logstash.k8s.elastic.co", "Logstash", IMAGE),
    ("agent.k8s.elastic.co", "Agent", IMAGE),
    ("apm.k8s.elastic.co", "ApmServer", IMAGE),
    (
        "kafka.strimzi.io",
        "Kafka",
        &[
            "spec.kafka.image",
            "spec.zookeeper.image",
            "spec.entityOperator.topicOperator.image",
            "spec.entityOperator.userOperator.image",
            "spec.cruiseControl.image",
            "spec.kafkaExporter.image",
        ],
    ),
    ("kafka.strimzi.io", "KafkaConnect", IMAGE),
    ("kafka.strimzi.io", "KafkaBridge", IMAGE),
    ("kafka.strimzi.io", "KafkaMirrorMaker2", IMAGE),
    ("opentelemetry.io", "OpenTelemetryCollector", IMAGE),
    ("opentelemetry.io", "TargetAllocator", IMAGE),
    ("opentelemetry.io", "Instrumentation", &["spec.*.image"]),
    ("jaegertracing.io", "Jaeger", &["spec.*.image"]),
    ("rabbitmq.com", "RabbitmqCluster", IMAGE),
    ("redis.redis.opstreelabs.in", "Redis", REDIS),
    ("redis.redis.opstreelabs.in", "RedisCluster", REDIS),
    ("redis.redis.opstreelabs.in", "RedisReplication", REDIS),
    ("redis.redis.opstreelabs.in", "RedisSentinel", REDIS),
    (
        "databases.spotahome.com",
        "RedisFailover",
        &["spec.redis.image", "spec.sentinel.image", "spec.redis.exporter.image"],
    ),
    ("k8s.keycloak.org", "Keycloak", IMAGE),
    ("minio.min.io", "Tenant", IMAGE),
    ("sparkoperator.k8s.io", "SparkApplication", SPARK),
    ("sparkoperator.k8s.io", "ScheduledSparkApplication", &["spec.template.image"]),
    ("operators.coreos.com", "CatalogSource", IMAGE),
    ("kubevirt.io", "VirtualMachine", &["spec.template.spec.volumes[].containerDisk.image"]),
    ("kubevirt.io", "VirtualMachineInstance", &["spec.volumes[].containerDisk.image"]),
    ("gateway.envoyproxy.io", "EnvoyProxy", &["spec.provider.kubernetes.envoyDeployment.container.image"]),
    ("camel.apache.org", "IntegrationPlatform", &["spec.build.baseImage"]),
    ("flink.apache.org", "FlinkDeployment", IMAGE),
    ("temporal.io", "TemporalCluster", IMAGE),
    ("argoproj.io", "ArgoCD", &["spec.image", "spec.repo.image", "spec.redis.image", "spec.sso.dex.image"]),
    ("grafana.com", "LokiStack", IMAGE),
    ("ceph.rook.io", "CephCluster", &["spec.cephVersion.image"]),
    ("mariadb.mmontes.io", "MariaDB", IMAGE),
    ("k8s.mariadb.com", "MariaDB", &["spec.image", "spec.metrics.exporter.image"]),
];

const IMAGE: &[&str] = &["spec.image"];
const REDIS: &[&str] = &["spec.kubernetesConfig.image", "spec.redisExporter.image"];
const SPARK: &[&str] = &["spec.image", "spec.driver.image", "spec.executor.image"];
const TASK: &[&str] = &["spec.steps[].image", "spec.sidecars[].image", "spec.stepTemplate.image"];
const WORKFLOW: &[&str] = &[
    "spec.templates[].container.image",
    "spec.templates[].script.image",
    "spec.templates[].containerSet.containers[].image",
];

/// The built-in paths of a kind.
pub fn known(kind: &str, group: &str) -> impl Iterator<Item = &'static str> {
    let own = KNOWN.iter().filter(move |(own_group, own_kind, _)| *own_group == group && *own_kind == kind);
    own.flat_map(|(_, _, paths)| paths.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::yaml;

    fn found(text: &str, path: &str) -> Vec<String> {
        let mut texts = Vec::new();
        yaml::documents(text, |document| {
            let mut nodes = Vec::new();
            walk(&document.root, path, &mut nodes);
            texts.extend(nodes.iter().filter_map(|node| Some(node.text()?.0.to_owned())));
        })
        .expect("YAML");
        texts
    }

    #[test]
    fn paths_go_through_maps_and_lists() {
        let text = "spec:\n  a: {image: x}\n  b: {image: y}\n  list: [{image: z}, {image: w}]\n";
        assert_eq!(found(text, "spec.a.image"), ["x"]);
        assert_eq!(found(text, "spec.*.image"), ["x", "y"]);
        assert_eq!(found(text, "spec.list[].image"), ["z", "w"]);
        assert!(found(text, "spec.c.image").is_empty());
    }

    #[test]
    fn a_path_of_the_operators_own_is_read() {
        let path = ImagePath::parse("Widget.example.com:spec.parts[].image").expect("a path");
        assert!(path.is_for("Widget", "example.com") && !path.is_for("Widget", "other.com"));
        for bad in ["", "Widget", "Widget:", ":spec", "Widget:spec..image", "Wid get:spec", "Widget:[]"] {
            assert!(ImagePath::parse(bad).is_err(), "{bad}");
        }
    }
}
