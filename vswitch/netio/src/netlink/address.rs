//! IP addresses of interfaces.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, NetlinkError};

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The interface's index.
    pub interface: u32,
    /// The address and the length of its subnet's prefix, such as `10.0.0.5/24`.
    pub network: IpNet,
    /// Valid on the link only (`fe80::/10`) or on the host only (`127.0.0.0/8`).
    pub local_scope: bool,
    /// IPv6: not usable yet, or for ever, as duplicate detection runs or found another owner.
    pub tentative: bool,
}

/// Whether IPv6 duplicate address detection keeps a new address from use for about a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dad {
    /// Usable at once: for addresses that nobody else can have, because we hand them out.
    Off,
    /// RFC 4862 section 5.4.
    On,
}

impl Netlink {
    /// The addresses of all interfaces, IPv4 and IPv6.
    ///
    /// # Errors
    /// [`NetlinkError::Undecodable`], [`NetlinkError::Socket`].
    pub fn addresses(&mut self) -> Result<Vec<Address>, NetlinkError> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump(
            format_args!("list addresses"),
            &request,
            |message| match message {
                RouteNetlinkMessage::NewAddress(address) => Address::decode(address),
                _ => None,
            },
        )
    }

    /// Adds an address to an interface. The route to its subnet comes with it.
    ///
    /// `dad` matters for IPv6 only.
    ///
    /// # Errors
    /// [`NetlinkError::Exists`] if the interface has it, [`NetlinkError::NotFound`] if there is no interface.
    pub fn add_address(
        &mut self,
        interface: u32,
        network: IpNet,
        dad: Dad,
    ) -> Result<(), NetlinkError> {
        let mut message = message(interface, network);
        if let IpNet::V4(v4) = network
            && v4.prefix_len() < 31
        {
            message
                .attributes
                .push(AddressAttribute::Broadcast(v4.broadcast()));
        }
        if dad == Dad::Off {
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        let request = RouteNetlinkMessage::NewAddress(message);
        let what = format_args!("add address {network} to interface {interface}");
        self.change(what, request, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Takes an address away, and the route to its subnet.
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`] if the interface does not have it.
    pub fn remove_address(&mut self, interface: u32, network: IpNet) -> Result<(), NetlinkError> {
        let request = RouteNetlinkMessage::DelAddress(message(interface, network));
        let what = format_args!("remove address {network} from interface {interface}");
        self.change(what, request, 0)
    }
}

impl Address {
    pub(crate) fn decode(message: AddressMessage) -> Option<Self> {
        let header = message.header;
        let mut flags = AddressFlags::from_bits_retain(u32::from(header.flags.bits()));
        let mut address = None;
        let mut local = None;
        for attribute in message.attributes {
            match attribute {
                AddressAttribute::Address(ip) => address = Some(ip),
                // On a point-to-point link, `Address` is the other end and this one is ours.
                AddressAttribute::Local(ip) => local = Some(ip),
                AddressAttribute::Flags(all) => flags = all,
                _ => {}
            }
        }
        Some(Self {
            interface: header.index,
            network: IpNet::new(local.or(address)?, header.prefix_len).ok()?,
            local_scope: matches!(header.scope, AddressScope::Link | AddressScope::Host),
            tentative: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
        })
    }
}

fn message(interface: u32, network: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = interface;
    message.header.prefix_len = network.prefix_len();
    message.header.family = family(network.addr());
    message.header.scope = scope(network.addr());
    message
        .attributes
        .push(AddressAttribute::Local(network.addr()));
    message
        .attributes
        .push(AddressAttribute::Address(network.addr()));
    message
}

pub(super) const fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// What `ip address add` would choose. The kernel decides itself for IPv6.
const fn scope(ip: IpAddr) -> AddressScope {
    match ip {
        IpAddr::V4(v4) if v4.is_loopback() => AddressScope::Host,
        _ => AddressScope::Universe,
    }
}
