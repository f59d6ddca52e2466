//! The table of calls: everything that aksiso asks for, with the permission that it needs and the sections that it
//! fills.

pub mod azure;
pub mod fleet;
pub mod kubernetes;
