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
    /// Also check another Azure Container Registry that images come from, and the path to it; may be repeated
    #[arg(long, value_name = "ARM_ID", value_parser = registry_id, conflicts_with = "from")]
    pub other_registry: Vec<ResourceId>,
    /// Where images stand in a custom resource, such as Widget.example.com:spec.server.image; may be repeated
    #[arg(long, value_name = "KIND.GROUP:PATH", value_parser = ImagePath::parse)]
    pub image_path: Vec<ImagePath>,
    /// A registry that the nodes reach over your own egress path, such as harbor.example.com; may be repeated
    #[arg(long, value_name = "HOST", value_parser = image::host)]
    pub reachable: Vec<String>,
    /// A registry that the nodes do not reach or are not meant to use, even if egress is open: a host, *.example.com,
    /// or * for every registry but Microsoft's and your own; may be repeated
    #[arg(long, value_name = "HOST", value_parser = image::host_pattern)]
    pub unreachable: Vec<String>,
    /// Judge as if something were changed, such as 'set outbound none' (see aksiso diagnose --help); may be repeated
    #[arg(long, value_name = "CHANGE")]
    pub what_if: Vec<String>,
    /// Write the cache rules, credential sets and imports that the images need to a file, as a script (sh); aksiso
    /// never runs it
    #[arg(long, value_name = "FILE")]
    pub write_rules: Option<PathBuf>,
    /// Write the new references to a file, as a component of kustomize
    #[arg(long, value_name = "FILE")]
    pub write_kustomize: Option<PathBuf>,
    /// Write the new references to a file, as values of the chart whose --helm-values show the fields
    #[arg(long, value_name = "FILE", requires = "helm_values")]
    pub write_helm_values: Option<PathBuf>,
    /// Values of the chart, as helm show values CHART prints them; may be repeated
    #[arg(long, value_name = "VALUES", requires = "write_helm_values")]
    pub helm_values: Vec<PathBuf>,
    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,
}
