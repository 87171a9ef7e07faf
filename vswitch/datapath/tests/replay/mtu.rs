//! The MTU of the port a frame should leave by.

use vswitch_datapath::DropReason::TooBig;
use vswitch_packet::VlanId;
use vswitch_packet::ip::Version::{V4, V6};

use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{echo, ethernet, everybody, tcp, udp};
use crate::station::{A, ALICE, B, BOB, C};
use crate::tap_frame::TapFrame;

fn bench(mtu: u16) -> Bench {
    let mut bench = Bench::new(2);
    bench.learn(&[A, B]);
    bench.edit_port(B, |port| port.mtu = mtu);
    bench
}

/// Octets of the packet.
fn packet(version: vswitch_packet::ip::Version, len: usize) -> TapFrame {
    let headers = match version {
        V4 => 28,
        V6 => 48,
    };
    udp(version, ALICE, BOB, len - headers).complete()
}

#[test]
fn a_packet_of_the_mtu_passes_and_one_octet_more_does_not() {
    for mtu in [576, 1280, 1500, 9000, 65535] {
        let mut bench = bench(mtu);
        for version in [V4, V6] {
            bench.carries(A, &packet(version, usize::from(mtu)), &[B]);
            // A tag is no part of the packet.
            bench.carries(A, &packet(version, usize::from(mtu)).tagged(0), &[B]);
            if mtu < 9001 {
                bench.refuses_at(A, &packet(version, usize::from(mtu) + 1), B, TooBig);
            }
        }
    }
}

#[test]
fn what_is_no_ip_is_measured_as_well() {
    let mut bench = bench(1500);
    bench.carries(A, &ethernet(ALICE.mac, BOB.mac, 0x88b5, &[0; 1500]), &[B]);
    bench.refuses_at(
        A,
        &ethernet(ALICE.mac, BOB.mac, 0x88b5, &[0; 1501]),
        B,
        TooBig,
    );
}

#[test]
fn of_a_super_frame_the_segments_are_measured() {
    let mut bench = bench(1500);
    // 20 or 40 octets of IP, 32 of TCP with timestamps.
    for (version, fits) in [(V4, 1448), (V6, 1428)] {
        let packet = tcp(version, ALICE, BOB, 60_000);
        bench.carries(A, &packet.super_frame(fits), &[B]);
        bench.carries(A, &packet.super_frame(500), &[B]);
        bench.refuses_at(A, &packet.super_frame(fits + 1), B, TooBig);
        bench.refuses_at(A, &packet.super_frame(9000), B, TooBig);
        // One segment shorter than the size.
        bench.carries(A, &tcp(version, ALICE, BOB, 1000).super_frame(9000), &[B]);
    }
    for (version, fits) in [(V4, 1472), (V6, 1452)] {
        let packet = udp(version, ALICE, BOB, 20_000);
        bench.carries(A, &packet.super_frame(fits), &[B]);
        bench.refuses_at(A, &packet.super_frame(fits + 1), B, TooBig);
    }
}

#[test]
fn jumbo_frames_pass_between_ports_that_take_them() {
    let mut bench = bench(9000);
    bench.edit_port(A, |port| port.mtu = 9000);
    bench.carries(A, &echo(V4, true, ALICE, BOB, 8972), &[B]);
    bench.carries(B, &echo(V4, false, BOB, ALICE, 8972), &[A]);
    bench.refuses_at(A, &echo(V4, true, ALICE, BOB, 8973), B, TooBig);
}

#[test]
fn a_flooded_frame_reaches_the_ports_it_fits() {
    let mut bench = Bench::new(3);
    bench.edit_port(B, |port| port.mtu = 1400);
    let frame = udp(V4, ALICE, everybody(ALICE), 1400).complete();
    bench.enter(A, &frame);
    bench.assert_sent([(C, &frame)]);
    bench.assert_counted([
        on(A).received([&frame]),
        on(B).dropped(TooBig, 1),
        on(C).sent([&frame]),
    ]);
}

#[test]
fn a_tag_that_is_taken_away_or_put_in_does_not_count() {
    let mut bench = Bench::new(2);
    bench.edit_port(B, |port| port.vlan = VlanId::new(100));
    let frame = packet(V4, 1500);
    bench.turns(A, &frame.clone().tagged(100), &[(B, &frame)]);
    let back = udp(V4, BOB, ALICE, 1472).complete();
    bench.turns(B, &back, &[(A, &back.clone().tagged(100))]);
}
