//! A bridge whose gateway leads outside by a NIC, and datagrams that leave by it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;
use vswitch_datapath::router::{Hop, Route, RouteKind, Router, Routes, Uplink};
use vswitch_datapath::{BridgeId, Neighbours, Port, PortCounters, PortId, Role, Topology};
use vswitch_nat::host_ports::AllFree;
use vswitch_nat::{Config, Nat, Timeouts};
use vswitch_packet::{Capabilities, Moment, checksum};

use crate::bridge::{address, datagram, mac, topology};

pub(crate) const UPLINK: PortId = PortId(2);
const HOST: [u8; 4] = [192, 0, 2, 1];
const ROUTER: [u8; 4] = [192, 0, 2, 254];

/// As [`topology`], with a way outside by a NIC, and so many routes.
pub(crate) fn with_uplink(routes: u32) -> Topology {
    let mut topology = topology(2);
    topology.add_port(Port {
        id: UPLINK,
        bridge: None,
        role: Role::Uplink,
        mac: mac(0xffff),
        mtu: 1500,
        capabilities: Capabilities::ALL,
        vlan: None,
        isolated: false,
        identity: None,
        storm: None,
        tunnel: None,
        station: None,
        counters: Arc::new(PortCounters::new(2)),
    });
    topology.set_host_addresses([HOST.into()]);
    let neighbours = Arc::clone(&topology.bridge(BridgeId(0)).unwrap().neighbours);
    let container = IpAddr::from(address(0));
    neighbours.set_static(container, mac(0), PortId(0), Moment::ORIGIN);
    let via = |destination: IpNet| Route {
        destination,
        kind: RouteKind::Via(Hop {
            port: UPLINK,
            gateway: Some(ROUTER.into()),
            source: None,
            mtu: None,
        }),
        metric: 0,
    };
    let prefix = |n: u32| IpNet::new(Ipv4Addr::from(0x2000_0000 + (n << 8)).into(), 24);
    let mut all: Vec<_> = (1..routes).map(|n| via(prefix(n).unwrap())).collect();
    all.push(via("0.0.0.0/0".parse().unwrap()));
    let neighbours = Neighbours::default();
    neighbours.learn(ROUTER.into(), mac(0xfe), UPLINK, Moment::from_secs(1));
    topology.set_router(Router {
        uplinks: vec![Uplink {
            port: UPLINK,
            mac: mac(0xffff),
            addresses: vec!["192.0.2.1/24".parse().unwrap()],
            neighbours: Arc::new(neighbours),
        }],
        routes: Arc::new(Routes::new(all)),
        nat: Some(Arc::new(Nat::new(Config {
            max_sessions: 1 << 17,
            max_sessions_per_owner: 1 << 17,
            timeouts: Timeouts::default(),
            ports: 32768..=65535,
            host_ports: Box::new(AllFree),
            ledger: None,
            seed: 7,
        }))),
        ..Router::default()
    });
    topology
}

/// From the first port to the outside, with the header checksum that a router looks at. A thousand flows go
/// to one address.
pub(crate) fn outward(flow: u32) -> Vec<u8> {
    let mut bytes = datagram(0xff_fffe);
    bytes[30..34].copy_from_slice(&remote(flow));
    bytes[34..36].copy_from_slice(&port(flow).to_be_bytes());
    summed(bytes)
}

/// The answer, which comes to the host's address: the container's port was free there.
#[allow(dead_code, reason = "not every program has answers")]
pub(crate) fn inward(flow: u32) -> Vec<u8> {
    let mut bytes = outward(flow);
    bytes[..6].copy_from_slice(&mac(0xffff).0);
    bytes[6..12].copy_from_slice(&mac(0xfe).0);
    bytes[26..30].copy_from_slice(&remote(flow));
    bytes[30..34].copy_from_slice(&HOST);
    bytes.copy_within(34..36, 36);
    bytes[34..36].copy_from_slice(&[0x20, 0]);
    summed(bytes)
}

fn remote(flow: u32) -> [u8; 4] {
    [203, 0, 113, 9 + (flow / 1000) as u8]
}

fn port(flow: u32) -> u16 {
    0x1000 + (flow % 1000) as u16
}

fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[24..26].fill(0);
    let sum = !checksum::sum(&bytes[14..34]);
    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    bytes
}
