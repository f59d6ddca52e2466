//! The arguments of `cutover`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{TARGET_FLAGS, TargetArgs, registry_id};
use crate::answers::cutover::ReimagePolicy;
use crate::checks::command::Shell;
use crate::evidence::id::ResourceId;
use crate::report::cutover::CutoverFormat;

/// `cutover`.
#[derive(Debug, Args)]
pub struct CutoverArgs {
    /// The cluster.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Use a snapshot of the cluster instead of asking it; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = TARGET_FLAGS)]
    pub from: Option<PathBuf>,
    /// Also evaluate a probe file that aksiso probe wrote on a node; may be repeated
    #[arg(long, value_name = "FILE")]
    pub probe: Vec<PathBuf>,
    /// Where to
    #[arg(long, value_enum, default_value = "isolated")]
    pub to: Destination,
    /// The registry to go to: one of your own, or another than the cluster has now [default: the cluster's, else one
    /// that AKS manages]
    #[arg(long, value_name = "ARM_ID", value_parser = registry_id)]
    pub to_registry: Option<ResourceId>,
    /// How many times nodes are reimaged
    #[arg(long, value_enum, default_value = "documented")]
    pub policy: ReimagePolicy,
    /// Look from where the cluster would stand after a change, such as 'reimage all' (see aksiso diagnose --help); may
    /// be repeated
    #[arg(long, value_name = "CHANGE")]
    pub what_if: Vec<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: CutoverFormat,
    /// Shell that commands are printed for
    #[arg(long, value_enum, default_value = "posix")]
    pub shell: Shell,
    /// Exit with 0 even if some data is missing
    #[arg(long)]
    pub allow_incomplete: bool,
}

/// Where a cut-over goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Destination {
    /// A network isolated cluster
    Isolated,
    /// Back to Microsoft's registry over egress
    Direct,
}
