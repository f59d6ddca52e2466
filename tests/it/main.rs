//! One integration binary: the laws of the checks, the command line, collection from real servers, and the docs.

#![allow(missing_docs, clippy::print_stderr, clippy::unwrap_used)]

mod accepted;
mod advice;
mod anonymize;
mod arrived;
mod browser;
mod checks;
mod cli;
mod codes;
#[cfg(target_os = "linux")]
mod connections;
mod contributing;
mod cutover;
mod docs;
#[cfg(target_os = "linux")]
mod doctor;
mod earlier;
mod examples;
#[cfg(target_os = "linux")]
mod first_minutes;
mod fixtures;
#[cfg(target_os = "linux")]
mod fleet;
mod formats;
mod house;
mod in_parallel;
mod judged;
#[cfg(target_os = "linux")] // elsewhere the system store, and not SSL_CERT_FILE, says whom to trust
mod live;
#[cfg(target_os = "linux")]
mod matrix;
mod metamorphic;
mod outputs;
mod patience;
mod pinned;
#[cfg(target_os = "linux")]
mod plugins;
mod preflight;
mod probe;
mod properties;
#[cfg(target_os = "linux")]
mod proxy;
mod recorded;
mod screen;
mod secrecy;
#[cfg(target_os = "linux")]
mod server;
mod shots;
#[cfg(target_os = "linux")]
mod sign_in;
mod since;
#[cfg(target_os = "linux")]
mod site;
mod snapshots;
mod terminal;
mod tls;
#[cfg(target_os = "linux")]
mod trust;
mod whatif;
mod words;
