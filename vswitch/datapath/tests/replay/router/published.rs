//! Published ports: from outside, and from containers by the host's address (hairpin).

use vswitch_datapath::DropReason::{Filtered, Internal, Isolated, NotOurs};
use vswitch_datapath::router::Mode;
use vswitch_nat::Protocol::{Tcp, Udp};
use vswitch_packet::ip::Version::{V4, V6};

use super::fragments::fragments_of;
use crate::bench::{BRIDGE, Bench, HOST};
use crate::crafted::{ICMP, Packet, echo, ip, tcp, udp};
use crate::outside::{E, ERIN, NIC, OTHER, OTHER_GATEWAY, PEER, UPLINK, bench};
use crate::station::{A, ALICE, B, BOB, GATEWAY, Station};
use crate::tap_frame::TapFrame;

/// The host's address, as a container of the first network addresses it.
const HOST_AT_GATEWAY: Station = NIC.with_mac(GATEWAY.mac);
const ANY: [(vswitch_packet::ip::Version, &str); 2] = [(V4, "0.0.0.0"), (V6, "::")];

#[test]
fn from_outside_with_the_client_s_address() {
    for (version, any) in ANY {
        let mut bench = bench();
        bench.publish(Tcp, (A, ALICE), any, 80..=89);
        for port in [80, 89] {
            let question = tcp(version, PEER, NIC, 50).ports(33000, port).offloaded();
            let heard = tcp(version, PEER.with_mac(GATEWAY.mac), ALICE, 50);
            let heard = heard.ports(33000, port).offloaded().hop_limit(63);
            bench.turns(UPLINK, &question, &[(A, &heard)]);
            let answer = tcp(version, ALICE, PEER.with_mac(GATEWAY.mac), 4000);
            let answer = answer.ports(port, 33000).super_frame(1000);
            let seen = tcp(version, NIC, PEER, 4000).ports(port, 33000);
            bench.turns(
                A,
                &answer,
                &[(UPLINK, &seen.super_frame(1000).hop_limit(63))],
            );
        }
        let beside = tcp(version, PEER, NIC, 50).ports(33000, 90).offloaded();
        bench.refuses(UPLINK, &beside, NotOurs);
        let datagram = udp(version, PEER, NIC, 50).ports(33000, 80).offloaded();
        bench.refuses(UPLINK, &datagram, NotOurs);
    }
}

/// `client` sends to a published port of Alice's, 80, by `external`, and gets an answer: each sees
/// an external address of the other.
fn hairpin(
    bench: &mut Bench,
    version: vswitch_packet::ip::Version,
    (port, client, gateway): (vswitch_datapath::PortId, Station, Station),
    external: Station,
) {
    let question = tcp(version, client, external.with_mac(gateway.mac), 50).ports(33000, 80);
    let heard = tcp(version, external.with_mac(GATEWAY.mac), ALICE, 50).ports(33000, 80);
    bench.turns(
        port,
        &question.offloaded(),
        &[(A, &heard.offloaded().hop_limit(63))],
    );
    let answer = tcp(version, ALICE, external.with_mac(GATEWAY.mac), 3000).ports(80, 33000);
    let seen = tcp(version, external.with_mac(gateway.mac), client, 3000).ports(80, 33000);
    let seen = seen.super_frame(1000).hop_limit(63);
    bench.turns(A, &answer.super_frame(1000), &[(port, &seen)]);
}

#[test]
fn from_containers_by_the_host_s_address_and_by_the_gateway_s() {
    for (version, any) in ANY {
        for isolated in [false, true] {
            let mut bench = bench();
            bench.publish(Tcp, (A, ALICE), any, 80..=80);
            for port in [A, B] {
                bench.edit_port(port, |port| port.isolated = isolated);
            }
            // The same network, the container itself, and another network.
            hairpin(&mut bench, version, (B, BOB, GATEWAY), NIC);
            let mut bench = self::bench();
            bench.publish(Tcp, (A, ALICE), any, 80..=80);
            hairpin(&mut bench, version, (E, ERIN, OTHER_GATEWAY), NIC);
            let mut bench = self::bench();
            bench.publish(Tcp, (A, ALICE), any, 80..=80);
            hairpin(&mut bench, version, (A, ALICE, GATEWAY), NIC);
            let mut bench = self::bench();
            bench.publish(Tcp, (A, ALICE), any, 80..=80);
            hairpin(&mut bench, version, (B, BOB, GATEWAY), GATEWAY);
        }
    }
}

#[test]
fn what_is_not_published_is_the_host_s() {
    let mut bench = bench();
    bench.publish(Udp, (A, ALICE), "192.0.2.1", 53..=53);
    let to_host = |packet: Packet| packet.complete();
    bench.carries(
        B,
        &to_host(udp(V4, BOB, HOST_AT_GATEWAY, 9).ports(1, 54)),
        &[HOST],
    );
    bench.carries(
        B,
        &to_host(tcp(V4, BOB, HOST_AT_GATEWAY, 9).ports(1, 53)),
        &[HOST],
    );
    // Published on another address of the host.
    bench.carries(B, &to_host(udp(V4, BOB, GATEWAY, 9).ports(1, 53)), &[HOST]);
    bench.carries(B, &echo(V4, true, BOB, HOST_AT_GATEWAY, 9), &[HOST]);
    // The gateway answers for itself.
    bench.turns(
        B,
        &echo(V4, true, BOB, GATEWAY, 9),
        &[(B, &echo(V4, false, GATEWAY, BOB, 9))],
    );
}

#[test]
fn a_mapping_is_reached_as_its_filtering_has_it() {
    let mut bench = bench();
    let out = udp(V4, ALICE, PEER.with_mac(GATEWAY.mac), 9);
    let seen = udp(V4, NIC, PEER, 9).complete().hop_limit(63);
    bench.turns(A, &out.complete(), &[(UPLINK, &seen)]);
    // Nobody has published it, and Alice has not spoken to Erin.
    let knock = udp(V4, ERIN, NIC.with_mac(OTHER_GATEWAY.mac), 9).ports(5001, 40000);
    bench.refuses(E, &knock.complete(), Filtered);
    // Erin has spoken to Alice's mapping, so Alice may answer hers; and now so may Erin.
    let call = udp(V4, ALICE, NIC.with_mac(GATEWAY.mac), 9).ports(40000, 5001);
    let heard = udp(V4, NIC.with_mac(OTHER_GATEWAY.mac), ERIN, 9).ports(40000, 5001);
    bench.turns(A, &call.complete(), &[(E, &heard.complete().hop_limit(63))]);
    let heard = udp(V4, NIC.with_mac(GATEWAY.mac), ALICE, 9).ports(5001, 40000);
    bench.turns(
        E,
        &knock.complete(),
        &[(A, &heard.complete().hop_limit(63))],
    );
}

#[test]
fn internal_networks_neither_publish_nor_turn_back() {
    let mut bench = bench();
    bench.publish(Tcp, (A, ALICE), "0.0.0.0", 80..=80);
    bench.edit_policy(BRIDGE, |policy| policy.internal = true);
    // From inside, the host is meant.
    let question = tcp(V4, BOB, HOST_AT_GATEWAY, 9).ports(1, 80).complete();
    bench.carries(B, &question, &[HOST]);
    let question = tcp(V4, PEER, NIC, 9).ports(1, 80).complete();
    bench.refuses(UPLINK, &question, Internal);
    let question = tcp(V4, ERIN, NIC.with_mac(OTHER_GATEWAY.mac), 9).ports(1, 80);
    bench.refuses(E, &question.complete(), Internal);

    bench.edit_policy(BRIDGE, |policy| {
        (policy.internal, policy.v4.mode) = (false, Mode::Isolated);
    });
    let question = tcp(V4, PEER, NIC, 9).ports(2, 80).complete();
    bench.refuses(UPLINK, &question, Isolated);
    bench.edit_policy(OTHER, |policy| policy.internal = true);
    // It has no host port.
    let question = tcp(V4, ERIN, NIC.with_mac(OTHER_GATEWAY.mac), 9).ports(1, 80);
    bench.refuses(
        E,
        &question.complete(),
        vswitch_datapath::DropReason::NotServed,
    );
}

#[test]
fn an_error_about_what_was_turned_back_is_turned_back_too() {
    let mut bench = bench();
    bench.publish(Udp, (A, ALICE), "0.0.0.0", 53..=53);
    let at_other = NIC.with_mac(OTHER_GATEWAY.mac);
    let question = udp(V4, ERIN, at_other, 20).ports(9, 53).complete();
    let heard = udp(V4, HOST_AT_GATEWAY, ALICE, 20)
        .ports(9, 53)
        .complete()
        .hop_limit(63);
    bench.turns(E, &question, &[(A, &heard)]);
    let unreachable = |from, to, about: &TapFrame| {
        let mut message = [&[3, 3, 0, 0, 0, 0, 0, 0], &about.bytes[14..]].concat();
        let sum = !crate::wire::sum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        ip(V4, from, to, ICMP, &message, |_| ())
    };
    let told = unreachable(ALICE, HOST_AT_GATEWAY, &heard);
    let seen = unreachable(at_other, ERIN, &question.hop_limit(63)).hop_limit(63);
    bench.turns(A, &told, &[(E, &seen)]);
}

#[test]
fn fragments_to_a_published_port_are_turned_back_together() {
    let mut bench = bench();
    bench.publish(Udp, (A, ALICE), "0.0.0.0", 53..=53);
    let question = udp(V4, ERIN, NIC.with_mac(OTHER_GATEWAY.mac), 2000).ports(9, 53);
    let heard = udp(V4, HOST_AT_GATEWAY, ALICE, 2000).ports(9, 53);
    let pieces = |packet: Packet| fragments_of(&packet.fragmentable().complete(), 1500);
    for (sent, heard) in pieces(question).iter().zip(pieces(heard)) {
        bench.turns(E, sent, &[(A, &heard.hop_limit(63))]);
    }
}
