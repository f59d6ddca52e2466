//! The Kubernetes API: which one to ask, and the few paged lists that are asked of it.

mod call;
pub mod connect;
pub mod list;
pub mod pulls;
mod raw;
mod scale;
