//! The arguments of `fleet`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::{clouds, duration, group_id, subscription_id};
use super::{CheckArgs, PolicyArgs, TargetArgs, VerdictArgs};
use crate::answers::fleet::Which;
use crate::evidence::cloud::Cloud;
use crate::report::fleet::{FleetOutput, GroupBy};
use crate::sources::azure::credential::Method;

/// How much is asked of Azure Resource Manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Depth {
    /// Resource Graph, and of Resource Manager only what it does not hold, once per shared resource
    Graph,
    /// Also what rows name and do not show, and whatever is wrong, before it is reported
    Confirm,
    /// What diagnose asks for each cluster, without the Kubernetes API
    Deep,
}

impl Depth {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Confirm => "confirm",
            Self::Deep => "deep",
        }
    }
}

/// Every flag that is about Azure, and makes no sense beside a file.
const LIVE: [&str; 9] =
    ["tenant", "management_group", "subscription", "depth", "cloud", "auth", "timeout", "concurrency", "save"];

/// `fleet`.
#[derive(Debug, Args)]
pub struct FleetArgs {
    /// All subscriptions that the sign-in can see (the default)
    #[arg(long, conflicts_with_all = ["management_group", "subscription"])]
    pub tenant: bool,
    /// All subscriptions below this management group; may be repeated or separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = group_id, conflicts_with = "subscription")]
    pub management_group: Vec<String>,
    /// This subscription; may be repeated or separated by commas
    #[arg(short = 's', long, value_name = "ID", value_delimiter = ',', value_parser = subscription_id)]
    pub subscription: Vec<String>,
    /// Judge a fleet that --save wrote; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = LIVE)]
    pub from: Option<PathBuf>,
    /// Which clusters
    #[arg(long = "where", value_enum, value_name = "WHICH", default_value = "isolated")]
    pub which: Which,
    /// How much is asked of Azure Resource Manager
    #[arg(long, value_enum, default_value = "confirm")]
    pub depth: Depth,
    /// Say which clusters a change to something shared would break, such as 'delete cache-rule NAME of REGISTRY'; may
    /// be repeated. Nothing is changed anywhere
    ///
    /// One of: delete cache-rule NAME of REGISTRY, create cache-rule NAME SOURCE TARGET of REGISTRY, delete registry
    /// NAME, delete private-endpoint NAME, delete dns-record NAME [of ZONE], unlink zone NAME [from NETWORK], remove
    /// role-assignment ROLE of REGISTRY
    #[arg(long, value_name = "CHANGE")]
    pub what_if: Vec<String>,
    /// Save the collected data to a file, even if the run is interrupted with Ctrl-C
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Write a snapshot of each cluster to this folder, for aksiso diagnose --from
    #[arg(long, value_name = "FOLDER")]
    pub export_snapshots: Option<PathBuf>,
    /// Replace names, ids, addresses and hosts in exported snapshots by pseudonyms
    #[arg(long, requires = "export_snapshots")]
    pub anonymize: bool,
    /// Write the map of pseudonyms to this file; keep it private
    #[arg(long, value_name = "FILE", requires = "anonymize")]
    pub anonymize_map: Option<PathBuf>,
    /// The report.
    #[command(flatten)]
    pub report: FleetReportArgs,
    /// Azure.
    #[command(flatten)]
    pub azure: AzureArgs,
    /// Which checks.
    #[command(flatten)]
    pub checks: CheckArgs,
}

/// How a fleet's report is made and counted.
#[derive(Debug, Args)]
pub struct FleetReportArgs {
    /// Output format, or FORMAT=FILE; may be repeated: table, json, jsonl, csv, markdown, sarif, junit, servicenow,
    /// html, openmetrics
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "table")]
    pub output: Vec<FleetOutput>,
    /// What the table, Markdown and HTML list first
    #[arg(long, value_enum, default_value = "cause")]
    pub group_by: GroupBy,
    /// A former JSON report of fleet: say what is new and what is fixed since
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// A former JSON report of fleet: only what is new counts
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// What fails the run.
    #[command(flatten)]
    pub verdict: VerdictArgs,
}

/// How to reach Azure.
#[derive(Debug, Args)]
pub struct AzureArgs {
    /// Azure cloud [default: public]
    #[arg(long, value_parser = clouds())]
    pub cloud: Option<&'static Cloud>,
    /// Azure Resource Manager of another cloud, or a private path to it
    #[arg(long, value_name = "URL", env = "AKSISO_ARM_ENDPOINT", hide_env_values = true)]
    pub arm_endpoint: Option<String>,
    /// Sign in by this method only [default: the first that works, in this order]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub auth: Option<Method>,
    /// Time limit of the whole run, such as 60s or 2m
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub timeout: Duration,
    /// Maximum parallel calls to Azure Resource Manager; its read quota is shared with everyone in the subscription
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: u8,
}

impl AzureArgs {
    /// The same for a session, which is about one cluster.
    pub fn target(&self) -> TargetArgs {
        TargetArgs {
            resource_group: None,
            name: None,
            subscription: None,
            cluster_id: None,
            cloud: self.cloud,
            arm_endpoint: self.arm_endpoint.clone(),
            auth: self.auth,
            kubeconfig: None,
            context: None,
            no_kubernetes: true,
            timeout: self.timeout,
            concurrency: self.concurrency,
        }
    }
}
