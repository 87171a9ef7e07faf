//! Routes of both IP versions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::route::{
    self as wire, RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
    RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, NetlinkError};

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Which packets; `None` for the default route of the gateway's IP version, or of [`Route::version`].
    pub destination: Option<IpNet>,
    /// The next hop; `None` if the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The index of the interface; 0 for kinds that have none, such as [`RouteKind::Blackhole`].
    pub interface: u32,
    /// The table that holds it.
    pub table: RouteTable,
    /// What happens to the packets.
    pub kind: RouteKind,
    /// How far away the destination is. IPv4 only; IPv6 has [`RouteScope::Universe`] always.
    pub scope: RouteScope,
    /// Who made it.
    pub protocol: RouteProtocol,
    /// Lower is preferred. IPv6 puts 1024 for 0.
    pub metric: u32,
    /// The source address of the host's own packets.
    pub preferred_source: Option<IpAddr>,
    /// The longest packet on the way, in bytes, where it is shorter than the interface's.
    pub mtu: Option<u32>,
    /// 4 or 6.
    pub version: u8,
}

/// A routing table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteTable {
    /// The usual one (254).
    Main,
    /// The host's own and broadcast addresses, kept by the kernel (255).
    Local,
    /// Any other, used by rules.
    Other(u32),
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// Sends on.
    Unicast,
    /// Delivers to this host.
    Local,
    /// Sends to all on the link.
    Broadcast,
    /// IPv6: delivers to this host, one of several.
    Anycast,
    /// Sends to a group.
    Multicast,
    /// Drops in silence.
    Blackhole,
    /// Drops and answers "host unreachable".
    Unreachable,
    /// Drops and answers "administratively prohibited".
    Prohibit,
    /// Any other, by its `RTN_*` number.
    Other(u8),
}

/// How far away the destination of a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteScope {
    /// Behind a gateway, or anywhere.
    Universe,
    /// On the link.
    Link,
    /// This host.
    Host,
    /// Any other, by its `RT_SCOPE_*` number.
    Other(u8),
}

/// Who made a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteProtocol {
    /// The kernel, along with an address.
    Kernel,
    /// A command, while the system started.
    Boot,
    /// The administrator; the one of routes that we add.
    Static,
    /// Any other, by its `RTPROT_*` number: DHCP 16, router advertisement 9, BIRD 12.
    Other(u8),
}

impl Route {
    /// A route to a network on the link (`gateway` is `None`) or behind a gateway.
    #[must_use]
    pub fn to(destination: IpNet, gateway: Option<IpAddr>, interface: u32) -> Self {
        let version = if destination.addr().is_ipv4() { 4 } else { 6 };
        // As the kernel tells it: without host bits, and nothing for everything.
        let destination = (destination.prefix_len() > 0).then(|| destination.trunc());
        Self {
            destination,
            ..Self::unicast(version, gateway, interface)
        }
    }

    /// The default route of the gateway's IP version.
    #[must_use]
    pub const fn default_via(gateway: IpAddr, interface: u32) -> Self {
        let version = if gateway.is_ipv4() { 4 } else { 6 };
        Self::unicast(version, Some(gateway), interface)
    }

    const fn unicast(version: u8, gateway: Option<IpAddr>, interface: u32) -> Self {
        let on_link = gateway.is_none() && version == 4;
        Self {
            destination: None,
            gateway,
            interface,
            table: RouteTable::Main,
            kind: RouteKind::Unicast,
            scope: if on_link {
                RouteScope::Link
            } else {
                RouteScope::Universe
            },
            protocol: RouteProtocol::Static,
            metric: 0,
            preferred_source: None,
            mtu: None,
            version,
        }
    }
}

impl Netlink {
    /// The routes of all tables, IPv4 and IPv6, without cached exceptions.
    ///
    /// A route with several next hops is told with its first.
    ///
    /// # Errors
    /// [`NetlinkError::Undecodable`], [`NetlinkError::Socket`].
    pub fn routes(&mut self) -> Result<Vec<Route>, NetlinkError> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let request = RouteNetlinkMessage::GetRoute(message);
            routes.extend(self.dump(
                format_args!("list routes"),
                &request,
                |message| match message {
                    RouteNetlinkMessage::NewRoute(route) => Route::decode(route),
                    _ => None,
                },
            )?);
        }
        Ok(routes)
    }

    /// Adds a route.
    ///
    /// # Errors
    /// [`NetlinkError::Exists`] if there is one to that destination with that metric,
    /// [`NetlinkError::Refused`] with `ENETUNREACH` if the gateway is on no link, `ENETDOWN` if the
    /// interface is down.
    pub fn add_route(&mut self, route: &Route) -> Result<(), NetlinkError> {
        let request = RouteNetlinkMessage::NewRoute(route.encode());
        self.change(
            format_args!("add {route}"),
            request,
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Adds a route in the place of the one to the same destination with the same metric, if there is one.
    ///
    /// # Errors
    /// As [`Netlink::add_route`], without [`NetlinkError::Exists`].
    pub fn replace_route(&mut self, route: &Route) -> Result<(), NetlinkError> {
        let request = RouteNetlinkMessage::NewRoute(route.encode());
        self.change(
            format_args!("set {route}"),
            request,
            NLM_F_CREATE | NLM_F_REPLACE,
        )
    }

    /// Takes a route away.
    ///
    /// # Errors
    /// [`NetlinkError::NotFound`] if there is none like it.
    pub fn delete_route(&mut self, route: &Route) -> Result<(), NetlinkError> {
        let request = RouteNetlinkMessage::DelRoute(route.encode());
        self.change(format_args!("delete {route}"), request, 0)
    }
}

impl Route {
    /// `None` for cached exceptions, and for destinations that are no addresses (MPLS).
    pub(crate) fn decode(message: RouteMessage) -> Option<Self> {
        let header = message.header;
        if header.flags.contains(RouteFlags::Cloned) {
            return None;
        }
        let version = match header.address_family {
            AddressFamily::Inet => 4,
            AddressFamily::Inet6 => 6,
            _ => return None,
        };
        let mut route = Self {
            destination: None,
            gateway: None,
            interface: 0,
            table: RouteTable::from_number(u32::from(header.table)),
            kind: header.kind.into(),
            scope: header.scope.into(),
            protocol: header.protocol.into(),
            metric: 0,
            preferred_source: None,
            mtu: None,
            version,
        };
        if header.destination_prefix_length > 0 {
            // Linux leaves the attribute out for 0.0.0.0/n, n > 0.
            let any = if version == 4 {
                Ipv4Addr::UNSPECIFIED.into()
            } else {
                Ipv6Addr::UNSPECIFIED.into()
            };
            route.destination = IpNet::new(any, header.destination_prefix_length).ok();
        }
        for attribute in message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => {
                    route.destination =
                        Some(IpNet::new(ip(&address)?, header.destination_prefix_length).ok()?);
                }
                RouteAttribute::Table(table) => route.table = RouteTable::from_number(table),
                RouteAttribute::Priority(metric) => route.metric = metric,
                RouteAttribute::Metrics(metrics) => {
                    route.mtu = metrics.iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) => Some(*mtu),
                        _ => None,
                    });
                }
                RouteAttribute::PrefSource(address) => route.preferred_source = ip(&address),
                RouteAttribute::MultiPath(hops) => {
                    let Some(hop) = hops.into_iter().next() else {
                        continue;
                    };
                    route.interface = hop.interface_index;
                    hop.attributes
                        .iter()
                        .for_each(|attribute| route.add_next_hop(attribute));
                }
                next_hop => route.add_next_hop(&next_hop),
            }
        }
        Some(route)
    }

    fn add_next_hop(&mut self, attribute: &RouteAttribute) {
        match attribute {
            RouteAttribute::Gateway(address) => self.gateway = ip(address),
            // An IPv6 next hop of an IPv4 destination (RFC 5549).
            RouteAttribute::Via(RouteVia::Inet(v4)) => self.gateway = Some((*v4).into()),
            RouteAttribute::Via(RouteVia::Inet6(v6)) => self.gateway = Some((*v6).into()),
            RouteAttribute::Oif(index) => self.interface = *index,
            _ => {}
        }
    }

    fn encode(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let table = self.table.number();
        message.header = RouteHeader {
            address_family: if self.version == 4 {
                AddressFamily::Inet
            } else {
                AddressFamily::Inet6
            },
            destination_prefix_length: self.destination.map_or(0, |net| net.prefix_len()),
            table: u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
            protocol: self.protocol.into(),
            scope: self.scope.into(),
            kind: self.kind.into(),
            ..RouteHeader::default()
        };
        let attributes = &mut message.attributes;
        attributes.extend(
            self.destination
                .map(|net| RouteAttribute::Destination(net.network().into())),
        );
        attributes.extend(self.gateway.map(|gateway| match gateway {
            IpAddr::V6(v6) if self.version == 4 => RouteAttribute::Via(RouteVia::Inet6(v6)),
            same_version => RouteAttribute::Gateway(same_version.into()),
        }));
        attributes.extend(
            self.preferred_source
                .map(|ip| RouteAttribute::PrefSource(ip.into())),
        );
        attributes.extend(
            self.mtu
                .map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])),
        );
        if self.interface != 0 {
            attributes.push(RouteAttribute::Oif(self.interface));
        }
        if self.metric != 0 {
            attributes.push(RouteAttribute::Priority(self.metric));
        }
        attributes.push(RouteAttribute::Table(table));
        message
    }
}

impl std::fmt::Display for Route {
    /// As `ip route` writes it, with the interface's index: `route 10.1.0.0/16 via 10.0.0.1 dev 7`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.destination {
            Some(destination) => write!(f, "route {destination}")?,
            None => write!(f, "IPv{} default route", self.version)?,
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        write!(f, " dev {}", self.interface)
    }
}

impl RouteTable {
    const MAIN: u32 = 254;
    const LOCAL: u32 = 255;

    const fn from_number(number: u32) -> Self {
        match number {
            Self::MAIN => Self::Main,
            Self::LOCAL => Self::Local,
            other => Self::Other(other),
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::Main => Self::MAIN,
            Self::Local => Self::LOCAL,
            Self::Other(number) => number,
        }
    }
}

impl From<wire::RouteType> for RouteKind {
    fn from(kind: wire::RouteType) -> Self {
        match kind {
            wire::RouteType::Unicast => Self::Unicast,
            wire::RouteType::Local => Self::Local,
            wire::RouteType::Broadcast => Self::Broadcast,
            wire::RouteType::Anycast => Self::Anycast,
            wire::RouteType::Multicast => Self::Multicast,
            wire::RouteType::BlackHole => Self::Blackhole,
            wire::RouteType::Unreachable => Self::Unreachable,
            wire::RouteType::Prohibit => Self::Prohibit,
            other => Self::Other(other.into()),
        }
    }
}

impl From<RouteKind> for wire::RouteType {
    fn from(kind: RouteKind) -> Self {
        match kind {
            RouteKind::Unicast => Self::Unicast,
            RouteKind::Local => Self::Local,
            RouteKind::Broadcast => Self::Broadcast,
            RouteKind::Anycast => Self::Anycast,
            RouteKind::Multicast => Self::Multicast,
            RouteKind::Blackhole => Self::BlackHole,
            RouteKind::Unreachable => Self::Unreachable,
            RouteKind::Prohibit => Self::Prohibit,
            RouteKind::Other(number) => number.into(),
        }
    }
}

impl From<wire::RouteScope> for RouteScope {
    fn from(scope: wire::RouteScope) -> Self {
        match scope {
            wire::RouteScope::Universe => Self::Universe,
            wire::RouteScope::Link => Self::Link,
            wire::RouteScope::Host => Self::Host,
            other => Self::Other(other.into()),
        }
    }
}

impl From<RouteScope> for wire::RouteScope {
    fn from(scope: RouteScope) -> Self {
        match scope {
            RouteScope::Universe => Self::Universe,
            RouteScope::Link => Self::Link,
            RouteScope::Host => Self::Host,
            RouteScope::Other(number) => number.into(),
        }
    }
}

impl From<wire::RouteProtocol> for RouteProtocol {
    fn from(protocol: wire::RouteProtocol) -> Self {
        match protocol {
            wire::RouteProtocol::Kernel => Self::Kernel,
            wire::RouteProtocol::Boot => Self::Boot,
            wire::RouteProtocol::Static => Self::Static,
            other => Self::Other(other.into()),
        }
    }
}

impl From<RouteProtocol> for wire::RouteProtocol {
    fn from(protocol: RouteProtocol) -> Self {
        match protocol {
            RouteProtocol::Kernel => Self::Kernel,
            RouteProtocol::Boot => Self::Boot,
            RouteProtocol::Static => Self::Static,
            RouteProtocol::Other(number) => number.into(),
        }
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}
