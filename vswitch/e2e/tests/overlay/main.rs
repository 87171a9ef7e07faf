//! Networks that span hosts: several hosts on a wire, with a `vswitchd` each, or with the kernel's VXLAN
//! device or Open vSwitch at the other end.
#![expect(
    clippy::print_stdout,
    reason = "test runners show it if the test fails"
)]

mod egress;
mod ends;
mod errors;
mod fixture;
mod handmade;
mod headers;
mod hostile;
mod impostors;
mod interop;
mod mesh;
mod moves;
mod mtu;
mod outer;
mod ovs;
mod segments;
mod trouble;
