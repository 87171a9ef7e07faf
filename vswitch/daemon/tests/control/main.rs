//! The daemon as a process, in a network and mount namespace of its own: commands over its socket against
//! what the kernel then has. Needs root; leaves the machine untouched.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a surprise is a failed test"
)]
#![expect(
    clippy::print_stdout,
    reason = "what a test measured, and the daemon's log when it failed"
)]

mod attach;
mod daemon;
mod docker;
mod failure;
mod lab;
mod lifetime;
mod network;
mod plugins;
mod restart;
mod start;
