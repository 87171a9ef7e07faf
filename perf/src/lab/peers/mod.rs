//! The switches of the lab, one file each, and what several of them are made of.

mod bridge;
mod docker;
mod docker_bridge;
mod docker_vswitch;
mod kernel_bridge;
mod kernel_macvlan;
mod kernel_vxlan;
mod naive;
mod outside;
mod vswitchd;
mod vswitchd_macvlan;
mod vswitchd_overlay;

pub(super) use docker::Docker;
pub(super) use docker_bridge::DockerBridge;
pub(super) use docker_vswitch::DockerVswitch;
pub(super) use kernel_bridge::KernelBridge;
pub(super) use kernel_macvlan::KernelMacvlan;
pub(super) use kernel_vxlan::KernelVxlan;
pub(super) use naive::Naive;
pub(super) use vswitchd::Vswitchd;
pub(super) use vswitchd_macvlan::VswitchdMacvlan;
pub(super) use vswitchd_overlay::VswitchdOverlay;

use vswitch_e2e::Host;

use super::path::{End, Ends};

/// The ends' addresses, of peers that do not give out addresses themselves.
const LEFT: &str = "10.99.0.2";
const RIGHT: &str = "10.99.0.3";
const SUBNET: &str = "10.99.0.0/24";

/// The containers `left` and `right`, which have these addresses.
fn containers(host: &Host, left: &str, right: &str) -> Ends {
    let container = |name, address: &str| End {
        place: host.sandbox(name),
        address: address.to_owned(),
    };
    Ends {
        left: container("left", left),
        right: container("right", right),
    }
}
