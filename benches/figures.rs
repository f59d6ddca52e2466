//! The figures that aksiso promises, measured from outside on the built program, as counts and ratios:
//!
//! - `cargo bench -- live`: one cluster, every answer delayed: wall time against the longest chain of dependent calls
//! - `cargo bench -- scale`: 5,000 nodes and 100,000 pods: time against the API server's own, peak memory, cost of a pod
//! - `cargo bench -- fleet`: a thousand clusters, with the quotas of Resource Graph and Resource Manager kept
//! - `cargo bench -- preflight`: 10,000 manifests, as files and over a pipe; manifests that are made to be expensive
//! - `cargo bench -- startup`: start-up time and the program's size
//!
//! Linux only: memory is read from `/proc`.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/it/fixtures.rs"]
#[allow(dead_code)]
mod fixtures;
#[path = "figures/fleet.rs"]
mod fleet;
#[path = "figures/large.rs"]
mod large;
#[path = "figures/live.rs"]
mod live;
#[path = "figures/manifests.rs"]
mod manifests;
#[path = "figures/measure.rs"]
mod measure;
#[path = "../tests/it/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "figures/startup.rs"]
mod startup;
#[path = "../tests/it/fleet/world.rs"]
#[allow(dead_code)]
mod world;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    if let [word, kubeconfig] = wanted.as_slice()
        && word == "discard"
    {
        return large::discard(kubeconfig);
    }
    if is("startup") {
        startup::run();
    }
    if is("live") {
        live::run();
    }
    if is("fleet") {
        fleet::run();
    }
    if is("preflight") {
        manifests::run();
    }
    if is("scale") {
        large::run();
    }
}
