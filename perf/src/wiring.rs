//! Containers on the kernel's bridge, by netlink spoken directly, in libnetwork's steps (moby's
//! `drivers/bridge/bridge_linux.go` and `osl/interface_linux.go`).

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result};
use ipnet::{IpNet, Ipv4Net};
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Dad, Netlink, Route};
use vswitch_netio::netns::Netns;
use vswitch_netio::sysctl;
use vswitch_packet::MacAddr;

use crate::lab::container::{Container, PREFIX};
use crate::veth::{Veth, VethMaker};

/// Connects containers with a bridge of the namespace it was opened in.
///
/// libnetwork does more: it looks each interface up by name several times, sets MTUs, puts the host's end into the bridge by a
/// request of its own, waits until both ends are running, announces the address, and writes records of the
/// endpoint. All that is left out, to the kernel's advantage.
pub(crate) struct Wiring {
    host: Netlink,
    maker: VethMaker,
    bridge: u32,
    gateway: Option<Ipv4Addr>,
}

/// What the container's end is called until it has the name of libnetwork's choice.
const TEMPORARY: &str = "veth-inside";
const FINAL: &str = "eth0";

impl Wiring {
    /// Connects with the kernel in the calling thread's namespace. With a gateway, containers get a default route.
    ///
    /// # Errors
    /// If there is no such bridge.
    pub(crate) fn open(bridge: &str, gateway: Option<Ipv4Addr>) -> Result<Self> {
        let mut host = Netlink::open()?;
        let bridge = index(&mut host, bridge)?;
        Ok(Self {
            host,
            maker: VethMaker::open()?,
            bridge,
            gateway,
        })
    }

    /// Gives a container, which is a namespace with nothing in it, an interface on the bridge.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn connect(&mut self, container: &Container, namespace: &Netns) -> Result<()> {
        self.maker.make(&Veth {
            host: &container.name,
            bridge: self.bridge,
            inside: TEMPORARY,
            namespace,
        })?;
        let host_end = index(&mut self.host, &container.name)?;
        self.host.set_up(host_end)?;
        let gateway = self.gateway;
        namespace.run(|| configure(container.address, gateway))?
    }

    /// Takes the interface away.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn disconnect(&mut self, container: &Container) -> Result<()> {
        let host_end = index(&mut self.host, &container.name)?;
        Ok(self.host.delete_link(host_end)?)
    }
}

/// What libnetwork does to an interface in the container's namespace.
fn configure(address: Ipv4Addr, gateway: Option<Ipv4Addr>) -> Result<()> {
    let mut inside = Netlink::open()?;
    let interface = index(&mut inside, TEMPORARY)?;
    inside.rename(interface, &FINAL.parse()?)?;
    let [a, b, c, d] = address.octets();
    inside.set_mac(interface, MacAddr([0x02, 0x42, a, b, c, d]))?;
    sysctl::write(&["ipv6", "conf", FINAL, "disable_ipv6"], "1")?;
    let network = IpNet::V4(Ipv4Net::new(address, PREFIX)?);
    inside.add_address(interface, network, Dad::Off)?;
    inside.set_up(interface)?;
    if let Some(gateway) = gateway {
        inside.add_route(&Route::default_via(IpAddr::V4(gateway), interface))?;
    }
    Ok(())
}

fn index(netlink: &mut Netlink, name: &str) -> Result<u32> {
    let name: InterfaceName = name.parse()?;
    let link = netlink.link(&name)?;
    Ok(link.with_context(|| format!("no interface {name}"))?.index)
}
