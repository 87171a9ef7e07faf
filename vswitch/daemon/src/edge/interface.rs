//! An endpoint's interface: a TAP that is made here and put into a sandbox.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use ipnet::IpNet;
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Dad, Link, Netlink, NetlinkError, Route};
use vswitch_netio::sysctl::{self, SysctlError};
use vswitch_netio::tap::Tap;
use vswitch_packet::MacAddr;

use super::{EdgeError, Namespace};

/// How an interface is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name while it is in the host's namespace.
    pub tap_name: InterfaceName,
    /// Its name in the sandbox.
    pub name: InterfaceName,
    /// Its mark.
    pub alias: String,
    /// Its address.
    pub mac: MacAddr,
    /// The longest packet, in bytes.
    pub mtu: u16,
    /// With the prefix length of their subnets.
    pub addresses: Vec<IpNet>,
    /// How many segments its super-frames have at most, where fewer are better.
    pub segments: Option<u32>,
    /// Where to beside these subnets, and by which next hop.
    pub routes: Vec<(IpNet, IpAddr)>,
}

/// How many frames wait for the switch. Docker's veth pairs have none; the kernel's default for a TAP is 500,
/// which a worker that is off the processor for a few milliseconds lets overflow.
const QUEUE_LENGTH: u32 = 1000;

impl Interface {
    /// Makes the TAP in the host's namespace, so that its queues do not pin the sandbox, and moves it.
    ///
    /// It is up, and survives its queues, when this returns. On failure nothing is left behind.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn make(
        &self,
        host: &mut Namespace,
        sandbox: &mut Namespace,
        queues: NonZeroUsize,
    ) -> Result<Tap, EdgeError> {
        let tap = Tap::create(&self.tap_name, queues)?;
        self.prepare(&mut host.netlink, tap.index)?;
        host.netlink.set_netns(tap.index, sandbox.netns())?;
        sandbox.set_loopback_up()?;
        // The index may be another one there.
        let link = sandbox.netlink.link(&self.tap_name)?;
        let index = link.ok_or_else(|| self.vanished())?.index;
        match sandbox.netlink.rename(index, &self.name) {
            Err(NetlinkError::Exists(_)) => {
                let name = self.name.clone();
                return Err(EdgeError::NameTaken { name });
            }
            other => other?,
        }
        sandbox.run(|| match_ipv6(&self.name, &self.addresses))?;
        configure(&mut sandbox.netlink, index, &self.addresses)?;
        for &(destination, gateway) in &self.routes {
            let route = Route::to(destination, Some(gateway), index);
            sandbox.netlink.replace_route(&route)?;
        }
        // Last, as a TAP goes with its queues until then.
        tap.set_persistent(true)?;
        Ok(tap)
    }

    fn prepare(&self, netlink: &mut Netlink, index: u32) -> Result<(), NetlinkError> {
        netlink.set_alias(index, &self.alias)?;
        netlink.set_mac(index, self.mac)?;
        netlink.set_mtu(index, u32::from(self.mtu))?;
        if let Some(segments) = self.segments {
            netlink.set_gso_max_segs(index, segments)?;
        }
        netlink.set_txqueuelen(index, QUEUE_LENGTH)
    }

    fn vanished(&self) -> EdgeError {
        EdgeError::Vanished {
            name: self.tap_name.clone(),
        }
    }
}

/// Deletes the interface with that alias, whatever it is called now. `false` if there is none.
///
/// # Errors
/// [`EdgeError::Netlink`].
pub fn remove_interface(
    namespace: &mut Namespace,
    name: &InterfaceName,
    alias: &str,
) -> Result<bool, EdgeError> {
    let marked = |link: &Link| link.alias.as_deref() == Some(alias);
    let netlink = &mut namespace.netlink;
    let link = match netlink.link(name)?.filter(marked) {
        Some(link) => Some(link),
        None => netlink.links()?.into_iter().find(marked),
    };
    match link {
        Some(link) => delete(netlink, link.index),
        None => Ok(false),
    }
}

/// Deletes an interface. `false` if it was not there.
pub(super) fn delete(netlink: &mut Netlink, index: u32) -> Result<bool, EdgeError> {
    match netlink.delete_link(index) {
        Ok(()) => Ok(true),
        Err(NetlinkError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives an interface that is down its addresses, and switches it on.
pub(super) fn configure(
    netlink: &mut Netlink,
    index: u32,
    addresses: &[IpNet],
) -> Result<(), NetlinkError> {
    for &address in addresses {
        // We hand addresses out, so nobody else has this one.
        netlink.add_address(index, address, Dad::Off)?;
    }
    netlink.set_up(index)
}

/// Gives the interface IPv6 if it has an IPv6 address to get, else takes it away, as libnetwork does. For the
/// thread's namespace.
pub(super) fn match_ipv6(name: &InterfaceName, addresses: &[IpNet]) -> Result<(), SysctlError> {
    let wanted = addresses
        .iter()
        .any(|net| matches!(net.addr(), IpAddr::V6(_)));
    match sysctl::set_ipv6_disabled(name, !wanted) {
        // A kernel without IPv6; or /proc/sys that is read-only, which leaves a link-local address.
        Err(SysctlError::NotFound { .. }) if !wanted => Ok(()),
        Err(error @ SysctlError::NotPermitted { .. }) if !wanted => {
            tracing::debug!("{error}");
            Ok(())
        }
        other => other,
    }
}
