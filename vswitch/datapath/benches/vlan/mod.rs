//! A VLAN of a NIC, a station that talks to those behind the wire, and their answers.

use std::sync::Arc;

use vswitch_datapath::lan::Wire;
use vswitch_datapath::{
    BridgeId, Face, Lan, Mode, Port, PortCounters, PortId, Role, Station, Topology, WireTag,
};
use vswitch_packet::{EtherType, VNET_HEADER_LEN, VlanId, VlanTag};

use crate::bridge::{self, datagram, mac, topology};
use crate::worker::Worker;

const STATION: PortId = PortId(0);
const NIC: PortId = PortId(2);
const VLAN: u16 = 100;
/// Stations beside the one that talks.
const OTHERS: u32 = 100;
/// Addresses behind the wire, after those of the stations.
const REMOTES: u32 = 100;

/// A VLAN of a NIC, on which there are [`STATION`] and [`OTHERS`].
pub(crate) fn lan(face: Face) -> Topology {
    let mut topology = topology(2);
    topology.edit_bridge(BridgeId(0), |bridge| {
        bridge.gateway = None;
        bridge.lan = Some(Lan {
            wire: Wire::Parent {
                port: NIC,
                tag: VlanId::new(VLAN).map(|id| (EtherType::VLAN, id)),
            },
            transparent: false,
        });
    });
    let station = topology.port(STATION).unwrap().clone();
    topology.add_port(Port {
        id: NIC,
        role: Role::Parent,
        bridge: None,
        mac: mac(0xff_fffe),
        identity: None,
        counters: Arc::new(PortCounters::new(2)),
        ..station.clone()
    });
    topology.remove_port(PortId(1));
    for n in (0..1).chain(NIC.0 + 1..NIC.0 + 1 + OTHERS) {
        topology.add_port(Port {
            id: PortId(n),
            mac: mac(n),
            station: Some(Box::new(Station {
                mode: Mode::Bridge,
                face,
                addresses: vec![bridge::address(n).into()],
                managed_dhcp: false,
            })),
            counters: Arc::new(PortCounters::new(2)),
            ..station.clone()
        });
    }
    topology
}

/// The station sends; `read` begins with a virtio header.
pub(crate) fn out(worker: &mut Worker<'_>, read: &[u8]) {
    worker.receive(STATION, read);
}

/// The wire brings a frame, whose tag the kernel has taken off.
pub(crate) fn back(worker: &mut Worker<'_>, read: &[u8]) {
    let tag = WireTag {
        ethertype: EtherType::VLAN,
        tag: VlanTag(VLAN),
    };
    worker.receive_tagged(NIC, tag, read);
}

/// From the station to the addresses behind the wire. No checksum of UDP: joined with no other.
pub(crate) fn outward(frames: u32) -> Vec<Vec<u8>> {
    let frames = (0..frames).map(|n| datagram(1000 + n * 97 % REMOTES));
    frames
        .map(|frame| [&[0; VNET_HEADER_LEN][..], &frame].concat())
        .collect()
}

/// What comes back for each, to the station's MAC address or to the NIC's.
pub(crate) fn inward(frames: u32, face: Face) -> Vec<Vec<u8>> {
    let answer = |read: Vec<u8>| {
        let (header, frame) = read.split_at(VNET_HEADER_LEN);
        let to = match face {
            Face::Own => mac(0),
            Face::Shared | Face::Translated => mac(0xff_fffe),
        };
        let addresses = [&frame[30..34], &frame[26..30]].concat();
        let from = &frame[..6];
        [
            header,
            &to.0,
            from,
            &frame[12..26],
            &addresses,
            &frame[34..],
        ]
        .concat()
    };
    outward(frames).into_iter().map(answer).collect()
}
