//! The command line: types only.

mod cutover;
mod doctor;
mod fleet;
mod groups;
mod help;
mod preflight;
mod probe;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Parser};

use crate::app::exit::FailOn;
use crate::app::schema::SchemaOf;
use crate::checks::catalogue;
use crate::checks::command::Shell;
use crate::evidence::cloud::Cloud;
use crate::evidence::id::ResourceId;
use crate::report::permissions::PermissionsFormat;
use crate::report::{ListFormat, Output, compare};
use crate::sources::azure::credential::Method;
pub use cutover::{CutoverArgs, Destination};
pub use doctor::DoctorArgs;
pub use fleet::{Depth, FleetArgs, FleetReportArgs};
pub use groups::command;
pub use preflight::PreflightArgs;
pub use probe::{ProbeArgs, is_host};
pub use values::Color;
use values::{clouds, duration, object_id, principal_name, registry_id, scope};

/// Find out why a network isolated AKS cluster does not pull images or bootstrap nodes.
///
/// aksiso asks Azure Resource Manager and the Kubernetes API, changes nothing, and says which link of the chain is
/// broken, what the evidence is, and which documented fix applies.
///
/// Without a name it takes the cluster of the current kubeconfig context. Installed as kubectl-aksiso it is a kubectl
/// plug-in too: kubectl aksiso diagnose.
#[derive(Debug, Parser)]
#[command(name = "aksiso", version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Subcommand,
    /// Log progress to stderr; -vv logs every call
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Colours: auto heeds NO_COLOR, CLICOLOR_FORCE and whether the output is a terminal
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// No progress and no log
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Diagnose a live cluster or a snapshot
    #[command(after_help = help::DIAGNOSE_CODES, after_long_help = help::both(help::DIAGNOSE_CODES, help::DIAGNOSE))]
    Diagnose(Box<DiagnoseArgs>),
    /// Check whether the cluster's nodes can pull the images in your manifests, before you apply them
    ///
    /// Reads files, folders and standard input: what helm template or kustomize build prints, for example. Each image
    /// gets one verdict: pullable; pullable-after-rewrite; needs-cache-rule; blocked; never; unknown; invalid;
    /// not-pulled.
    #[command(after_help = help::DIAGNOSE_CODES, after_long_help = help::both(help::DIAGNOSE_CODES, help::PREFLIGHT))]
    Preflight(Box<PreflightArgs>),
    /// Show how far a cluster is towards isolation, which step is next, and whether it is safe
    ///
    /// S0 Direct, prerequisites missing; S1 Direct, prerequisites there; S2 Cache with egress, nodes not reimaged; S3
    /// Cache with egress, all nodes reimaged; S4 isolated; S5 isolated with nodes that cannot pull: broken. Also for
    /// another registry (--to-registry) and for going back (--to direct).
    #[command(after_help = help::CUTOVER_CODES, after_long_help = help::both(help::CUTOVER_CODES, help::CUTOVER))]
    Cutover(Box<CutoverArgs>),
    /// Check all clusters of a tenant, management groups or subscriptions, and group findings by shared cause
    ///
    /// Azure Resource Graph gives the clusters and what they rest on; Azure Resource Manager is asked for what it does
    /// not hold, once per shared resource, and confirms errors before they are reported. The Kubernetes API is not
    /// asked: checks that need it are named as not covered.
    #[command(after_help = help::FLEET_CODES, after_long_help = help::both(help::FLEET_CODES, help::FLEET))]
    Fleet(Box<FleetArgs>),
    /// Write everything that a diagnosis reads to a file, to diagnose it elsewhere
    ///
    /// The snapshot holds no token, key or secret. It does describe the cluster's network: protect it accordingly.
    ///
    /// With --anonymize it holds no name, id, address or host of yours either: these become pseudonyms, and the
    /// findings stay the same. --anonymize-map keeps what translates back.
    #[command(after_help = help::COLLECT_CODES, after_long_help = help::both(help::COLLECT_CODES, help::COLLECT))]
    Collect(Box<CollectArgs>),
    /// Check whether a diagnosis is possible from here: sign-in, cluster, connections and each permission
    ///
    /// Nothing is changed, and the cluster is not checked. Azure permissions are those that Azure reports for this
    /// identity; in the cluster, what the API server answers.
    #[command(after_help = help::DOCTOR_CODES, after_long_help = help::both(help::DOCTOR_CODES, help::DOCTOR))]
    Doctor(Box<DoctorArgs>),
    /// Probe the registry and the API server from this machine: names, connections, certificates, a node's files
    ///
    /// Run it inside the network, best on a node: it sees what Azure cannot show. It sends no credential (unless
    /// --as-kubelet asks for it), pulls nothing and changes nothing. diagnose, cutover and collect take its file with
    /// --probe and judge it. --script prints a shell script that does the same on a node, --how the ways to run either.
    #[command(after_help = help::PROBE_CODES, after_long_help = help::both(help::PROBE_CODES, help::PROBE))]
    Probe(Box<ProbeArgs>),
    /// Print the minimal permissions for a diagnosis: an Azure role, Kubernetes RBAC, and what each is for
    #[command(after_long_help = help::PERMISSIONS)]
    Permissions(PermissionsArgs),
    /// List the checks and their rules
    #[command(after_long_help = help::CHECKS)]
    Checks {
        /// Output format
        #[arg(short, long, value_enum, default_value = "table")]
        output: ListFormat,
    },
    /// Compare two JSON reports: new, fixed, unchanged
    #[command(after_help = help::COMPARE_CODES, after_long_help = help::both(help::COMPARE_CODES, help::COMPARE))]
    Compare {
        /// The former report, as --output json wrote it
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The present report
        #[arg(value_name = "NEW")]
        new: PathBuf,
        /// Output format
        #[arg(short, long, value_enum, default_value = "table")]
        output: compare::ComparisonFormat,
        /// From which severity on something new fails the run (exit code 1)
        #[arg(long, value_enum, default_value = "error")]
        fail_on: FailOn,
    },
    /// Print the JSON Schema of what aksiso writes and reads
    #[command(after_long_help = help::SCHEMA)]
    Schema {
        /// Which schema
        #[arg(value_enum, value_name = "WHAT")]
        of: SchemaOf,
    },
    /// Print completions for a shell
    #[command(after_long_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write those of all subcommands to a folder
    #[command(after_long_help = help::MAN)]
    Man {
        /// The folder
        #[arg(short, long, value_name = "FOLDER")]
        output: Option<PathBuf>,
    },
    /// Print the page of a check or rule
    #[command(after_long_help = help::EXPLAIN)]
    Explain {
        /// A rule (cache-rule-missing), a check (cache-rules), or "layers": what the checks look at, and what not
        #[arg(value_name = "RULE|CHECK|layers")]
        name: String,
    },
}

/// `diagnose`.
#[derive(Debug, Args)]
pub struct DiagnoseArgs {
    /// The cluster.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Diagnose a snapshot instead of a live cluster; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = TARGET_FLAGS)]
    pub from: Option<PathBuf>,
    /// Restore the names that collect --anonymize replaced; the file is the one that it wrote
    #[arg(long, value_name = "FILE", requires = "from")]
    pub anonymize_map: Option<PathBuf>,
    /// Also evaluate a probe file that aksiso probe wrote on a node; may be repeated
    #[arg(long, value_name = "FILE")]
    pub probe: Vec<PathBuf>,
    /// Evaluate a hypothetical change; may be repeated. Nothing is changed anywhere
    ///
    /// One of: delete cache-rule NAME, create cache-rule NAME SOURCE TARGET, delete private-endpoint NAME, delete
    /// registry, delete dns-record NAME, unlink zone NAME [from NETWORK], remove role-assignment ROLE, set outbound
    /// TYPE, set artifact-source Direct|Cache, change registry ARM_ID, reimage POOL|all
    #[arg(long, value_name = "CHANGE")]
    pub what_if: Vec<String>,
    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,
    /// Repeat until nothing is at or above --fail-on and no data is missing, or until --wait-timeout
    #[arg(long, conflicts_with = "from")]
    pub wait: bool,
    /// How long --wait goes on, such as 10m
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration, requires = "wait")]
    pub wait_timeout: Duration,
    /// How long --wait pauses between two rounds; after the first it asks only for checks that are not settled
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, requires = "wait")]
    pub wait_interval: Duration,
    /// Write the remediation plan to a file, as a script that asks before each step; aksiso never runs it
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Which checks.
    #[command(flatten)]
    pub checks: CheckArgs,
}

/// How a report is made and counted.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Output format, or FORMAT=FILE; may be repeated: table, json, jsonl, sarif, junit, markdown, html,
    /// mermaid, github, azure-pipelines, gitlab, servicenow, openmetrics
    ///
    /// One format without a file goes to standard output, each with a file to that file, whole or not at all:
    /// --output table --output sarif=aksiso.sarif
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "table")]
    pub output: Vec<Output>,
    /// The long form of the table: evidence, whole messages, passed checks, how to verify
    #[arg(long)]
    pub details: bool,
    /// A former JSON report: findings that it has and this one has not are cleared (servicenow)
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// The policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// A former JSON report: only what is new counts
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write this report to the --baseline file, so that from now on only what is new after it counts
    #[arg(long, requires = "baseline")]
    pub update_baseline: bool,
    /// What fails the run.
    #[command(flatten)]
    pub verdict: VerdictArgs,
}

/// Which policy counts.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Policy to use instead of the aksiso.toml of this folder or the nearest one above it
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Use no policy
    #[arg(long)]
    pub no_config: bool,
}

/// For which shell a report prints commands, and what fails the run.
#[derive(Debug, Args)]
pub struct VerdictArgs {
    /// Shell that commands are printed for
    #[arg(long, value_enum, default_value = "posix")]
    pub shell: Shell,
    /// From which severity on a finding fails the run (exit code 1)
    #[arg(long, value_enum, default_value = "error")]
    pub fail_on: FailOn,
    /// Exit with 0 even if some data is missing
    #[arg(long)]
    pub allow_incomplete: bool,
}

/// `collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// The cluster.
    #[command(flatten)]
    pub target: TargetArgs,
    /// The file to write; - writes to standard output
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: PathBuf,
    /// Replace names, ids, addresses, hosts and free text by pseudonyms
    #[arg(long)]
    pub anonymize: bool,
    /// Keep what translates back in this file, keep it private; if it exists, its pseudonyms are reused
    #[arg(long, value_name = "FILE", requires = "anonymize")]
    pub anonymize_map: Option<PathBuf>,
    /// Anonymize a snapshot that is already there; - reads standard input
    #[arg(long, value_name = "FILE", requires = "anonymize", conflicts_with_all = TARGET_FLAGS)]
    pub from: Option<PathBuf>,
    /// Keep what a node sees itself in the snapshot: a file that aksiso probe wrote; may be repeated
    #[arg(long, value_name = "FILE")]
    pub probe: Vec<PathBuf>,
    /// Also read another registry: one that the cluster will use (cutover), or that images come from (preflight);
    /// may be repeated
    #[arg(long, value_name = "ARM_ID", value_parser = registry_id)]
    pub other_registry: Vec<ResourceId>,
    /// Which checks' facts.
    #[command(flatten)]
    pub checks: CheckArgs,
}

/// `permissions`.
#[derive(Debug, Args)]
pub struct PermissionsArgs {
    /// What to print
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: PermissionsFormat,
    /// Scope at which the Azure role may be assigned: a subscription, group or management group; may be repeated
    #[arg(long, value_name = "ARM_ID", value_parser = scope)]
    pub scope: Vec<String>,
    /// For aksiso fleet, which asks no Kubernetes API
    #[arg(long)]
    pub fleet: bool,
    /// Entra object id of the service principal, managed identity or guest that will run aksiso, for the Kubernetes
    /// bindings
    #[arg(long, value_name = "GUID", value_parser = object_id, conflicts_with_all = ["user", "group"])]
    pub object_id: Option<String>,
    /// User principal name of the person who will run aksiso, for the Kubernetes bindings
    #[arg(long, value_name = "NAME@DOMAIN", value_parser = principal_name, conflicts_with = "group")]
    pub user: Option<String>,
    /// Entra object id of the group whose members will run aksiso, for the Kubernetes bindings
    #[arg(long, value_name = "GUID", value_parser = object_id)]
    pub group: Option<String>,
    /// Which checks' permissions.
    #[command(flatten)]
    pub checks: CheckArgs,
}

/// The choice of checks.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Only this check; may be repeated or separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = check_ids(), hide_possible_values = true)]
    pub check: Vec<String>,
    /// All but this check; may be repeated or separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = check_ids())]
    #[arg(hide_possible_values = true, conflicts_with = "check")]
    pub skip: Vec<String>,
}

/// Every flag that is about a live cluster, and makes no sense beside a snapshot.
const TARGET_FLAGS: [&str; 11] = [
    "resource_group",
    "name",
    "subscription",
    "cluster_id",
    "cloud",
    "auth",
    "kubeconfig",
    "context",
    "no_kubernetes",
    "timeout",
    "concurrency",
];

/// Which cluster, and how to reach it.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Resource group of the cluster [default: az's default group]
    #[arg(short = 'g', long, value_name = "GROUP", requires = "name")]
    pub resource_group: Option<String>,
    /// Name of the cluster [default: the cluster that the kubeconfig's current context leads to, else the only one in
    /// az's default group]
    #[arg(short = 'n', long, value_name = "NAME")]
    pub name: Option<String>,
    /// Subscription, by id or name [default: AZURE_SUBSCRIPTION_ID, else the one that az is signed in to]
    #[arg(short = 's', long, value_name = "ID|NAME", conflicts_with = "cluster_id")]
    pub subscription: Option<String>,
    /// ARM id of the cluster, in any casing
    #[arg(long, value_name = "ARM_ID", conflicts_with_all = ["resource_group", "name"])]
    pub cluster_id: Option<String>,
    /// Azure cloud [default: public]
    #[arg(long, value_parser = clouds())]
    pub cloud: Option<&'static Cloud>,
    /// Azure Resource Manager of another cloud, or a private path to it
    #[arg(long, value_name = "URL", env = "AKSISO_ARM_ENDPOINT", hide_env_values = true)]
    pub arm_endpoint: Option<String>,
    /// Sign in by this method only [default: the first that works, in this order]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub auth: Option<Method>,
    /// Kubeconfig to use instead of what is found
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context to use instead of what is found
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Do not ask the Kubernetes API
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"])]
    pub no_kubernetes: bool,
    /// Time limit of the whole run, such as 60s or 2m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
    /// Maximum parallel calls to Azure Resource Manager; its read quota is shared with everyone in the subscription
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: u8,
}

fn check_ids() -> PossibleValuesParser {
    PossibleValuesParser::new(catalogue::ALL.iter().map(|check| check.about.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }
}
