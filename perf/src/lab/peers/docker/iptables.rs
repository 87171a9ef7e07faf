//! Docker's way out and in: the kernel's bridge, `ip_forward`, masquerading and DNAT by iptables.

use std::net::Ipv4Addr;

use anyhow::Result;
use vswitch_e2e::Host;

use super::rules::Rules;
use crate::lab::loads::PORTS;
use crate::lab::peer::Peer;
use crate::lab::peers::kernel::Bridge;
use crate::lab::peers::outside;

pub(super) const BRIDGE: &str = "docker0";
const SUBNET: &str = "172.17.0.0/16";
const GATEWAY: &str = "172.17.0.1";
/// The container's address.
pub(in crate::lab::peers) const CONTAINER: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 2);

/// Makes a container on a bridge that leads to the host's NIC, and publishes TCP ports of it.
///
/// # Errors
/// If the kernel or iptables refuses.
pub(in crate::lab::peers) fn connect(host: &Host, container: &str, ports: &[u16]) -> Result<()> {
    let bridge = Bridge::new(host, BRIDGE)?;
    host.run(&format!("ip address add {GATEWAY}/16 dev {BRIDGE}"))?;
    bridge.connect(container, &format!("{CONTAINER}/16"))?;
    host.run_in(container, &format!("ip route add default via {GATEWAY}"))?;
    host.run("sysctl -q -w net.ipv4.ip_forward=1")?;
    let rules = Rules {
        bridge: BRIDGE,
        subnet: SUBNET,
        containers: vec![CONTAINER],
        ports,
    };
    rules.apply(host)
}

pub(super) fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    outside::connect(&host)?;
    connect(&host, "container", &PORTS)?;
    let ends = outside::ends(&host, "container");
    Ok(Peer::new(ends, None, host))
}
