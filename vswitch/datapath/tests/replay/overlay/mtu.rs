//! Packets that are longer than the way to another host carries.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetFrame, Icmpv4DstUnreachable, Icmpv4Packet, Icmpv6Packet, Icmpv6Repr, Ipv4Packet,
    Ipv6Packet,
};
use vswitch_datapath::DropReason::{self, UnderlayMtu};
use vswitch_packet::ip::Version::{self, V4, V6};

use super::peers::{TO_NEAR, VNI, with_peer};
use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{ICMP, ICMPV6, echo, ethernet, everybody, icmpv6, ip, tcp, udp};
use crate::station::{A, ALICE, B, BOB, Station};
use crate::tap_frame::TapFrame;

/// What is left of 1500 octets, less 50.
const INNER: usize = 1450;

/// Bob is behind the near host.
fn bench() -> Bench {
    let bench = with_peer(1);
    let (fdb, now) = (bench.bridge().fdb.clone(), bench.now());
    fdb.learn(Default::default(), BOB.mac, TO_NEAR, now);
    bench
}

/// Of so many octets.
fn packet(version: Version, len: usize) -> TapFrame {
    let headers = match version {
        V4 => 28,
        V6 => 48,
    };
    udp(version, ALICE, BOB, len - headers).complete()
}

/// `error` comes from `from` to `to`, says that packets of `mtu` octets pass, and quotes `packet`.
#[track_caller]
fn assert_too_big(error: &TapFrame, from: Station, to: Station, mtu: usize, packet: &TapFrame) {
    let frame = EthernetFrame::new_checked(&error.bytes[..]).unwrap();
    assert_eq!(frame.src_addr().0, from.mac.0);
    assert_eq!(frame.dst_addr().0, to.mac.0);
    let quoted = &packet.bytes[14..];
    if packet.bytes[12..14] == [0x08, 0x00] {
        let outer = Ipv4Packet::new_checked(frame.payload()).unwrap();
        assert!(outer.verify_checksum());
        assert_eq!((outer.src_addr(), outer.dst_addr()), (from.v4, to.v4));
        assert_eq!(outer.total_len(), 576);
        let message = Icmpv4Packet::new_checked(outer.payload()).unwrap();
        assert!(message.verify_checksum());
        assert_eq!(
            (u8::from(message.msg_type()), message.msg_code()),
            (3, u8::from(Icmpv4DstUnreachable::FragRequired))
        );
        assert_eq!(outer.payload()[4..8], (mtu as u32).to_be_bytes());
        assert!(quoted.starts_with(&outer.payload()[8..]));
    } else {
        let outer = Ipv6Packet::new_checked(frame.payload()).unwrap();
        assert_eq!((outer.src_addr(), outer.dst_addr()), (from.v6, to.v6));
        assert_eq!(outer.total_len(), 1280);
        let message = Icmpv6Packet::new_checked(outer.payload()).unwrap();
        let checked = ChecksumCapabilities::default();
        let repr = Icmpv6Repr::parse(&from.v6, &to.v6, &message, &checked).unwrap();
        let Icmpv6Repr::PktTooBig { mtu: told, .. } = repr else {
            panic!("{repr:?}");
        };
        assert_eq!(told as usize, mtu);
        assert!(quoted.starts_with(&outer.payload()[8..]));
    }
}

/// `frame` is dropped at the tunnel, and nobody is told.
#[track_caller]
fn vanishes(bench: &mut Bench, frame: &TapFrame) {
    let dropped = [on(TO_NEAR).dropped(UnderlayMtu, 1)];
    bench.crosses_with(A, frame, &[], dropped);
}

#[test]
fn the_sender_is_told_in_the_name_of_the_receiver() {
    let mut bench = bench();
    for version in [V4, V6] {
        bench.spreads(A, &packet(version, INNER), &[TO_NEAR]);
        let long = packet(version, INNER + 1);
        let error = bench.objects(A, &long, UnderlayMtu);
        assert_too_big(&error, BOB, ALICE, INNER, &long);
    }
}

#[test]
fn a_path_that_became_shorter_is_told_of() {
    let mut bench = bench();
    bench.tunnel(TO_NEAR).path.set_mtu(1400);
    for version in [V4, V6] {
        bench.spreads(A, &packet(version, 1350), &[TO_NEAR]);
        let error = bench.objects(A, &packet(version, 1351), UnderlayMtu);
        assert_too_big(&error, BOB, ALICE, 1350, &packet(version, 1351));
    }
    // No IPv6 host believes in less than 1280 octets, and IPv4 hosts do.
    bench.tunnel(TO_NEAR).path.set_mtu(1300);
    vanishes(&mut bench, &packet(V6, 1400));
    let error = bench.objects(A, &packet(V4, 1400), UnderlayMtu);
    assert_too_big(&error, BOB, ALICE, 1250, &packet(V4, 1400));
}

#[test]
fn of_a_super_frame_the_segments_count() {
    let mut bench = bench();
    for (version, fits) in [(V4, INNER - 52), (V6, INNER - 72)] {
        let packet = tcp(version, ALICE, BOB, 30_000);
        let fits = fits as u16;
        let fitting = packet.super_frame(fits);
        bench.enter(A, &fitting);
        let sent = bench.handed_over();
        bench.assert_counted([on(A).received([&fitting]), on(TO_NEAR).handed_over(&sent)]);
        let segments: Vec<_> = sent.iter().flat_map(|sent| sent.frames(VNI)).collect();
        assert_eq!(segments.len(), 30_000_usize.div_ceil(fits.into()));
        assert_eq!(segments[0].bytes.len(), INNER + 14);
        let long = packet.super_frame(fits + 1);
        let error = bench.objects(A, &long, UnderlayMtu);
        assert_too_big(&error, BOB, ALICE, INNER, &long);
    }
}

#[test]
fn what_may_be_divided_is_divided() {
    let mut bench = bench();
    let long = udp(V4, ALICE, BOB, 2000).fragmentable().complete();
    bench.enter(A, &long);
    let fragments = bench.came_out();
    assert_eq!(fragments.len(), 2);
    bench.assert_counted([
        on(A).received([&long]),
        on(TO_NEAR).sent(fragments.iter().map(|(_, fragment)| fragment)),
    ]);
}

#[test]
fn nobody_is_told_of_what_must_not_be_answered() {
    let mut bench = bench();
    bench.edit_tunnel(TO_NEAR, |tunnel| tunnel.tagged = true);
    let mut group = BOB.with_v4([239, 1, 2, 3].into());
    group.v6 = "ff05::1".parse().unwrap();
    let error = |version: Version| match version {
        V4 => ip(V4, ALICE, BOB, ICMP, &[3; 1600], |header| {
            header.dont_fragment = true;
        }),
        V6 => icmpv6(ALICE, BOB, 64, (ICMPV6, &[]), &[1; 1600]),
    };
    for version in [V4, V6] {
        for frame in [
            packet(version, 1600).tagged(7),
            packet(version, 1600).tagged(0),
            error(version),
            udp(version, ALICE, group, 1600).complete(),
        ] {
            if frame.bytes[12..16] == [0x81, 0, 0, 7] {
                bench.learn(&[A]);
            }
            vanishes(&mut bench, &frame);
        }
    }
    let nobody = ALICE
        .with_v4([127, 0, 0, 1].into())
        .with_v6("::".parse().unwrap());
    for version in [V4, V6] {
        vanishes(&mut bench, &udp(version, nobody, BOB, 1600).complete());
    }
    vanishes(
        &mut bench,
        &ethernet(ALICE.mac, BOB.mac, 0x88b5, &[0; 1600]),
    );
    // Nor of what goes to everybody.
    vanishes(&mut bench, &udp(V4, ALICE, everybody(BOB), 1600).complete());
    // An echo request is answered as any packet.
    bench.objects(A, &echo(V6, true, ALICE, BOB, 1600), UnderlayMtu);
}

#[test]
fn senders_are_not_told_more_often_than_the_router_tells_them() {
    let mut bench = bench();
    let long = packet(V6, 1600);
    let frames = vec![long; 80];
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let told = bench.came_out();
    assert_eq!(told.len(), 50);
    let errors: Vec<_> = told.iter().map(|(_, frame)| frame).collect();
    bench.assert_counted([
        on(A)
            .received(&frames)
            .dropped(UnderlayMtu, 50)
            .sent(errors),
        on(TO_NEAR).dropped(UnderlayMtu, 30),
    ]);
}

#[test]
fn what_comes_by_a_tunnel_is_measured_by_the_container_s_interface() {
    let mut bench = bench();
    bench.learn(&[A]);
    bench.edit_port(A, |port| port.mtu = 1400);
    let long = udp(V4, BOB, ALICE, 1401).complete();
    let dropped = [on(A).dropped(DropReason::TooBig, 1)];
    bench.crosses_with(TO_NEAR, &long, &[], dropped);
    assert!(bench.bridge().ports.iter().all(|&port| port != B));
}
