//! `aksiso` says why a network isolated AKS cluster does not pull images or bootstrap nodes.
//!
//! Facts are gathered once into [`evidence::Evidence`]; everything after that is a pure function of them. So a live
//! cluster, a snapshot and a fixture are the same thing to a check.

pub mod azure;
pub mod evidence;
pub mod kubernetes;
pub mod progress;
pub mod text;
pub mod check;
pub mod command;
pub mod finding;
