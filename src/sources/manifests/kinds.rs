//! What is known of kinds: which are Kubernetes' own and where their pods stand, and which fields of operators'
//! resources name images.

/// Where the pod, with metadata and specification, of a built-in kind stands.
pub fn pod(kind: &str, group: &str) -> Option<&'static [&'static str]> {
    let path: &[&str] = match (group, kind) {
        ("", "Pod") => &[],
        ("", "PodTemplate") => &["template"],
        ("", "ReplicationController")
        | ("apps" | "extensions", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job") => &["spec", "template"],
        ("batch", "CronJob") => &["spec", "jobTemplate", "spec", "template"],
        _ => return None,
    };
    Some(path)
}

/// Whether a kind is Kubernetes' own and makes no pods. Of a name without a dot, which only Kubernetes' own groups have,
/// the kinds are known: an `apps/v1 Rollout` is somebody's mistake, and still has images.
pub fn makes_no_pods(kind: &str, group: &str) -> bool {
    const GROUPS: [&str; 19] = [
        "admissionregistration",
        "apiextensions",
        "apiregistration",
        "authentication",
        "authorization",
        "certificates",
        "coordination",
        "discovery",
        "events",
        "flowcontrol.apiserver",
        "internal.apiserver",
        "kustomize.config",
        "networking",
        "node",
        "rbac.authorization",
        "resource",
        "scheduling",
        "storage",
        "storagemigration",
    ];
    const KINDS: &[(&str, &[&str])] = &[
        (
            "",
            &[
                "Binding",
                "ComponentStatus",
                "ConfigMap",
                "Endpoints",
                "Event",
                "LimitRange",
                "Namespace",
                "Node",
                "PersistentVolume",
                "PersistentVolumeClaim",
                "ResourceQuota",
                "Secret",
                "Service",
                "ServiceAccount",
            ],
        ),
        // A revision holds the template that a DaemonSet or StatefulSet had.
        ("apps", &["ControllerRevision"]),
        ("autoscaling", &["HorizontalPodAutoscaler", "Scale"]),
        ("policy", &["PodDisruptionBudget", "PodSecurityPolicy", "Eviction"]),
        ("extensions", &["Ingress", "NetworkPolicy", "PodSecurityPolicy"]),
    ];
    group.strip_suffix(".k8s.io").is_some_and(|own| GROUPS.contains(&own))
        || KINDS.iter().any(|(own, kinds)| *own == group && kinds.contains(&kind))
}

/// Whether resources of a group speak of images that others start: policies, scans of tags, reports.
pub fn only_speaks_of_images(group: &str) -> bool {
    const GROUPS: [&str; 8] = [
        "image.toolkit.fluxcd.io",
        "kyverno.io",
        "policies.kyverno.io",
        "constraints.gatekeeper.sh",
        "templates.gatekeeper.sh",
        "policy.sigstore.dev",
        "aquasecurity.github.io",
        "wgpolicyk8s.io",
    ];
    GROUPS.contains(&group)
}

/// Whether a kind brings manifests that stand elsewhere.
pub fn brings_more(kind: &str, group: &str) -> bool {
    const KINDS: [(&str, &str); 6] = [
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
        ("kustomize.toolkit.fluxcd.io", "Kustomization"),
        ("argoproj.io", "Application"),
        ("argoproj.io", "ApplicationSet"),
        ("helm.cattle.io", "HelmChart"),
        ("fleet.cattle.io", "GitRepo"),
    ];
    KINDS.contains(&(group, kind))
}

/// Whether the operator of a kind starts an image of its own choice where the resource names none.
pub fn operator_chooses(kind: &str, group: &str) -> bool {
    const KINDS: &[(&str, &[&str])] = &[
        ("monitoring.coreos.com", &["Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler"]),
        ("elasticsearch.k8s.elastic.co", &["Elasticsearch"]),
        ("kibana.k8s.elastic.co", &["Kibana"]),
        ("beat.k8s.elastic.co", &["Beat"]),
        ("logstash.k8s.elastic.co", &["Logstash"]),
        ("agent.k8s.elastic.co", &["Agent"]),
        ("apm.k8s.elastic.co", &["ApmServer"]),
        ("kafka.strimzi.io", &["Kafka", "KafkaConnect", "KafkaBridge", "KafkaMirrorMaker2"]),
        ("opentelemetry.io", &["OpenTelemetryCollector", "TargetAllocator"]),
        ("jaegertracing.io", &["Jaeger"]),
        ("rabbitmq.com", &["RabbitmqCluster"]),
        ("k8s.keycloak.org", &["Keycloak"]),
        ("k8s.mariadb.com", &["MariaDB", "MaxScale"]),
        ("acid.zalan.do", &["postgresql"]),
        ("postgresql.cnpg.io", &["Cluster"]),
        ("postgres-operator.crunchydata.com", &["PostgresCluster"]),
        ("minio.min.io", &["Tenant"]),
        (
            "operator.victoriametrics.com",
            &["VMSingle", "VMCluster", "VMAgent", "VMAlert", "VMAlertmanager", "VMAuth", "VLSingle", "VLCluster"],
        ),
        ("solr.apache.org", &["SolrCloud"]),
        ("opensearch.opster.io", &["OpenSearchCluster"]),
        ("databases.spotahome.com", &["RedisFailover"]),
        ("dragonflydb.io", &["Dragonfly"]),
        ("crdb.cockroachlabs.com", &["CrdbCluster"]),
        ("kiali.io", &["Kiali"]),
        ("grafana.integreatly.org", &["Grafana"]),
        ("loki.grafana.com", &["LokiStack"]),
        ("tempo.grafana.com", &["TempoStack", "TempoMonolithic"]),
        ("operator.tigera.io", &["Installation"]),
        ("fluxcd.controlplane.io", &["FluxInstance"]),
        ("install.istio.io", &["IstioOperator"]),
        ("sailoperator.io", &["Istio"]),
        ("argoproj.io", &["ArgoCD"]),
        ("datadoghq.com", &["DatadogAgent"]),
        ("k6.io", &["TestRun"]),
    ];
    KINDS.iter().any(|(own, kinds)| *own == group && kinds.contains(&kind))
}

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
    ("argoproj.io", "ArgoCD", &["spec.image", "spec.repo.image", "spec.redis.image", "spec.sso.dex.image"]),
    ("chaos-mesh.org", "Workflow", &[CHAOS]),
    ("tekton.dev", "Task", TASK),
    ("tekton.dev", "StepAction", IMAGE),
    ("tekton.dev", "ClusterTask", TASK),
    ("tekton.dev", "TaskRun", &["spec.taskSpec.steps[].image", "spec.taskSpec.sidecars[].image"]),
    ("tekton.dev", "Pipeline", &["spec.tasks[].taskSpec.steps[].image", "spec.finally[].taskSpec.steps[].image"]),
    ("tekton.dev", "PipelineRun", &["spec.pipelineSpec.tasks[].taskSpec.steps[].image"]),
    ("postgresql.cnpg.io", "Cluster", &["spec.imageName", "spec.postgresql.extensions[].image.reference"]),
    ("postgresql.cnpg.io", "ImageCatalog", CATALOG),
    ("postgresql.cnpg.io", "ClusterImageCatalog", CATALOG),
    ("postgres-operator.crunchydata.com", "PostgresCluster", CRUNCHY),
    ("pgv2.percona.com", "PerconaPGCluster", CRUNCHY),
    ("pxc.percona.com", "PerconaXtraDBCluster", PERCONA),
    ("psmdb.percona.com", "PerconaServerMongoDB", PERCONA),
    ("ps.percona.com", "PerconaServerMySQL", PERCONA),
    (
        "acid.zalan.do",
        "OperatorConfiguration",
        &[
            "configuration.docker_image",
            "configuration.logical_backup.logical_backup_docker_image",
            "configuration.connection_pooler.connection_pooler_image",
            "configuration.sidecars[].image",
        ],
    ),
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
    ("minio.min.io", "Tenant", &["spec.image", "spec.kes.image"]),
    ("nvidia.com", "ClusterPolicy", NVIDIA),
    ("nfd.k8s-sigs.io", "NodeFeatureDiscovery", &["spec.operand.image"]),
    ("deviceplugin.intel.com", "GpuDevicePlugin", &["spec.image", "spec.initImage"]),
    ("deviceplugin.intel.com", "QatDevicePlugin", &["spec.image", "spec.initImage"]),
    ("deviceplugin.intel.com", "SgxDevicePlugin", &["spec.image", "spec.initImage"]),
    ("operator.victoriametrics.com", "VMSingle", IMAGE),
    ("operator.victoriametrics.com", "VMAgent", IMAGE),
    ("operator.victoriametrics.com", "VMAlert", IMAGE),
    ("operator.victoriametrics.com", "VMAlertmanager", IMAGE),
    ("operator.victoriametrics.com", "VMAuth", IMAGE),
    ("operator.victoriametrics.com", "VMCluster", &["spec.*.image"]),
    ("operator.victoriametrics.com", "VLogs", IMAGE),
    ("operator.victoriametrics.com", "VLSingle", IMAGE),
    ("operator.victoriametrics.com", "VLCluster", &["spec.*.image"]),
    ("logging.banzaicloud.io", "Logging", &["spec.*.image", "spec.*.configReloaderImage"]),
    ("logging.banzaicloud.io", "FluentbitAgent", IMAGE),
    ("fluentbit.fluent.io", "FluentBit", IMAGE),
    ("fluentd.fluent.io", "Fluentd", IMAGE),
    (
        "dynatrace.com",
        "DynaKube",
        &["spec.oneAgent.*.image", "spec.oneAgent.*.codeModulesImage", "spec.activeGate.image"],
    ),
    ("kiali.io", "Kiali", &["spec.deployment"]),
    ("tempo.grafana.com", "TempoStack", &["spec.images.*"]),
    ("caching.internal.knative.dev", "Image", IMAGE),
    ("planetscale.com", "VitessCluster", &["spec.images.*", "spec.images.mysqld.*"]),
    ("solr.apache.org", "SolrCloud", &["spec.solrImage", "spec.busyBoxImage", "spec.zookeeperRef.provided.image"]),
    ("solr.apache.org", "SolrPrometheusExporter", IMAGE),
    ("zookeeper.pravega.io", "ZookeeperCluster", IMAGE),
    ("kafka.banzaicloud.io", "KafkaCluster", &["spec.clusterImage"]),
    (
        "cassandra.datastax.com",
        "CassandraDatacenter",
        &["spec.serverImage", "spec.systemLoggerImage", "spec.configBuilderImage"],
    ),
    ("app.redislabs.com", "RedisEnterpriseCluster", REDIS_ENTERPRISE),
    ("crdb.cockroachlabs.com", "CrdbCluster", IMAGE),
    ("dragonflydb.io", "Dragonfly", IMAGE),
    (
        "opensearch.opster.io",
        "OpenSearchCluster",
        &["spec.general.image", "spec.dashboards.image", "spec.initHelper.image"],
    ),
    ("mysql.presslabs.org", "MysqlCluster", IMAGE),
    ("scylla.scylladb.com", "ScyllaCluster", &["spec"]),
    ("hazelcast.com", "Hazelcast", &["spec"]),
    ("pingcap.com", "TidbCluster", &["spec.*.baseImage"]),
    ("longhorn.io", "EngineImage", IMAGE),
    ("apps.kruise.io", "ImagePullJob", IMAGE),
    ("apps.kruise.io", "ImageListPullJob", &["spec.images[]"]),
    ("pkg.crossplane.io", "Provider", &["spec.package"]),
    ("pkg.crossplane.io", "Function", &["spec.package"]),
    ("k6.io", "TestRun", &["spec.runner.image", "spec.starter.image", "spec.initializer.image"]),
    ("litmuschaos.io", "ChaosExperiment", &["spec.definition.image"]),
    ("actions.summerwind.dev", "RunnerDeployment", &["spec.template.spec.image", "spec.template.spec.dockerImage"]),
    ("upgrade.cattle.io", "Plan", &["spec.upgrade.image"]),
    ("sparkoperator.k8s.io", "SparkApplication", SPARK),
    ("sparkoperator.k8s.io", "ScheduledSparkApplication", &["spec.template.image"]),
    ("operators.coreos.com", "CatalogSource", IMAGE),
    ("kubevirt.io", "VirtualMachine", &["spec.template.spec.volumes[].containerDisk.image"]),
    ("kubevirt.io", "VirtualMachineInstance", &["spec.volumes[].containerDisk.image"]),
    ("gateway.envoyproxy.io", "EnvoyProxy", &["spec.provider.kubernetes.envoyDeployment.container.image"]),
    ("camel.apache.org", "IntegrationPlatform", &["spec.build.baseImage"]),
    ("flink.apache.org", "FlinkDeployment", IMAGE),
    ("temporal.io", "TemporalCluster", IMAGE),
    ("ceph.rook.io", "CephCluster", &["spec.cephVersion.image"]),
    ("mariadb.mmontes.io", "MariaDB", IMAGE),
    ("k8s.mariadb.com", "MariaDB", &["spec.image", "spec.metrics.exporter.image"]),
];

const CRUNCHY: &[&str] = &[
    "spec.image",
    "spec.backups.pgbackrest.image",
    "spec.proxy.pgBouncer.image",
    "spec.monitoring.pgmonitor.exporter.image",
    "spec.userInterface.pgAdmin.image",
    "spec.pmm.image",
];
const PERCONA: &[&str] = &["spec.image", "spec.*.image", "spec.proxy.*.image"];
const REDIS_ENTERPRISE: &[&str] =
    &["spec.redisEnterpriseImageSpec", "spec.bootstrapperImageSpec", "spec.redisEnterpriseServicesRiggerImageSpec"];
/// Each part names repository, image and version apart.
const NVIDIA: &[&str] = &[
    "spec.driver",
    "spec.driver.manager",
    "spec.toolkit",
    "spec.devicePlugin",
    "spec.dcgm",
    "spec.dcgmExporter",
    "spec.gfd",
    "spec.migManager",
    "spec.validator",
    "spec.operator.initContainer",
    "spec.nodeStatusExporter",
    "spec.vgpuManager",
    "spec.vgpuDeviceManager",
    "spec.vfioManager",
    "spec.sandboxDevicePlugin",
    "spec.kataManager",
    "spec.ccManager",
    "spec.gds",
    "spec.gdrcopy",
];
const CATALOG: &[&str] = &["spec.images[].image", "spec.images[].extensions[].image.reference"];
const CHAOS: &str = "spec.templates[].task.container.image";
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
