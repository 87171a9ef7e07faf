//! Into a tunnel and out of one, in process, one core: frame by frame, each joined with none.
//!
//! Alone in its program, as the parser is part of the loop only where it is called in few places.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

mod bridge;
mod segment;
mod worker;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vswitch_packet::VNET_HEADER_LEN;
use vswitch_vxlan::HEADER_LEN;

use segment::{back, inward, out, outward, segment};
use worker::Worker;

fn overlay(c: &mut Criterion) {
    let mut group = c.benchmark_group("overlay 64 B");
    let topology = segment();
    let mut worker = Worker::new(&topology);
    let (frames, datagrams) = (outward(1024), inward(1024));
    // All of them go where they should.
    frames.iter().for_each(|frame| out(&mut worker, frame));
    assert_eq!(worker.sent.0, 1024 * (HEADER_LEN + 60));
    datagrams
        .iter()
        .for_each(|datagram| back(&mut worker, datagram));
    assert_eq!(
        worker.sent.0,
        1024 * (HEADER_LEN + 60 + VNET_HEADER_LEN + 60)
    );

    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("into a tunnel", |b| {
        b.iter(|| frames.iter().for_each(|frame| out(&mut worker, frame)));
    });
    group.bench_function("out of a tunnel", |b| {
        b.iter(|| {
            datagrams
                .iter()
                .for_each(|datagram| back(&mut worker, datagram));
        });
    });
    group.bench_function("into a tunnel, and one out of it", |b| {
        b.iter(|| {
            for (frame, datagram) in frames.iter().zip(&datagrams) {
                out(&mut worker, frame);
                back(&mut worker, datagram);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, overlay);
criterion_main!(benches);
