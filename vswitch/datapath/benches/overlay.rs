//! Into a tunnel and out of one, in process, one core: frame by frame, each joined with none.
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
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vswitch_datapath::tunnel::Stranger;
use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{
    Arrival, BridgeId, Envelope, Forwarder, Overlay, Pipeline, Port, PortCounters, PortId, Role,
    SendError, Topology, Tunnel, Wires,
};
use vswitch_packet::ip::Version;
use vswitch_packet::{Capabilities, MacAddr, Moment, VNET_HEADER_LEN};
use vswitch_vxlan::ecn::Dscp;
use vswitch_vxlan::{HEADER_LEN, Path, Vni};

use bridge::{datagram, mac, topology};

const CONTAINER: PortId = PortId(0);
const UNDERLAY: PortId = PortId(2);
const PEER: PortId = PortId(3);
const PEER_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
/// Addresses behind the tunnel.
const REMOTES: u32 = 100;

/// As [`topology`], with a peer behind which there are [`REMOTES`].
fn segment() -> Topology {
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

/// Where a system call would be: how many octets it would have taken.
#[derive(Default)]
struct Wire(usize);

impl Wire {
    fn take(&mut self, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.0 += black_box(parts)
            .iter()
            .map(|part| part.len())
            .sum::<usize>();
        Ok(())
    }
}

impl Wires for Wire {
    fn send(&mut self, _: PortId, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.take(parts)
    }

    fn send_datagrams(&mut self, _: &Envelope, parts: &[IoSlice<'_>]) -> Result<(), SendError> {
        self.take(parts)
    }

    fn stranger(&mut self, _: Stranger) {}
}

/// A worker during a burst, and what it sends.
struct Worker<'t> {
    topology: &'t Topology,
    pipeline: Pipeline<'t>,
    forwarder: Forwarder,
    wire: Wire,
}

impl<'t> Worker<'t> {
    fn new(topology: &'t Topology) -> Self {
        Self {
            topology,
            pipeline: Pipeline::new(topology, 0, Moment::from_secs(1)),
            forwarder: Forwarder::default(),
            wire: Wire::default(),
        }
    }

    /// A container sends; `read` begins with a virtio header.
    fn out(&mut self, read: &[u8]) {
        let ingress = self.topology.port(CONTAINER).unwrap();
        self.forwarder.room().unwrap()[..read.len()].copy_from_slice(read);
        self.forwarder
            .receive(read.len(), ingress, &self.pipeline, &mut self.wire);
    }

    /// The peer sends.
    fn back(&mut self, datagram: &[u8]) {
        let underlay = self.topology.port(UNDERLAY).unwrap();
        let arrival = Arrival {
            from: PEER_ADDRESS,
            segment: None,
            tos: 0,
            group: None,
        };
        let len = datagram.len();
        self.forwarder.room().unwrap()[..len].copy_from_slice(datagram);
        let wire = &mut self.wire;
        self.forwarder
            .receive_datagrams(len, &arrival, underlay, &self.pipeline, wire);
    }
}

/// From the container to the addresses behind the tunnel. No checksum of UDP: joined with no other.
fn outward() -> Vec<Vec<u8>> {
    let frames = (0..1024).map(|n| datagram(2 + n * 97 % REMOTES));
    frames
        .map(|frame| [&[0; VNET_HEADER_LEN][..], &frame].concat())
        .collect()
}

/// What comes back for each.
fn inward() -> Vec<Vec<u8>> {
    let answer = |read: Vec<u8>| {
        let frame = &read[VNET_HEADER_LEN..];
        let [to, from] = [&frame[..6], &frame[6..12]];
        let header = vswitch_vxlan::header(Vni::FIRST);
        let addresses = [&frame[30..34], &frame[26..30]].concat();
        [&header, from, to, &frame[12..26], &addresses, &frame[34..]].concat()
    };
    outward().into_iter().map(answer).collect()
}

fn overlay(c: &mut Criterion) {
    let mut group = c.benchmark_group("overlay 64 B");
    let topology = segment();
    let mut worker = Worker::new(&topology);
    let (frames, datagrams) = (outward(), inward());
    // All of them go where they should.
    frames.iter().for_each(|frame| worker.out(frame));
    assert_eq!(worker.wire.0, 1024 * (HEADER_LEN + 60));
    datagrams.iter().for_each(|datagram| worker.back(datagram));
    assert_eq!(
        worker.wire.0,
        1024 * (HEADER_LEN + 60 + VNET_HEADER_LEN + 60)
    );

    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("into a tunnel", |b| {
        b.iter(|| frames.iter().for_each(|frame| worker.out(frame)));
    });
    group.bench_function("out of a tunnel", |b| {
        b.iter(|| datagrams.iter().for_each(|datagram| worker.back(datagram)));
    });
    group.bench_function("into a tunnel, and one out of it", |b| {
        b.iter(|| {
            for (frame, datagram) in frames.iter().zip(&datagrams) {
                worker.out(frame);
                worker.back(datagram);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, overlay);
criterion_main!(benches);
