//! This project's switch on a host's NIC, as users have it: no flag, no option but the name of the NIC.

use anyhow::Result;
use vswitch_e2e::Host;

use super::start;
use crate::lab::peer::Peer;
use crate::lab::peers::outside;

pub(super) fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    outside::connect(&host)?;
    let daemon = start(&host, &[])?;
    daemon.ctl(&format!(
        "add-net lab -d macvlan -o parent={} --subnet {}",
        outside::NIC,
        outside::SUBNET
    ))?;
    let (name, address) = (outside::NEIGHBOUR, outside::NEIGHBOUR_ADDRESS);
    daemon.ctl(&format!("add-sandbox {name}"))?;
    daemon.ctl(&format!("attach lab {name} --ip {address}"))?;
    let ends = outside::neighbours(&host);
    Ok(Peer::new(ends, daemon.pid(), (daemon, host)))
}
