//! `aksiso` says why a network isolated AKS cluster does not pull images or bootstrap nodes.
//!
//! Facts are gathered once into [`evidence::Evidence`]; everything after that is a pure function of them. So a live
//! cluster, a snapshot and a fixture are the same thing to a check. Each room uses only those above it:

pub mod answers;
pub mod app;
pub mod checks;
pub mod diagnosis;
pub mod evidence;
pub mod model;
pub mod report;
pub mod sources;
pub mod text;
