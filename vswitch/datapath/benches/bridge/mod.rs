//! A bridge with a gateway, and datagrams for it.

use std::net::IpAddr;
use std::sync::Arc;

use vswitch_datapath::gateway::{Gateway, GatewayLink};
use vswitch_datapath::router::Policy;
use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{
    Bridge, BridgeId, Fdb, Identity, Neighbours, Port, PortCounters, PortId, Role, Topology,
};
use vswitch_packet::{Capabilities, MacAddr, Moment};

const BRIDGE: BridgeId = BridgeId(0);

pub(crate) fn mac(n: u32) -> MacAddr {
    MacAddr::from_u64(0x0242_0a00_0000 | u64::from(n))
}

pub(crate) fn address(n: u32) -> [u8; 4] {
    (0x0a00_0001 + n).to_be_bytes()
}

/// A bridge with a gateway and two ports whose senders are checked, and `macs` addresses behind
/// the second.
pub(crate) fn topology(macs: u32) -> Topology {
    let fdb = Arc::new(Fdb::new(200_000, 300, 0x5eed));
    let mut topology = Topology::default();
    topology.set_bridge(Bridge {
        id: BRIDGE,
        ports: Vec::new(),
        fdb: Arc::clone(&fdb),
        neighbours: Arc::new(Neighbours::default()),
        groups: None,
        gateway: Some(Gateway {
            mac: mac(0xff_fffe),
            link: GatewayLink::Broadcast,
            addresses: vec!["10.255.255.254/8".parse().unwrap()],
            subnets: Vec::new(),
            host_port: None,
            policy: Policy::default(),
        }),
        overlay: None,
        lan: None,
    });
    for n in 0..2 {
        topology.add_port(Port {
            id: PortId(n),
            bridge: Some(BRIDGE),
            role: Role::Endpoint,
            mac: mac(n),
            mtu: 1500,
            capabilities: Capabilities::ALL,
            vlan: None,
            isolated: false,
            identity: Some(Identity::new(mac(n), &[IpAddr::from(address(n))])),
            storm: None,
            tunnel: None,
            station: None,
            counters: Arc::new(PortCounters::new(2)),
        });
        fdb.set_static(Vlan::NONE, mac(n), PortId(n));
    }
    for n in 2..macs {
        fdb.learn(Vlan::NONE, mac(n), PortId(1), Moment::ORIGIN);
    }
    topology
}

/// 60 octets on a TAP are 64 on a wire: UDP, 18 octets of payload.
pub(crate) fn datagram(destination: u32) -> Vec<u8> {
    let mut bytes = [&mac(destination).0[..], &mac(0).0, &[8, 0, 0x45, 0]].concat();
    bytes.extend([0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    bytes.extend(address(0).iter().chain(&address(destination)));
    bytes.extend([0x10, 0, 0x20, 0, 0, 26, 0, 0]);
    bytes.resize(60, 0);
    bytes
}
