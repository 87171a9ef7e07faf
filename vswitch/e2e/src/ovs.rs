//! Other people's tunnel endpoints: Open vSwitch, without its kernel module.

use std::net::IpAddr;

use anyhow::Result;

use crate::vtep::Station;
use crate::{Host, OpenVswitch, Place, Underlay};

/// A host with an Open vSwitch of its own, with a VXLAN port and the container `c`.
#[derive(Debug)]
pub struct OvsVtep {
    // Dropped in this order: the switch, then its host.
    _switch: OpenVswitch,
    host: Host,
}

impl OvsVtep {
    /// Makes a host with a number in an underlay without offloads: the switch reads frames as they are, and would
    /// pass on unfinished checksums. `peer` is at the other end of the tunnel.
    ///
    /// # Errors
    /// If Open vSwitch does not start, or the kernel refuses.
    pub fn new(
        underlay: &Underlay,
        number: u8,
        vni: u32,
        peer: IpAddr,
        station: &Station,
    ) -> Result<Self> {
        let host = Host::new()?;
        underlay.plug_as(&host, "eth0", number)?;
        station.join(&host, "c0")?;
        host.run_in("c", "ethtool -K eth0 tx off")?;
        host.run("ip link set c0 up")?;

        let switch = OpenVswitch::start(&host, &[])?;
        // Tunnels of the userspace datapath leave by the bridge that has the local address.
        switch.ctl(
            "add-br underlay -- set bridge underlay datapath_type=netdev -- add-port underlay eth0",
        )?;
        let local = underlay.address(if peer.is_ipv4() { 4 } else { 6 }, number);
        let length = if peer.is_ipv4() { 24 } else { 64 };
        let add = crate::outside::add_address("underlay", &format!("{local}/{length}"));
        host.run(&add)?;
        host.run("ip link set underlay up")?;
        switch.ctl(&format!(
            "add-br overlay -- set bridge overlay datapath_type=netdev -- add-port overlay c0 \
             -- add-port overlay vx0 -- set interface vx0 type=vxlan options:remote_ip={peer} \
             options:local_ip={local} options:key={vni}"
        ))?;
        Ok(Self {
            _switch: switch,
            host,
        })
    }

    /// Its container.
    #[must_use]
    pub fn container(&self) -> Place {
        self.host.sandbox("c")
    }
}
