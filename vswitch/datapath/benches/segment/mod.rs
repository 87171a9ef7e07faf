//! A VXLAN segment with a peer, a container that talks to those behind it, and their answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{
    Arrival, BridgeId, Overlay, Port, PortCounters, PortId, Role, Topology, Tunnel,
};
use vswitch_packet::ip::Version;
use vswitch_packet::{Capabilities, MacAddr, Moment, VNET_HEADER_LEN};
use vswitch_vxlan::ecn::Dscp;
use vswitch_vxlan::{Path, Vni};

use crate::bridge::{datagram, mac, topology};
use crate::worker::Worker;

const CONTAINER: PortId = PortId(0);
const UNDERLAY: PortId = PortId(2);
const PEER: PortId = PortId(3);
const PEER_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
/// Addresses behind the tunnel.
const REMOTES: u32 = 100;

/// As [`topology`], with a peer behind which there are [`REMOTES`].
pub(crate) fn segment() -> Topology {
    let mut topology = topology(2);
    topology.edit_bridge(BridgeId(0), |bridge| {
        bridge.overlay = Some(Overlay {
            vni: Vni::FIRST,
            underlays: vec![UNDERLAY],
            accept_unknown: false,
            suppress: true,
        });
        for n in 2..2 + REMOTES {
            bridge.fdb.learn(Vlan::NONE, mac(n), PEER, Moment::ORIGIN);
        }
    });
    let container = topology.port(CONTAINER).unwrap().clone();
    let port = |id, role, tunnel| Port {
        id,
        role,
        tunnel,
        station: None,
        mac: MacAddr::ZERO,
        mtu: u16::MAX,
        capabilities: Capabilities::ALL,
        identity: None,
        counters: Arc::new(PortCounters::new(2)),
        ..container.clone()
    };
    topology.add_port(Port {
        bridge: None,
        ..port(UNDERLAY, Role::Underlay, None)
    });
    let tunnel = Tunnel {
        underlay: UNDERLAY,
        vni: Vni::FIRST,
        peer: SocketAddr::new(PEER_ADDRESS, vswitch_vxlan::PORT),
        path: Arc::new(Path::new(Version::V4, 1500)),
        is_flooded: true,
        ttl: None,
        dscp: Dscp::default(),
        tagged: false,
        learning: true,
        learn_limit: 1024,
    };
    topology.add_port(port(PEER, Role::Tunnel, Some(Box::new(tunnel))));
    topology
}

/// The container sends; `read` begins with a virtio header.
pub(crate) fn out(worker: &mut Worker<'_>, read: &[u8]) {
    worker.receive(CONTAINER, read);
}

/// The peer sends.
pub(crate) fn back(worker: &mut Worker<'_>, datagram: &[u8]) {
    let arrival = Arrival {
        from: PEER_ADDRESS,
        segment: None,
        tos: 0,
        group: None,
    };
    worker.receive_datagram(UNDERLAY, &arrival, datagram);
}

/// From the container to the addresses behind the tunnel. No checksum of UDP: joined with no other.
pub(crate) fn outward(frames: u32) -> Vec<Vec<u8>> {
    let frames = (0..frames).map(|n| datagram(2 + n * 97 % REMOTES));
    frames
        .map(|frame| [&[0; VNET_HEADER_LEN][..], &frame].concat())
        .collect()
}

/// What comes back for each.
pub(crate) fn inward(frames: u32) -> Vec<Vec<u8>> {
    let answer = |read: Vec<u8>| {
        let frame = &read[VNET_HEADER_LEN..];
        let [to, from] = [&frame[..6], &frame[6..12]];
        let header = vswitch_vxlan::header(Vni::FIRST);
        let addresses = [&frame[30..34], &frame[26..30]].concat();
        [&header, from, to, &frame[12..26], &addresses, &frame[34..]].concat()
    };
    outward(frames).into_iter().map(answer).collect()
}
