//! What senders are told, and by whom: the gateway has no address.

use core::time::Duration;

use vswitch_datapath::DropReason::{NeighbourUnreachable, NoRoute, TooBig, TtlExceeded};
use vswitch_datapath::neighbour::Neighbours;
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::{self, V4, V6};

use super::{ALICE, AWAY, BOB, ERIN, NOBODY, bench};
use crate::bench::{BRIDGE, Bench};
use crate::counters::on;
use crate::crafted::{echo, udp, who_has};
use crate::outside::{NIC, OTHER, PEER, ROUTER, UPLINK};
use crate::router::errors::{TIME_EXCEEDED, TOO_BIG, error, rejects};
use crate::station::{A, B, Station};
use crate::tap_frame::TapFrame;

const UNREACHABLE: [(u8, u8); 2] = [(3, 1), (1, 3)];
const NO_ROUTE: [(u8, u8); 2] = [(3, 0), (1, 0)];

#[test]
fn who_traces_the_route_hears_the_host() {
    for version in [V4, V6] {
        let mut bench = bench(&[BRIDGE, OTHER]);
        for station in [AWAY, BOB, ERIN] {
            let probe = udp(version, ALICE, station, 32).complete().hop_limit(1);
            let expected = error(NIC, ALICE, &probe, TIME_EXCEEDED, 0);
            rejects(&mut bench, A, &probe, TtlExceeded, &expected);
        }
        // From outside, too.
        let probe = echo(version, true, PEER, ALICE, 9).hop_limit(1);
        let expected = error(NIC, PEER, &probe, TIME_EXCEEDED, 0);
        rejects(&mut bench, UPLINK, &probe, TtlExceeded, &expected);
    }
}

#[test]
fn what_is_too_big_is_told_with_the_mtu() {
    for version in [V4, V6] {
        let mut bench = bench(&[BRIDGE]);
        for port in [UPLINK, B] {
            bench.edit_port(port, |port| port.mtu = 1400);
        }
        for station in [AWAY, BOB] {
            let frame = udp(version, ALICE, station, 1440).complete();
            let expected = error(NIC, ALICE, &frame, TOO_BIG, 1400);
            rejects(&mut bench, A, &frame, TooBig, &expected);
        }
    }
}

#[test]
fn an_address_that_nobody_has_is_unreachable_at_once() {
    for version in [V4, V6] {
        let mut bench = bench(&[BRIDGE, OTHER]);
        let frame = udp(version, ALICE, NOBODY, 9).complete();
        for _ in 0..2 {
            let expected = error(NIC, ALICE, &frame, UNREACHABLE, 0);
            rejects(&mut bench, A, &frame, NeighbourUnreachable, &expected);
        }
        let frame = udp(version, PEER, NOBODY, 9).complete();
        let expected = error(NIC, PEER, &frame, UNREACHABLE, 0);
        rejects(&mut bench, UPLINK, &frame, NeighbourUnreachable, &expected);
        // Nothing waits, and nobody is asked later.
        assert!(!bench.topology().router().pending.is_waiting());
    }
    let mut bench = bench(&[BRIDGE]);
    for last in [0, 255] {
        let frame = udp(V4, ALICE, NOBODY.with_v4([10, 0, 0, last].into()), 9).complete();
        bench.rejects(A, &frame, NeighbourUnreachable);
    }
}

#[test]
fn a_router_outside_that_does_not_answer_is_told_of_later() {
    let mut bench = bench(&[BRIDGE]);
    bench.edit_router(|router| router.uplinks[0].neighbours = Neighbours::default().into());
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    let question = who_has(NIC, ROUTER);
    bench.enter(A, &frame);
    for _ in 0..2 {
        bench.tick(Duration::from_secs(1));
    }
    bench.assert_sent([
        (UPLINK, &question),
        (UPLINK, &question),
        (UPLINK, &question),
    ]);
    bench.tick(Duration::from_secs(1));
    let expected = error(NIC, ALICE, &frame, UNREACHABLE, 0);
    bench.assert_sent([(A, &expected)]);
    bench.assert_counted([
        on(UPLINK).sent([&question; 3]),
        on(A).received([&frame]).held(1),
        on(A).dropped(NeighbourUnreachable, 1).sent([&expected]),
    ]);
}

/// An error about `frame` from Alice, who was told of no way out.
fn no_route(bench: &mut Bench, version: Version) -> TapFrame {
    let frame = udp(version, ALICE, AWAY, 9).complete();
    bench.rejects(A, &frame, NoRoute)
}

#[test]
fn the_host_speaks_by_the_parent_s_address_and_else_by_any() {
    const SECOND: Station = Station {
        mac: MacAddr([2, 0x0a, 0, 0, 0, 2]),
        v4: core::net::Ipv4Addr::new(198, 51, 100, 1),
        v6: core::net::Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1),
    };
    /// As Linux: of IPv6 there is always the address on the link.
    const NAMELESS: Station = Station {
        mac: NIC.mac,
        v4: core::net::Ipv4Addr::new(192, 0, 0, 8),
        v6: core::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0x000a, 0x00ff, 0xfe00, 1),
    };
    let second = |bench: &mut Bench| {
        bench.edit_router(|router| {
            let mut uplink = router.uplinks[0].clone();
            (uplink.port, uplink.mac) = (crate::bench::HOST, SECOND.mac);
            uplink.addresses = ["fe80::2/64", "198.51.100.1/24", "2001:db8:1::1/64"]
                .map(|a| a.parse().unwrap())
                .to_vec();
            router.uplinks.insert(0, uplink);
            router.routes = Default::default();
        });
    };
    for version in [V4, V6] {
        let frame = udp(version, ALICE, AWAY, 9).complete();
        let expected = |from: Station| error(from.with_mac(NIC.mac), ALICE, &frame, NO_ROUTE, 0);
        let mut bench = bench(&[BRIDGE]);
        second(&mut bench);
        assert_eq!(no_route(&mut bench, version), expected(NIC));
        bench.edit_router(|router| router.uplinks[1].addresses.clear());
        assert_eq!(no_route(&mut bench, version), expected(SECOND));
        bench.edit_router(|router| router.uplinks.clear());
        assert_eq!(no_route(&mut bench, version), expected(NAMELESS));
    }
}
