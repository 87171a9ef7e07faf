//! Addresses that do not cross the router.

use vswitch_datapath::DropReason::{BadIpHeader, Martian, NotOurs};
use vswitch_datapath::router::Mode;
use vswitch_nat::Protocol::Udp;
use vswitch_packet::ip::Version::{self, V4, V6};

use crate::bench::{BRIDGE, Bench};
use crate::crafted::udp;
use crate::outside::{ERIN, NIC, PEER, UPLINK, bench};
use crate::station::{A, ALICE, B, BOB, GATEWAY, Station};

fn named(station: Station, address: &str) -> (Version, Station) {
    match address.parse().unwrap() {
        core::net::IpAddr::V4(v4) => (V4, station.with_v4(v4)),
        core::net::IpAddr::V6(v6) => (V6, station.with_v6(v6)),
    }
}

/// With Bob's port 53 published, and Alice not held to her addresses.
fn open() -> Bench {
    let mut bench = bench();
    bench.publish(Udp, (B, BOB), "0.0.0.0", 53..=53);
    bench.edit_port(A, |port| port.identity = None);
    bench
}

#[test]
fn from_outside_nobody_has_an_address_of_the_inside_or_of_nobody() {
    let mut bench = open();
    for source in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "10.0.0.2",
        "10.0.0.200",
        "10.1.0.2",
    ] {
        let (_, from) = named(PEER, source);
        // To a published port, and to what is the host's own affair.
        bench.refuses(
            UPLINK,
            &udp(V4, from, NIC, 9).ports(9, 53).complete(),
            Martian,
        );
        bench.refuses(
            UPLINK,
            &udp(V4, from, NIC, 9).ports(9, 54).complete(),
            NotOurs,
        );
    }
    bench.edit_policy(BRIDGE, |policy| {
        (policy.v4.mode, policy.v6.mode) = (Mode::NatUnprotected, Mode::NatUnprotected);
    });
    for source in [
        "127.0.0.1",
        "10.1.0.2",
        "192.0.2.1",
        "::",
        "::1",
        "::ffff:1.2.3.4",
        "ff02::1",
        "fe80::9",
        "fd00::3",
        "fd01::2",
        "2001:db8::1",
    ] {
        let (version, from) = named(PEER, source);
        let frame = udp(version, from, BOB.with_mac(NIC.mac), 9).complete();
        bench.refuses(UPLINK, &frame, Martian);
    }
    for version in [V4, V6] {
        let frame = udp(version, PEER, BOB.with_mac(NIC.mac), 9).complete();
        let heard = udp(version, PEER.with_mac(GATEWAY.mac), BOB, 9)
            .complete()
            .hop_limit(63);
        bench.turns(UPLINK, &frame, &[(B, &heard)]);
    }
}

#[test]
fn a_container_sends_from_its_own_network_alone() {
    for source in [
        "0.0.0.0",
        "10.0.0.255",
        "10.1.0.2",
        "8.8.8.8",
        "169.254.1.1",
        "2001:db8::7",
        "::",
    ] {
        let mut bench = open();
        let (version, from) = named(ALICE, source);
        for to in [PEER.with_mac(GATEWAY.mac), ERIN.with_mac(GATEWAY.mac)] {
            bench.refuses(A, &udp(version, from, to, 9).complete(), Martian);
        }
    }
    let mut bench = open();
    for source in [
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "ff02::1",
    ] {
        let (version, from) = named(ALICE, source);
        let frame = udp(version, from, PEER.with_mac(GATEWAY.mac), 9).complete();
        bench.refuses(A, &frame, BadIpHeader);
    }
}

#[test]
fn to_nobody_s_address_there_is_no_way() {
    for destination in ["0.1.2.3", "240.0.0.1", "::ffff:1.2.3.4"] {
        let mut bench = bench();
        let (version, to) = named(GATEWAY, destination);
        bench.refuses(A, &udp(version, ALICE, to, 9).complete(), Martian);
    }
}

#[test]
fn a_broken_header_is_nobody_s() {
    let mut bench = open();
    let broken = |port| {
        udp(V4, PEER, NIC, 9)
            .ports(9, port)
            .complete()
            .patched(24, &[0, 0])
    };
    bench.refuses(UPLINK, &broken(53), BadIpHeader);
    bench.refuses(UPLINK, &broken(54), NotOurs);
}
