//! The host port: a TAP in the host's namespace that holds a network's gateway addresses.

use std::num::NonZeroUsize;

use ipnet::IpNet;
use vswitch_netio::InterfaceName;
use vswitch_netio::sysctl::{self, SysctlError};
use vswitch_netio::tap::Tap;
use vswitch_packet::MacAddr;

use super::interface::{configure, match_ipv6};
use super::{EdgeError, Namespace};

/// How a host port is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// Its name.
    pub name: InterfaceName,
    /// Its mark.
    pub alias: String,
    /// The router's address, which the host has too.
    pub mac: MacAddr,
    /// The longest packet, in bytes.
    pub mtu: u16,
    /// With the prefix length of their subnets, which makes the host's routes to them.
    pub gateways: Vec<IpNet>,
}

impl HostPort {
    /// Makes it in the calling thread's namespace, which is the host's.
    ///
    /// It is up, and survives its queues, when this returns. On failure nothing is left behind.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub fn make(&self, host: &mut Namespace, queues: NonZeroUsize) -> Result<Tap, EdgeError> {
        let tap = Tap::create(&self.name, queues)?;
        let netlink = &mut host.netlink;
        netlink.set_alias(tap.index, &self.alias)?;
        netlink.set_mac(tap.index, self.mac)?;
        netlink.set_mtu(tap.index, u32::from(self.mtu))?;
        match_ipv6(&self.name, &self.gateways)?;
        ignore_router_advertisements(&self.name)?;
        configure(netlink, tap.index, &self.gateways)?;
        tap.set_persistent(true)?;
        Ok(tap)
    }
}

/// No container may become the host's router.
fn ignore_router_advertisements(name: &InterfaceName) -> Result<(), SysctlError> {
    match sysctl::write(&["ipv6", "conf", name.as_str(), "accept_ra"], "0") {
        Err(SysctlError::NotFound { .. }) => Ok(()),
        Err(error @ SysctlError::NotPermitted { .. }) => {
            tracing::warn!("{error}");
            Ok(())
        }
        other => other,
    }
}
