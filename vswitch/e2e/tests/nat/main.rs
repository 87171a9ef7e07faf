//! The way out and in, with real programs: a host with NICs, an outside behind them, containers.
#![expect(
    clippy::print_stdout,
    reason = "test runners show it if the test fails"
)]

mod discovery;
mod fixture;
mod flood;
mod fragments;
mod hairpin;
mod hostile;
mod isolation;
mod local;
mod mtu;
mod out;
mod published;
mod range;
mod restart;
mod sctp;
mod sharing;
mod tables;
mod traceroute;
mod uplinks;
