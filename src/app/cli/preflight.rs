//! The arguments of `preflight`.

use std::path::PathBuf;

use clap::Args;

use super::{ReportArgs, TARGET_FLAGS, TargetArgs, registry_id};
use crate::evidence::id::ResourceId;
use crate::evidence::image;
use crate::evidence::manifests::ImagePath;

/// `preflight`.
#[derive(Debug, Args)]
pub struct PreflightArgs {
    /// Manifests: files, folders, or - for standard input; YAML or JSON
    #[arg(value_name = "MANIFESTS", required = true)]
    pub manifests: Vec<PathBuf>,
    /// The cluster.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Use a snapshot of the cluster instead of asking it
    #[arg(long, value_name = "FILE", conflicts_with_all = TARGET_FLAGS)]
    pub from: Option<PathBuf>,
    /// Also ask the registry whether it has the images, and for which platforms; needs a way to it and the right to
    /// read
    #[arg(long, conflicts_with = "from")]
    pub registry: bool,
    /// Look at another Azure Container Registry that images come from, and at the way to it; may be repeated
    #[arg(long, value_name = "ARM_ID", value_parser = registry_id, conflicts_with = "from")]
    pub other_registry: Vec<ResourceId>,
    /// Where images stand in a custom resource, such as Widget.example.com:spec.server.image; may be repeated
    #[arg(long, value_name = "KIND.GROUP:PATH", value_parser = ImagePath::parse)]
    pub image_path: Vec<ImagePath>,
    /// A registry that the nodes reach by a way of your own, such as harbor.example.com; may be repeated
    #[arg(long, value_name = "HOST", value_parser = image::host)]
    pub reachable: Vec<String>,
    /// Judge as if something were changed, such as 'set outbound none' (see aksiso diagnose --help); may be repeated
    #[arg(long, value_name = "CHANGE")]
    pub what_if: Vec<String>,
    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,
}
