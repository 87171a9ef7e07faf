//! VLAN tags inside (RFC 7348 §6.1).

use vswitch_datapath::DropReason::{InnerVlan, UnderlayMtu, VlanNotAllowed};
use vswitch_datapath::PortId;
use vswitch_datapath::vlan::Vlan;
use vswitch_packet::VlanId;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{NEAR, TO_NEAR, UNDERLAY, VNI, with_peer};
use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{tcp, udp};
use crate::datagrams::Delivery;
use crate::station::{A, ALICE, B, BOB};
use crate::tap_frame::TapFrame;
use crate::wire;

const VID: u16 = 100;

/// A is an access port of [`VID`], B is none; bob is behind the tunnel in both VLANs.
fn with_vlans(tagged: bool) -> Bench {
    let mut bench = with_peer(2);
    bench.edit_port(A, |port| port.vlan = VlanId::new(VID));
    bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.tagged = tagged);
    for vlan in [Vlan::NONE, VlanId::new(VID).into()] {
        bench.bridge().fdb.set_static(vlan, BOB.mac, TO_NEAR);
    }
    bench
}

/// `frame` from `port` leaves as `expected`, one by one.
#[track_caller]
fn leaves(bench: &mut Bench, port: PortId, frame: &TapFrame, expected: &[TapFrame]) {
    bench.enter(port, frame);
    let sent = bench.handed_over();
    let frames: Vec<_> = sent.iter().flat_map(|one| one.frames(VNI)).collect();
    wire::assert_same_stream(&frames, expected);
    let segmented = frame.is_super() && sent.len() > 1;
    bench.assert_counted([
        on(port).received([frame]),
        on(TO_NEAR).handed_over(&sent).segmented(segmented.into()),
    ]);
}

/// `frame` comes out of the tunnel as `expected` says.
#[track_caller]
fn comes(bench: &mut Bench, frame: &TapFrame, expected: &[(PortId, &TapFrame)]) {
    let delivery = Delivery::one(NEAR, VNI, frame);
    bench.arrive(UNDERLAY, [&delivery]);
    let verified = expected
        .iter()
        .map(|&(port, frame)| (port, frame.clone().verified()));
    let verified: Vec<_> = verified.collect();
    bench.assert_sent(verified.iter().map(|(port, frame)| (*port, frame)));
    let received = [
        on(UNDERLAY).arrived([&delivery]),
        on(TO_NEAR).received([frame]),
    ];
    let sent = verified.iter().map(|(port, frame)| on(*port).sent([frame]));
    bench.assert_counted(received.into_iter().chain(sent));
}

#[test]
fn a_frame_with_a_vlan_is_not_put_into_a_tunnel() {
    let mut bench = with_vlans(false);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    // By its tag, and by the port it came in at.
    bench.refuses_at(B, &frame.clone().tagged(VID), TO_NEAR, InnerVlan);
    bench.refuses_at(A, &frame, TO_NEAR, InnerVlan);
    bench.refuses_at(A, &frame.clone().tagged(0), TO_NEAR, InnerVlan);
    bench.refuses_at(
        B,
        &tcp(V4, ALICE, BOB, 5000).super_frame(1000).tagged(VID),
        TO_NEAR,
        InnerVlan,
    );
    // Nor if the VLAN is behind a priority tag.
    bench.refuses_at(B, &frame.tagged(VID).tagged(0), TO_NEAR, InnerVlan);
}

#[test]
fn a_frame_with_a_vlan_is_not_taken_out_of_a_tunnel() {
    let mut bench = with_vlans(false);
    // Whatever its VLAN, and a priority tag alike.
    for tci in [VID, 1, 4094, 0, 0xe000] {
        let frame = udp(V4, BOB, ALICE, 18).complete().tagged(tci);
        let delivery = Delivery::one(NEAR, VNI, &frame);
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_counted([
            on(UNDERLAY).arrived([&delivery]),
            on(TO_NEAR).received([&frame]).dropped(InnerVlan, 1),
        ]);
    }
    assert_eq!(bench.bridge().fdb.learned(), 0);
}

#[test]
fn a_priority_tag_stays_behind() {
    let mut bench = with_vlans(false);
    for version in [V4, V6] {
        for packet in [udp(version, ALICE, BOB, 18), tcp(version, ALICE, BOB, 300)] {
            let whole = packet.complete();
            leaves(&mut bench, B, &whole.clone().tagged(0xa000), &[whole]);
            leaves(
                &mut bench,
                B,
                &packet.offloaded().tagged(0),
                &[packet.complete()],
            );
        }
        let packet = tcp(version, ALICE, BOB, 5001).super_frame(1000);
        leaves(&mut bench, B, &packet.clone().tagged(0), &[packet]);
    }
}

#[test]
fn a_tunnel_that_carries_tags_carries_them_both_ways() {
    let mut bench = with_vlans(true);
    let there = udp(V4, ALICE, BOB, 18).complete();
    let back = udp(V4, BOB, ALICE, 18).complete();
    bench.bridge().fdb.set_static(Vlan::NONE, ALICE.mac, B);
    // Between ports without a VLAN as they are.
    for tci in [VID, 7, 0xa000 | VID] {
        leaves(
            &mut bench,
            B,
            &there.clone().tagged(tci),
            &[there.clone().tagged(tci)],
        );
    }
    leaves(&mut bench, B, &there, std::slice::from_ref(&there));
    comes(&mut bench, &back, &[(B, &back)]);
    let tagged = back.clone().tagged(7);
    comes(&mut bench, &tagged, &[(B, &tagged)]);
    // From and to an access port with the tag that it stands for.
    leaves(&mut bench, A, &there, &[there.clone().tagged(VID)]);
    leaves(
        &mut bench,
        A,
        &there.clone().tagged(0xa000),
        &[there.clone().tagged(0xa000 | VID)],
    );
    bench
        .bridge()
        .fdb
        .set_static(VlanId::new(VID).into(), ALICE.mac, A);
    comes(&mut bench, &back.clone().tagged(VID), &[(A, &back)]);
    let delivery = Delivery::one(NEAR, VNI, &back.clone().tagged(4095));
    bench.arrive(UNDERLAY, [&delivery]);
    bench.assert_counted([
        on(UNDERLAY).arrived([&delivery]),
        on(TO_NEAR)
            .received([&back.tagged(4095)])
            .dropped(VlanNotAllowed, 1),
    ]);
}

#[test]
fn every_segment_of_a_super_frame_gets_the_tag() {
    let mut bench = with_vlans(true);
    for version in [V4, V6] {
        for packet in [
            tcp(version, ALICE, BOB, 5001).super_frame(1000),
            udp(version, ALICE, BOB, 2500).super_frame(500),
        ] {
            let tagged = packet.clone().tagged(VID);
            leaves(&mut bench, A, &packet, std::slice::from_ref(&tagged));
            leaves(&mut bench, B, &tagged, std::slice::from_ref(&tagged));
            leaves(&mut bench, A, &packet.clone().tagged(0), &[tagged]);
        }
    }
}

#[test]
fn a_tag_needs_room_in_the_datagram() {
    let mut bench = with_vlans(true);
    // 1450 octets of packet fill an outer packet of 1500.
    let longest = udp(V4, ALICE, BOB, 1450 - 28).complete();
    leaves(&mut bench, B, &longest, std::slice::from_ref(&longest));
    bench.refuses_at(B, &longest.clone().tagged(VID), TO_NEAR, UnderlayMtu);
    bench.refuses_at(A, &longest, TO_NEAR, UnderlayMtu);
    let tagged = udp(V4, ALICE, BOB, 1446 - 28).complete().tagged(VID);
    leaves(&mut bench, B, &tagged, std::slice::from_ref(&tagged));
    // In fragments, it would lose its tag.
    let fragmentable = udp(V4, ALICE, BOB, 1450 - 28).fragmentable().complete();
    bench.refuses_at(B, &fragmentable.tagged(VID), TO_NEAR, UnderlayMtu);
}
