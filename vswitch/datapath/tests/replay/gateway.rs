//! The gateway, the whole way: from a port, through the switch, back to it or to the host.

use core::net::{Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{ArpOperation, NdiscNeighborFlags};
use vswitch_datapath::DropReason::{
    BadIpHeader, Hairpin, NoRoute, NotServed, SpoofedAddress, SpoofedMac,
};
use vswitch_datapath::neighbour::Origin;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{MacAddr, VlanId};

use crate::bench::{Bench, HOST};
use crate::crafted::{
    advertise, arp, echo, ethernet, everybody, is_at, solicit, tcp, udp, who_has,
};
use crate::station::{A, ALICE, B, BOB, C, D, GATEWAY, Station, station};
use crate::tap_frame::TapFrame;

const ANSWER: NdiscNeighborFlags = NdiscNeighborFlags::from_bits_truncate(
    NdiscNeighborFlags::ROUTER.bits()
        | NdiscNeighborFlags::SOLICITED.bits()
        | NdiscNeighborFlags::OVERRIDE.bits(),
);

fn bench() -> Bench {
    Bench::guarded(3).with_gateway(Some(HOST))
}

/// A destination behind the gateway.
fn outside(v4: [u8; 4]) -> Station {
    GATEWAY.with_v4(Ipv4Addr::from(v4))
}

#[test]
fn arp_is_answered_where_it_was_asked_and_flooded_nowhere() {
    let mut bench = bench();
    let answer = is_at(GATEWAY, ALICE);
    bench.turns(A, &who_has(ALICE, GATEWAY), &[(A, &answer)]);
    // To its MAC address: a neighbour that makes sure.
    let unicast = arp(
        ALICE.mac,
        GATEWAY.mac,
        ArpOperation::Request,
        ALICE,
        GATEWAY,
    );
    bench.turns(A, &unicast, &[(A, &answer)]);
    // Behind a priority tag.
    bench.turns(A, &who_has(ALICE, GATEWAY).tagged(0), &[(A, &answer)]);
    let (_, alice) = bench.bridge().neighbours.rows()[0];
    assert_eq!(
        (alice.mac, alice.port, alice.origin),
        (ALICE.mac, A, Origin::Learned)
    );
}

#[test]
fn arp_for_others_goes_on_through_the_bridge() {
    let mut bench = bench();
    bench.carries(A, &who_has(ALICE, BOB), &[B, C, HOST]);
    bench.carries(B, &is_at(BOB, ALICE), &[A]);
}

#[test]
fn who_claims_the_gateway_s_addresses_is_refused() {
    // Nobody is checked: the gateway defends itself.
    let mut bench = Bench::new(3).with_gateway(Some(HOST));
    bench.refuses(A, &who_has(ALICE.with_v4(GATEWAY.v4), BOB), SpoofedAddress);
    bench.refuses(A, &udp(V4, GATEWAY, BOB, 18).complete(), SpoofedMac);
    let flags = NdiscNeighborFlags::OVERRIDE;
    bench.refuses(
        A,
        &advertise(ALICE, BOB.with_mac(MacAddr::BROADCAST), GATEWAY, flags),
        SpoofedAddress,
    );
    bench.refuses(
        A,
        &udp(V4, ALICE.with_v4(GATEWAY.v4), GATEWAY, 18).complete(),
        SpoofedAddress,
    );
    // The host's interface has the address by right.
    bench.carries(HOST, &who_has(GATEWAY, BOB), &[A, B, C]);
}

#[test]
fn neighbour_solicitations_are_answered() {
    let mut bench = bench();
    let answer = advertise(GATEWAY, ALICE, GATEWAY, ANSWER);
    bench.turns(A, &solicit(ALICE, GATEWAY), &[(A, &answer)]);
    // From the link-local address, to the link-local address.
    let from = ALICE.with_v6(ALICE.link_local());
    bench.turns(
        A,
        &solicit(from, GATEWAY),
        &[(A, &advertise(GATEWAY, from, GATEWAY, ANSWER))],
    );
    // Who checks for duplicates has no address to answer to.
    let nobody = ALICE.with_v6(Ipv6Addr::UNSPECIFIED);
    let all = station(0)
        .with_mac(MacAddr([0x33, 0x33, 0, 0, 0, 1]))
        .with_v6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    let answer = advertise(
        GATEWAY,
        all,
        GATEWAY,
        ANSWER.difference(NdiscNeighborFlags::SOLICITED),
    );
    bench.turns(A, &solicit(nobody, GATEWAY), &[(A, &answer)]);
    // For others, as any group.
    bench.carries(A, &solicit(ALICE, BOB), &[B, C, HOST]);
}

#[test]
fn ping_is_answered_in_place() {
    let mut bench = bench();
    for version in [V4, V6] {
        for len in [0, 56, 1400] {
            let question = echo(version, true, ALICE, GATEWAY, len);
            let answer = echo(version, false, GATEWAY, ALICE, len);
            bench.turns(A, &question, &[(A, &answer)]);
            bench.turns(A, &question.clone().tagged(0), &[(A, &answer.tagged(0))]);
        }
    }
    // An answer is nothing to answer to: the host asked.
    bench.carries(A, &echo(V4, false, ALICE, GATEWAY, 56), &[HOST]);
    // The port's MTU holds for the answer too.
    bench.refuses(
        A,
        &echo(V4, true, ALICE, GATEWAY, 1473),
        vswitch_datapath::DropReason::TooBig,
    );
}

#[test]
fn services_of_the_host_are_reached_at_the_gateway() {
    let mut bench = bench();
    for version in [V4, V6] {
        bench.carries(A, &tcp(version, ALICE, GATEWAY, 100).offloaded(), &[HOST]);
        bench.carries(
            A,
            &tcp(version, ALICE, GATEWAY, 30_000).super_frame(1400),
            &[HOST],
        );
        bench.carries(A, &udp(version, ALICE, GATEWAY, 100).complete(), &[HOST]);
        bench.carries(HOST, &tcp(version, GATEWAY, ALICE, 100).offloaded(), &[A]);
    }
    assert!(
        bench
            .bridge()
            .fdb
            .entries(bench.now())
            .iter()
            .all(|entry| entry.mac != GATEWAY.mac)
    );
}

#[test]
fn the_host_reaches_its_containers() {
    let mut bench = bench();
    bench.carries(HOST, &who_has(GATEWAY, ALICE), &[A, B, C]);
    bench.carries(A, &is_at(ALICE, GATEWAY), &[HOST]);
    bench.carries(HOST, &echo(V4, true, GATEWAY, ALICE, 56), &[A]);
    bench.carries(A, &echo(V4, false, ALICE, GATEWAY, 56), &[HOST]);
    // What the host sends to itself goes nowhere.
    bench.refuses(HOST, &udp(V4, GATEWAY, GATEWAY, 18).complete(), Hairpin);
}

#[test]
fn what_is_for_the_host_s_other_addresses_reaches_it_and_the_rest_has_no_route() {
    let mut bench = bench();
    let host = [192, 168, 9, 9];
    bench.topology().set_host_addresses([host.into()]);
    bench.carries(A, &udp(V4, ALICE, outside(host), 18).complete(), &[HOST]);
    let far = outside([9, 9, 9, 9]).with_v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9));
    for frame in [
        udp(V4, ALICE, far, 18).complete(),
        echo(V4, true, ALICE, far, 18),
        tcp(V6, ALICE, far, 18).complete(),
    ] {
        bench.rejects(A, &frame, NoRoute);
    }
    bench.refuses(
        A,
        &udp(V4, ALICE, outside([127, 0, 0, 1]), 18).complete(),
        BadIpHeader,
    );
    // A broken header checksum is the router's to find.
    let broken = udp(V4, ALICE, GATEWAY, 18).complete().patched(24, &[0, 0]);
    bench.refuses(A, &broken, BadIpHeader);
}

#[test]
fn without_a_host_port_only_the_gateway_itself_answers() {
    let mut bench = Bench::guarded(2).with_gateway(None);
    bench.turns(A, &who_has(ALICE, GATEWAY), &[(A, &is_at(GATEWAY, ALICE))]);
    let question = echo(V4, true, ALICE, GATEWAY, 56);
    bench.turns(A, &question, &[(A, &echo(V4, false, GATEWAY, ALICE, 56))]);
    bench.refuses(A, &udp(V4, ALICE, GATEWAY, 18).complete(), NotServed);
    bench.refuses(
        A,
        &ethernet(ALICE.mac, GATEWAY.mac, 0x88b5, &[0; 46]),
        NotServed,
    );
    bench.carries(A, &who_has(ALICE, BOB), &[B]);
}

#[test]
fn vlans_have_no_gateway() {
    let mut bench = Bench::new(4).with_gateway(Some(HOST));
    for port in [C, D] {
        bench.edit_port(port, |port| port.vlan = VlanId::new(100));
    }
    let plain = who_has(station(4), GATEWAY);
    let tagged = plain.clone().tagged(100);
    bench.turns(
        C,
        &plain,
        &[(A, &tagged), (B, &tagged), (D, &plain), (HOST, &tagged)],
    );
    let plain = echo(V4, true, ALICE, GATEWAY, 56);
    let tagged = plain.clone().tagged(100);
    bench.turns(
        A,
        &tagged,
        &[(B, &tagged), (C, &plain), (D, &plain), (HOST, &tagged)],
    );
    // Nor is it reached from an access port by what is broadcast without a VLAN.
    let question = udp(V4, ALICE, everybody(ALICE), 18).complete();
    bench.carries(A, &question, &[B, HOST]);
}

#[test]
fn isolated_ports_reach_the_gateway_and_the_host() {
    let mut bench = bench();
    for port in [A, B, C] {
        bench.edit_port(port, |port| port.isolated = true);
    }
    bench.turns(A, &who_has(ALICE, GATEWAY), &[(A, &is_at(GATEWAY, ALICE))]);
    bench.carries(A, &tcp(V4, ALICE, GATEWAY, 9).offloaded(), &[HOST]);
    bench.carries(HOST, &tcp(V4, GATEWAY, ALICE, 9).offloaded(), &[A]);
    bench.carries(A, &who_has(ALICE, BOB), &[HOST]);
}

#[test]
fn trains_go_to_the_host_too() {
    let mut bench = bench();
    let frames: Vec<TapFrame> = vec![udp(V4, ALICE, GATEWAY, 100).offloaded(); 9];
    bench.burst(frames.iter().map(|frame| (A, frame)));
    let sent = bench.sent_at(HOST);
    assert_eq!(sent.len(), 1);
    crate::wire::assert_same_stream(&sent, &frames);
    let on = crate::counters::on;
    bench.assert_counted([on(A).received(&frames), on(HOST).sent(&sent).coalesced(9)]);
}
