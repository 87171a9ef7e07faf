//! Stations and their addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_datapath::PortId;
use vswitch_datapath::identity::link_local;
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version;

/// The ports of a bench, in order.
pub(crate) const A: PortId = PortId(0);
pub(crate) const B: PortId = PortId(1);
pub(crate) const C: PortId = PortId(2);
pub(crate) const D: PortId = PortId(3);

/// Who sends and receives, with the addresses of the captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Station {
    pub(crate) mac: MacAddr,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

pub(crate) const GATEWAY: Station = station(1);
/// At [`A`].
pub(crate) const ALICE: Station = station(2);
/// At [`B`].
pub(crate) const BOB: Station = station(3);
/// At [`C`].
pub(crate) const CAROL: Station = station(4);
/// At [`D`].
pub(crate) const DAVE: Station = station(5);

/// Number `n` of 10.0.0.0/24 and fd00::/64.
pub(crate) const fn station(n: u8) -> Station {
    Station {
        mac: MacAddr([0x02, 0x42, 10, 0, 0, n]),
        v4: Ipv4Addr::new(10, 0, 0, n),
        v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n as u16),
    }
}

/// The station at `port`.
pub(crate) const fn at(port: PortId) -> Station {
    station(port.0 as u8 + 2)
}

impl Station {
    pub(crate) fn ip(&self, version: Version) -> IpAddr {
        match version {
            Version::V4 => self.v4.into(),
            Version::V6 => self.v6.into(),
        }
    }

    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }

    pub(crate) fn link_local(&self) -> Ipv6Addr {
        link_local(self.mac)
    }

    /// The same addresses at another MAC address.
    pub(crate) const fn with_mac(self, mac: MacAddr) -> Self {
        Self { mac, ..self }
    }

    pub(crate) const fn with_v4(self, v4: Ipv4Addr) -> Self {
        Self { v4, ..self }
    }

    pub(crate) const fn with_v6(self, v6: Ipv6Addr) -> Self {
        Self { v6, ..self }
    }
}
