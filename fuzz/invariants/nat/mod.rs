//! What the translator's fuzz targets check, as functions that `cargo test` calls as well.

#![allow(dead_code, reason = "a target checks one")]
#![allow(clippy::expect_used, reason = "to panic is how an invariant speaks")]

pub(crate) mod fragments;
mod host;
pub(crate) mod translation;
