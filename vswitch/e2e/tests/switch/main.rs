//! The switch as its users have it: real programs in namespaces, one file a theme.
#![expect(
    clippy::print_stdout,
    reason = "test runners show it if the test fails"
)]

mod commands;
mod errors;
mod fixture;
mod frames;
mod lifecycle;
mod networks;
mod privileges;
mod reach;
mod restart;
mod scale;
mod snooping;
mod spoofing;
mod state;
mod throughput;
mod vlans;
