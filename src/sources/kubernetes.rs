//! The Kubernetes API: which one to ask, and the few paged lists that are asked of it.

pub mod call;
pub mod connect;
pub mod current;
pub mod drains;
mod kubeconfig;
pub mod list;
mod plugin;
pub mod pulls;
mod raw;
mod scale;
mod storage;
mod templates;
