//! Azure: sign-in, clouds, resource ids, and the only code that talks to Azure Resource Manager.

pub mod api;
pub mod arm;
pub mod certificate;
pub mod cloud;
pub mod credential;
pub mod data_plane;
pub mod error;
pub mod id;
pub mod retry;
