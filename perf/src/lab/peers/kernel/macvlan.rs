//! The kernel's macvlan device on a host's NIC: what Docker makes for a network of that driver.

use anyhow::Result;
use vswitch_e2e::Host;

use crate::lab::peer::Peer;
use crate::lab::peers::container::switch_on;
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
    switch_on(&host, name, &format!("{}/24", outside::NEIGHBOUR_ADDRESS))?;
    let ends = outside::neighbours(&host);
    Ok(Peer::new(ends, None, host))
}
