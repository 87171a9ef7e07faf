//! Driven by Docker: a real `dockerd` has a `vswitchd` as its network and IPAM plugin.
#![expect(
    clippy::print_stdout,
    reason = "test runners show it if the test fails"
)]

mod connect;
mod containers;
mod fixture;
mod hosts;
mod ipam;
mod networks;
mod plugin;
mod ports;
mod protocol;
mod recorded;
mod restarts;
