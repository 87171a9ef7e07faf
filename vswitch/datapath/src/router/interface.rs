//! The router's interfaces: one on each bridge that has a gateway, and one on each uplink.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_packet::MacAddr;

use super::Uplink;
use crate::bridge::BridgeId;
use crate::gateway::{Gateway, GatewayLink};
use crate::identity::link_local;
use crate::neighbour::Neighbours;
use crate::port::PortId;
use crate::topology::Topology;

/// What an interface of the router is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// A network's bridge.
    Bridge(BridgeId),
    /// The link behind an uplink.
    Uplink(PortId),
}

/// One of the router's interfaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface<'a> {
    pub(crate) link: Link,
    pub(crate) mac: MacAddr,
    /// How it reaches its neighbours.
    pub(crate) kind: GatewayLink,
    /// Each with its subnet's prefix.
    pub(crate) addresses: &'a [IpNet],
    /// What is on the link besides.
    pub(crate) subnets: &'a [IpNet],
    pub(crate) neighbours: &'a Neighbours,
}

impl<'a> Interface<'a> {
    pub(crate) fn of_gateway(
        bridge: BridgeId,
        gateway: &'a Gateway,
        neighbours: &'a Neighbours,
    ) -> Self {
        Self {
            link: Link::Bridge(bridge),
            mac: gateway.mac,
            kind: gateway.link,
            addresses: &gateway.addresses,
            subnets: &gateway.subnets,
            neighbours,
        }
    }

    pub(crate) fn of_uplink(uplink: &'a Uplink) -> Self {
        Self {
            link: Link::Uplink(uplink.port),
            mac: uplink.mac,
            kind: GatewayLink::Broadcast,
            addresses: &uplink.addresses,
            subnets: &[],
            neighbours: &uplink.neighbours,
        }
    }

    pub(crate) fn on(topology: &'a Topology, link: Link) -> Option<Self> {
        match link {
            Link::Bridge(id) => {
                let bridge = topology.bridge(id)?;
                let gateway = bridge.gateway.as_ref()?;
                Some(Self::of_gateway(id, gateway, &bridge.neighbours))
            }
            Link::Uplink(port) => topology.router().uplink(port).map(Self::of_uplink),
        }
    }

    /// Whether `address` is one of the interface's.
    pub(crate) fn owns(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.addr() == address)
    }

    /// Whether `address` is on this link, so that it can be a neighbour's. Link-local addresses are
    /// only where there is a link.
    pub(crate) fn is_on_link(&self, address: IpAddr) -> bool {
        let mut nets = self.addresses.iter().chain(self.subnets);
        (self.kind == GatewayLink::Broadcast && is_link_local(address))
            || nets.any(|net| net.contains(&address))
    }

    /// Whether `address` means all hosts of one of the interface's subnets, in today's form or in
    /// that of 4.2BSD (RFC 1812 §5.3.5.3). Subnets of one or two addresses have none (RFC 3021).
    ///
    /// Where the gateway has no address there is no broadcast: on a point-to-point link the ends of a
    /// subnet are addresses like all others. So it is with Linux' ipvlan in mode l3 (6.12): it looks
    /// for the endpoint that has the address, and else the host's routes decide, to which the subnet
    /// of a network means nothing.
    pub(crate) fn is_broadcast(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else {
            return false;
        };
        self.addresses.iter().any(|own| match own {
            IpNet::V4(net) if net.prefix_len() < 31 => {
                address == net.broadcast() || address == net.network()
            }
            _ => false,
        })
    }

    /// The address by which the router speaks to `peer`: on its subnet, else the first of its
    /// family and scope, else of its family. On a bridge, IPv6 has the link-local address in any
    /// case.
    pub(crate) fn address_towards(&self, peer: IpAddr) -> Option<IpAddr> {
        let scope = is_link_local(peer);
        let own = || {
            self.addresses
                .iter()
                .filter(|own| own.addr().is_ipv4() == peer.is_ipv4())
        };
        let found = own()
            .find(|own| own.contains(&peer))
            .or_else(|| own().find(|own| is_link_local(own.addr()) == scope))
            .or_else(|| own().next());
        match (found, self.link) {
            (Some(found), _) => Some(found.addr()),
            (None, Link::Bridge(_)) if peer.is_ipv6() => Some(link_local(self.mac).into()),
            (None, _) => None,
        }
    }

    /// The first address that is known beyond the link, of the family of `peer`.
    pub(crate) fn global_address(&self, peer: IpAddr) -> Option<IpAddr> {
        let addresses = self.addresses.iter().map(IpNet::addr);
        let mut global =
            addresses.filter(|own| own.is_ipv4() == peer.is_ipv4() && !is_link_local(*own));
        global.next()
    }
}

/// Of IPv6. IPv4 has such addresses too, but packets with them are not told apart on a link.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(addresses: &[&str], link: Link, peer: &str) -> Option<String> {
        let addresses: Vec<IpNet> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        let interface = Interface {
            link,
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            kind: GatewayLink::Broadcast,
            addresses: &addresses,
            subnets: &[],
            neighbours: &Neighbours::default(),
        };
        let address = interface.address_towards(peer.parse().unwrap());
        address.map(|address| address.to_string())
    }

    #[test]
    fn speaks_by_the_address_that_is_nearest_to_the_peer() {
        let uplink = Link::Uplink(PortId(1));
        let own = [
            "192.0.2.1/24",
            "198.51.100.1/24",
            "fe80::7/64",
            "2001:db8::1/64",
        ];
        for (peer, expected) in [
            ("198.51.100.9", "198.51.100.1"),
            ("203.0.113.9", "192.0.2.1"),
            ("2001:db8:ffff::9", "2001:db8::1"),
            ("fe80::9", "fe80::7"),
        ] {
            assert_eq!(ask(&own, uplink, peer).as_deref(), Some(expected), "{peer}");
        }
        let own = &own[..1];
        assert_eq!(ask(own, uplink, "fe80::9"), None);
        let bridge = Link::Bridge(BridgeId(0));
        assert_eq!(
            ask(own, bridge, "fd00::9").as_deref(),
            Some("fe80::ff:fe00:1")
        );
    }

    #[test]
    fn a_subnet_s_ends_are_broadcast_addresses() {
        let addresses = ["10.1.0.1/16", "10.9.0.0/31"].map(|a| a.parse().unwrap());
        let interface = Interface {
            link: Link::Bridge(BridgeId(0)),
            mac: MacAddr::ZERO,
            kind: GatewayLink::Broadcast,
            addresses: &addresses,
            subnets: &[],
            neighbours: &Neighbours::default(),
        };
        let is = |address: &str| interface.is_broadcast(address.parse().unwrap());
        assert!(is("10.1.255.255") && is("10.1.0.0"));
        assert!(!is("10.1.0.255") && !is("10.9.0.0") && !is("10.9.0.1") && !is("fd00::"));
    }
}
