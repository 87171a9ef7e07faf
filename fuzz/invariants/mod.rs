//! What each fuzz target checks, as functions that `cargo test` calls as well.

#![allow(dead_code, reason = "a target checks one")]

pub(crate) mod frame;
pub(crate) mod vnet_header;
