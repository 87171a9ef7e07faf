//! Established flows through the router, and frames to addresses on the bridge, in process, one core: from the read to the write, frame by frame and
//! in bursts of frames that were read together, each of another flow or
//! to another address, in an order in which no cache helps but
//! with few.
//!
//! Alone in its program, as the parser is part of the loop only where it is called in few places.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

mod bridge;
mod uplink;
mod worker;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vswitch_datapath::PortId;
use vswitch_packet::VNET_HEADER_LEN;

use bridge::{datagram, topology};
use uplink::{UPLINK, inward, outward, with_uplink};
use worker::Worker;

/// Frames that a worker reads before it carries the first.
const BURST: usize = 32;
/// Coprime to the number of flows.
const STRIDE: u32 = 7919;

fn flows(c: &mut Criterion) {
    let mut group = c.benchmark_group("flows 64 B");
    group.throughput(Throughput::Elements(BURST as u64));
    for count in [100, 100_000] {
        let topology = with_uplink(4);
        let mut worker = Worker::new(&topology);
        let nth = |n: u32| n * STRIDE % count;
        for (name, port, frame) in [
            ("out", PortId(0), outward as fn(u32) -> Vec<u8>),
            ("in", UPLINK, inward),
        ] {
            let reads: Vec<Vec<u8>> = (0..count)
                .map(|n| [&[0; VNET_HEADER_LEN][..], &frame(nth(n))].concat())
                .collect();
            // All of them go where they should.
            worker.sent.0 = 0;
            reads.iter().for_each(|read| worker.receive(port, read));
            worker.flush();
            assert_eq!(worker.sent.0, reads.len() * reads[0].len());

            let mut next = reads.iter().cycle();
            group.bench_function(format!("{name}/{count} flows, one by one"), |b| {
                b.iter(|| {
                    for read in next.by_ref().take(BURST) {
                        worker.receive(port, read);
                    }
                    worker.flush();
                });
            });
            group.bench_function(format!("{name}/{count} flows, bursts"), |b| {
                b.iter(|| {
                    worker.receive_together(port, next.by_ref().take(BURST));
                    worker.flush();
                });
            });
        }
    }
    group.finish();
}

/// To addresses on the bridge.
fn addresses(c: &mut Criterion) {
    let mut group = c.benchmark_group("addresses 64 B");
    group.throughput(Throughput::Elements(BURST as u64));
    for count in [100, 100_000] {
        let topology = topology(count + 2);
        let mut worker = Worker::new(&topology);
        let reads: Vec<Vec<u8>> = (0..count)
            .map(|n| datagram(2 + n * STRIDE % count))
            .map(|frame| [&[0; VNET_HEADER_LEN][..], &frame].concat())
            .collect();
        let mut next = reads.iter().cycle();
        group.bench_function(format!("{count} addresses, one by one"), |b| {
            b.iter(|| {
                for read in next.by_ref().take(BURST) {
                    worker.receive(PortId(0), read);
                }
                worker.flush();
            });
        });
        group.bench_function(format!("{count} addresses, bursts"), |b| {
            b.iter(|| {
                worker.receive_together(PortId(0), next.by_ref().take(BURST));
                worker.flush();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, flows, addresses);
criterion_main!(benches);
