//! A bridge whose gateway leads outside by a NIC, and datagrams that leave by it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::IpNet;
use vswitch_datapath::router::{Hop, Route, RouteKind, Router, Routes, Uplink};
use vswitch_datapath::{Neighbours, Port, PortCounters, PortId, Role, Topology};
use vswitch_nat::host_ports::AllFree;
use vswitch_nat::{Config, Nat, Timeouts};
use vswitch_packet::{Capabilities, Moment, checksum};

use crate::bridge::{datagram, mac, topology};

const UPLINK: PortId = PortId(2);
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
            max_sessions: 1 << 16,
            max_sessions_per_owner: 1 << 16,
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

/// From the first port to 203.0.113.9, with the header checksum that a router looks at.
pub(crate) fn outward(flow: u16) -> Vec<u8> {
    let mut bytes = datagram(0xff_fffe);
    bytes[30..34].copy_from_slice(&[203, 0, 113, 9]);
    bytes[34..36].copy_from_slice(&(0x1000 + flow).to_be_bytes());
    let sum = !checksum::sum(&bytes[14..34]);
    bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    bytes
}
