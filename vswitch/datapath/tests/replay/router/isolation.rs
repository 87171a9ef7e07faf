//! Who reaches whom: internal × icc × gateway mode × published × family, as Docker defines them.

use vswitch_datapath::PortId;
use vswitch_datapath::router::Mode;
use vswitch_nat::Protocol::Tcp;
use vswitch_packet::ip::Version::{self, V4, V6};

use crate::bench::{BRIDGE, Bench, HOST};
use crate::crafted::tcp;
use crate::outside::{E, ERIN, NIC, OTHER, OTHER_GATEWAY, PEER, UPLINK, bench};
use crate::station::{A, ALICE, B, BOB, GATEWAY, Station};

const MODES: [Mode; 4] = [
    Mode::Nat,
    Mode::NatUnprotected,
    Mode::Routed,
    Mode::Isolated,
];

/// How Alice's and Bob's network is configured; Erin's is in mode nat.
#[derive(Clone, Copy, Debug)]
struct Case {
    internal: bool,
    icc: bool,
    mode: Mode,
    /// Alice's port 80.
    published: bool,
    version: Version,
}

fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for internal in [false, true] {
        for icc in [false, true] {
            for mode in MODES {
                for published in [false, true] {
                    for version in [V4, V6] {
                        cases.push(Case {
                            internal,
                            icc,
                            mode,
                            published,
                            version,
                        });
                    }
                }
            }
        }
    }
    cases
}

impl Case {
    fn bench(self) -> Bench {
        let mut bench = bench();
        bench.edit_policy(BRIDGE, |policy| {
            policy.internal = self.internal;
            (policy.v4.mode, policy.v6.mode) = (self.mode, self.mode);
        });
        for port in [A, B] {
            bench.edit_port(port, |port| port.isolated = !self.icc);
        }
        if self.published {
            let any = if self.version == V4 { "0.0.0.0" } else { "::" };
            bench.publish(Tcp, (A, ALICE), any, 80..=80);
        }
        bench
    }

    /// Where a first packet to port `port` comes out, other than as an error to its sender.
    fn reaches(self, from: (PortId, Station), to: Station, port: u16) -> Option<PortId> {
        let mut bench = self.bench();
        let first = tcp(self.version, from.1, to, 0).ports(33000, port);
        let first = first.tcp_header(|tcp| (tcp.syn, tcp.ack) = (true, false));
        bench.enter(from.0, &first.complete());
        let sent = bench.sent();
        let _ = bench.counted();
        let mut out = sent.iter().filter(|(_, frame)| !is_error(&frame.bytes));
        let reached = out.next().map(|(port, _)| *port);
        assert_eq!(out.next(), None, "{self:?}");
        reached
    }
}

fn is_error(bytes: &[u8]) -> bool {
    (bytes[12] == 0x08 && bytes[23] == 1) || (bytes[12] == 0x86 && bytes[20] == 58)
}

#[test]
fn the_matrix() {
    let to_gateway = |station: Station| station.with_mac(GATEWAY.mac);
    for case in cases() {
        let open = !case.internal && case.mode != Mode::Isolated;
        let check = |what: &str, reached: Option<PortId>, expected: Option<PortId>| {
            assert_eq!(reached, expected, "{what}: {case:?}");
        };
        // Out, by the uplink.
        let reached = case.reaches((A, ALICE), to_gateway(PEER), 443);
        check("out", reached, open.then_some(UPLINK));
        // In, to the host's address.
        let reached = case.reaches((UPLINK, PEER), NIC, 80);
        check(
            "in, published",
            reached,
            (open && case.published).then_some(A),
        );
        let reached = case.reaches((UPLINK, PEER), NIC, 81);
        check("in, not published", reached, None);
        // In, to the container's own address.
        let routed = case.mode == Mode::Routed && case.published;
        let unprotected = case.mode == Mode::NatUnprotected;
        let own = ALICE.with_mac(NIC.mac);
        let reached = case.reaches((UPLINK, PEER), own, 80);
        check(
            "in, own address",
            reached,
            (open && (routed || unprotected)).then_some(A),
        );
        let reached = case.reaches((UPLINK, PEER), own, 81);
        check(
            "in, own address, another port",
            reached,
            (open && unprotected).then_some(A),
        );
        // From another network.
        let by_other = |station: Station| station.with_mac(OTHER_GATEWAY.mac);
        let reached = case.reaches((E, ERIN), by_other(NIC), 80);
        check(
            "other network, host's address",
            reached,
            (open && case.published).then_some(A),
        );
        let reached = case.reaches((E, ERIN), by_other(ALICE), 80);
        check(
            "other network, own address",
            reached,
            (open && routed).then_some(A),
        );
        let reached = case.reaches((E, ERIN), by_other(ALICE), 81);
        check("other network, another port", reached, None);
        // To another network, which has published nothing.
        let reached = case.reaches((A, ALICE), to_gateway(ERIN), 80);
        check("to another network", reached, None);
        // Within the network: by the bridge, and by the host's address, whatever icc says.
        let mut bench = case.bench();
        bench.learn(&[A, B]);
        let direct = tcp(case.version, BOB, ALICE, 0).ports(33000, 80).complete();
        bench.enter(B, &direct);
        let sent = bench.sent();
        let _ = bench.counted();
        check(
            "neighbour",
            sent.first().map(|(port, _)| *port),
            case.icc.then_some(A),
        );
        let reached = case.reaches((B, BOB), to_gateway(NIC), 80);
        let expected = if open && case.published { A } else { HOST };
        check("neighbour, host's address", reached, Some(expected));
        // The host and the gateway, always.
        let reached = case.reaches((A, ALICE), to_gateway(NIC), 22);
        check("host", reached, Some(HOST));
        let reached = case.reaches((A, ALICE), GATEWAY, 22);
        check("gateway", reached, Some(HOST));
        // From the host.
        let reached = case.reaches((HOST, GATEWAY), ALICE, 22);
        check("from the host", reached, Some(A));
    }
}

#[test]
fn peers_exchange_packets_untranslated() {
    use vswitch_datapath::DropReason::{Internal, Isolated};
    for version in [V4, V6] {
        let mut bench = bench();
        let out = tcp(version, ALICE, ERIN.with_mac(GATEWAY.mac), 10).offloaded();
        bench.refuses(A, &out, Isolated);
        bench.edit_policy(BRIDGE, |policy| policy.peers = vec![OTHER]);
        // Listed on one side only.
        bench.refuses(A, &out, Isolated);
        bench.edit_policy(OTHER, |policy| policy.peers = vec![BRIDGE]);
        let seen = tcp(version, ALICE.with_mac(OTHER_GATEWAY.mac), ERIN, 10).offloaded();
        bench.turns(A, &out, &[(E, &seen.hop_limit(63))]);
        let back = tcp(version, ERIN, ALICE.with_mac(OTHER_GATEWAY.mac), 10).offloaded();
        let heard = tcp(version, ERIN.with_mac(GATEWAY.mac), ALICE, 10).offloaded();
        bench.turns(E, &back, &[(A, &heard.hop_limit(63))]);
        // A translator is not needed.
        bench.edit_router(|router| router.nat = None);
        bench.turns(A, &out, &[(E, &seen_again(version))]);
        // But an internal network stays one.
        bench.edit_policy(OTHER, |policy| policy.internal = true);
        bench.refuses(A, &out, Internal);
        bench.refuses(E, &back, Internal);
    }
}

fn seen_again(version: Version) -> crate::tap_frame::TapFrame {
    let seen = tcp(version, ALICE.with_mac(OTHER_GATEWAY.mac), ERIN, 10).offloaded();
    seen.hop_limit(63)
}

#[test]
fn a_routed_network_is_reached_where_it_is_open_and_may_answer() {
    use vswitch_datapath::DropReason::{Isolated, NotPublished};
    for version in [V4, V6] {
        let mut bench = bench();
        bench.edit_policy(BRIDGE, |policy| {
            (policy.v4.mode, policy.v6.mode) = (Mode::Routed, Mode::Routed);
        });
        bench.publish(
            Tcp,
            (A, ALICE),
            if version == V4 { "0.0.0.0" } else { "::" },
            80..=80,
        );
        let by_other = |station: Station| station.with_mac(OTHER_GATEWAY.mac);
        let by_gateway = |station: Station| station.with_mac(GATEWAY.mac);
        let out = tcp(version, ERIN, by_other(ALICE), 10)
            .ports(5000, 80)
            .offloaded();
        let heard = tcp(version, by_gateway(ERIN), ALICE, 10)
            .ports(5000, 80)
            .offloaded();
        bench.turns(E, &out, &[(A, &heard.hop_limit(63))]);
        let back = tcp(version, ALICE, by_gateway(ERIN), 10)
            .ports(80, 5000)
            .offloaded();
        let heard = tcp(version, by_other(ALICE), ERIN, 10)
            .ports(80, 5000)
            .offloaded();
        bench.turns(A, &back, &[(E, &heard.hop_limit(63))]);
        // Not from another port, and not to one that is closed.
        let call = tcp(version, ALICE, by_gateway(ERIN), 10)
            .ports(80, 5001)
            .offloaded();
        bench.refuses(A, &call, Isolated);
        let knock = tcp(version, ERIN, by_other(ALICE), 10)
            .ports(5000, 81)
            .offloaded();
        bench.refuses(E, &knock, NotPublished);
        // Out it goes as it is.
        let out = tcp(version, ALICE, by_gateway(PEER), 10).offloaded();
        let seen = tcp(version, ALICE.with_mac(NIC.mac), PEER, 10).offloaded();
        bench.turns(A, &out, &[(UPLINK, &seen.hop_limit(63))]);
        let answer = tcp(version, PEER, ALICE.with_mac(NIC.mac), 10)
            .ports(443, 40000)
            .offloaded();
        let heard = tcp(version, by_gateway(PEER), ALICE, 10)
            .ports(443, 40000)
            .offloaded();
        bench.turns(UPLINK, &answer, &[(A, &heard.hop_limit(63))]);
    }
}

#[test]
fn an_unprotected_network_answers_from_its_own_address() {
    for version in [V4, V6] {
        let mut bench = bench();
        bench.edit_policy(BRIDGE, |policy| {
            (policy.v4.mode, policy.v6.mode) = (Mode::NatUnprotected, Mode::NatUnprotected);
        });
        let own = ALICE.with_mac(NIC.mac);
        let away = PEER.with_mac(GATEWAY.mac);
        let question = tcp(version, PEER, own, 10).ports(5000, 99).offloaded();
        let heard = tcp(version, away, ALICE, 10).ports(5000, 99).offloaded();
        bench.turns(UPLINK, &question, &[(A, &heard.hop_limit(63))]);
        let answer = tcp(version, ALICE, away, 10).ports(99, 5000).offloaded();
        let seen = tcp(version, own, PEER, 10).ports(99, 5000).offloaded();
        bench.turns(A, &answer, &[(UPLINK, &seen.hop_limit(63))]);
        // What it begins itself is translated.
        let call = tcp(version, ALICE, away, 10).ports(98, 443).offloaded();
        let seen = tcp(version, NIC, PEER, 10).ports(98, 443).offloaded();
        bench.turns(A, &call, &[(UPLINK, &seen.hop_limit(63))]);
    }
}
