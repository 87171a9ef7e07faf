//! ICMP errors, time to live, MTU and fragmentation.

use core::time::Duration;

use vswitch_datapath::DropReason::{
    DirectedBroadcast, Martian, NoRoute, SourceRoute, TooBig, TtlExceeded,
};
use vswitch_datapath::PortId;
use vswitch_datapath::router::{Route, RouteKind, Routes};
use vswitch_nat::Protocol::Udp;
use vswitch_packet::ip::Version::{self, V4, V6};

use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{ICMP, ICMPV6, UDP, echo, icmpv6, ip, tcp, udp};
use crate::outside::{NIC, PEER, ROUTER, UPLINK, bench, hop};
use crate::station::{A, ALICE, B, GATEWAY, Station};
use crate::tap_frame::TapFrame;
use crate::wire;

const AWAY: Station = PEER.with_mac(GATEWAY.mac);

/// The error about `about`, from `from` to `to`: at most 576 or 1280 octets of packet.
pub(super) fn error(
    from: Station,
    to: Station,
    about: &TapFrame,
    [v4, v6]: [(u8, u8); 2],
    word: u32,
) -> TapFrame {
    let packet = &about.bytes[14..];
    if about.bytes[12] == 0x08 {
        let quote = &packet[..packet.len().min(576 - 28)];
        let mut message = [&[v4.0, v4.1, 0, 0][..], &word.to_be_bytes(), quote].concat();
        let sum = !wire::sum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        ip(V4, from, to, ICMP, &message, |header| {
            (header.dscp, header.dont_fragment) = (48.try_into().unwrap(), true);
        })
    } else {
        let quote = &packet[..packet.len().min(1280 - 48)];
        let message = [&[v6.0, v6.1, 0, 0][..], &word.to_be_bytes(), quote].concat();
        icmpv6(from, to, 64, (ICMPV6, &[]), &message)
    }
}

pub(super) const TIME_EXCEEDED: [(u8, u8); 2] = [(11, 0), (3, 0)];
pub(super) const TOO_BIG: [(u8, u8); 2] = [(3, 4), (2, 0)];

/// `frame` from `ingress` is dropped, and this goes back.
#[track_caller]
pub(super) fn rejects(
    bench: &mut Bench,
    ingress: PortId,
    frame: &TapFrame,
    reason: vswitch_datapath::DropReason,
    expected: &TapFrame,
) {
    let error = bench.rejects(ingress, frame, reason);
    assert_eq!(error, *expected);
}

#[test]
fn who_traces_the_route_hears_the_gateway() {
    for version in [V4, V6] {
        let mut bench = bench();
        for hops in [0, 1] {
            let probe = udp(version, ALICE, AWAY, 32).complete().hop_limit(hops);
            let expected = error(GATEWAY, ALICE, &probe, TIME_EXCEEDED, 0);
            rejects(&mut bench, A, &probe, TtlExceeded, &expected);
            let probe = echo(version, true, ALICE, AWAY, 32).hop_limit(hops);
            let expected = error(GATEWAY, ALICE, &probe, TIME_EXCEEDED, 0);
            rejects(&mut bench, A, &probe, TtlExceeded, &expected);
        }
        let probe = udp(version, ALICE, AWAY, 32).complete().hop_limit(2);
        let seen = udp(version, NIC, PEER, 32).complete().hop_limit(1);
        bench.turns(A, &probe, &[(UPLINK, &seen)]);
        // What is answered here has arrived.
        let ping = echo(version, true, ALICE, GATEWAY, 9).hop_limit(1);
        bench.turns(A, &ping, &[(A, &echo(version, false, GATEWAY, ALICE, 9))]);
    }
}

#[test]
fn errors_of_routers_further_on_reach_the_container() {
    let mut bench = bench();
    let out = udp(V4, ALICE, AWAY, 32).complete().hop_limit(2);
    let seen = udp(V4, NIC, PEER, 32).complete().hop_limit(1);
    bench.turns(A, &out, &[(UPLINK, &seen)]);
    // It quotes what it got, with no time left.
    let from = ROUTER.with_v4([198, 51, 100, 1].into());
    let told = error(from, NIC, &seen.clone().hop_limit(1), TIME_EXCEEDED, 0).hop_limit(64);
    let quoted = udp(V4, ALICE, PEER, 32).complete().hop_limit(1);
    let heard = error(from.with_mac(GATEWAY.mac), ALICE, &quoted, TIME_EXCEEDED, 0);
    bench.turns(UPLINK, &told, &[(A, &heard.hop_limit(63))]);
}

#[test]
fn who_traces_a_published_port_is_told_of_its_own_packet() {
    for (version, any) in [(V4, "0.0.0.0"), (V6, "::")] {
        let mut bench = bench();
        bench.publish(Udp, (A, ALICE), any, 53..=53);
        for frame in [
            udp(version, PEER, NIC, 32)
                .ports(9, 53)
                .complete()
                .hop_limit(1),
            udp(version, PEER, NIC, 32)
                .ports(9, 53)
                .offloaded()
                .hop_limit(1),
        ] {
            let expected = error(NIC, PEER, &frame, TIME_EXCEEDED, 0);
            rejects(&mut bench, UPLINK, &frame, TtlExceeded, &expected);
        }
    }
}

/// By an MTU of the link, and by one of the route.
fn narrow(mtu: u16) -> [Bench; 2] {
    let mut by_link = bench();
    by_link.edit_port(UPLINK, |port| port.mtu = mtu);
    let mut by_route = bench();
    let via = |destination: &str, gateway| Route {
        destination: destination.parse().unwrap(),
        kind: RouteKind::Via(vswitch_datapath::router::Hop {
            mtu: Some(mtu),
            ..hop(Some(gateway))
        }),
        metric: 0,
    };
    let routes = vec![
        via("0.0.0.0/0", ROUTER.v4.into()),
        via("::/0", ROUTER.v6.into()),
    ];
    by_route.edit_router(|router| router.routes = Routes::new(routes).into());
    [by_link, by_route]
}

fn datagram(version: Version, packet_len: usize) -> crate::crafted::Packet {
    let headers = if version == V4 { 28 } else { 48 };
    udp(version, ALICE, AWAY, packet_len - headers)
}

#[test]
fn what_is_too_big_for_the_way_is_told_with_the_mtu() {
    for mut bench in narrow(1400) {
        for version in [V4, V6] {
            let fits = datagram(version, 1400);
            let seen = crate::crafted::Packet {
                from: NIC,
                to: PEER,
                ..fits.clone()
            };
            bench.turns(
                A,
                &fits.complete(),
                &[(UPLINK, &seen.complete().hop_limit(63))],
            );
            let frame = datagram(version, 1401).complete();
            let expected = error(GATEWAY, ALICE, &frame, TOO_BIG, 1400);
            rejects(&mut bench, A, &frame, TooBig, &expected);
            // Of a super-frame, the segments are measured.
            let long = tcp(version, ALICE, AWAY, 20_000);
            let headers = if version == V4 { 52 } else { 72 };
            let frame = long.super_frame(1400 - headers + 1);
            let expected = error(GATEWAY, ALICE, &frame, TOO_BIG, 1400);
            rejects(&mut bench, A, &frame, TooBig, &expected);
            let seen = tcp(version, NIC, PEER, 20_000).super_frame(1400 - headers);
            let frame = long.super_frame(1400 - headers);
            bench.turns(A, &frame, &[(UPLINK, &seen.hop_limit(63))]);
        }
    }
}

#[test]
fn a_container_s_mtu_is_told_to_the_outside_about_its_own_packet() {
    for (version, any) in [(V4, "0.0.0.0"), (V6, "::")] {
        let mut bench = bench();
        bench.publish(Udp, (A, ALICE), any, 53..=53);
        bench.edit_port(A, |port| port.mtu = 1300);
        let frame = udp(version, PEER, NIC, 1400).ports(9, 53).complete();
        let expected = error(NIC, PEER, &frame, TOO_BIG, 1300);
        rejects(&mut bench, UPLINK, &frame, TooBig, &expected);
        // And to another container by way of the host's address.
        let to_host = NIC.with_mac(GATEWAY.mac);
        let frame = udp(version, crate::station::BOB, to_host, 1400)
            .ports(9, 53)
            .complete();
        let expected = error(GATEWAY, crate::station::BOB, &frame, TOO_BIG, 1300);
        rejects(&mut bench, B, &frame, TooBig, &expected);
    }
}

#[test]
fn some_senders_are_told_nothing() {
    let silent = |frame: TapFrame, reason| {
        let mut bench = bench();
        bench.edit_router(|router| router.routes = Routes::default().into());
        bench.refuses(A, &frame, reason);
    };
    let about = udp(V4, ALICE, AWAY, 9).complete();
    // About an ICMP error, or what may be one.
    for kind in [3, 4, 5, 11, 12, 77] {
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0], &about.bytes[14..]].concat();
        silent(ip(V4, ALICE, AWAY, ICMP, &message, |_| ()), NoRoute);
    }
    silent(ip(V4, ALICE, AWAY, ICMP, &[8, 0, 0], |_| ()), NoRoute);
    let about = udp(V6, ALICE, AWAY, 9).complete();
    for kind in [1, 2, 3, 4, 100, 127] {
        let message = [&[kind, 0, 0, 0, 0, 0, 0, 0], &about.bytes[14..]].concat();
        silent(icmpv6(ALICE, AWAY, 64, (ICMPV6, &[]), &message), NoRoute);
    }
    // About a later fragment.
    let later = ip(V4, ALICE, AWAY, UDP, &[0; 64], |header| {
        header.fragment_offset = 10.try_into().unwrap();
    });
    silent(later, NoRoute);
    silent(
        ip(
            V6,
            ALICE,
            AWAY,
            44,
            &[&[UDP, 0, 0, 8][..], &[0; 64]].concat(),
            |_| (),
        ),
        NoRoute,
    );
}

#[test]
fn errors_are_few_and_one_port_s_do_not_use_up_another_s() {
    let mut bench = bench();
    bench.edit_router(|router| router.routes = Routes::default().into());
    let knock = |bench: &mut Bench, port, station, times: usize| {
        let frame = udp(V4, station, AWAY, 9).complete();
        let frames: Vec<_> = vec![frame; times];
        bench.burst(frames.iter().map(|frame| (port, frame)));
        let sent = bench.sent_at(port);
        let received = on(port).received(&frames).dropped(NoRoute, times as u64);
        bench.assert_counted([received.sent(&sent)]);
        sent.len()
    };
    assert_eq!(knock(&mut bench, A, ALICE, 200), 50);
    assert_eq!(knock(&mut bench, A, ALICE, 200), 0);
    assert_eq!(knock(&mut bench, B, crate::station::BOB, 20), 20);
    bench.wait(Duration::from_millis(100));
    assert_eq!(knock(&mut bench, A, ALICE, 200), 10);
    // It outlives a change of the configuration.
    bench.edit_router(|router| router.routes = Routes::default().into());
    assert_eq!(knock(&mut bench, A, ALICE, 200), 0);
}

#[test]
fn nobody_chooses_a_route_of_its_own() {
    let mut bench = bench();
    let strict = [137, 7, 4, 1, 2, 3, 4, 0];
    let frame = ip(V4, ALICE, AWAY, UDP, &[0; 16], |header| {
        header.options = etherparse::Ipv4Options::try_from(&strict[..]).unwrap();
        header.set_payload_len(16).unwrap();
    });
    bench.refuses(A, &frame, SourceRoute);
    let record = [7, 7, 4, 0, 0, 0, 0, 0];
    let datagram = [0x9c, 0x40, 0x13, 0x89, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let options = |from, to| {
        ip(V4, from, to, UDP, &datagram, |header| {
            header.options = etherparse::Ipv4Options::try_from(&record[..]).unwrap();
            header.set_payload_len(16).unwrap();
        })
    };
    let seen = options(NIC, PEER).hop_limit(63);
    bench.turns(A, &options(ALICE, AWAY), &[(UPLINK, &seen)]);
    let route = [UDP, 2, 0, 1, 0, 0, 0, 0];
    let extensions = [&route[..], &PEER.v6.octets(), &datagram].concat();
    bench.refuses(
        A,
        &ip(V6, ALICE, AWAY, 43, &extensions, |_| ()),
        SourceRoute,
    );
}

#[test]
fn directed_broadcasts_go_nowhere() {
    let mut bench = bench();
    let to = |v4: [u8; 4]| udp(V4, ALICE, GATEWAY.with_v4(v4.into()), 9).complete();
    bench.refuses(A, &to([10, 1, 0, 255]), DirectedBroadcast);
    bench.refuses(A, &to([10, 1, 0, 0]), DirectedBroadcast);
    bench.refuses(A, &to([10, 0, 0, 255]), DirectedBroadcast);
    bench.refuses(A, &to([192, 0, 2, 255]), DirectedBroadcast);
    // Beyond a router nobody knows which addresses these are.
    let (out, seen) = (
        to([203, 0, 113, 255]),
        PEER.with_v4([203, 0, 113, 255].into()),
    );
    bench.turns(
        A,
        &out,
        &[(UPLINK, &udp(V4, NIC, seen, 9).complete().hop_limit(63))],
    );

    bench.edit_policy(crate::bench::BRIDGE, |policy| {
        policy.v4.mode = vswitch_datapath::router::Mode::NatUnprotected;
    });
    let knock = udp(V4, PEER, NIC.with_v4([10, 0, 0, 255].into()), 9).complete();
    bench.refuses(UPLINK, &knock, DirectedBroadcast);
}

#[test]
fn a_packet_for_the_own_network_belongs_on_the_link() {
    use vswitch_datapath::DropReason::Hairpin;
    let mut bench = bench();
    let frame = udp(V4, ALICE, crate::station::BOB.with_mac(GATEWAY.mac), 9).complete();
    bench.refuses(A, &frame, Hairpin);
}

#[test]
fn a_link_local_source_stays_on_its_link() {
    let mut bench = bench();
    let alice = ALICE.with_v6(ALICE.link_local());
    let frame = udp(V6, alice, AWAY, 9).complete();
    // From the gateway's address that is as near.
    let gateway = GATEWAY.with_v6(GATEWAY.v6);
    let expected = error(gateway, alice, &frame, [(3, 13), (1, 2)], 0);
    rejects(&mut bench, A, &frame, Martian, &expected);
}
