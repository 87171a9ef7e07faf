//! What joins several hosts: the network that an overlay runs over, or that containers are on themselves.

use std::net::IpAddr;

use anyhow::Result;

use crate::outside::{Link, WAN0, WAN1, add_address};
use crate::{Host, Packets};

/// A wire with the links of hosts in it. Host N has address N of the link on its `eth0`.
#[derive(Debug)]
pub struct Underlay {
    wire: Host,
    link: Link,
    offloads: bool,
}

/// A host's interface in an underlay.
pub const UNDERLAY_NIC: &str = "eth0";
/// Which address of each underlay a router between two has.
const ROUTER: u8 = 254;

impl Underlay {
    /// A wire of 192.0.2.0/24 and 2001:db8::/64, over which kernels hand super-frames and unfinished
    /// checksums to each other as they do between namespaces.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn new() -> Result<Self> {
        Self::on(WAN0, true)
    }

    /// A wire that carries what a wire between machines carries: packets, each with its checksums.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn without_offloads() -> Result<Self> {
        Self::on(WAN0, false)
    }

    /// A second wire, of 198.51.100.0/24 and 2001:db8:1::/64.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn second() -> Result<Self> {
        Self::on(WAN1, true)
    }

    fn on(link: Link, offloads: bool) -> Result<Self> {
        let wire = Host::new()?;
        // Without snooping: there is no querier, and a multicast underlay would go deaf after a while.
        wire.run("ip link add wire type bridge mcast_snooping 0")?;
        // First the one, then the other: in one command the kernel makes it an address before it hears of none.
        wire.run("ip link set wire addrgenmode none")?;
        wire.run("ip link set wire up")?;
        Ok(Self {
            wire,
            link,
            offloads,
        })
    }

    /// Makes a host's `eth0`.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn plug(&self, host: &Host, number: u8) -> Result<()> {
        self.plug_as(host, UNDERLAY_NIC, number)?;
        for family in [4, 6] {
            let address = self.link.interface_address(family, number);
            host.run(&add_address(UNDERLAY_NIC, &address))?;
        }
        Ok(())
    }

    /// Makes an interface of a host, without addresses.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn plug_as(&self, host: &Host, nic: &str, number: u8) -> Result<()> {
        let port = port(number);
        self.wire.run(&format!(
            "ip link add {port} type veth peer name {nic} netns {}",
            host.holder()
        ))?;
        self.wire
            .run(&format!("ip link set {port} master wire addrgenmode none"))?;
        self.wire.run(&format!("ip link set {port} up"))?;
        if !self.offloads {
            host.run(&format!("ethtool -K {nic} tx off"))?;
        }
        host.run(&format!("ip link set {nic} up"))?;
        Ok(())
    }

    /// Puts a machine between this wire and another: each host of either is to reach the other by it. On its
    /// way to the other wire, a packet may be of `mtu` octets only.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn join(&self, other: &Self, mtu: u16) -> Result<Host> {
        let router = Host::new()?;
        for (underlay, nic) in [(self, "near0"), (other, "far0")] {
            underlay.plug_as(&router, nic, ROUTER)?;
            for family in [4, 6] {
                let address = underlay.link.interface_address(family, ROUTER);
                router.run(&add_address(nic, &address))?;
            }
        }
        other.narrow(&router, mtu)?;
        router.run("sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")?;
        Ok(router)
    }

    /// Lets packets of `mtu` octets pass a router to this wire, and none that are longer: it tells their senders.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn narrow(&self, router: &Host, mtu: u16) -> Result<()> {
        // Not the link's: what is longer than that would be lost on its way back, and nobody told.
        let (v4, v6) = (self.link.address(4, 0), self.link.address(6, 0));
        router.run(&format!("ip route replace {v4}/24 dev far0 mtu lock {mtu}"))?;
        router.run(&format!(
            "ip -6 route replace {v6}/64 dev far0 proto kernel metric 256 mtu {mtu}"
        ))?;
        Ok(())
    }

    /// Makes a host send what is not for this wire to the router, or to another host of it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn route_by(&self, host: &Host, gateway: Option<u8>) -> Result<()> {
        for family in [4, 6] {
            let via = self.address(family, gateway.unwrap_or(ROUTER));
            host.run(&format!("ip -{family} route replace default via {via}"))?;
        }
        Ok(())
    }

    /// Pulls a host's cable, or puts it back.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_link(&self, number: u8, up: bool) -> Result<()> {
        let state = if up { "up" } else { "down" };
        self.wire
            .run(&format!("ip link set {} {state}", port(number)))?;
        Ok(())
    }

    /// Lets the wire send a host what came from it, as a switch does that knows of VEPA (IEEE 802.1Qbg).
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_hairpin(&self, number: u8, on: bool) -> Result<()> {
        let state = if on { "on" } else { "off" };
        self.wire.run(&format!(
            "bridge link set dev {} hairpin {state}",
            port(number)
        ))?;
        Ok(())
    }

    /// The longest packet that the wire carries to a host and the host sends.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_mtu(&self, host: &Host, number: u8, mtu: u16) -> Result<()> {
        self.wire
            .run(&format!("ip link set {} mtu {mtu}", port(number)))?;
        // A bridge takes the smallest of its ports' otherwise, and tells nobody what it drops.
        self.wire.run("ip link set wire mtu 9216")?;
        host.run(&format!("ip link set {UNDERLAY_NIC} mtu {mtu}"))?;
        Ok(())
    }

    /// The address of a host; `family` 4 or 6.
    #[must_use]
    pub fn address(&self, family: u8, number: u8) -> IpAddr {
        self.link.address(family, number)
    }

    /// Begins to record what passes the wire and fits a filter (pcap-filter(7)).
    ///
    /// # Errors
    /// If tcpdump cannot be run.
    pub fn record(&self, filter: &str) -> Result<Packets> {
        // A bridge device that is promiscuous sees all that the bridge forwards.
        Packets::record(&self.wire.place(), "wire", filter)
    }
}

fn port(number: u8) -> String {
    format!("port{number}")
}
