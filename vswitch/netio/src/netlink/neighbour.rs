//! The kernel's own ARP and ND tables.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    self as wire, NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
};
use netlink_packet_route::route::RouteType;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use vswitch_packet::MacAddr;

use super::address::family;
use super::{Netlink, NetlinkError};

/// What the kernel knows of an address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The interface's index.
    pub interface: u32,
    /// The IP address.
    pub ip: IpAddr,
    /// The MAC address; `None` while it is asked for, and after nobody answered.
    pub mac: Option<MacAddr>,
    /// How much the knowledge is worth.
    pub state: NeighbourState,
}

/// The state of a neighbour (`NUD_*`, `linux/neighbour.h`; RFC 4861 section 7.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeighbourState {
    /// Being asked for the first time.
    Incomplete,
    /// Confirmed a short time ago.
    Reachable,
    /// To be confirmed when it is used.
    Stale,
    /// Used, and about to be confirmed.
    Delay,
    /// Being asked again.
    Probe,
    /// Nobody answered.
    Failed,
    /// Needs no confirmation, as on a loopback.
    NoArp,
    /// Set by hand.
    Permanent,
    /// Any other, by its number.
    Other(u16),
}

impl NeighbourState {
    /// Whether the MAC address may be used.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        !matches!(self, Self::Incomplete | Self::Failed | Self::Other(_))
    }
}

impl Netlink {
    /// The neighbours of all interfaces, IPv4 and IPv6.
    ///
    /// # Errors
    /// [`NetlinkError::Undecodable`], [`NetlinkError::Socket`].
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>, NetlinkError> {
        let request = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        self.dump(
            format_args!("list neighbours"),
            &request,
            |message| match message {
                RouteNetlinkMessage::NewNeighbour(neighbour) => Neighbour::decode(neighbour),
                _ => None,
            },
        )
    }

    /// Adds a neighbour, or changes the one with that address.
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`] without the interface, [`NetlinkError::Refused`] with `EINVAL` for a
    /// valid state without MAC address.
    pub fn set_neighbour(&mut self, neighbour: &Neighbour) -> Result<(), NetlinkError> {
        let Neighbour { interface, ip, .. } = *neighbour;
        let request = RouteNetlinkMessage::NewNeighbour(neighbour.encode());
        let what = format_args!("set neighbour {ip} of interface {interface}");
        self.change(what, request, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes a neighbour away.
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`] if the table does not have it.
    pub fn delete_neighbour(&mut self, interface: u32, ip: IpAddr) -> Result<(), NetlinkError> {
        let neighbour = Neighbour {
            interface,
            ip,
            mac: None,
            state: NeighbourState::Failed,
        };
        let request = RouteNetlinkMessage::DelNeighbour(neighbour.encode());
        self.change(
            format_args!("delete neighbour {ip} of interface {interface}"),
            request,
            0,
        )
    }
}

impl Neighbour {
    /// `None` for entries of a bridge's forwarding table, which share the messages, and for proxies.
    pub(crate) fn decode(message: NeighbourMessage) -> Option<Self> {
        let header = message.header;
        if !matches!(header.family, AddressFamily::Inet | AddressFamily::Inet6)
            || header.flags.contains(NeighbourFlags::Proxy)
        {
            return None;
        }
        let mut ip = None;
        let mut mac = None;
        for attribute in message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => ip = Some(v4.into()),
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => {
                    ip = Some(v6.into());
                }
                NeighbourAttribute::LinkLayerAddress(octets) => {
                    mac = octets.as_slice().try_into().ok().map(MacAddr);
                }
                _ => {}
            }
        }
        Some(Self {
            interface: header.ifindex,
            ip: ip?,
            mac,
            state: header.state.into(),
        })
    }

    fn encode(&self) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.family = family(self.ip);
        message.header.ifindex = self.interface;
        message.header.state = self.state.into();
        message.header.kind = RouteType::Unicast;
        message
            .attributes
            .push(NeighbourAttribute::Destination(self.ip.into()));
        message.attributes.extend(
            self.mac
                .map(|mac| NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())),
        );
        message
    }
}

impl From<wire::NeighbourState> for NeighbourState {
    fn from(state: wire::NeighbourState) -> Self {
        match state {
            wire::NeighbourState::Incomplete => Self::Incomplete,
            wire::NeighbourState::Reachable => Self::Reachable,
            wire::NeighbourState::Stale => Self::Stale,
            wire::NeighbourState::Delay => Self::Delay,
            wire::NeighbourState::Probe => Self::Probe,
            wire::NeighbourState::Failed => Self::Failed,
            wire::NeighbourState::Noarp => Self::NoArp,
            wire::NeighbourState::Permanent => Self::Permanent,
            other => Self::Other(other.into()),
        }
    }
}

impl From<NeighbourState> for wire::NeighbourState {
    fn from(state: NeighbourState) -> Self {
        match state {
            NeighbourState::Incomplete => Self::Incomplete,
            NeighbourState::Reachable => Self::Reachable,
            NeighbourState::Stale => Self::Stale,
            NeighbourState::Delay => Self::Delay,
            NeighbourState::Probe => Self::Probe,
            NeighbourState::Failed => Self::Failed,
            NeighbourState::NoArp => Self::Noarp,
            NeighbourState::Permanent => Self::Permanent,
            NeighbourState::Other(number) => number.into(),
        }
    }
}
