//! Parse, route and translate in process, one core.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

mod bridge;
mod uplink;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_datapath::gateway::REPLY_LEN;
use vswitch_datapath::{Pipeline, PortId, Verdict};
use vswitch_packet::{Frame, Moment, VnetHeader};

use uplink::{outward, with_uplink};

/// Established flows from a container to the outside, translated.
fn route(c: &mut Criterion) {
    let mut group = c.benchmark_group("route 64 B");
    for (flows, routes) in [(1, 4), (1000, 4), (1000, 100_000)] {
        let topology = with_uplink(routes);
        let ingress = topology.port(PortId(0)).unwrap();
        let fresh: Vec<_> = (0..1024).map(|n| outward(n % flows)).collect();
        let mut frames = fresh.clone();
        group.throughput(Throughput::Elements(frames.len() as u64));
        let name = BenchmarkId::new("translated", format!("{flows} flows, {routes} routes"));
        group.bench_function(name, |b| {
            b.iter(|| {
                let pipeline = Pipeline::new(&topology, 0, Moment::from_secs(1));
                let mut reply = [0; REPLY_LEN];
                for (bytes, fresh) in frames.iter_mut().zip(&fresh) {
                    bytes.copy_from_slice(fresh);
                    let mut frame = Frame::parse(bytes, VnetHeader::default()).unwrap();
                    let decision = pipeline.receive(ingress, &mut frame, &mut reply);
                    assert!(matches!(decision.verdict, Verdict::Routed(_)));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
