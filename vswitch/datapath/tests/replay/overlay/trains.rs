//! Packets of a burst that leave for one peer together.

use vswitch_datapath::vlan::Vlan;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_vxlan::Path;

use super::peers::{FAR, NEAR, TO_FAR, TO_NEAR, VNI, with_peers};
use crate::bench::Bench;
use crate::coalescing::{numbered, segments};
use crate::counters::on;
use crate::crafted::{Packet, UDP, echo, ip, udp};
use crate::datagrams::HandOver;
use crate::station::{A, ALICE, B, BOB, CAROL, DAVE};
use crate::tap_frame::TapFrame;
use crate::wire;

/// Bob and carol are behind [`NEAR`], dave is behind [`FAR`].
fn bench() -> Bench {
    let bench = with_peers(2);
    let fdb = &bench.bridge().fdb;
    for (station, port) in [(BOB, TO_NEAR), (CAROL, TO_NEAR), (DAVE, TO_FAR)] {
        fdb.set_static(Vlan::NONE, station.mac, port);
    }
    bench
}

/// The hand-overs that `frames`, all for one peer, leave in.
#[track_caller]
fn leave(bench: &mut Bench, frames: &[TapFrame]) -> Vec<HandOver> {
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.handed_over();
    let out: Vec<_> = sent.iter().flat_map(|one| one.frames(VNI)).collect();
    wire::assert_same_stream(&out, frames);
    sent
}

fn counts(sent: &[HandOver]) -> Vec<usize> {
    sent.iter().map(|one| one.datagrams.len()).collect()
}

/// All of `frames` leave as one.
#[track_caller]
fn leave_together(bench: &mut Bench, frames: &[TapFrame]) {
    let sent = leave(bench, frames);
    assert_eq!(counts(&sent), [frames.len()]);
    bench.assert_counted([
        on(A).received(frames),
        on(TO_NEAR)
            .handed_over(&sent)
            .coalesced(frames.len() as u64),
    ]);
}

#[test]
fn packets_of_a_flow_leave_in_one_hand_over() {
    let mut bench = bench();
    for version in [V4, V6] {
        for len in [100, 101, 1350] {
            let datagrams = numbered(&udp(version, ALICE, BOB, len), 20);
            leave_together(&mut bench, &datagrams);
            let stream = segments(version, len, 20);
            let left: Vec<_> = stream.iter().map(Packet::offloaded).collect();
            leave_together(&mut bench, &left);
            let vouched: Vec<_> = stream
                .iter()
                .map(|packet| packet.complete().verified())
                .collect();
            leave_together(&mut bench, &vouched);
        }
    }
}

#[test]
fn a_shorter_packet_is_the_last_of_a_hand_over() {
    let mut bench = bench();
    for version in [V4, V6] {
        let [long, short] = [100, 77].map(|len| numbered(&udp(version, ALICE, BOB, len), 3));
        let frames = [&long[..], &short[..1], &long, &short[..1]].concat();
        let sent = leave(&mut bench, &frames);
        assert_eq!(counts(&sent), [4, 4]);
        // A longer one begins the next.
        let frames = [&short[..], &long].concat();
        let sent = leave(&mut bench, &frames);
        assert_eq!(counts(&sent), [3, 3]);
        bench.counted();
    }
}

#[test]
fn more_than_the_kernel_takes_leave_in_several_hand_overs() {
    let mut bench = bench();
    let sent = leave(&mut bench, &numbered(&udp(V4, ALICE, BOB, 20), 64));
    assert_eq!(counts(&sent), [64]);
    // Together they are 66480 octets, of which 65507 are taken.
    let path = Path::new(V4, 4100);
    bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.path = path.into());
    bench.edit_port(A, |port| port.mtu = 9000);
    let sent = leave(&mut bench, &numbered(&udp(V4, ALICE, BOB, 3998), 16));
    assert_eq!(counts(&sent), [16]);
    let sent = leave(
        &mut bench,
        &segments(V4, 1378, 45)
            .iter()
            .map(Packet::offloaded)
            .collect::<Vec<_>>(),
    );
    assert_eq!(counts(&sent), [45]);
    let sent = leave(
        &mut bench,
        &segments(V4, 1398, 46)
            .iter()
            .map(Packet::offloaded)
            .collect::<Vec<_>>(),
    );
    assert_eq!(counts(&sent), [44, 2]);
    bench.counted();
}

#[test]
fn padding_does_not_keep_packets_apart() {
    let mut bench = bench();
    let frames: Vec<_> = numbered(&udp(V4, ALICE, BOB, 5), 6)
        .into_iter()
        .enumerate()
        .map(|(n, mut frame)| {
            frame.bytes.resize(60 + n, 0xee);
            frame
        })
        .collect();
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.handed_over();
    assert_eq!(counts(&sent), [6]);
    let bare: Vec<_> = numbered(&udp(V4, ALICE, BOB, 5), 6);
    wire::assert_same_stream(&sent[0].frames(VNI), &bare);
    bench.counted();
}

#[test]
fn each_flow_and_each_peer_has_its_own_hand_over() {
    let mut bench = bench();
    let flows: Vec<_> = [(BOB, 1), (BOB, 2), (CAROL, 1), (DAVE, 1)]
        .map(|(to, port)| numbered(&udp(V4, ALICE, to, 50).ports(port, 9), 10))
        .into();
    let mixed = (0..10).flat_map(|n| flows.iter().map(move |flow| (A, &flow[n])));
    bench.burst(mixed);
    let sent = bench.handed_over();
    assert_eq!(counts(&sent), [10, 10, 10, 10]);
    for (one, flow) in sent.iter().zip(&flows) {
        wire::assert_same_stream(&one.frames(VNI), flow);
    }
    let peers = sent
        .iter()
        .map(|one| one.envelope.to.ip())
        .collect::<Vec<_>>();
    assert_eq!(peers, [NEAR, NEAR, NEAR, FAR]);
    let received = flows.iter().map(|flow| on(A).received(flow));
    bench.assert_counted(received.chain([
        on(TO_NEAR).handed_over(&sent[..3]).coalesced(30),
        on(TO_FAR).handed_over(&sent[3..]).coalesced(10),
    ]));
}

#[test]
fn a_flow_stays_in_order_whatever_cannot_leave_with_others() {
    let mut bench = bench();
    let train = numbered(&udp(V4, ALICE, BOB, 100), 2);
    let fragment = ip(V4, ALICE, BOB, UDP, &[7; 64], |header| {
        (header.dont_fragment, header.more_fragments) = (false, true);
    });
    for other in [
        udp(V4, ALICE, BOB, 2500).super_frame(500),
        // Nobody vouches for its checksum.
        udp(V4, ALICE, BOB, 100).complete(),
        udp(V4, ALICE, BOB, 100).fragmentable().offloaded(),
        fragment,
    ] {
        let frames = [&train[..], std::slice::from_ref(&other), &train].concat();
        let sent = leave(&mut bench, &frames);
        assert_eq!(sent.len(), 3);
    }
    // To another peer, nothing waits for it.
    let ping = echo(V4, true, ALICE, DAVE, 20);
    bench.burst([(A, &train[0]), (A, &ping), (A, &train[1])]);
    assert_eq!(counts(&bench.handed_over()), [1, 2]);
    bench.counted();
}

#[test]
fn a_stream_that_ends_leaves_in_order() {
    let mut bench = bench();
    for version in [V4, V6] {
        let stream = segments(version, 100, 5);
        let mut frames: Vec<_> = stream.iter().map(Packet::offloaded).collect();
        frames[2] = stream[2]
            .clone()
            .tcp_header(|tcp| tcp.psh = true)
            .offloaded();
        frames[4] = stream[4]
            .clone()
            .tcp_header(|tcp| tcp.fin = true)
            .offloaded();
        let sent = leave(&mut bench, &frames);
        assert_eq!(counts(&sent), [3, 1, 1]);
    }
    bench.counted();
}

#[test]
fn trains_for_a_port_and_for_a_peer_do_not_mix() {
    let mut bench = bench();
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, B);
    let here = numbered(&udp(V4, ALICE, BOB, 100), 5);
    let there = numbered(&udp(V4, ALICE, CAROL, 100), 5);
    bench.burst(here.iter().zip(&there).flat_map(|(a, b)| [(A, a), (A, b)]));
    let sent = bench.handed_over();
    assert_eq!(counts(&sent), [5]);
    wire::assert_same_stream(&sent[0].frames(VNI), &there);
    let local = bench.sent_at(B);
    assert_eq!(local.len(), 1);
    wire::assert_same_stream(&local, &here);
    bench.counted();
}
