//! The way of a frame through an ordinary bridge.

use std::hint::black_box;
use std::sync::Arc;

use vswitch_datapath::gateway::REPLY_LEN;
use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{BridgeId, Pipeline, Port, PortCounters, PortId, Topology, Verdict};
use vswitch_packet::{Capabilities, Frame, Moment, VnetHeader};

use super::{Burst, FRAMES};
use crate::bridge::{address, datagram, mac, topology};
use crate::host::at;
use crate::wire::{Packet, Wire};
use crate::worker::Worker;

/// Addresses behind the second port.
const MACS: u32 = 100;
const SENDER: PortId = PortId(0);
/// Payload of a datagram that is joined with others.
const SMALL: usize = 64;
/// Payload of a super-frame's segments.
const SEGMENT: usize = 1400;
/// Of a super-frame, which has no room for [`FRAMES`].
const SEGMENTS: usize = FRAMES / 2;
const NOW: Moment = Moment::from_secs(1);

/// To each of the addresses in turn.
fn datagrams() -> Vec<Vec<u8>> {
    let others = MACS - 1;
    (0..FRAMES as u32)
        .map(|n| datagram(1 + n * 97 % others))
        .collect()
}

/// What is asked of the table for each frame: its source is known, where is its destination?
pub(super) fn fdb() -> Burst {
    let topology = topology(MACS);
    let fdb = Arc::clone(&topology.bridge(BridgeId(0)).unwrap().fdb);
    Box::new(move || {
        for n in 0..FRAMES as u32 {
            let (source, destination) = (mac(2 + n % (MACS - 2)), mac(2 + n * 97 % (MACS - 2)));
            black_box(fdb.learn(Vlan::NONE, black_box(source), PortId(1), NOW));
            assert!(
                fdb.lookup(Vlan::NONE, black_box(destination), NOW)
                    .is_some()
            );
        }
    })
}

/// Parsed, checked for spoofing, and decided.
pub(super) fn decision() -> Burst {
    let topology = topology(MACS);
    let mut frames = datagrams();
    Box::new(move || {
        let ingress = topology.port(SENDER).unwrap();
        let pipeline = Pipeline::new(&topology, 0, NOW);
        let mut reply = [0; REPLY_LEN];
        for bytes in &mut frames {
            let mut frame = Frame::parse(bytes, VnetHeader::default()).unwrap();
            let decision = pipeline.receive(ingress, &mut frame, &mut reply);
            assert_eq!(decision.verdict, Verdict::Out(PortId(1)));
        }
    })
}

/// From the read to the write, each joined with none, as they go to different addresses.
pub(super) fn known_unicast() -> Burst {
    let reads: Vec<_> = datagrams().iter().map(|frame| unsummed(frame)).collect();
    let sent = FRAMES * reads[0].len();
    burst(topology(MACS), reads, sent)
}

/// To an address that nobody has, on a bridge of nine ports.
pub(super) fn flood() -> Burst {
    const OTHERS: u32 = 8;

    let mut topology = topology(2);
    for n in 2..=OTHERS {
        with_receiver(&mut topology, n, Capabilities::ALL);
    }
    let read = unsummed(&datagram(0x00ff_0000));
    let sent = FRAMES * OTHERS as usize * read.len();
    burst(topology, vec![read; FRAMES], sent)
}

/// Datagrams of one flow, which leave as one.
pub(super) fn train() -> Burst {
    let read = read(flow(SMALL).partial());
    let sent = read.len() + (FRAMES - 1) * SMALL;
    burst(topology(2), vec![read; FRAMES], sent)
}

/// One that the receiver takes as it is; small, as it is copied to where a worker would have read it to.
pub(super) fn super_frame() -> Burst {
    let read = read(flow(4 * SMALL).super_frame(SMALL as u16));
    let sent = FRAMES * read.len();
    burst(topology(2), vec![read; FRAMES], sent)
}

/// Super-frames for one who takes none, nor sums himself: [`FRAMES`] segments.
pub(super) fn segmented() -> Burst {
    let read = read(flow(SEGMENTS * SEGMENT).super_frame(SEGMENT as u16));
    let headers = read.len() - SEGMENTS * SEGMENT;
    let mut topology = topology(2);
    with_receiver(&mut topology, 1, Capabilities::NONE);
    let sent = FRAMES * (headers + SEGMENT);
    burst(topology, vec![read; FRAMES / SEGMENTS], sent)
}

/// Replaces or adds the port, as the second one, but for what it takes.
fn with_receiver(topology: &mut Topology, n: u32, capabilities: Capabilities) {
    let second = topology.port(PortId(1)).unwrap().clone();
    topology.add_port(Port {
        id: PortId(n),
        mac: mac(n),
        capabilities,
        counters: Arc::new(PortCounters::new(2)),
        ..second
    });
}

/// From the first port's address to the second's.
fn flow(payload: usize) -> Packet {
    let [source, destination] = [address(0), address(1)];
    Packet::udp(at(source.into(), 4096), at(destination.into(), 8192)).payload(payload)
}

fn read(wire: Wire) -> Vec<u8> {
    let rest = &wire.bytes[12..];
    let header = wire.header.to_bytes();
    [&header, &mac(1).0[..], &mac(0).0, rest].concat()
}

fn unsummed(frame: &[u8]) -> Vec<u8> {
    [&VnetHeader::default().to_bytes(), frame].concat()
}

/// What a worker does with `reads` of the first port until it has sent so many octets.
fn burst(topology: Topology, reads: Vec<Vec<u8>>, sent: usize) -> Burst {
    // Lives until the program ends, which is soon.
    let mut worker = Worker::new(Box::leak(Box::new(topology)));
    Box::new(move || {
        worker.sent.0 = 0;
        for read in &reads {
            worker.receive(SENDER, read);
        }
        worker.flush();
        assert_eq!(worker.sent.0, sent);
    })
}
