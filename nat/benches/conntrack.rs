//! What a packet costs in the table, with as many sessions as there may be, and what the end of all
//! of them costs.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_nat::conntrack::{Conntrack, Step};
use vswitch_nat::host_ports::AllFree;
use vswitch_nat::{Config, Filtering, Outbound, Owner, Protocol, Published, Timeouts, Tuple};
use vswitch_packet::Moment;

const MILLION: u32 = 1_000_000;
const NOW: Moment = Moment::from_secs(1);

fn table() -> Conntrack {
    Conntrack::new(Config {
        max_sessions: 2 * MILLION as usize,
        max_sessions_per_owner: 2 * MILLION as usize,
        timeouts: Timeouts::default(),
        ports: 32_768..=60_999,
        host_ports: Box::new(AllFree),
        ledger: None,
        seed: 0x5eed,
    })
}

/// The `n`th conversation: 20 of each inside endpoint.
fn tuple(n: u32) -> Tuple {
    let endpoint = n / 20;
    Tuple {
        protocol: Protocol::Udp,
        inside: SocketAddr::new(
            Ipv4Addr::from_bits(0x0a00_0000 | (endpoint / 50_000)).into(),
            1024 + (endpoint % 50_000) as u16,
        ),
        remote: SocketAddr::new(Ipv4Addr::from_bits(0xc633_0000 | (n % 20)).into(), 53),
    }
}

fn way(published: &Published) -> Outbound<'_> {
    Outbound {
        owner: Owner(1),
        source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        filtering: Filtering::AddressDependent,
        published,
        ingress: 0,
    }
}

fn fill(table: &Conntrack, sessions: u32) -> Vec<(SocketAddr, SocketAddr)> {
    let published = Published::default();
    let begin = |n| {
        let tuple = tuple(n);
        let external = table.outbound(&tuple, Step::Plain, &way(&published), NOW);
        (external.unwrap(), tuple.remote)
    };
    (0..sessions).map(begin).collect()
}

/// Goes through all of them, so that no cache helps but with few.
fn stride(n: u32, sessions: u32) -> u32 {
    (u64::from(n) * 7_919 % u64::from(sessions)) as u32
}

fn established(criterion: &mut Criterion) {
    let published = Published::default();
    let mut group = criterion.benchmark_group("established");
    group.throughput(Throughput::Elements(1));
    for sessions in [100, MILLION] {
        let table = table();
        let flows = fill(&table, sessions);
        let tuples: Vec<Tuple> = (0..sessions).map(tuple).collect();
        let mut n = 0u32;
        group.bench_function(BenchmarkId::new("outbound", sessions), |b| {
            b.iter(|| {
                n = n.wrapping_add(1);
                let tuple = &tuples[stride(n, sessions) as usize];
                black_box(table.outbound(tuple, Step::Plain, &way(&published), NOW))
            });
        });
        group.bench_function(BenchmarkId::new("inbound", sessions), |b| {
            b.iter(|| {
                n = n.wrapping_add(1);
                let (external, remote) = flows[stride(n, sessions) as usize];
                let step = Step::Plain;
                black_box(table.inbound(Protocol::Udp, external, remote, step, &published, NOW))
            });
        });
    }
    group.finish();
}

fn new_sessions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("million");
    group.throughput(Throughput::Elements(MILLION.into()));
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(1));
    group.bench_function("begin", |b| {
        b.iter_batched(
            table,
            |table| {
                fill(&table, MILLION);
                table
            },
            BatchSize::PerIteration,
        );
    });
    let full = || {
        let table = table();
        fill(&table, MILLION);
        table
    };
    group.bench_function("expire", |b| {
        b.iter_batched(
            full,
            |table| {
                while table.counts().sessions > 0 {
                    table.sweep(NOW + Duration::from_secs(300));
                }
                table
            },
            BatchSize::PerIteration,
        );
    });
    // Of one other owner, among a million.
    group.throughput(Throughput::Elements(1));
    let busy = full();
    let published = Published::default();
    group.bench_function("forget_owner", |b| {
        b.iter_batched(
            || {
                for n in 0..1000 {
                    let mut way = way(&published);
                    way.owner = Owner(2);
                    let tuple = Tuple {
                        inside: SocketAddr::new(Ipv4Addr::new(10, 9, 9, 9).into(), n),
                        ..tuple(0)
                    };
                    busy.outbound(&tuple, Step::Plain, &way, NOW).unwrap();
                }
            },
            |()| busy.forget_owner(Owner(2)),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, established, new_sessions);
criterion_main!(benches);
