//! The kernel's macvlan device on a host's NIC: what Docker makes for a network of that driver.

use anyhow::Result;
use vswitch_e2e::Host;

use crate::lab::peer::Peer;
use crate::lab::peers::outside;

pub(super) fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    outside::connect(&host)?;
    let name = outside::NEIGHBOUR;
    host.run(&format!("ip netns add {name}"))?;
    host.run(&format!(
        "ip link add {name} link {} type macvlan mode bridge",
        outside::NIC
    ))?;
    host.run(&format!("ip link set {name} netns {name} name eth0"))?;
    host.run_in(name, "ip link set lo up")?;
    let address = outside::NEIGHBOUR_ADDRESS;
    host.run_in(name, &format!("ip address add {address}/24 dev eth0"))?;
    host.run_in(name, "ip link set eth0 up")?;
    let ends = outside::neighbours(&host);
    Ok(Peer::new(ends, None, host))
}
