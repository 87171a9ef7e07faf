//! Whole frames through the translator, compared with frames that etherparse builds.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "../host/mod.rs"]
mod host;
#[path = "../wire/mod.rs"]
mod wire;

mod conversations;
mod errors;
mod fragments;
mod properties;
mod refusals;
mod super_frames;
