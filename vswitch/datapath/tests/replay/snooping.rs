//! IGMP and MLD snooping, the whole way: who gets a group's frames.

use core::net::Ipv6Addr;
use core::time::Duration;
use std::sync::Arc;

use vswitch_datapath::PortId;
use vswitch_datapath::snoop::Groups;
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::{V4, V6};

use crate::bench::Bench;
use crate::crafted::{ICMPV6, IGMP, icmpv6, ip, udp};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, DAVE, Station};
use crate::tap_frame::TapFrame;
use crate::wire::sum;

/// 239.1.2.3 and ff05::123.
pub(crate) const GROUP: [u8; 4] = [239, 1, 2, 3];
pub(crate) const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x123);

fn bench() -> Bench {
    let mut bench = Bench::new(4);
    bench.edit_bridge(|bridge| bridge.groups = Some(Arc::new(Groups::default())));
    bench
}

fn group(address: [u8; 4]) -> Station {
    let [_, b, c, d] = address;
    ALICE
        .with_mac(MacAddr([0x01, 0, 0x5e, b & 0x7f, c, d]))
        .with_v4(address.into())
}

fn group6(address: Ipv6Addr) -> Station {
    let [.., a, b, c, d] = address.octets();
    ALICE
        .with_mac(MacAddr([0x33, 0x33, a, b, c, d]))
        .with_v6(address)
}

fn igmp(from: Station, to: [u8; 4], message: &[u8]) -> TapFrame {
    let mut message = message.to_vec();
    let checksum = !sum(&message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    ip(V4, from, group(to), IGMP, &message, |header| {
        header.time_to_live = 1;
        // Router alert.
        header.options = [0x94, 4, 0, 0].into();
        header.set_payload_len(message.len()).unwrap();
    })
}

pub(crate) fn query(from: Station) -> TapFrame {
    igmp(
        from,
        [224, 0, 0, 1],
        &[0x11, 10, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0],
    )
}

/// IGMPv3: changes to EXCLUDE of nobody, or to INCLUDE of nobody.
pub(crate) fn report(from: Station, address: [u8; 4], joins: bool) -> TapFrame {
    let kind = if joins { 4 } else { 3 };
    let record = [&[0x22, 0, 0, 0, 0, 0, 0, 1, kind, 0, 0, 0][..], &address].concat();
    igmp(from, [224, 0, 0, 22], &record)
}

fn mld(from: Station, to: Ipv6Addr, message: &[u8]) -> TapFrame {
    let from = from.with_v6(from.link_local());
    // Hop-by-hop options: router alert, PadN.
    icmpv6(
        from,
        group6(to),
        1,
        (0, &[ICMPV6, 0, 5, 2, 0, 0, 1, 0]),
        message,
    )
}

pub(crate) fn query6(from: Station) -> TapFrame {
    let nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    mld(
        from,
        nodes,
        &[
            &[130, 0, 0, 0, 3, 0xe8, 0, 0][..],
            &[0; 16],
            &[2, 125, 0, 0],
        ]
        .concat(),
    )
}

pub(crate) fn report6(from: Station, address: Ipv6Addr, joins: bool) -> TapFrame {
    let kind = if joins { 4 } else { 3 };
    let record = [
        &[143, 0, 0, 0, 0, 0, 0, 1, kind, 0, 0, 0][..],
        &address.octets(),
    ]
    .concat();
    mld(from, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16), &record)
}

pub(crate) fn data(from: Station) -> TapFrame {
    udp(V4, from, group(GROUP), 100).offloaded()
}

pub(crate) fn data6(from: Station) -> TapFrame {
    udp(V6, from, group6(GROUP6), 100).offloaded()
}

/// dave asks, and everybody has had the time to answer: bob has joined.
fn settled() -> Bench {
    let mut bench = bench();
    bench.carries(D, &query(DAVE), &[A, B, C]);
    bench.carries(D, &query6(DAVE), &[A, B, C]);
    bench.carries(B, &report(BOB, GROUP, true), &[D]);
    bench.carries(B, &report6(BOB, GROUP6, true), &[D]);
    bench.wait(Duration::from_secs(3));
    bench
}

#[test]
fn without_snooping_everything_is_flooded() {
    let mut bench = Bench::new(4);
    bench.carries(D, &query(DAVE), &[A, B, C]);
    bench.carries(B, &report(BOB, GROUP, true), &[A, C, D]);
    bench.wait(Duration::from_secs(60));
    bench.carries(A, &data(ALICE), &[B, C, D]);
}

#[test]
fn without_a_querier_everything_is_flooded() {
    let mut bench = bench();
    bench.carries(B, &report(BOB, GROUP, true), &[A, C, D]);
    bench.wait(Duration::from_secs(60));
    bench.carries(A, &data(ALICE), &[B, C, D]);
    bench.carries(A, &data6(ALICE), &[B, C, D]);
}

#[test]
fn a_group_s_frames_reach_its_members_and_the_routers() {
    let mut bench = settled();
    bench.carries(A, &data(ALICE), &[B, D]);
    bench.carries(A, &data6(ALICE), &[B, D]);
    // A member sends, too, and a router.
    bench.carries(B, &data(BOB), &[D]);
    bench.carries(D, &data(DAVE), &[B]);
    // Another joins.
    bench.carries(C, &report(CAROL, GROUP, true), &[D]);
    bench.carries(A, &data(ALICE), &[B, C, D]);
    bench.carries(A, &data6(ALICE), &[B, D]);
    // Of a group that nobody joined, everybody gets the frames, and of those of the link too.
    bench.carries(
        A,
        &udp(V4, ALICE, group([239, 9, 9, 9]), 9).complete(),
        &[B, C, D],
    );
    bench.carries(
        A,
        &udp(V4, ALICE, group([224, 0, 0, 251]), 9).complete(),
        &[B, C, D],
    );
}

#[test]
fn super_frames_to_a_group_stay_whole() {
    let mut bench = settled();
    bench.carries(
        A,
        &udp(V4, ALICE, group(GROUP), 6000).super_frame(1000),
        &[B, D],
    );
}

#[test]
fn who_leaves_gets_no_more_after_the_last_member_query_time() {
    let mut bench = settled();
    bench.carries(C, &report(CAROL, GROUP, true), &[D]);
    bench.carries(B, &report(BOB, GROUP, false), &[D]);
    bench.carries(A, &data(ALICE), &[B, C, D]);
    bench.wait(Duration::from_secs(2));
    bench.carries(A, &data(ALICE), &[C, D]);
    // Of the last, nobody is left: a group that nobody joined.
    bench.carries(B, &report6(BOB, GROUP6, false), &[D]);
    bench.wait(Duration::from_secs(2));
    bench.carries(A, &data6(ALICE), &[B, C, D]);
}

#[test]
fn who_is_silent_is_forgotten() {
    let mut bench = settled();
    bench.carries(C, &report(CAROL, GROUP, true), &[D]);
    for _ in 0..3 {
        bench.wait(Duration::from_secs(100));
        bench.carries(D, &query(DAVE), &[A, B, C]);
        bench.carries(B, &report(BOB, GROUP, true), &[D]);
    }
    bench.carries(A, &data(ALICE), &[B, D]);
    // The querier falls silent: everybody gets everything again.
    bench.wait(Duration::from_secs(256));
    bench.carries(A, &data(ALICE), &[B, C, D]);
}

#[test]
fn isolated_members_hear_each_other_no_more_than_otherwise() {
    let mut bench = settled();
    for port in [A, B] {
        bench.edit_port(port, |port| port.isolated = true);
    }
    bench.carries(A, &data(ALICE), &[D]);
    bench.carries(C, &data(CAROL), &[B, D]);
}

#[test]
fn groups_are_kept_apart_by_vlan() {
    let mut bench = settled();
    // In VLAN 7 nobody asks.
    bench.carries(A, &data(ALICE).tagged(7), &[B, C, D]);
    bench.carries(D, &query(DAVE).tagged(7), &[A, B, C]);
    bench.carries(C, &report(CAROL, GROUP, true).tagged(7), &[D]);
    bench.wait(Duration::from_secs(3));
    bench.carries(A, &data(ALICE).tagged(7), &[C, D]);
    bench.carries(A, &data(ALICE), &[B, D]);
}

#[test]
fn a_report_with_a_wrong_checksum_is_nobody_s() {
    let mut bench = settled();
    let forged = report(CAROL, GROUP, true);
    let at = forged.bytes.len() - 14;
    // 224.0.0.22 is of the link, so the frame itself goes everywhere.
    bench.carries(C, &forged.patched(at, &[0xba, 0xad]), &[A, B, D]);
    bench.carries(A, &data(ALICE), &[B, D]);
}

#[test]
fn a_port_that_is_gone_is_no_member() {
    let mut bench = settled();
    let groups = bench.bridge().groups.clone().unwrap();
    groups.forget_port(B);
    bench.remove_port(B);
    bench.carries(A, &data(ALICE), &[C, D]);
    let members: Vec<PortId> = groups
        .rows(bench.now())
        .iter()
        .map(|row| row.port)
        .collect();
    assert!(members.iter().all(|&port| port == D), "{members:?}");
}
