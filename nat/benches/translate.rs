//! What one frame of an established flow costs: parsed, looked up, rewritten.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vswitch_packet::{Frame, VnetHeader};

#[path = "../tests/host/mod.rs"]
mod host;
#[path = "../tests/wire/mod.rs"]
mod wire;

use host::{A, Family, Host, V4, V6, at, ingress};
use vswitch_nat::Outbound;
use wire::{ACK, Packet, SYN, Wire};

/// A TCP connection that is established, and an empty segment of it in each direction.
fn established(family: Family) -> (Host, [Packet; 2]) {
    let host = Host::new();
    let packet = |flags| Packet::tcp(at(family.a, 5000), at(family.remote, 80), flags);
    let external = host.mapped(A, &packet(SYN));
    let answer = packet(SYN).answer().to(external);
    let _ = host.receive(&answer.wire());
    let out = packet(ACK).payload(0);
    let _ = host.mapped(A, &out);
    let back = out.answer().to(external).payload(0);
    (host, [out, back])
}

/// Padded to 60 octets, as without its FCS the shortest frame is, and no longer.
fn small(mut wire: Wire) -> Wire {
    let len = wire.bytes.len().max(60);
    wire.bytes.resize(len, 0);
    wire
}

fn outbound(c: &mut Criterion) {
    let mut group = c.benchmark_group("outbound");
    group.throughput(Throughput::Elements(1));
    for (name, family) in [("tcp4", V4), ("tcp6", V6)] {
        let (host, [packet, _]) = established(family);
        let way = Outbound {
            owner: A,
            source: Some(family.external),
            filtering: host.filtering,
            published: &host.published,
            ingress: ingress(A),
        };
        for (kind, original) in [("whole", packet.wire()), ("partial", packet.partial())] {
            let original = small(original);
            let mut bytes = original.bytes.clone();
            group.bench_function(format!("{name}/{kind}"), |b| {
                b.iter(|| {
                    bytes.copy_from_slice(&original.bytes);
                    forward(&mut bytes, original.header, |frame| {
                        host.nat.outbound(frame, &way, host.now()).is_ok()
                    })
                });
            });
        }
    }
    group.finish();
}

fn inbound(c: &mut Criterion) {
    let mut group = c.benchmark_group("inbound");
    group.throughput(Throughput::Elements(1));
    for (name, family) in [("tcp4", V4), ("tcp6", V6)] {
        let (host, [_, packet]) = established(family);
        for (kind, original) in [("whole", packet.wire()), ("partial", packet.partial())] {
            let original = small(original);
            let mut bytes = original.bytes.clone();
            group.bench_function(format!("{name}/{kind}"), |b| {
                b.iter(|| {
                    bytes.copy_from_slice(&original.bytes);
                    forward(&mut bytes, original.header, |frame| {
                        let owner = host.nat.inbound(frame, 1, &host.published, host.now());
                        owner == Ok(A)
                    })
                });
            });
        }
    }
    group.finish();
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
