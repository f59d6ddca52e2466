//! `probe` and its files: what is refused, what is seen of real servers, what the script for a node prints.

mod files;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod script;
#[cfg(target_os = "linux")]
mod world;
