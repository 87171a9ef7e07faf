//! The numbered requirements of RFC 4787, 5382, 5508 and 7857, with frames; and that
//! `CONFORMANCE.md` names each of them, and no test that is not there.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "../host/mod.rs"]
mod host;
#[path = "../wire/mod.rs"]
mod wire;

mod document;
mod rfc4787;
mod rfc5382;
mod rfc5508;
mod rfc7857;
