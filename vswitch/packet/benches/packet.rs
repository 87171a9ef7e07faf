//! What one frame costs: parsing, summing, splitting and joining.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_packet::{
    Answer, Candidate, ChecksumMode, Frame, Segments, Train, VnetHeader, checksum,
};

#[path = "../tests/wire/mod.rs"]
mod wire;

use wire::{Packet, Sum};

/// Frames of 64 octets where the headers leave room for it.
fn small() -> [(&'static str, Packet); 4] {
    [
        ("udp4", Packet::udp4(22)),
        ("tcp4", Packet::tcp4(1)),
        ("udp6", Packet::udp6(2)),
        ("tcp6", Packet::tcp6(1)),
    ]
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for (name, packet) in small() {
        let mut bytes = packet.build(Sum::Partial);
        let header = packet.partial_header();
        group.bench_function(name, |b| {
            b.iter(|| {
                let frame = Frame::parse(black_box(&mut bytes), black_box(header));
                black_box(frame.is_ok_and(|frame| frame.len() > 0))
            });
        });
        group.bench_function(BenchmarkId::new("with_flow", name), |b| {
            b.iter(|| {
                let frame = Frame::parse(black_box(&mut bytes), black_box(header)).ok()?;
                black_box(frame.flow())
            });
        });
    }
    let packet = Packet::tcp4(65000);
    let mut bytes = packet.build(Sum::Partial);
    group.bench_function("super_frame", |b| {
        b.iter(|| {
            let frame = Frame::parse(black_box(&mut bytes), black_box(packet.gso_header(1448)));
            black_box(frame.map_or(0, |frame| frame.segments()))
        });
    });
}

fn sum(c: &mut Criterion) {
    let mut group = c.benchmark_group("checksum");
    // A header, the shortest frame, a segment on an overlay of 1450, a super-frame.
    for len in [20, 64, 1398, 65000] {
        let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
        group.throughput(Throughput::Bytes(len));
        group.bench_with_input(BenchmarkId::new("wide", len), &bytes, |b, bytes| {
            b.iter(|| checksum::sum(black_box(bytes)));
        });
        group.bench_with_input(BenchmarkId::new("word_by_word", len), &bytes, |b, bytes| {
            b.iter(|| wire::plain_sum(black_box(bytes)));
        });
    }
}

fn segment(c: &mut Criterion) {
    let mut group = c.benchmark_group("segment_64k");
    for (name, packet, size) in [
        ("tcp4", Packet::tcp4(65535 - 52), 1448),
        ("udp6", Packet::udp6(1400 * 46), 1400),
    ] {
        let mut bytes = packet.build(Sum::Partial);
        let frame = Frame::parse(&mut bytes, packet.gso_header(size));
        let Ok(frame) = frame else { continue };
        group.throughput(Throughput::Bytes(frame.len() as u64));
        let mut scratch = vec![0; 2048];
        for mode in [ChecksumMode::Partial, ChecksumMode::Complete] {
            group.bench_function(BenchmarkId::new(name, format!("{mode:?}")), |b| {
                b.iter(|| {
                    let mut segments = Segments::new(black_box(&frame), mode);
                    let mut total = 0;
                    while let Some(segment) = segments.next_into(&mut scratch) {
                        total += segment.len;
                        black_box(&scratch);
                    }
                    total
                });
            });
        }
    }
}

fn candidates(packet: &Packet, header: VnetHeader) -> Vec<Candidate> {
    let of = |packet: Packet| {
        let mut bytes = packet.build(Sum::Partial);
        Candidate::of(&Frame::parse(&mut bytes, header).ok()?)
    };
    let size = packet.payload.len() / 32;
    packet
        .split(size, false)
        .into_iter()
        .filter_map(of)
        .collect()
}

fn coalesce(c: &mut Criterion) {
    let mut group = c.benchmark_group("coalesce");
    for (name, packet) in [
        ("udp4", Packet::udp4(64 * 32)),
        ("udp6", Packet::udp6(64 * 32)),
        ("tcp4", Packet::tcp4(64 * 32)),
    ] {
        let header = packet.partial_header();
        let mut bytes = packet.split(64, false).swap_remove(0).build(Sum::Partial);
        if let Ok(frame) = Frame::parse(&mut bytes, header) {
            // What a frame of a burst costs more because it might be joined.
            group.bench_function(BenchmarkId::new("candidate_and_offer", name), |b| {
                let mut train = None;
                b.iter(|| {
                    let next = Candidate::of(black_box(&frame))?;
                    let joined = train
                        .as_mut()
                        .is_some_and(|train: &mut Train| train.offer(&next) == Answer::Accept);
                    if !joined {
                        train = Some(Train::start(&next));
                    }
                    Some(joined)
                });
            });
        }
        let burst = candidates(&packet, header);
        assert_eq!(burst.len(), 32);
        let mut head = packet.split(64, false).swap_remove(0).build(Sum::Partial);
        group.bench_function(BenchmarkId::new("offer_31_and_seal", name), |b| {
            b.iter(|| {
                let mut train = Train::start(black_box(&burst[0]));
                for next in black_box(&burst[1..]) {
                    assert_eq!(train.offer(next), Answer::Accept);
                }
                train.seal(black_box(&mut head))
            });
        });
        group.bench_function(BenchmarkId::new("refused_offer", name), |b| {
            let mut train = Train::start(&burst[0]);
            let mut packet = packet.clone();
            packet.tags = vec![(0x8100, 5)];
            let other = candidates(&packet, packet.partial_header())[1];
            b.iter(|| black_box(&mut train).offer(black_box(&other)));
        });
    }
}

criterion_group!(benches, parse, sum, segment, coalesce);
criterion_main!(benches);
