//! The tables of RFC 6040, and `CONFORMANCE.md` against the tests there are.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod document;
mod rfc6040;
