//! A container that has come to another host is followed there at once.

use vswitch_datapath::{PortId, announce};
use vswitch_packet::{MacAddr, VlanId};

use super::peers::{TO_FAR, TO_NEAR};
use super::suppression::{announcements, bench};
use crate::bench::{BRIDGE, Bench, HOST};
use crate::counters::on;
use crate::crafted::who_has;
use crate::station::{A, ALICE, B, BOB, CAROL, station};
use crate::tap_frame::TapFrame;

/// By RARP (RFC 903), padded.
fn reverse_request(mac: MacAddr) -> TapFrame {
    let head = [
        &[0xff; 6][..],
        &mac.0,
        &[0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3],
    ];
    let nobody = [&mac.0[..], &[0; 4]].concat();
    let mut bytes = [head.concat(), nobody.repeat(2)].concat();
    bytes.resize(60, 0);
    TapFrame::plain(bytes)
}

#[test]
fn an_endpoint_is_announced_by_all_tunnels() {
    let mut bench = bench();
    let [arp, nd] = announcements(ALICE);
    bench.run_announce(BRIDGE, A, &ALICE.addresses());
    let out = bench.came_out();
    let expected: Vec<_> = [&arp, &nd]
        .into_iter()
        .flat_map(|frame| [(TO_NEAR, frame.clone()), (TO_FAR, frame.clone())])
        .collect();
    assert_eq!(out, expected);
    let each = |port: PortId| on(port).sent([&arp, &nd]);
    bench.assert_counted([TO_NEAR, TO_FAR].map(each));
}

#[test]
fn without_addresses_the_mac_address_alone_is_announced() {
    let mut bench = bench();
    bench.edit_tunnel(TO_FAR, |tunnel| tunnel.is_flooded = false);
    bench.run_announce(BRIDGE, A, &[]);
    let frame = reverse_request(ALICE.mac);
    assert_eq!(bench.came_out(), [(TO_NEAR, frame.clone())]);
    bench.assert_counted([on(TO_NEAR).sent([&frame])]);
}

#[test]
fn who_is_in_a_vlan_or_nowhere_is_not_announced() {
    let mut bench = bench();
    bench.edit_port(A, |port| port.vlan = VlanId::new(7));
    bench.run_announce(BRIDGE, A, &ALICE.addresses());
    bench.run_announce(BRIDGE, PortId(77), &ALICE.addresses());
    assert_eq!(bench.came_out(), []);
}

#[test]
fn who_is_announced_is_found_at_the_new_place() {
    let mut bench = bench();
    for frame in announcements(CAROL) {
        bench.spreads(TO_NEAR, &frame, &[A, B, HOST]);
    }
    let place = |bench: &Bench| {
        let bridge = bench.bridge();
        let known = CAROL.addresses().map(|address| {
            let known = bridge.neighbours.get(address).unwrap();
            (known.mac, known.port, known.confirmed)
        });
        let seen = bridge
            .fdb
            .lookup(Default::default(), CAROL.mac, bench.now());
        (known, seen)
    };
    let at = |bench: &Bench, port| ([(CAROL.mac, port, bench.now()); 2], Some(port));
    assert_eq!(place(&bench), at(&bench, TO_NEAR));

    bench.wait(core::time::Duration::from_secs(1));
    let mut frames = vec![];
    announce(&CAROL.addresses(), CAROL.mac, |frame| {
        frames.push(TapFrame::plain(frame));
    });
    for frame in &frames {
        bench.spreads(TO_FAR, frame, &[A, B, HOST]);
    }
    assert_eq!(place(&bench), at(&bench, TO_FAR));
    // Her MAC address alone moves, too, and her addresses with it.
    bench.spreads(TO_NEAR, &reverse_request(CAROL.mac), &[A, B, HOST]);
    assert_eq!(place(&bench).1, Some(TO_NEAR));
    bench.spreads(B, &reverse_request(CAROL.mac), &[A, HOST, TO_NEAR, TO_FAR]);
    let question = who_has(ALICE, CAROL);
    bench.spreads(A, &question, &[B, HOST, TO_NEAR, TO_FAR]);
    // And to this host.
    bench.edit_port(B, |port| port.mac = CAROL.mac);
    for frame in &frames {
        bench.spreads(B, frame, &[A, HOST, TO_NEAR, TO_FAR]);
    }
    assert_eq!(place(&bench), at(&bench, B));
    let question = who_has(BOB.with_mac(station(98).mac), CAROL);
    let answer = crate::crafted::is_at(CAROL, BOB.with_mac(station(98).mac));
    bench.crosses(TO_FAR, &question, &[(TO_FAR, &answer)]);
}
