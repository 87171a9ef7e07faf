//! Leases over a veth, with whoever is on the other end following a script. Each test is in network namespaces of
//! its own. Needs root; leaves the machine untouched.

#![expect(clippy::unwrap_used, reason = "a surprise is a failed test")]

mod acquiring;
mod keeping;
mod lan;
mod neighbours;
