//! Point-to-point links between endpoints and the gateway (ipvlan in modes l3 and l3s): everybody has
//! the parent's MAC address, and nobody is asked for.

mod errors;
mod refusals;
mod ways;

use core::net::IpAddr;

use vswitch_datapath::router::{FamilyPolicy, Mode, Policy};
use vswitch_datapath::{BridgeId, Gateway, GatewayLink, Identity, PortId};

use crate::bench::{BRIDGE, Bench};
use crate::outside::{self, E, NIC, OTHER, PEER};
use crate::station::{A, B, Station};

const ALICE: Station = linked(crate::station::ALICE);
const BOB: Station = linked(crate::station::BOB);
/// Nobody has these addresses of Alice's and Bob's network.
const NOBODY: Station = linked(crate::station::DAVE);
const ERIN: Station = linked(outside::ERIN);
/// Whom a container addresses to reach the outside.
const AWAY: Station = linked(PEER);

/// Alice's own ordinary network, as another of the host's.
const ORDINARY: BridgeId = BridgeId(2);
const FRANK_PORT: PortId = PortId(11);
const FRANK_GATEWAY: Station = outside::other(1).with_v4(core::net::Ipv4Addr::new(10, 2, 0, 1));
const FRANK: Station = outside::other(9)
    .with_v4(core::net::Ipv4Addr::new(10, 2, 0, 2))
    .with_v6(core::net::Ipv6Addr::new(0xfd02, 0, 0, 0, 0, 0, 0, 2));

/// At either end of a link.
const fn linked(station: Station) -> Station {
    station.with_mac(NIC.mac)
}

fn policy(siblings: &[BridgeId]) -> Policy {
    let family = FamilyPolicy {
        mode: Mode::NatUnprotected,
        masquerade: false,
        source: None,
    };
    Policy {
        v4: family.clone(),
        v6: family,
        siblings: siblings.to_vec(),
        ..Policy::default()
    }
}

/// Alice and Bob in one network, Erin in another, both on the uplink's NIC, which reach the networks of
/// `siblings`; Frank in an ordinary one.
fn bench(siblings: &[BridgeId]) -> Bench {
    let mut bench = outside::bench();
    for port in [crate::bench::HOST, crate::station::C] {
        bench.remove_port(port);
    }
    for (bridge, subnets) in [
        (BRIDGE, ["10.0.0.0/24", "fd00::/64"]),
        (OTHER, ["10.1.0.0/24", "fd01::/64"]),
    ] {
        bench.topology().edit_bridge(bridge, |bridge| {
            bridge.gateway = Some(Gateway {
                mac: NIC.mac,
                link: GatewayLink::PointToPoint,
                addresses: vec![],
                subnets: subnets.map(|subnet| subnet.parse().unwrap()).to_vec(),
                host_port: None,
                policy: policy(siblings),
            });
        });
    }
    for (bridge, port, station) in [(BRIDGE, A, ALICE), (BRIDGE, B, BOB), (OTHER, E, ERIN)] {
        link(&mut bench, bridge, port, station);
    }
    bench.add_bridge(ORDINARY);
    bench.topology().edit_bridge(ORDINARY, |bridge| {
        bridge.gateway = Some(Gateway {
            mac: FRANK_GATEWAY.mac,
            link: GatewayLink::Broadcast,
            addresses: ["10.2.0.1/24", "fd02::1/64"]
                .map(|a| a.parse().unwrap())
                .to_vec(),
            subnets: vec![],
            host_port: None,
            policy: Policy::default(),
        });
    });
    bench.add_port(FRANK_PORT, ORDINARY);
    outside::introduce(&mut bench, ORDINARY, FRANK_PORT, FRANK);
    bench
}

/// As a daemon does it for an endpoint with a link of its own.
fn link(bench: &mut Bench, bridge: BridgeId, port: PortId, station: Station) {
    bench.edit_port(port, |port| {
        port.mac = station.mac;
        port.identity = Some(Identity::new(station.mac, &station.addresses()));
    });
    for address in station.addresses() {
        assign(bench, bridge, port, address);
    }
}

fn assign(bench: &mut Bench, bridge: BridgeId, port: PortId, address: IpAddr) {
    let now = bench.now();
    let neighbours = &bench.topology().bridge(bridge).unwrap().neighbours;
    neighbours.set_static(address, NIC.mac, port, now);
}

/// Takes the check of addresses from `port`.
fn unguard(bench: &mut Bench, port: PortId) {
    bench.edit_port(port, |port| port.identity = None);
}
