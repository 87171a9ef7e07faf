//! Containers on a physical network: hosts on a wire, with a `vswitchd` each, beside machines that know
//! nothing of containers, and beside the kernel's macvlan.
#![expect(
    clippy::print_stdout,
    reason = "test runners show it if the test fails"
)]

mod across;
mod conflicts;
mod errors;
mod fixture;
mod host_access;
mod ipvlan;
mod leases;
mod mac_nat;
mod modes;
mod multicast;
mod parent;
mod restart;
mod table;
mod vlans;
