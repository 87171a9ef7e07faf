//! A NIC that does not take a frame: stations go on among themselves.

use vswitch_datapath::DropReason::{PortDown, PortGone, QueueFull, Refused};
use vswitch_datapath::Mode::Bridge;
use vswitch_datapath::SendError;
use vswitch_packet::EtherType;
use vswitch_packet::ip::Version::V4;

use super::physical::{NIC, ROUTER, beside, vlan, with_modes};
use crate::bench::Fault;
use crate::counters::on;
use crate::crafted::{tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB};
use crate::wire;

#[test]
fn what_is_lost_is_counted_at_the_nic() {
    for (error, reason) in [
        (SendError::Gone, PortGone),
        (SendError::Down, PortDown),
        (SendError::Full, QueueFull),
        (SendError::Refused, Refused),
    ] {
        let mut bench = with_modes(vlan(100), [Bridge, Bridge]);
        bench.fail(NIC, Fault::Always(error));
        let frame = udp(V4, ALICE, ROUTER, 18).complete();
        bench.refuses_at(A, &frame, NIC, reason);
        bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
        let question = who_has(ALICE, BOB);
        bench.enter(A, &question);
        bench.assert_sent([(B, &question)]);
        bench.assert_counted([
            on(A).received([&question]),
            on(B).sent([&question]),
            on(NIC).dropped(reason, 1),
        ]);
        let back = udp(V4, ROUTER, ALICE, 18).complete();
        bench.brings(beside(EtherType::VLAN, 100), &back, &[(A, &back)]);
        bench.heal();
        bench.turns(A, &frame, &[(NIC, &frame.clone().tagged(100))]);
    }
}

#[test]
fn super_frames_that_a_kernel_refuses_leave_in_segments() {
    let mut bench = with_modes(vlan(100), [Bridge]);
    bench.fail(NIC, Fault::Super(SendError::Refused));
    let frame = tcp(V4, ALICE, ROUTER, 5000).super_frame(1000);
    bench.enter(A, &frame);
    let sent = bench.sent_at(NIC);
    assert_eq!(sent.len(), 5);
    wire::assert_same_stream(&sent, [&frame.clone().tagged(100)]);
    bench.assert_counted([on(A).received([&frame]), on(NIC).sent(&sent).segmented(1)]);
}
