//! Other people's tunnel endpoints: the Linux kernel's.

use std::net::IpAddr;

use anyhow::Result;

use crate::{Host, Place, UNDERLAY_NIC};

/// How the kernel's VXLAN device is made.
#[derive(Debug, Clone)]
pub struct KernelTunnel {
    /// The segment.
    pub vni: u32,
    /// The UDP port of all.
    pub port: u16,
    /// The host's address in the underlay.
    pub local: IpAddr,
    /// Where broadcast and unknown unicast go; else to the peers, see [`KernelVtep::add_peer`].
    pub group: Option<IpAddr>,
    /// Whether it learns who is behind which peer.
    pub learning: bool,
    /// Further words of `ip link add … type vxlan`.
    pub words: &'static str,
}

/// A container that is attached to somebody else's switch.
#[derive(Debug, Clone)]
pub struct Station {
    /// Its MAC address.
    pub mac: String,
    /// With the lengths of their prefixes.
    pub addresses: Vec<String>,
    /// Of its `eth0`.
    pub mtu: u16,
}

/// A host with the kernel's VXLAN device, a bridge, and the container `c`.
#[derive(Debug)]
pub struct KernelVtep {
    host: Host,
}

/// The VXLAN device.
const DEVICE: &str = "vx0";
/// The container on hosts that have no `vsctl`.
const CONTAINER: &str = "c";

impl KernelTunnel {
    /// A tunnel with the protocol's defaults that learns.
    #[must_use]
    pub fn new(vni: u32, local: IpAddr) -> Self {
        Self {
            vni,
            port: 4789,
            local,
            group: None,
            learning: true,
            words: "",
        }
    }
}

impl KernelVtep {
    /// Makes the devices on a host that is plugged into an underlay.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new(host: Host, tunnel: &KernelTunnel, station: &Station) -> Result<Self> {
        let KernelTunnel {
            vni, port, local, ..
        } = tunnel;
        let group = match tunnel.group {
            Some(group) => format!("group {group} ttl 4"),
            None => String::new(),
        };
        let learning = if tunnel.learning { "" } else { "nolearning" };
        host.run(&format!(
            "ip link add {DEVICE} mtu {} type vxlan id {vni} dstport {port} local {local} dev {UNDERLAY_NIC} \
             {group} {learning} {}",
            station.mtu, tunnel.words
        ))?;
        host.run("ip link add br0 type bridge")?;
        station.join(&host, "c0")?;
        for port in [DEVICE, "c0"] {
            host.run(&format!(
                "ip link set {port} master br0 addrgenmode none up"
            ))?;
        }
        host.run("ip link set br0 addrgenmode none up")?;
        Ok(Self { host })
    }

    /// Sends broadcast and unknown unicast to a peer, too.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn add_peer(&self, peer: IpAddr) -> Result<()> {
        self.add_remote("00:00:00:00:00:00", peer)
    }

    /// Tells it who is behind a peer.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn add_remote(&self, mac: &str, peer: IpAddr) -> Result<()> {
        self.host.run(&format!(
            "bridge fdb append {mac} dev {DEVICE} dst {peer} self permanent"
        ))?;
        Ok(())
    }

    /// What it knows of who is behind which peer, as `bridge fdb` prints it.
    ///
    /// # Errors
    /// If that cannot be listed.
    pub fn fdb(&self) -> Result<String> {
        self.host.run(&format!("bridge fdb show dev {DEVICE}"))
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its container.
    #[must_use]
    pub fn container(&self) -> Place {
        self.host.sandbox(CONTAINER)
    }
}

impl Station {
    /// Makes the container, and the interface `port` that leads to it.
    pub(crate) fn join(&self, host: &Host, port: &str) -> Result<()> {
        let Self { mac, mtu, .. } = self;
        host.run(&format!("ip netns add {CONTAINER}"))?;
        host.run(&format!(
            "ip link add {port} mtu {mtu} type veth peer name eth0 address {mac} mtu {mtu} netns {CONTAINER}"
        ))?;
        host.run_in(CONTAINER, "ip link set lo up")?;
        host.run_in(CONTAINER, "ip link set eth0 up")?;
        for address in &self.addresses {
            let add = crate::outside::add_address("eth0", address);
            host.run_in(CONTAINER, &add)?;
        }
        Ok(())
    }
}
