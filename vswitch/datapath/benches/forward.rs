//! Parse and forward in process, one core: what one frame costs before any system call.
//!
//! Alone in its program, as the parser is part of the loop only where it is called once.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

mod bridge;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_datapath::gateway::REPLY_LEN;
use vswitch_datapath::{Pipeline, PortId};
use vswitch_packet::{Frame, Moment, VnetHeader};

use bridge::{datagram, mac, topology};

/// Frames of a burst.
const BURST: u32 = 32;
/// Has no divisor in common with the numbers of addresses.
const STRIDE: u32 = 7919;

fn forward(c: &mut Criterion) {
    let mut group = c.benchmark_group("forward 64 B");
    for macs in [2, 100, 100_000] {
        let topology = topology(macs);
        let ingress = topology.port(PortId(0)).unwrap();
        let mut frames: Vec<_> = (0..BURST).map(datagram).collect();
        // To each of the addresses, in an order in which no cache helps but with few.
        let mut nth = (0..macs - 1)
            .map(|n| mac(1 + n * STRIDE % (macs - 1)))
            .cycle();
        group.throughput(Throughput::Elements(frames.len() as u64));
        group.bench_function(BenchmarkId::new("known unicast", macs), |b| {
            b.iter(|| {
                let pipeline = Pipeline::new(&topology, 0, Moment::from_secs(1));
                let mut reply = [0; REPLY_LEN];
                for (bytes, to) in frames.iter_mut().zip(&mut nth) {
                    bytes[..6].copy_from_slice(&to.0);
                    let mut frame = Frame::parse(bytes, VnetHeader::default()).unwrap();
                    let decision = pipeline.receive(ingress, &mut frame, &mut reply);
                    black_box(decision);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
