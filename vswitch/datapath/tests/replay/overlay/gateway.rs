//! The gateway that each host has, as other hosts see it.

use smoltcp::wire::{ArpOperation, NdiscNeighborFlags};
use vswitch_datapath::DropReason::{
    Hairpin, NoRoute, NotLocal, Reflected, SpoofedAddress, SpoofedMac, UnknownVtep,
};
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{TO_FAR, TO_NEAR, UNDERLAY, VNI, with_peers};
use crate::bench::{Bench, HOST};
use crate::counters::on;
use crate::crafted::{
    advertise, arp, echo, ethernet, everybody, is_at, solicit, tcp, udp, who_has,
};
use crate::datagrams::Delivery;
use crate::station::{A, ALICE, B, BOB, CAROL, GATEWAY, Station};

const ANSWER: NdiscNeighborFlags = NdiscNeighborFlags::from_bits_truncate(
    NdiscNeighborFlags::ROUTER.bits()
        | NdiscNeighborFlags::SOLICITED.bits()
        | NdiscNeighborFlags::OVERRIDE.bits(),
);

/// An address of the host, beside the gateway's.
const OWN: [u8; 4] = [192, 0, 2, 1];

/// Alice and Bob are here; Carol is behind the near host.
fn bench() -> Bench {
    let mut bench = with_peers(2).with_gateway(Some(HOST));
    let own = [OWN.into(), "2001:db8::1".parse().unwrap()];
    bench.topology().set_host_addresses(own);
    bench.learn(&[A, B]);
    let (fdb, now) = (bench.bridge().fdb.clone(), bench.now());
    fdb.learn(Default::default(), CAROL.mac, TO_NEAR, now);
    bench
}

/// At the gateway's MAC address.
fn by_gateway(v4: [u8; 4], v6: &str) -> Station {
    GATEWAY.with_v4(v4.into()).with_v6(v6.parse().unwrap())
}

#[test]
fn who_has_no_such_gateway_is_answered() {
    let mut bench = bench();
    let answer = is_at(GATEWAY, CAROL);
    bench.crosses(TO_NEAR, &who_has(CAROL, GATEWAY), &[(TO_NEAR, &answer)]);
    let answer = advertise(GATEWAY, CAROL, GATEWAY, ANSWER);
    bench.crosses(TO_NEAR, &solicit(CAROL, GATEWAY), &[(TO_NEAR, &answer)]);
    for version in [V4, V6] {
        bench.crosses(
            TO_NEAR,
            &echo(version, true, CAROL, GATEWAY, 56),
            &[(TO_NEAR, &echo(version, false, GATEWAY, CAROL, 56))],
        );
    }
    let (_, carol) = bench.bridge().neighbours.rows()[0];
    assert_eq!((carol.mac, carol.port), (CAROL.mac, TO_NEAR));
}

#[test]
fn what_answers_the_router_is_not_for_the_host() {
    let mut bench = bench();
    bench.crosses(TO_NEAR, &is_at(CAROL, GATEWAY), &[]);
    let answer = advertise(CAROL, GATEWAY, CAROL, NdiscNeighborFlags::SOLICITED);
    bench.crosses(TO_NEAR, &answer, &[]);
    assert_eq!(bench.bridge().neighbours.learned(), 2);
    // Of this host, it may be.
    bench.spreads(A, &is_at(ALICE, GATEWAY), &[HOST]);
}

#[test]
fn the_host_s_services_are_reached_from_its_own_containers_only() {
    let mut bench = bench();
    let host = by_gateway(OWN, "2001:db8::1");
    let link_local = GATEWAY.with_v6(GATEWAY.link_local());
    for version in [V4, V6] {
        for to in [GATEWAY, host] {
            bench.stops(TO_NEAR, &tcp(version, CAROL, to, 9).complete(), NotLocal);
            bench.spreads(A, &tcp(version, ALICE, to, 9).complete(), &[HOST]);
        }
    }
    bench.stops(TO_NEAR, &tcp(V6, CAROL, link_local, 9).complete(), NotLocal);
    let question = arp(CAROL.mac, GATEWAY.mac, ArpOperation::Request, CAROL, BOB);
    bench.stops(TO_NEAR, &question, NotLocal);
}

#[test]
fn the_host_reaches_its_own_containers_only() {
    let mut bench = bench();
    bench.spreads(HOST, &who_has(GATEWAY, CAROL), &[A, B]);
    for version in [V4, V6] {
        bench.stops(HOST, &tcp(version, GATEWAY, CAROL, 9).complete(), NotLocal);
    }
}

#[test]
fn the_gateway_of_another_host_is_no_stranger() {
    let mut bench = bench();
    // What its router has forwarded.
    for version in [V4, V6] {
        let away = by_gateway([10, 1, 0, 2], "fd01::2");
        let forwarded = udp(version, away, ALICE, 9).complete();
        bench.spreads(TO_NEAR, &forwarded, &[A]);
        let far = by_gateway([203, 0, 113, 9], "2001:db8:ffff::9");
        for to in [GATEWAY, far] {
            bench.stops(
                TO_NEAR,
                &udp(version, ALICE.with_mac(GATEWAY.mac), to, 9).complete(),
                NotLocal,
            );
        }
    }
    bench.stops(A, &udp(V4, GATEWAY, BOB, 9).complete(), SpoofedMac);
    let entries = bench.bridge().fdb.entries(bench.now());
    assert!(entries.iter().all(|entry| entry.mac != GATEWAY.mac));
    // Its addresses are nobody else's.
    let liar = CAROL.with_v4(GATEWAY.v4).with_v6(GATEWAY.v6);
    for version in [V4, V6] {
        let away = by_gateway([203, 0, 113, 9], "2001:db8:ffff::9");
        bench.stops(
            TO_NEAR,
            &udp(version, liar, away, 9).complete(),
            SpoofedAddress,
        );
    }
}

#[test]
fn packets_of_other_hosts_are_judged_as_those_of_containers() {
    let mut bench = bench();
    for version in [V4, V6] {
        let away = by_gateway([203, 0, 113, 9], "2001:db8:ffff::9");
        bench.objects(TO_NEAR, &udp(version, CAROL, away, 9).complete(), NoRoute);
        let neighbour = ALICE.with_mac(GATEWAY.mac);
        bench.stops(
            TO_NEAR,
            &udp(version, CAROL, neighbour, 9).complete(),
            Hairpin,
        );
    }
}

#[test]
fn no_container_writes_to_the_host_s_vtep() {
    let mut bench = bench();
    let host = by_gateway(OWN, "2001:db8::1");
    for version in [V4, V6] {
        for to in [GATEWAY, host] {
            let forged = udp(version, ALICE, to, 50).ports(50_000, 4789);
            let dropped = [on(HOST).dropped(Reflected, 1)];
            bench.crosses_with(A, &forged.complete(), &[], dropped);
            bench.spreads(A, &forged.ports(50_000, 4790).complete(), &[HOST]);
        }
    }
    // Its sockets may be open to broadcasts; to containers it is a datagram as any other.
    let forged = udp(V4, ALICE, everybody(ALICE), 50).ports(50_000, 4789);
    let forged = forged.complete();
    let spread = [(B, &forged), (TO_NEAR, &forged), (TO_FAR, &forged)];
    bench.crosses_with(A, &forged, &spread, [on(HOST).dropped(Reflected, 1)]);
    let inner = udp(V4, ALICE, BOB, 50).ports(50_000, 4789).complete();
    bench.spreads(A, &inner, &[B]);
    // In pieces, the first of them is held back.
    let first = ethernet(
        ALICE.mac,
        GATEWAY.mac,
        0x0800,
        &fragment(
            &udp(V4, ALICE, host, 50)
                .ports(50_000, 4789)
                .complete()
                .bytes[14..],
        ),
    );
    bench.crosses_with(A, &first, &[], [on(HOST).dropped(Reflected, 1)]);
    let mut later = first;
    later.bytes[20..22].copy_from_slice(&0x2004u16.to_be_bytes());
    bench.spreads(A, &later.hop_limit(64), &[HOST]);
    // Without tunnels, the port is one as any other.
    for tunnel in [TO_NEAR, TO_FAR] {
        bench.remove_port(tunnel);
    }
    bench.spreads(A, &forged, &[B, HOST]);
}

#[test]
fn no_container_becomes_a_peer() {
    let mut bench = bench();
    bench.edit_bridge(|bridge| bridge.overlay.as_mut().unwrap().accept_unknown = true);
    let inner = udp(V4, CAROL, ALICE, 9).complete();
    for address in ALICE.addresses() {
        let delivery = Delivery::one(address, VNI, &inner);
        bench.arrive(UNDERLAY, [&delivery]);
        bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(Reflected, 1)]);
    }
    let delivery = Delivery::one([198, 51, 100, 1].into(), VNI, &inner);
    bench.arrive(UNDERLAY, [&delivery]);
    assert_eq!(bench.strangers().len(), 1);
    bench.assert_counted([on(UNDERLAY).arrived([&delivery]).dropped(UnknownVtep, 1)]);
}

/// The first 32 octets of an IPv4 packet's payload, as its first fragment.
fn fragment(packet: &[u8]) -> Vec<u8> {
    let mut first = packet[..52].to_vec();
    first[2..4].copy_from_slice(&52u16.to_be_bytes());
    first[6..8].copy_from_slice(&0x2000u16.to_be_bytes());
    first[10..12].fill(0);
    let sum = !crate::wire::sum(&first[..20]);
    first[10..12].copy_from_slice(&sum.to_be_bytes());
    first
}
