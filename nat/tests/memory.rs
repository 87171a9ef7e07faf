//! What a million sessions cost.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and print"
)]

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use vswitch_nat::conntrack::{Conntrack, Step};
use vswitch_nat::host_ports::AllFree;
use vswitch_nat::{Config, Filtering, Outbound, Owner, Protocol, Published, Timeouts, Tuple};
use vswitch_packet::Moment;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const SESSIONS: u32 = 1_000_000;
/// Of each external address.
const PORTS: u32 = 50_000;

fn address(prefix: u128, n: u32) -> IpAddr {
    Ipv6Addr::from_bits(prefix << 64 | u128::from(n)).into()
}

/// The worst case: IPv6, and a mapping with a port of its own for each session.
#[test]
fn a_million_sessions_within_300_megabytes() {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let table = Conntrack::new(Config {
        max_sessions: SESSIONS as usize,
        max_sessions_per_owner: SESSIONS as usize,
        timeouts: Timeouts::default(),
        ports: 1024..=65535,
        host_ports: Box::new(AllFree),
        ledger: None,
        seed: 1,
    });
    let published = Published::default();
    let now = Moment::from_secs(1);
    for n in 0..SESSIONS {
        let port = 1024 + (n % PORTS) as u16;
        let external = address(0x2001_0db8, n / PORTS);
        let tuple = Tuple {
            protocol: Protocol::Udp,
            inside: SocketAddr::new(address(0xfd00, n / PORTS), port),
            remote: SocketAddr::new(address(0x2001_0db8_0001, n), 53),
        };
        let way = Outbound {
            owner: Owner(n % 100),
            source: Some(external),
            filtering: Filtering::AddressDependent,
            published: &published,
            ingress: 0,
        };
        let sent = table.outbound(&tuple, Step::Plain, &way, now);
        assert_eq!(sent, Ok(SocketAddr::new(external, port)));
    }
    let counts = table.counts();
    assert_eq!(
        (counts.sessions, counts.mappings),
        (SESSIONS.into(), SESSIONS.into())
    );
    let used = ALLOCATOR.current_usage() - before;
    let peak = ALLOCATOR.peak_usage() - before;
    println!(
        "{} bytes a session, {} at the most",
        used / 1_000_000,
        peak / 1_000_000
    );
    assert!(peak < 300_000_000, "{peak}");

    // They go in bounded steps, and as many fit in again without more.
    let end = now + Duration::from_secs(300);
    let mut sweeps = 0;
    while table.counts().sessions > 0 {
        table.sweep(end);
        sweeps += 1;
    }
    assert!((2..20).contains(&sweeps), "{sweeps}");
    assert_eq!(table.counts().expired, SESSIONS.into());
    let peak = ALLOCATOR.peak_usage() - before;
    println!("{} at the most while they go", peak / 1_000_000);
    assert!(peak < 300_000_000, "{peak}");
}
