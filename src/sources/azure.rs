//! Azure: sign-in, clouds, and the only code that talks to Azure Resource Manager.

pub mod arm;
pub mod certificate;
pub mod claims;
pub mod credential;
pub mod data_plane;
pub mod defaults;
pub mod endpoints;
pub mod error;
mod exchange;
pub mod retry;
pub mod subscriptions;
pub mod transport;
