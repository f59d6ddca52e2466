//! `aksiso` says why a network isolated AKS cluster does not pull images or bootstrap nodes.
//!
//! Facts are gathered once into [`evidence::Evidence`]; everything after that is a pure function of them. So a live
//! cluster, a snapshot and a fixture are the same thing to a check. The rooms stand in their order: each uses only
//! those above it, and only [`app`] uses [`sources`]. `tests/it/house.rs` holds it.

// Characters and words: escapes for terminals and shells, masks secrets, phrases a problem.
pub mod text;

// What was gathered, as plain data in ARM's and Kubernetes' own shape; the snapshot; the calls that can be made.
pub mod evidence;

// What the evidence means: the cluster's chain, its networks, zones, paths, rights, nodes and history.
pub mod model;

// The checks, each with the rules that it can report.
pub mod checks;

// All checks together: causes, severities, the plan, what a policy sets aside.
pub mod diagnosis;

// Answers that rest on a diagnosis: preflight, pull, cutover, what-if.
pub mod answers;

// Everything that is printed, from one report.
pub mod report;

// Azure Resource Manager, the registry, the Kubernetes API, manifests: where evidence comes from.
pub mod sources;

// The command line.
pub mod app;
