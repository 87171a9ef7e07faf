//! Outputs that do not take a frame.

use vswitch_datapath::DropReason::{self, PortDown, PortGone, QueueFull};
use vswitch_datapath::SendError::{self, Down, Full, Gone, Refused};
use vswitch_packet::Capabilities;
use vswitch_packet::ip::Version::V4;

use crate::bench::{Bench, Fault};
use crate::counters::on;
use crate::crafted::{echo, everybody, tcp, udp};
use crate::station::{A, ALICE, B, BOB, C, GATEWAY};

const ERRORS: [(SendError, DropReason); 4] = [
    (Gone, PortGone),
    (Down, PortDown),
    (Full, QueueFull),
    (Refused, DropReason::Refused),
];

fn bench(error: SendError) -> Bench {
    let mut bench = Bench::new(3);
    bench.learn(&[A, B, C]);
    bench.fail(B, Fault::Always(error));
    bench
}

#[test]
fn each_error_is_counted_at_the_output_by_its_reason() {
    for (error, reason) in ERRORS {
        let mut bench = bench(error);
        bench.refuses_at(A, &udp(V4, ALICE, BOB, 18).complete(), B, reason);
        bench.carries(B, &udp(V4, BOB, ALICE, 18).complete(), &[A]);
    }
}

#[test]
fn a_flooded_frame_is_lost_only_where_it_fails() {
    for (error, reason) in ERRORS {
        let mut bench = bench(error);
        let frame = udp(V4, ALICE, everybody(ALICE), 18).complete();
        bench.enter(A, &frame);
        bench.assert_sent([(C, &frame)]);
        bench.assert_counted([
            on(A).received([&frame]),
            on(B).dropped(reason, 1),
            on(C).sent([&frame]),
        ]);
    }
}

#[test]
fn of_a_lost_train_every_datagram_is_counted() {
    for (error, reason) in ERRORS {
        let mut bench = bench(error);
        let frames = vec![udp(V4, ALICE, BOB, 18).offloaded(); 10];
        bench.burst(frames.iter().map(|frame| (A, frame)));
        bench.assert_counted([on(A).received(&frames), on(B).dropped(reason, 10)]);
    }
}

#[test]
fn a_lost_super_frame_is_one_frame() {
    for (error, reason) in ERRORS.into_iter().filter(|&(error, _)| error != Refused) {
        let mut bench = bench(error);
        bench.refuses_at(A, &tcp(V4, ALICE, BOB, 5000).super_frame(1000), B, reason);
    }
}

#[test]
fn segmentation_ends_at_the_first_segment_that_is_lost() {
    for (error, reason) in ERRORS {
        let mut bench = bench(error);
        bench.edit_port(B, |port| port.capabilities = Capabilities::NONE);
        bench.fail(B, Fault::After(2, error));
        let frame = tcp(V4, ALICE, BOB, 5000).super_frame(1000);
        bench.enter(A, &frame);
        let sent = bench.sent_at(B);
        assert_eq!(sent.len(), 2);
        bench.assert_counted([
            on(A).received([&frame]),
            on(B).sent(&sent).segmented(1).dropped(reason, 1),
        ]);
    }
}

#[test]
fn an_answer_that_is_lost_is_counted_where_the_question_came_from() {
    for (error, reason) in ERRORS {
        let mut bench = Bench::new(2).with_gateway(None);
        bench.fail(A, Fault::Always(error));
        bench.refuses(A, &crate::crafted::who_has(ALICE, GATEWAY), reason);
        bench.refuses(A, &echo(V4, true, ALICE, GATEWAY, 56), reason);
    }
}
