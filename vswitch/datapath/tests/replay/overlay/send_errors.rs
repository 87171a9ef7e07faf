//! Datagrams that the host does not take.

use vswitch_datapath::DropReason::{
    self, PortDown, PortGone, QueueFull, UnderlayForbidden, UnderlayMtu, UnderlayUnreachable,
};
use vswitch_datapath::SendError::{
    self, Down, Forbidden, Full, Gone, NotJoined, Refused, Unreachable,
};
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{FAR, NEAR, TO_FAR, TO_NEAR, VNI, with_peers};
use crate::bench::{Bench, Fault};
use crate::coalescing::numbered;
use crate::counters::on;
use crate::crafted::{tcp, udp, who_has};
use crate::station::{A, ALICE, BOB, CAROL};
use crate::wire;

const ERRORS: [(SendError, DropReason); 6] = [
    (Gone, PortGone),
    (Down, PortDown),
    (Full, QueueFull),
    (Refused, DropReason::Refused),
    (Unreachable, UnderlayUnreachable),
    (Forbidden, UnderlayForbidden),
];

fn bench() -> Bench {
    let bench = with_peers(1);
    bench.bridge().fdb.set_static(Vlan::NONE, BOB.mac, TO_NEAR);
    bench
}

#[test]
fn each_error_is_counted_at_the_tunnel_and_the_next_frame_goes() {
    let mut bench = bench();
    for version in [V4, V6] {
        let packet = tcp(version, ALICE, BOB, 5000);
        let forms = [
            udp(version, ALICE, BOB, 18).complete(),
            udp(version, ALICE, BOB, 18).offloaded(),
            packet.super_frame(1000),
            udp(version, ALICE, BOB, 18).complete().tagged(0),
        ];
        for (error, reason) in ERRORS {
            for frame in &forms {
                bench.fail_towards(NEAR, Fault::Always(error));
                bench.refuses_at(A, frame, TO_NEAR, reason);
                bench.heal();
                bench.enter(A, frame);
                let sent = bench.handed_over();
                assert_eq!(sent.len(), 1);
                bench.assert_counted([on(A).received([frame]), on(TO_NEAR).handed_over(&sent)]);
            }
        }
    }
}

#[test]
fn of_a_train_that_is_lost_every_packet_is_counted() {
    let mut bench = bench();
    let frames = numbered(&udp(V4, ALICE, BOB, 100), 10);
    for (error, reason) in ERRORS {
        bench.fail_towards(NEAR, Fault::Always(error));
        bench.burst(frames.iter().map(|frame| (A, frame)));
        bench.assert_counted([on(A).received(&frames), on(TO_NEAR).dropped(reason, 10)]);
    }
}

#[test]
fn what_is_for_all_is_lost_only_where_it_fails() {
    let mut bench = bench();
    let frame = who_has(ALICE, CAROL);
    for (error, reason) in ERRORS {
        bench.fail_towards(NEAR, Fault::Always(error));
        bench.enter(A, &frame);
        let sent = bench.handed_over();
        assert_eq!(
            sent.iter()
                .map(|one| one.envelope.to.ip())
                .collect::<Vec<_>>(),
            [FAR]
        );
        bench.assert_counted([
            on(A).received([&frame]),
            on(TO_NEAR).dropped(reason, 1),
            on(TO_FAR).handed_over(&sent),
        ]);
    }
}

#[test]
fn a_super_frame_ends_at_the_first_hand_over_that_is_lost() {
    let mut bench = bench();
    // Three hand-overs.
    let frame = tcp(V4, ALICE, BOB, 60_000).super_frame(400);
    for lost in 0..3 {
        bench.fail_towards(NEAR, Fault::After(lost, Full));
        bench.enter(A, &frame);
        let sent = bench.handed_over();
        assert_eq!(sent.len(), lost);
        bench.assert_counted([
            on(A).received([&frame]),
            on(TO_NEAR).handed_over(&sent).dropped(QueueFull, 1),
        ]);
    }
}

#[test]
fn what_cannot_be_joined_is_sent_one_by_one_and_never_joined_again() {
    let super_frame = tcp(V4, ALICE, BOB, 5000).super_frame(1000);
    let train = numbered(&udp(V4, ALICE, BOB, 100), 5);
    for frames in [std::slice::from_ref(&super_frame), &train] {
        let mut bench = bench();
        bench.fail_towards(NEAR, Fault::Super(NotJoined));
        for round in 0..2 {
            if round == 1 {
                // It would be possible now.
                bench.heal();
            }
            bench.burst(frames.iter().map(|frame| (A, frame)));
            let sent = bench.handed_over();
            assert!(sent.iter().all(|one| one.envelope.segment.is_none()));
            let out: Vec<_> = sent.iter().flat_map(|one| one.frames(VNI)).collect();
            wire::assert_same_stream(&out, frames);
            bench.assert_counted([
                on(A).received(frames),
                on(TO_NEAR).handed_over(&sent).segmented(1),
            ]);
            assert!(!bench.tunnel(TO_NEAR).path.takes_joined());
            // That says nothing of others.
            assert!(bench.tunnel(TO_FAR).path.takes_joined());
        }
    }
}

#[test]
fn that_datagrams_cannot_be_joined_is_believed_only_if_they_go_one_by_one() {
    // Linux before 6.14 says the same of joined datagrams that are too long for the path, and of a
    // route that leads nowhere.
    let mut bench = bench();
    let frame = tcp(V4, ALICE, BOB, 5000).super_frame(1000);
    bench.fail_towards(NEAR, Fault::Always(NotJoined));
    bench.enter(A, &frame);
    bench.assert_counted([
        on(A).received([&frame]),
        on(TO_NEAR).segmented(1).dropped(DropReason::Refused, 1),
    ]);
    assert!(bench.tunnel(TO_NEAR).path.takes_joined());
}

#[test]
fn one_by_one_the_first_that_is_lost_is_the_last() {
    let super_frame = tcp(V4, ALICE, BOB, 5000).super_frame(1000);
    let train = numbered(&udp(V4, ALICE, BOB, 100), 5);
    for (frames, dropped) in [(std::slice::from_ref(&super_frame), 1), (&train[..], 3)] {
        let mut bench = bench();
        bench.tunnel(TO_NEAR).path.set_takes_joined(false);
        bench.fail_towards(NEAR, Fault::After(2, Full));
        bench.burst(frames.iter().map(|frame| (A, frame)));
        let sent = bench.handed_over();
        assert_eq!(sent.len(), 2);
        bench.assert_counted([
            on(A).received(frames),
            on(TO_NEAR)
                .handed_over(&sent)
                .segmented(1)
                .dropped(QueueFull, dropped),
        ]);
    }
}

#[test]
fn a_datagram_that_is_too_long_tells_how_long_the_path_is() {
    for frame in [
        udp(V4, ALICE, BOB, 1400).complete(),
        tcp(V4, ALICE, BOB, 5000).super_frame(1350),
        tcp(V6, ALICE, BOB, 5000).super_frame(1350),
    ] {
        let mut bench = bench();
        bench.fail_towards(NEAR, Fault::PathMtu(1400));
        bench.refuses_at(A, &frame, TO_NEAR, UnderlayMtu);
        assert_eq!(bench.tunnel(TO_NEAR).path.mtu(), 1400);
        // The next is refused before it is sent; what is shorter goes.
        bench.heal();
        bench.enter(A, &frame);
        assert_eq!(bench.handed_over(), []);
        bench.sent();
        let short = udp(V4, ALICE, BOB, 1350 - 28).complete();
        bench.enter(A, &short);
        assert_eq!(bench.handed_over().len(), 1);
        bench.counted();
    }
}
