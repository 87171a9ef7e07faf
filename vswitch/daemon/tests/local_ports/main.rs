//! Published ports as the host itself reaches them, with real sockets, each test in a network namespace of
//! its own. Needs root; leaves the machine untouched.

#![expect(clippy::unwrap_used, reason = "a surprise is a failed test")]

mod holding;
mod host;
mod ranges;
mod tcp;
mod udp;
