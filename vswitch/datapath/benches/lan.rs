//! From a station of a VLAN to the wire and back, in process, one core: frame by frame, each joined with none.
//!
//! Alone in its program, as the parser is part of the loop only where it is called in few places.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

mod bridge;

use std::hint::black_box;
use std::io::IoSlice;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vswitch_datapath::lan::Wire;
use vswitch_datapath::tunnel::Stranger;
use vswitch_datapath::{
    BridgeId, Envelope, Face, Forwarder, Lan, Mode, Pipeline, Port, PortCounters, PortId, Role,
    SendError, Station, Topology, WireTag, Wires,
};
use vswitch_packet::{EtherType, Moment, VNET_HEADER_LEN, VlanId, VlanTag};

use bridge::{datagram, mac, topology};

const STATION: PortId = PortId(0);
const NIC: PortId = PortId(2);
const VLAN: u16 = 100;
/// Stations beside the one that talks.
const OTHERS: u32 = 100;
/// Addresses behind the wire, after those of the stations.
const REMOTES: u32 = 100;

/// A VLAN of a NIC, on which there are [`STATION`] and [`OTHERS`].
fn lan(face: Face) -> Topology {
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

/// Where a system call would be: how many octets it would have taken.
#[derive(Default)]
struct Octets(usize);

impl Wires for Octets {
    fn send(&mut self, _: PortId, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        let parts = black_box(parts).iter();
        self.0 += parts.map(|part| part.len()).sum::<usize>();
        Ok(())
    }

    fn send_datagrams(&mut self, _: &Envelope, _: &[IoSlice<'_>]) -> Result<(), SendError> {
        Err(SendError::Unreachable)
    }

    fn stranger(&mut self, _: Stranger) {}
}

/// A worker during a burst, and what it sends.
struct Worker<'t> {
    topology: &'t Topology,
    pipeline: Pipeline<'t>,
    forwarder: Forwarder,
    sent: Octets,
}

impl<'t> Worker<'t> {
    fn new(topology: &'t Topology) -> Self {
        Self {
            topology,
            pipeline: Pipeline::new(topology, 0, Moment::from_secs(1)),
            forwarder: Forwarder::default(),
            sent: Octets::default(),
        }
    }

    /// The station sends; `read` begins with a virtio header.
    fn out(&mut self, read: &[u8]) {
        self.enter(STATION, None, read);
    }

    /// The wire brings a frame, whose tag the kernel has taken off.
    fn back(&mut self, read: &[u8]) {
        let tag = WireTag {
            ethertype: EtherType::VLAN,
            tag: VlanTag(VLAN),
        };
        self.enter(NIC, Some(tag), read);
    }

    fn enter(&mut self, port: PortId, tag: Option<WireTag>, read: &[u8]) {
        let ingress = self.topology.port(port).unwrap();
        self.forwarder.room().unwrap()[..read.len()].copy_from_slice(read);
        let (pipeline, sent) = (&self.pipeline, &mut self.sent);
        self.forwarder
            .receive_tagged(read.len(), tag, ingress, pipeline, sent);
    }
}

/// From the station to the addresses behind the wire. No checksum of UDP: joined with no other.
fn outward() -> Vec<Vec<u8>> {
    let frames = (0..1024).map(|n| datagram(1000 + n * 97 % REMOTES));
    frames
        .map(|frame| [&[0; VNET_HEADER_LEN][..], &frame].concat())
        .collect()
}

/// What comes back for each, to the station's MAC address or to the NIC's.
fn inward(face: Face) -> Vec<Vec<u8>> {
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
    outward().into_iter().map(answer).collect()
}

fn wire(c: &mut Criterion) {
    let mut group = c.benchmark_group("LAN 64 B");
    for (face, name) in [(Face::Own, "own MAC"), (Face::Translated, "NIC's MAC")] {
        let topology = lan(face);
        let mut worker = Worker::new(&topology);
        let (there, back) = (outward(), inward(face));
        // All of them go where they should.
        there.iter().for_each(|frame| worker.out(frame));
        assert_eq!(worker.sent.0, 1024 * (VNET_HEADER_LEN + 64));
        back.iter().for_each(|frame| worker.back(frame));
        assert_eq!(worker.sent.0, 1024 * (2 * VNET_HEADER_LEN + 64 + 60));

        group.throughput(Throughput::Elements(there.len() as u64));
        group.bench_function(format!("to the wire, {name}"), |b| {
            b.iter(|| there.iter().for_each(|frame| worker.out(frame)));
        });
        group.bench_function(format!("from the wire, {name}"), |b| {
            b.iter(|| back.iter().for_each(|frame| worker.back(frame)));
        });
    }
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
