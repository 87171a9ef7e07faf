//! A container with published ports, and the outside.

use anyhow::Result;
use vswitch_e2e::Host;

use super::start;
use crate::lab::loads::PORTS;
use crate::lab::peer::Peer;
use crate::lab::peers::outside;

pub(super) fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    outside::connect(&host)?;
    let daemon = start(&host, &["--uplink", outside::NIC])?;
    daemon.ctl("add-net lab")?;
    daemon.ctl("add-sandbox container")?;
    let publish = PORTS.map(|port| format!(" -p {port}:{port}"));
    daemon.ctl(&format!("attach lab container{}", publish.concat()))?;
    let ends = outside::ends(&host, "container");
    Ok(Peer::new(ends, daemon.pid(), (daemon, host)))
}
