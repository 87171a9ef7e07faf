//! Driven by the Container Network Interface: the plugin by the specification's protocol, and by podman.
#![expect(
    clippy::print_stdout,
    reason = "test runners show it if the test fails"
)]

mod attaching;
mod checking;
mod concurrency;
mod fixture;
mod given;
mod podman;
mod ports;
mod removing;
mod restarts;
