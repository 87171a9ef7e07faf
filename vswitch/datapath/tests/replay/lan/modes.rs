//! Who reaches whom: every cell of the table of modes, both ways.

use vswitch_datapath::DropReason::{self, Isolated, NotOurs, Reflected, ReservedGroup};
use vswitch_datapath::Mode::{self, Bridge, Private, Vepa};
use vswitch_datapath::{Face, PortId};
use vswitch_packet::MacAddr;
use vswitch_packet::ip::Version::{V4, V6};

use super::physical::{NIC, OTHER, ROUTER, UNTAGGED, on_wire, with_modes};
use crate::bench::{BRIDGE, Bench};
use crate::counters::on;
use crate::crafted::{solicit, tcp, udp, who_has};
use crate::station::{A, ALICE, B, BOB, C, CAROL, D, station};
use crate::tap_frame::TapFrame;

const MODES: [Mode; 3] = [Bridge, Private, Vepa];

/// The ports where a frame comes out, or why it is dropped where it came in.
type Fate = Result<&'static [PortId], DropReason>;

/// What becomes of `frame` that comes in at `ingress`, for A in each mode (rows) and B in each (columns), in
/// one network and in two of the same LAN.
#[track_caller]
fn assert_table(ingress: PortId, frame: &TapFrame, expected: [[Fate; 3]; 3]) {
    for (from, row) in MODES.into_iter().zip(expected) {
        for (to, expected) in MODES.into_iter().zip(row) {
            for other in [BRIDGE, OTHER] {
                let mut bench = on_wire(UNTAGGED);
                bench.put_on(other, UNTAGGED);
                bench.join(A, BRIDGE, from, Face::Own);
                bench.join(B, other, to, Face::Own);
                let fate = fate(&mut bench, ingress, frame);
                let expected = expected.map(<[PortId]>::to_vec);
                assert_eq!(
                    fate, expected,
                    "A {from:?}, B {to:?}, B's network {other:?}"
                );
            }
        }
    }
}

fn fate(bench: &mut Bench, ingress: PortId, frame: &TapFrame) -> Result<Vec<PortId>, DropReason> {
    bench.enter(ingress, frame);
    let (sent, changes) = (bench.sent(), bench.counted());
    let mut reasons = DropReason::ALL.iter();
    if let Some(reason) = reasons.find(|reason| changes.contains_key(&(ingress, reason.name()))) {
        assert_eq!(sent, [], "dropped and sent");
        return Err(*reason);
    }
    assert!(
        sent.iter().all(|(_, out)| out == frame),
        "it is not changed"
    );
    Ok(sent.iter().map(|(port, _)| *port).collect())
}

const HERE: Fate = Ok(&[B]);
const WIRE: Fate = Ok(&[NIC]);
const BOTH: Fate = Ok(&[B, NIC]);
const NOBODY: Fate = Ok(&[]);
const NEVER: Fate = Err(Isolated);
const REFLECTED: Fate = Err(Reflected);

#[test]
fn from_one_station_to_another() {
    for version in [V4, V6] {
        let frame = udp(version, ALICE, BOB, 18).complete();
        assert_table(
            A,
            &frame,
            [[HERE, WIRE, WIRE], [WIRE, NEVER, WIRE], [WIRE, WIRE, WIRE]],
        );
    }
}

#[test]
fn from_one_station_to_many() {
    for frame in [
        who_has(ALICE, BOB),
        solicit(ALICE, BOB),
        who_has(ALICE, ROUTER),
    ] {
        assert_table(
            A,
            &frame,
            [[BOTH, WIRE, WIRE], [WIRE, WIRE, WIRE], [WIRE, WIRE, WIRE]],
        );
    }
}

#[test]
fn what_is_for_one_and_comes_back() {
    let frame = tcp(V4, ALICE, BOB, 100).complete();
    assert_table(
        NIC,
        &frame,
        [
            [HERE, REFLECTED, HERE],
            [REFLECTED, REFLECTED, REFLECTED],
            [HERE, REFLECTED, HERE],
        ],
    );
}

#[test]
fn what_is_for_many_and_comes_back() {
    for frame in [who_has(ALICE, BOB), solicit(ALICE, BOB)] {
        assert_table(
            NIC,
            &frame,
            [
                [NOBODY, NOBODY, HERE],
                [REFLECTED, REFLECTED, REFLECTED],
                [HERE, NOBODY, HERE],
            ],
        );
    }
}

#[test]
fn from_somebody_behind_the_wire() {
    for frame in [
        udp(V4, ROUTER, BOB, 18).complete(),
        udp(V6, ROUTER, BOB, 18).complete(),
    ] {
        assert_table(NIC, &frame, [[HERE; 3]; 3]);
    }
    let both: Fate = Ok(&[A, B]);
    for frame in [who_has(ROUTER, BOB), solicit(ROUTER, BOB)] {
        assert_table(NIC, &frame, [[both; 3]; 3]);
    }
}

#[test]
fn to_somebody_behind_the_wire() {
    for frame in [
        udp(V4, ALICE, ROUTER, 18).complete(),
        tcp(V6, ALICE, ROUTER, 300).offloaded(),
    ] {
        assert_table(A, &frame, [[WIRE; 3]; 3]);
    }
}

#[test]
fn frames_in_every_mode_at_once() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Private, Vepa]);
    bench.join(D, BRIDGE, Bridge, Face::Own);
    let question = |port: u8| who_has(station(port + 2), ROUTER);
    bench.carries(A, &question(0), &[D, NIC]);
    bench.carries(B, &question(1), &[NIC]);
    bench.carries(C, &question(2), &[NIC]);
    bench.carries(D, &question(3), &[A, NIC]);
    // As a switch that reflects sends them back.
    bench.carries(NIC, &question(0), &[C]);
    bench.sheds(None, &question(1), Reflected);
    bench.carries(NIC, &question(2), &[A, D]);
    bench.carries(NIC, &question(3), &[C]);
    bench.carries(NIC, &who_has(ROUTER, ALICE), &[A, B, C, D]);
}

#[test]
fn nobody_hears_itself() {
    for mode in MODES {
        let mut bench = with_modes(UNTAGGED, [mode]);
        bench.refuses(
            A,
            &udp(V4, ALICE, ALICE, 18).complete(),
            DropReason::Hairpin,
        );
        bench.sheds(None, &udp(V4, ALICE, ALICE, 18).complete(), Reflected);
        let question = who_has(ALICE, BOB);
        match mode {
            Private => bench.sheds(None, &question, Reflected),
            _ => bench.carries(NIC, &question, &[]),
        }
    }
}

#[test]
fn what_is_for_nobody_here_is_not_ours() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Vepa]);
    bench.sheds(None, &udp(V4, ROUTER, CAROL, 18).complete(), NotOurs);
    bench.sheds(None, &udp(V4, ALICE, CAROL, 18).complete(), NotOurs);
    // The host's own.
    let host = CAROL.with_mac(super::physical::NIC_MAC);
    bench.sheds(None, &udp(V4, ROUTER, host, 18).complete(), NotOurs);
}

#[test]
fn what_no_switch_forwards_stays() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    for last in [0, 2, 0x0e, 0x0f] {
        let group = BOB.with_mac(MacAddr([0x01, 0x80, 0xc2, 0, 0, last]));
        bench.refuses(A, &udp(V4, ALICE, group, 18).complete(), ReservedGroup);
        bench.sheds(None, &udp(V4, ROUTER, group, 18).complete(), ReservedGroup);
    }
    let group = ALICE.with_mac(MacAddr([0x03, 0, 0, 0, 0, 1]));
    for source in [group, ALICE.with_mac(MacAddr::ZERO)] {
        let frame = udp(V4, source, BOB, 18).complete();
        bench.refuses(A, &frame, DropReason::BadSource);
        bench.sheds(None, &frame, DropReason::BadSource);
    }
}

#[test]
fn what_is_for_many_is_limited() {
    let mut bench = with_modes(UNTAGGED, [Bridge, Bridge]);
    let limit = vswitch_datapath::StormLimit::new(10);
    bench.edit_port(A, |port| port.storm = Some(limit.into()));
    let question = who_has(ALICE, BOB);
    bench.carries(A, &question, &[B, NIC]);
    bench.refuses(A, &question, DropReason::StormLimit);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[B]);
    // What is for somebody unknown is not flooded: it goes to the wire.
    bench.carries(A, &udp(V4, ALICE, ROUTER, 18).complete(), &[NIC]);
    bench.carries(B, &who_has(BOB, ALICE), &[A, NIC]);
}

#[test]
fn nothing_is_learned() {
    let mut bench = with_modes(UNTAGGED, [Bridge]);
    bench.carries(NIC, &who_has(ROUTER, ALICE), &[A]);
    bench.carries(A, &who_has(ALICE, ROUTER), &[NIC]);
    assert_eq!(bench.bridge().fdb.learned(), 0);
    assert_eq!(bench.bridge().neighbours.rows().len(), 0);
}

#[test]
fn a_port_that_is_no_station_is_nobody() {
    let mut bench = with_modes(UNTAGGED, [Bridge]);
    bench.add_port(B, BRIDGE);
    bench.refuses(B, &udp(V4, BOB, ALICE, 18).complete(), Isolated);
    bench.carries(A, &who_has(ALICE, BOB), &[NIC]);
    bench.carries(A, &udp(V4, ALICE, BOB, 18).complete(), &[NIC]);
    bench.enter(NIC, &who_has(ROUTER, BOB));
    let frame = who_has(ROUTER, BOB);
    bench.assert_sent([(A, &frame)]);
    bench.assert_counted([on(NIC).received([&frame]), on(A).sent([&frame])]);
}
