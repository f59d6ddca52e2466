//! `aksiso` says why a network isolated AKS cluster does not pull images or bootstrap nodes.
//!
//! Facts are gathered once into [`evidence::Evidence`]; everything after that is a pure function of them. So a live
//! cluster, a snapshot and a fixture are the same thing to a check.

pub mod anonymize;
pub mod azure;
pub mod bootstrap_code;
pub mod check;
pub mod cli;
pub mod collect;
pub mod command;
pub mod correlate;
pub mod cutover;
pub mod evidence;
pub mod exit;
pub mod finding;
pub mod image;
pub mod kubernetes;
pub mod manifest;
pub mod output;
pub mod permissions;
pub mod policy;
pub mod progress;
pub mod pull;
pub mod report;
pub mod run;
pub mod schema;
pub mod snapshot;
pub mod target;
pub mod text;
pub mod whatif;
