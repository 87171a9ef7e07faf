//! A NIC as the kernel tells of it.

use vswitch_api::ParentState;
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::Link;
use vswitch_packet::MacAddr;

use crate::dataplane::ParentSpec;

/// What of a NIC matters to those that are put on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Its number. Another one when it comes back.
    pub index: u32,
    /// Its address.
    pub mac: MacAddr,
    /// The longest packet, in octets.
    pub mtu: u32,
    /// Switched on.
    pub up: bool,
    /// Something is at the other end.
    pub carrier: bool,
}

impl Nic {
    /// `None` if there is no such interface, or it has no Ethernet address.
    #[must_use]
    pub fn find(links: &[Link], name: &InterfaceName) -> Option<Self> {
        let link = links.iter().find(|link| link.name == *name)?;
        Some(Self {
            index: link.index,
            mac: link.mac.filter(|mac| mac.is_valid_source())?,
            mtu: link.mtu,
            up: link.up,
            carrier: link.carrier,
        })
    }

    /// What the workers are told.
    pub(super) fn spec(&self) -> ParentSpec {
        ParentSpec {
            mac: self.mac,
            mtu: u16::try_from(self.mtu).unwrap_or(u16::MAX),
        }
    }

    /// Whether it can carry frames.
    #[must_use]
    pub const fn state(&self) -> ParentState {
        match (self.up, self.carrier) {
            (true, true) => ParentState::Up,
            (true, false) => ParentState::NoLink,
            (false, _) => ParentState::Down,
        }
    }
}
