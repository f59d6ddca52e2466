//! The arguments of `doctor`.

use clap::Args;

use super::{CheckArgs, TargetArgs};
use crate::report::doctor::DoctorFormat;

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The cluster.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Output format
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: DoctorFormat,
    /// Which checks' permissions.
    #[command(flatten)]
    pub checks: CheckArgs,
}
