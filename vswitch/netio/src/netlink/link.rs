//! Interfaces: reading them, and changing what `ip link set` changes.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_core::Nla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoTun, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage,
};
use vswitch_packet::MacAddr;

use super::{Netlink, NetlinkError};
use crate::InterfaceName;
use crate::netns::Netns;

/// An interface, as it was when asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace. Another one after a move, if the number is taken there.
    pub index: u32,
    /// Its name.
    pub name: InterfaceName,
    /// Its address; `None` for interfaces without Ethernet addresses.
    pub mac: Option<MacAddr>,
    /// The address burnt into the hardware, if it has one.
    pub permanent_mac: Option<MacAddr>,
    /// The longest IP packet, in bytes.
    pub mtu: u32,
    /// Switched on (`IFF_UP`).
    pub up: bool,
    /// Switched on and able to pass frames (`IFF_RUNNING`).
    pub running: bool,
    /// Something is at the other end (`IFF_LOWER_UP`): for a TAP, a process that holds a queue.
    pub carrier: bool,
    /// The administrator's note (`ip link set alias`).
    pub alias: Option<String>,
    /// The driver, such as `tun`, `veth`, `bridge`; `None` for hardware and loopback.
    pub kind: Option<String>,
    /// The bridge or bond it belongs to.
    pub controller: Option<u32>,
    /// How many reasons there are to receive frames to other stations' addresses; with none, 0.
    pub promiscuity: u32,
    /// The state of a TUN or TAP interface.
    pub tun: Option<TunState>,
}

/// Which link-local address the kernel makes up for an interface when it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressGeneration {
    /// None, and so it asks for no routers either.
    None,
    /// From the MAC address (RFC 4291 appendix A): the kernel's default.
    Eui64,
}

/// What the kernel tells of a TUN or TAP interface (`tun_fill_info`, `drivers/net/tun.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TunState {
    /// A TAP (Ethernet), not a TUN (IP).
    pub tap: bool,
    /// It survives its queues.
    pub persistent: bool,
    /// Frames follow a `virtio_net_hdr`.
    pub vnet_header: bool,
    /// It was made for several queues.
    pub multi_queue: bool,
    /// How many queues are open, in all processes. Told of multi-queue interfaces only.
    pub queues: u32,
}

/// Settings of an interface; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkSettings<'a> {
    /// See [`Netlink::set_alias`].
    pub alias: Option<&'a str>,
    /// See [`Netlink::set_mac`].
    pub mac: Option<MacAddr>,
    /// See [`Netlink::set_mtu`].
    pub mtu: Option<u32>,
    /// How many packets wait in the interface's queue before more are dropped. For a TAP this is the length of the
    /// ring that [`TapQueue::read`](crate::tap::TapQueue::read) empties.
    pub queue_length: Option<u32>,
    /// How many segments the kernel puts into one super-frame at most.
    pub segments: Option<u32>,
    /// Whether the kernel asks for neighbours by ARP and neighbour discovery, as is the default, or sends all frames to
    /// the interface's own address and answers nobody (`IFF_NOARP`).
    pub arp: Option<bool>,
}

impl Netlink {
    /// All interfaces of the namespace, in ascending order of index.
    ///
    /// # Errors
    /// [`NetlinkError::Undecodable`], [`NetlinkError::Socket`].
    pub fn links(&mut self) -> Result<Vec<Link>, NetlinkError> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut links = self.dump(
            format_args!("list interfaces"),
            &request,
            Link::from_message,
        )?;
        links.sort_unstable_by_key(|link| link.index);
        Ok(links)
    }

    /// The interface of that name or alternative name (`ip link property`), or `None`.
    ///
    /// # Errors
    /// As [`Netlink::links`].
    pub fn link(&mut self, name: &InterfaceName) -> Result<Option<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_string()));
        let request = RouteNetlinkMessage::GetLink(message);
        self.query(
            format_args!("look up interface {name}"),
            request,
            Link::from_message,
        )
    }

    /// The interface of that index, or `None`.
    ///
    /// # Errors
    /// As [`Netlink::links`].
    pub fn link_at(&mut self, index: u32) -> Result<Option<Link>, NetlinkError> {
        let request = RouteNetlinkMessage::GetLink(message(index));
        self.query(
            format_args!("look up interface {index}"),
            request,
            Link::from_message,
        )
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`], [`NetlinkError::NotPermitted`], as with all changes below.
    pub fn set_up(&mut self, index: u32) -> Result<(), NetlinkError> {
        let mut message = message(index);
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        let request = RouteNetlinkMessage::SetLink(message);
        self.change(format_args!("set interface {index} up"), request, 0)
    }

    /// Switches an interface off. Routes through it go; IPv6 addresses go too, IPv4 addresses stay.
    ///
    /// # Errors
    /// As [`Netlink::set_up`].
    pub fn set_down(&mut self, index: u32) -> Result<(), NetlinkError> {
        let mut message = message(index);
        message.header.change_mask = LinkFlags::Up;
        let request = RouteNetlinkMessage::SetLink(message);
        self.change(format_args!("set interface {index} down"), request, 0)
    }

    /// Makes several settings of an interface in one request. When one is refused, those before it may have been made.
    ///
    /// # Errors
    /// As [`Netlink::set_up`], and [`NetlinkError::Refused`] for a value that the kernel does not take.
    pub fn set(&mut self, index: u32, settings: &LinkSettings<'_>) -> Result<(), NetlinkError> {
        let LinkSettings {
            alias,
            mac,
            mtu,
            queue_length,
            segments,
            arp,
        } = *settings;
        let mut message = message(index);
        message.attributes = [
            alias.map(|alias| LinkAttribute::IfAlias(alias.to_owned())),
            mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())),
            mtu.map(LinkAttribute::Mtu),
            queue_length.map(LinkAttribute::TxQueueLen),
            segments.map(LinkAttribute::GsoMaxSegs),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(arp) = arp {
            message.header.change_mask = LinkFlags::Noarp;
            message.header.flags.set(LinkFlags::Noarp, !arp);
        }
        let request = RouteNetlinkMessage::SetLink(message);
        self.change(format_args!("configure interface {index}"), request, 0)
    }

    /// Chooses the link-local address of an interface that is down: one that it has already stays.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with `EAFNOSUPPORT` if the interface has no IPv6, as with an MTU below 1280.
    pub fn set_ipv6_address_generation(
        &mut self,
        index: u32,
        generation: AddressGeneration,
    ) -> Result<(), NetlinkError> {
        let mode = match generation {
            AddressGeneration::None => In6AddrGenMode::None,
            AddressGeneration::Eui64 => In6AddrGenMode::Eui64,
        };
        let settings = vec![AfSpecInet6::AddrGenMode(mode)];
        self.set_one(
            format_args!("set the IPv6 address generation of interface {index}"),
            index,
            LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(settings)]),
        )
    }

    /// Sets the longest IP packet, in bytes: 68 to 65535 for a TAP, and at least 1280 for IPv6 to work.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with `EINVAL` outside the interface's range.
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> Result<(), NetlinkError> {
        self.set_one(
            format_args!("set the MTU of interface {index} to {mtu}"),
            index,
            LinkAttribute::Mtu(mtu),
        )
    }

    /// Sets the address.
    ///
    /// # Errors
    /// [`NetlinkError::errno`] is `EADDRNOTAVAIL` for a multicast or zero address, `EBUSY` for drivers
    /// that want the interface down.
    pub fn set_mac(&mut self, index: u32, mac: MacAddr) -> Result<(), NetlinkError> {
        self.set_one(
            format_args!("set the address of interface {index} to {mac}"),
            index,
            LinkAttribute::Address(mac.0.to_vec()),
        )
    }

    /// Gives the interface another name. It may be up since Linux 6.2; before, `EBUSY`.
    ///
    /// # Errors
    /// [`NetlinkError::Exists`] if the name is taken.
    pub fn rename(&mut self, index: u32, name: &InterfaceName) -> Result<(), NetlinkError> {
        self.set_one(
            format_args!("rename interface {index} to {name}"),
            index,
            LinkAttribute::IfName(name.to_string()),
        )
    }

    /// Sets the administrator's note, up to 255 bytes; an empty one removes it. It moves with the
    /// interface from namespace to namespace and stays when it is renamed.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with `EINVAL` or `ERANGE` if it is too long.
    pub fn set_alias(&mut self, index: u32, alias: &str) -> Result<(), NetlinkError> {
        self.set_one(
            format_args!("set the alias of interface {index} to {alias:?}"),
            index,
            LinkAttribute::IfAlias(alias.to_owned()),
        )
    }

    /// Moves an interface to another namespace. It is set down and loses addresses and routes.
    ///
    /// # Errors
    /// [`NetlinkError::Exists`] if the name is taken there.
    pub fn set_netns(&mut self, index: u32, netns: &Netns) -> Result<(), NetlinkError> {
        self.set_one(
            format_args!("move interface {index} to another namespace"),
            index,
            LinkAttribute::NetNsFd(netns.as_fd().as_raw_fd()),
        )
    }

    /// Deletes a virtual interface.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] with `EOPNOTSUPP` for hardware.
    pub fn delete_link(&mut self, index: u32) -> Result<(), NetlinkError> {
        let request = RouteNetlinkMessage::DelLink(message(index));
        self.change(format_args!("delete interface {index}"), request, 0)
    }

    fn set_one(
        &mut self,
        what: std::fmt::Arguments<'_>,
        index: u32,
        attribute: LinkAttribute,
    ) -> Result<(), NetlinkError> {
        let mut message = message(index);
        message.attributes.push(attribute);
        self.change(what, RouteNetlinkMessage::SetLink(message), 0)
    }
}

impl Link {
    fn from_message(message: RouteNetlinkMessage) -> Option<Self> {
        match message {
            RouteNetlinkMessage::NewLink(link) => Self::decode(link),
            _ => None,
        }
    }

    /// `None` for a message without a name, which none of the kernel's is.
    pub(crate) fn decode(message: LinkMessage) -> Option<Self> {
        let flags = message.header.flags;
        let mut name = None;
        let mut link = LinkDetails::default();
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = text.parse().ok(),
                LinkAttribute::Address(octets) => link.mac = mac(&octets),
                LinkAttribute::PermAddress(octets) => link.permanent_mac = mac(&octets),
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
                LinkAttribute::Controller(index) => link.controller = Some(index),
                LinkAttribute::Promiscuity(reasons) => link.promiscuity = reasons,
                LinkAttribute::LinkInfo(info) => link.add(info),
                _ => {}
            }
        }
        Some(Self {
            index: message.header.index,
            name: name?,
            mac: link.mac,
            permanent_mac: link.permanent_mac,
            mtu: link.mtu,
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::Running),
            carrier: flags.contains(LinkFlags::LowerUp),
            alias: link.alias,
            kind: link.kind,
            controller: link.controller,
            promiscuity: link.promiscuity,
            tun: link.tun,
        })
    }
}

/// What attributes tell of a [`Link`].
#[derive(Default)]
struct LinkDetails {
    mac: Option<MacAddr>,
    permanent_mac: Option<MacAddr>,
    mtu: u32,
    alias: Option<String>,
    kind: Option<String>,
    controller: Option<u32>,
    promiscuity: u32,
    tun: Option<TunState>,
}

impl LinkDetails {
    fn add(&mut self, info: Vec<LinkInfo>) {
        for info in info {
            match info {
                LinkInfo::Kind(kind) => self.kind = Some(kind.to_string()),
                LinkInfo::Data(InfoData::Tun(attributes)) => {
                    self.tun = Some(TunState::decode(&attributes));
                }
                _ => {}
            }
        }
    }
}

impl TunState {
    /// The attributes are numbers of one or four bytes.
    fn decode(attributes: &[InfoTun]) -> Self {
        // From `linux/if_link.h`; netlink-packet-route has no names for them.
        const IFLA_TUN_TYPE: u16 = 3;
        const IFLA_TUN_VNET_HDR: u16 = 5;
        const IFLA_TUN_PERSIST: u16 = 6;
        const IFLA_TUN_MULTI_QUEUE: u16 = 7;
        const IFLA_TUN_NUM_QUEUES: u16 = 8;
        const IFLA_TUN_NUM_DISABLED_QUEUES: u16 = 9;

        let mut state = Self::default();
        for attribute in attributes {
            let mut bytes = [0; 4];
            let Some(value) = bytes.get_mut(..attribute.value_len()) else {
                continue;
            };
            attribute.emit_value(value);
            match attribute.kind() {
                IFLA_TUN_TYPE => state.tap = libc::c_int::from(bytes[0]) == libc::IFF_TAP,
                IFLA_TUN_VNET_HDR => state.vnet_header = bytes[0] != 0,
                IFLA_TUN_PERSIST => state.persistent = bytes[0] != 0,
                IFLA_TUN_MULTI_QUEUE => state.multi_queue = bytes[0] != 0,
                IFLA_TUN_NUM_QUEUES | IFLA_TUN_NUM_DISABLED_QUEUES => {
                    state.queues += u32::from_ne_bytes(bytes);
                }
                _ => {}
            }
        }
        state
    }
}

fn message(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn mac(octets: &[u8]) -> Option<MacAddr> {
    octets.try_into().ok().map(MacAddr)
}
