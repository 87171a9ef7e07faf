//! A bench with a way outside: an uplink, a second network, and a translator.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use vswitch_datapath::router::{Hop, Policy, Route, RouteKind, Router, Routes, Uplink};
use vswitch_datapath::{BridgeId, Gateway, GatewayLink, Neighbours, PortId};
use vswitch_nat::host_ports::AllFree;
use vswitch_nat::{Config, Nat, Opening, Owner, Protocol, Publication, Published, Timeouts};
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version;

use crate::bench::{BRIDGE, Bench, HOST};
use crate::station::{A, ALICE, B, BOB, C, CAROL, Station};

pub(crate) const UPLINK: PortId = PortId(20);
/// The uplink's interface, with the host's addresses.
pub(crate) const NIC: Station = Station {
    mac: MacAddr([0x02, 0x0a, 0, 0, 0, 1]),
    v4: Ipv4Addr::new(192, 0, 2, 1),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
};
/// The router on the uplink's link, by its address on it.
pub(crate) const ROUTER: Station = Station {
    mac: MacAddr([0x02, 0x0a, 0, 0, 0, 0xfe]),
    v4: Ipv4Addr::new(192, 0, 2, 254),
    v6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe),
};
/// Somebody beyond it; a frame to or from it has the router's MAC address.
pub(crate) const PEER: Station = Station {
    mac: ROUTER.mac,
    v4: Ipv4Addr::new(203, 0, 113, 9),
    v6: Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 9),
};

/// A second network, and who is on it.
pub(crate) const OTHER: BridgeId = BridgeId(1);
pub(crate) const OTHER_GATEWAY: Station = other(1);
pub(crate) const E: PortId = PortId(6);
/// At [`E`].
pub(crate) const ERIN: Station = other(2);

/// Number `n` of 10.1.0.0/24 and fd01::/64.
pub(crate) const fn other(n: u8) -> Station {
    Station {
        mac: MacAddr([0x02, 0x42, 10, 1, 0, n]),
        v4: Ipv4Addr::new(10, 1, 0, n),
        v6: Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, n as u16),
    }
}

/// Alice, Bob and Carol on one network, Erin on another, both in mode nat; the router outside is
/// known.
pub(crate) fn bench() -> Bench {
    let mut bench = Bench::guarded(3).with_gateway(Some(HOST));
    for (port, station) in [(A, ALICE), (B, BOB), (C, CAROL)] {
        introduce(&mut bench, BRIDGE, port, station);
    }
    bench.add_bridge(OTHER);
    bench.topology().edit_bridge(OTHER, |bridge| {
        let addresses = ["10.1.0.1/24", "fd01::1/64"].map(|a| a.parse().unwrap());
        bridge.gateway = Some(Gateway {
            mac: OTHER_GATEWAY.mac,
            link: GatewayLink::Broadcast,
            addresses: addresses.to_vec(),
            subnets: vec![],
            host_port: None,
            policy: Policy::default(),
        });
    });
    bench.add_port(E, OTHER);
    introduce(&mut bench, OTHER, E, ERIN);
    add_uplink(&mut bench);
    bench
}

/// As a daemon does it for an endpoint whose addresses are checked.
pub(crate) fn introduce(bench: &mut Bench, bridge: BridgeId, port: PortId, station: Station) {
    let now = bench.now();
    let bridge = bench.topology().bridge(bridge).unwrap();
    bridge.fdb.set_static(Default::default(), station.mac, port);
    for address in station.addresses() {
        bridge
            .neighbours
            .set_static(address, station.mac, port, now);
    }
}

fn add_uplink(bench: &mut Bench) {
    bench.add_uplink_port(UPLINK, NIC.mac);
    bench.topology().set_host_addresses(NIC.addresses());
    let now = bench.now();
    let neighbours = Neighbours::default();
    for address in ROUTER.addresses() {
        neighbours.learn(address, ROUTER.mac, UPLINK, now);
    }
    let default = |prefix: &str, gateway: IpAddr| Route {
        destination: prefix.parse().unwrap(),
        kind: RouteKind::Via(hop(Some(gateway))),
        metric: 100,
    };
    let direct = |prefix: &str| Route {
        destination: prefix.parse().unwrap(),
        kind: RouteKind::Via(hop(None)),
        metric: 0,
    };
    let routes = vec![
        default("0.0.0.0/0", ROUTER.v4.into()),
        default("::/0", ROUTER.v6.into()),
        direct("192.0.2.0/24"),
        direct("2001:db8::/64"),
    ];
    bench.topology().set_router(Router {
        uplinks: vec![Uplink {
            port: UPLINK,
            mac: NIC.mac,
            addresses: ["192.0.2.1/24", "fe80::1/64", "2001:db8::1/64"]
                .map(|a| a.parse().unwrap())
                .to_vec(),
            neighbours: Arc::new(neighbours),
        }],
        routes: Arc::new(Routes::new(routes)),
        nat: Some(Arc::new(nat(1 << 12))),
        ..Router::default()
    });
}

pub(crate) const fn hop(gateway: Option<IpAddr>) -> Hop {
    Hop {
        port: UPLINK,
        gateway,
        source: None,
        mtu: None,
    }
}

/// Which has room for so many sessions of one container.
pub(crate) fn nat(max_sessions_per_owner: usize) -> Nat {
    Nat::new(Config {
        max_sessions: 1 << 14,
        max_sessions_per_owner,
        timeouts: Timeouts::default(),
        ports: 61000..=65535,
        host_ports: Box::new(AllFree),
        ledger: None,
        seed: 7,
    })
}

impl Bench {
    pub(crate) fn edit_router(&mut self, change: impl FnOnce(&mut Router)) {
        let mut router = self.topology().router().clone();
        change(&mut router);
        self.topology().set_router(router);
    }

    pub(crate) fn edit_policy(&mut self, bridge: BridgeId, change: impl FnOnce(&mut Policy)) {
        self.topology().edit_bridge(bridge, |bridge| {
            change(&mut bridge.gateway.as_mut().unwrap().policy);
        });
    }

    /// Publishes `ports` of a container at `external`, one on one, and opens them.
    pub(crate) fn publish(
        &mut self,
        protocol: Protocol,
        (port, station): (PortId, Station),
        external: &str,
        ports: RangeInclusive<u16>,
    ) {
        let address: IpAddr = external.parse().unwrap();
        let version = if address.is_ipv4() {
            Version::V4
        } else {
            Version::V6
        };
        let inside = station.ip(version);
        let publication = Publication {
            owner: Owner(port.0),
            protocol,
            address,
            ports: ports.clone(),
            inside: SocketAddr::new(inside, *ports.start()),
        };
        let opening = Opening {
            protocol,
            inside,
            ports,
        };
        let published = Published::new(vec![publication], vec![opening]);
        self.edit_router(|router| router.published = Arc::new(published));
    }

    /// Gives the worker its time, as it has it while something waits.
    pub(crate) fn tick(&mut self, after: Duration) {
        self.wait(after);
        self.run_tick();
    }
}
