//! What one frame of an established flow costs: parsed, looked up, rewritten. Of one flow, and of many, one
//! by one and in bursts.

use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_nat::{Direction, Expected, Nat};
use vswitch_packet::{Frame, VnetHeader};

mod flows;
#[path = "../tests/host/mod.rs"]
mod host;
#[path = "../tests/wire/mod.rs"]
mod wire;

use flows::{Flows, small};
use host::{Family, V4, V6};
use wire::{Packet, Wire};

/// Packets that a worker has read before it carries the first.
const BURST: usize = 32;

const FAMILIES: [(&str, Family); 2] = [("tcp4", V4), ("tcp6", V6)];

fn outbound(c: &mut Criterion) {
    let mut group = group(c, "outbound");
    for (name, family) in FAMILIES {
        let flows = Flows::new(family, 1);
        one(&mut group, name, &flows.packets[0][0], |frame| {
            flows.outbound(family, frame)
        });
        for count in [100, 100_000] {
            let flows = Flows::new(family, count);
            let packets = flows.packets.iter().map(|[out, _]| out);
            many(
                &mut group,
                name,
                packets,
                (flows.nat(), Direction::Out),
                |frame| flows.outbound(family, frame),
            );
        }
    }
    group.finish();
}

fn inbound(c: &mut Criterion) {
    let mut group = group(c, "inbound");
    for (name, family) in FAMILIES {
        let flows = Flows::new(family, 1);
        one(&mut group, name, &flows.packets[0][1], |frame| {
            flows.inbound(frame)
        });
        for count in [100, 100_000] {
            let flows = Flows::new(family, count);
            let packets = flows.packets.iter().map(|[_, back]| back);
            many(
                &mut group,
                name,
                packets,
                (flows.nat(), Direction::In),
                |frame| flows.inbound(frame),
            );
        }
    }
    group.finish();
}

fn group<'c>(c: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    group
}

/// The same packet again and again.
fn one(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    packet: &Packet,
    translate: impl Fn(&mut Frame<'_>) -> bool,
) {
    for (kind, original) in [("whole", packet.wire()), ("partial", packet.partial())] {
        let original = small(original);
        let mut bytes = original.bytes.clone();
        group.bench_function(format!("{name}/{kind}"), |b| {
            b.iter(|| {
                bytes.copy_from_slice(&original.bytes);
                forward(&mut bytes, original.header, &translate)
            });
        });
    }
}

/// Bursts of packets of different flows, as a worker reads them, in an order in which no cache helps but
/// with few.
fn many<'p>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    packets: impl ExactSizeIterator<Item = &'p Packet>,
    (nat, direction): (&Nat, Direction),
    translate: impl Fn(&mut Frame<'_>) -> bool,
) {
    /// Coprime to the number of flows.
    const STRIDE: usize = 7919;

    let count = packets.len();
    let wires: Vec<Wire> = packets.map(|packet| small(packet.wire())).collect();
    let Some(original) = wires.first() else {
        return;
    };
    let differs = endpoints(original);
    let flows: Vec<&[u8]> = (0..count)
        .map(|n| &wires[n * STRIDE % count].bytes[differs.clone()])
        .collect();
    let flows = flows.concat();
    let mut flows = flows.chunks_exact(differs.len()).cycle();
    let mut expected = Expected::default();
    let mut burst = vec![original.bytes.clone(); BURST];
    group.throughput(Throughput::Elements(BURST as u64));
    for (kind, ahead) in [("one by one", false), ("bursts", true)] {
        group.bench_function(format!("{name}/{count} flows, {kind}"), |b| {
            b.iter(|| {
                for (bytes, flow) in burst.iter_mut().zip(&mut flows) {
                    bytes.copy_from_slice(&original.bytes);
                    bytes[differs.clone()].copy_from_slice(flow);
                }
                expected.clear();
                if ahead {
                    for bytes in &burst {
                        expected.add(nat, direction, bytes);
                    }
                }
                for (turn, bytes) in burst.iter_mut().enumerate() {
                    expected.turn(nat, turn);
                    forward(bytes, original.header, &translate);
                }
            });
        });
    }
}

/// Where addresses and ports are, one behind the other.
fn endpoints(wire: &Wire) -> Range<usize> {
    match wire.bytes[14] >> 4 {
        4 => 26..38,
        _ => 22..58,
    }
}

fn forward(
    bytes: &mut [u8],
    header: VnetHeader,
    translate: impl FnOnce(&mut Frame<'_>) -> bool,
) -> bool {
    let frame = Frame::parse(black_box(bytes), black_box(header));
    let translated = frame.is_ok_and(|mut frame| translate(&mut frame));
    assert!(black_box(translated));
    translated
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3));
    targets = outbound, inbound
}
criterion_main!(benches);
