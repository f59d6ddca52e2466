//! The only code that talks: to Azure, to the Kubernetes API, to files of manifests. It gathers evidence and judges
//! nothing.

pub mod azure;
mod body;
pub mod caught;
pub mod collect;
pub mod fleet;
pub mod kubernetes;
pub mod manifests;
mod peer;
pub mod probe;
mod process;
pub mod progress;
pub mod proxy;
