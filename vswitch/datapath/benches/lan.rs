//! From a station of a VLAN to the wire and back, in process, one core: frame by frame, each joined with none.
//!
//! Alone in its program, as the parser is part of the loop only where it is called in few places.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

mod bridge;
mod vlan;
mod worker;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vswitch_datapath::Face;
use vswitch_packet::VNET_HEADER_LEN;

use vlan::{back, inward, lan, out, outward};
use worker::Worker;

fn wire(c: &mut Criterion) {
    let mut group = c.benchmark_group("LAN 64 B");
    for (face, name) in [(Face::Own, "own MAC"), (Face::Translated, "NIC's MAC")] {
        let topology = lan(face);
        let mut worker = Worker::new(&topology);
        let (there, answers) = (outward(1024), inward(1024, face));
        // All of them go where they should.
        there.iter().for_each(|frame| out(&mut worker, frame));
        assert_eq!(worker.sent.0, 1024 * (VNET_HEADER_LEN + 64));
        answers.iter().for_each(|frame| back(&mut worker, frame));
        assert_eq!(worker.sent.0, 1024 * (2 * VNET_HEADER_LEN + 64 + 60));

        group.throughput(Throughput::Elements(there.len() as u64));
        group.bench_function(format!("to the wire, {name}"), |b| {
            b.iter(|| there.iter().for_each(|frame| out(&mut worker, frame)));
        });
        group.bench_function(format!("from the wire, {name}"), |b| {
            b.iter(|| answers.iter().for_each(|frame| back(&mut worker, frame)));
        });
    }
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
