//! What a tunnel costs a frame of 64 octets, without the switch around it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use vswitch_packet::Frame;
use vswitch_vxlan::ecn::{self, Dscp};
use vswitch_vxlan::{Datagrams, HEADER_LEN, Vni, decapsulate, entropy, header};

/// Frames of 60 octets, or as many as the headers need, to which a wire adds four.
fn frames() -> [(&'static str, Vec<u8>); 3] {
    let link = || PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let written = |packet: etherparse::PacketBuilderStep<etherparse::UdpHeader>, len: usize| {
        let mut bytes = Vec::with_capacity(64);
        // Writing to memory does not fail.
        let _ = packet.write(&mut bytes, &vec![0; len]);
        bytes
    };
    [
        (
            "udp4",
            written(
                link().ipv4([10, 0, 0, 2], [10, 0, 0, 3], 64).udp(5000, 53),
                18,
            ),
        ),
        (
            "udp6",
            written(link().ipv6([0xfd; 16], [0xfc; 16], 64).udp(5000, 53), 0),
        ),
        ("opaque", [&[2; 12][..], &[0x88, 0xcc], &[0; 46]].concat()),
    ]
}

fn source_port(c: &mut Criterion) {
    let mut group = c.benchmark_group("entropy");
    for (name, mut bytes) in frames() {
        if let Ok(frame) = Frame::parse_plain(&mut bytes) {
            group.bench_function(name, |b| b.iter(|| entropy(black_box(&frame))));
        }
    }
}

/// The outer headers' fields for a frame that is parsed already, and its VXLAN header.
fn into(c: &mut Criterion) {
    let mut group = c.benchmark_group("encapsulate");
    group.throughput(Throughput::Elements(1));
    for (name, mut bytes) in frames() {
        if let Ok(frame) = Frame::parse_plain(&mut bytes) {
            group.bench_function(name, |b| {
                b.iter(|| {
                    let frame = black_box(&frame);
                    (
                        header(black_box(Vni::FIRST)),
                        entropy(frame),
                        ecn::outer_tos(frame, black_box(Dscp::Fixed(0))),
                    )
                });
            });
        }
    }
}

/// From a received batch of one to a parsed frame whose mark stays as it is: to restore it each time
/// would cost more than all else.
fn out_of(c: &mut Criterion) {
    let mut group = c.benchmark_group("decapsulate");
    group.throughput(Throughput::Elements(1));
    for (name, bytes) in frames() {
        let mut batch = [&header(Vni::FIRST)[..], &bytes].concat();
        // Both capable of marks.
        if let Some(octet) = batch.get_mut(HEADER_LEN + 15) {
            *octet |= if name == "udp4" { 2 } else { 0x20 };
        }
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut vnis = 0;
                let batch = black_box(&mut batch);
                for range in Datagrams::new(batch.len(), None) {
                    let Some(datagram) = batch.get_mut(range) else {
                        continue;
                    };
                    let Ok(vni) = decapsulate(datagram) else {
                        continue;
                    };
                    let Some(inner) = datagram.get_mut(HEADER_LEN..) else {
                        continue;
                    };
                    let Ok(mut frame) = Frame::parse_plain(inner) else {
                        continue;
                    };
                    if ecn::apply(&mut frame, black_box(2)).is_ok() {
                        vnis += vni.get();
                    }
                }
                vnis
            });
        });
    }
}

criterion_group!(benches, source_port, into, out_of);
criterion_main!(benches);
