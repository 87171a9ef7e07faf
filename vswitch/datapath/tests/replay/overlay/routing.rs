//! Between the segments of a network, and between a segment and everything else: each host routes what
//! its own containers send.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use vswitch_datapath::DropReason::{self, Internal, Isolated, NotLocal, Reflected};
use vswitch_datapath::router::{Mode, Policy};
use vswitch_datapath::{Gateway, GatewayLink, PortId};
use vswitch_packet::ip::Version::{self, V4, V6};

use super::peers::{NEAR, VNI};
use crate::bench::{BRIDGE, Bench};
use crate::crafted::{echo, tcp, udp, who_has};
use crate::outside::{self, E, ERIN, NIC, OTHER, OTHER_GATEWAY, PEER, UPLINK};
use crate::station::{A, ALICE, BOB, DAVE, GATEWAY, Station};
use crate::tap_frame::TapFrame;

/// Beside the uplink.
const UNDERLAY: PortId = PortId(30);
/// To the other host, of the first segment and of the second.
const FIRST: PortId = PortId(31);
pub(super) const SECOND: PortId = PortId(32);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const MODES: [Mode; 4] = [
    Mode::Nat,
    Mode::NatUnprotected,
    Mode::Routed,
    Mode::Isolated,
];

/// A host of a network with two segments, without containers. The other host is `peer`.
pub(super) fn host(peer: IpAddr) -> Bench {
    let mut bench = Bench::new(0).with_gateway(None);
    bench.add_bridge(OTHER);
    bench.topology().edit_bridge(OTHER, |bridge| {
        let addresses = ["10.1.0.1/24", "fd01::1/64"].map(|a| a.parse().unwrap());
        bridge.gateway = Some(Gateway {
            mac: OTHER_GATEWAY.mac,
            link: GatewayLink::Broadcast,
            addresses: addresses.to_vec(),
            subnets: vec![],
            host_port: None,
            policy: Policy::default(),
        });
    });
    bench.add_underlay(UNDERLAY);
    for (bridge, sibling, vni, tunnel) in [
        (BRIDGE, OTHER, VNI, FIRST),
        (OTHER, BRIDGE, VNI + 1, SECOND),
    ] {
        bench.add_segment(bridge, vni, &[UNDERLAY]);
        bench.add_tunnel(tunnel, bridge, peer);
        bench.edit_policy(bridge, |policy| policy.siblings = vec![sibling]);
    }
    bench
}

/// Two hosts, wired together. Alice is on the first segment here, Erin on the second there.
struct Hosts {
    here: Bench,
    there: Bench,
}

impl Hosts {
    fn new() -> Self {
        let (mut here, mut there) = (host(NEAR), host(HERE));
        here.add_port(A, BRIDGE);
        there.add_port(E, OTHER);
        Self { here, there }
    }

    /// Whose containers are held to their addresses, and so are known before they speak.
    fn guarded() -> Self {
        let mut hosts = Self::new();
        outside::introduce(&mut hosts.here, BRIDGE, A, ALICE);
        outside::introduce(&mut hosts.there, OTHER, E, ERIN);
        hosts
    }

    fn each(&mut self) -> [&mut Bench; 2] {
        [&mut self.here, &mut self.there]
    }

    /// Carries datagrams from host to host until none is left.
    fn carry(&mut self) {
        loop {
            let (out, back) = (self.here.handed_over(), self.there.handed_over());
            if out.is_empty() && back.is_empty() {
                break;
            }
            for datagrams in &out {
                self.there.arrive(UNDERLAY, [&datagrams.delivery(HERE)]);
            }
            for datagrams in &back {
                self.here.arrive(UNDERLAY, [&datagrams.delivery(NEAR)]);
            }
        }
    }

    fn tick(&mut self, after: Duration) {
        for host in self.each() {
            host.tick(after);
        }
        self.carry();
    }

    /// `frame` of Alice comes to Erin as `expected`.
    #[track_caller]
    fn reaches_erin(&mut self, frame: &TapFrame, expected: &TapFrame) {
        self.here.enter(A, frame);
        self.carry();
        assert_eq!(octets(self.there.sent_at(E)), [&expected.bytes[..]]);
        assert_eq!(self.here.sent(), []);
        self.settle();
    }

    /// `frame` of Erin comes to Alice as `expected`.
    #[track_caller]
    fn reaches_alice(&mut self, frame: &TapFrame, expected: &TapFrame) {
        self.there.enter(E, frame);
        self.carry();
        assert_eq!(octets(self.here.sent_at(A)), [&expected.bytes[..]]);
        assert_eq!(self.there.sent(), []);
        self.settle();
    }

    /// Nothing was dropped, here or there.
    #[track_caller]
    fn settle(&mut self) {
        for host in self.each() {
            let counted = host.counted();
            let reasons = DropReason::ALL.iter().map(|reason| reason.name());
            let dropped = |&(_, name): &(PortId, &'static str)| reasons.clone().any(|r| r == name);
            assert_eq!(counted.keys().find(|key| dropped(key)), None);
        }
    }
}

fn octets(frames: Vec<TapFrame>) -> Vec<Vec<u8>> {
    frames.into_iter().map(|frame| frame.bytes).collect()
}

/// What Alice sends to Erin, and what Erin gets of it; and the other way round.
fn conversation(version: Version) -> [(TapFrame, TapFrame); 2] {
    let out = |from, to| udp(version, from, to, 100).complete();
    [
        (
            out(ALICE, ERIN.with_mac(GATEWAY.mac)),
            out(ALICE.with_mac(OTHER_GATEWAY.mac), ERIN).hop_limit(63),
        ),
        (
            out(ERIN, ALICE.with_mac(OTHER_GATEWAY.mac)),
            out(ERIN.with_mac(GATEWAY.mac), ALICE).hop_limit(63),
        ),
    ]
}

#[test]
fn segments_of_a_network_reach_each_other_across_hosts() {
    for version in [V4, V6] {
        let mut hosts = Hosts::guarded();
        let [(question, asked), (answer, answered)] = conversation(version);
        // Each router asks for the neighbour once; the other host's switch answers.
        hosts.reaches_erin(&question, &asked);
        hosts.reaches_alice(&answer, &answered);
        hosts.reaches_erin(&question, &asked);
    }
}

#[test]
fn who_has_never_spoken_answers_her_own_gateway_and_is_known_to_the_other_then() {
    for version in [V4, V6] {
        let mut hosts = Hosts::new();
        let [(question, asked), _] = conversation(version);
        hosts.here.enter(A, &question);
        hosts.carry();
        let heard = hosts.there.sent_at(E);
        assert_eq!(heard.len(), 1, "who has Erin's address");
        let answer = match version {
            V4 => crate::crafted::is_at(ERIN, OTHER_GATEWAY),
            V6 => crate::crafted::advertise(
                ERIN,
                OTHER_GATEWAY,
                ERIN,
                smoltcp::wire::NdiscNeighborFlags::SOLICITED,
            ),
        };
        hosts.there.enter(E, &answer);
        hosts.carry();
        assert_eq!(hosts.there.sent(), []);
        hosts.tick(Duration::from_secs(1));
        assert_eq!(octets(hosts.there.sent_at(E)), [&asked.bytes[..]]);
        hosts.settle();
        hosts.reaches_erin(&question, &asked);
    }
}

#[test]
fn a_neighbour_in_use_on_another_host_is_asked_there() {
    let mut hosts = Hosts::guarded();
    let [(question, asked), _] = conversation(V4);
    hosts.reaches_erin(&question, &asked);
    let known = |hosts: &mut Hosts| {
        let bridge = hosts.here.topology().bridge(OTHER).unwrap();
        bridge.neighbours.get(ERIN.v4.into()).unwrap()
    };
    for round in 0..3 {
        for host in hosts.each() {
            host.wait(vswitch_datapath::neighbour::TRUSTED);
        }
        assert!(known(&mut hosts).is_stale(hosts.here.now()), "{round}");
        hosts.reaches_erin(&question, &asked);
        hosts.tick(Duration::ZERO);
        assert_eq!(known(&mut hosts).confirmed, hosts.here.now());
    }
    hosts.settle();
}

#[test]
fn nothing_is_held_back_between_segments() {
    for internal in [false, true] {
        for mode in MODES {
            let mut hosts = Hosts::guarded();
            for host in hosts.each() {
                for bridge in [BRIDGE, OTHER] {
                    host.edit_policy(bridge, |policy| {
                        policy.internal = internal;
                        (policy.v4.mode, policy.v6.mode) = (mode, mode);
                    });
                }
            }
            for version in [V4, V6] {
                // Erin's host sees an answer to what it did not forward.
                let [(question, asked), (answer, answered)] = conversation(version);
                hosts.reaches_alice(&answer, &answered);
                hosts.reaches_erin(&question, &asked);
            }
        }
    }
}

#[test]
fn between_segments_of_one_host_it_is_the_same() {
    let mut here = host(NEAR);
    here.add_port(A, BRIDGE);
    here.add_port(E, OTHER);
    outside::introduce(&mut here, BRIDGE, A, ALICE);
    outside::introduce(&mut here, OTHER, E, ERIN);
    for bridge in [BRIDGE, OTHER] {
        here.edit_policy(bridge, |policy| policy.internal = true);
    }
    for version in [V4, V6] {
        let [(question, asked), (answer, answered)] = conversation(version);
        here.turns(A, &question, &[(E, &asked)]);
        here.turns(E, &answer, &[(A, &answered)]);
    }
}

#[test]
fn a_packet_too_long_for_the_way_to_the_other_segment_is_told_of_by_the_router() {
    let mut hosts = Hosts::guarded();
    let [(question, asked), _] = conversation(V6);
    hosts.reaches_erin(&question, &asked);
    let long = udp(V6, ALICE, ERIN.with_mac(GATEWAY.mac), 1403).complete();
    let error = hosts.here.rejects(A, &long, DropReason::TooBig);
    assert_eq!(error.bytes[22..38], GATEWAY.v6.octets());
    assert_eq!(
        error.bytes[54..62],
        [2, 0, error.bytes[56], error.bytes[57], 0, 0, 5, 0xaa]
    );
}

/// Alice, Bob and Carol are here, and on a segment that goes on at the other host; Erin is on a network
/// of this host, and there is an uplink. Dave, if anybody, is there.
fn host_with_uplink() -> Bench {
    let mut bench = outside::bench();
    bench.add_underlay(UNDERLAY);
    bench.add_segment(BRIDGE, VNI, &[UNDERLAY]);
    bench.add_tunnel(FIRST, BRIDGE, NEAR);
    // He has asked for the gateway: his host has none.
    let entered = bench.come(FIRST, &who_has(DAVE, GATEWAY));
    bench.came_out();
    bench.counted();
    drop(entered);
    bench
}

const AWAY: Station = PEER.with_mac(GATEWAY.mac);

#[test]
fn a_container_of_a_host_without_gateway_has_a_way_out_here() {
    for version in [V4, V6] {
        let mut bench = host_with_uplink();
        if version == V6 {
            let probe = crate::crafted::solicit(DAVE, GATEWAY);
            bench.come(FIRST, &probe);
            bench.came_out();
            bench.counted();
        }
        let question = tcp(version, DAVE, AWAY, 9).complete();
        let seen = tcp(version, NIC, PEER, 9).complete().hop_limit(63);
        bench.crosses(FIRST, &question, &[(UPLINK, &seen)]);
        let answer = tcp(version, PEER, NIC, 9).ports(443, 40000).complete();
        let heard = tcp(version, AWAY, DAVE, 9).ports(443, 40000).complete();
        bench.crosses(UPLINK, &answer, &[(FIRST, &heard.hop_limit(63))]);
        let ping = echo(version, true, DAVE, AWAY, 9);
        bench.come(FIRST, &ping);
        let out = bench.came_out();
        assert_eq!((out.len(), out[0].0), (1, UPLINK));
        bench.counted();
    }
}

#[test]
fn policies_hold_for_what_comes_by_tunnels() {
    let mut bench = host_with_uplink();
    bench.edit_policy(BRIDGE, |policy| policy.internal = true);
    let question = tcp(V4, DAVE, AWAY, 9).complete();
    bench.stops(FIRST, &question, Internal);
    bench.edit_policy(BRIDGE, |policy| {
        (policy.internal, policy.v4.mode) = (false, Mode::Isolated);
    });
    bench.stops(FIRST, &question, Isolated);
}

#[test]
fn other_networks_reach_containers_of_their_own_host_only() {
    let mut bench = host_with_uplink();
    let to_dave = tcp(V4, ERIN, DAVE.with_mac(OTHER_GATEWAY.mac), 9).complete();
    let to_erin = tcp(V4, DAVE, ERIN.with_mac(GATEWAY.mac), 9).complete();
    // As for anybody on a network that is not told of.
    bench.stops(E, &to_dave, Isolated);
    bench.stops(FIRST, &to_erin, Isolated);
    for (bridge, peer) in [(BRIDGE, OTHER), (OTHER, BRIDGE)] {
        bench.edit_policy(bridge, |policy| policy.peers = vec![peer]);
    }
    for (ingress, frame) in [(E, &to_dave), (FIRST, &to_erin)] {
        let told = bench.objects(ingress, frame, NotLocal);
        assert_eq!(told.bytes[34..36], [3, 1], "host unreachable");
    }
    let own = tcp(V4, ERIN, ALICE.with_mac(OTHER_GATEWAY.mac), 9).complete();
    let seen = tcp(V4, ERIN.with_mac(GATEWAY.mac), ALICE, 9).complete();
    bench.crosses(E, &own, &[(A, &seen.hop_limit(63))]);
    // Nor by the mode that opens ports.
    for bridge in [BRIDGE, OTHER] {
        bench.edit_policy(bridge, |policy| {
            (policy.peers, policy.v4.mode) = (vec![], Mode::Routed);
        });
    }
    for (ingress, frame) in [(E, &to_dave), (FIRST, &to_erin)] {
        bench.objects(ingress, frame, NotLocal);
    }
}

#[test]
fn from_outside_only_containers_of_this_host_are_reached_at_their_own_addresses() {
    for mode in [Mode::NatUnprotected, Mode::Routed] {
        let mut bench = host_with_uplink();
        bench.edit_policy(BRIDGE, |policy| policy.v4.mode = mode);
        let ping = echo(V4, true, PEER, DAVE.with_mac(NIC.mac), 9);
        let told = bench.objects(UPLINK, &ping, NotLocal);
        assert_eq!(told.bytes[34..36], [3, 1]);
        let ping = echo(V4, true, PEER, ALICE.with_mac(NIC.mac), 9);
        bench.crosses(
            UPLINK,
            &ping,
            &[(A, &echo(V4, true, AWAY, ALICE, 9).hop_limit(63))],
        );
    }
    // An answer to what went out by this host comes back by it.
    let mut bench = host_with_uplink();
    bench.edit_policy(BRIDGE, |policy| policy.v4.mode = Mode::Routed);
    let question = tcp(V4, DAVE, AWAY, 9).complete();
    let seen = tcp(V4, DAVE.with_mac(NIC.mac), PEER, 9).complete();
    bench.crosses(FIRST, &question, &[(UPLINK, &seen.hop_limit(63))]);
    let answer = tcp(V4, PEER, DAVE.with_mac(NIC.mac), 9).ports(443, 40000);
    let heard = tcp(V4, AWAY, DAVE, 9).ports(443, 40000).complete();
    bench.crosses(UPLINK, &answer.complete(), &[(FIRST, &heard.hop_limit(63))]);
}

#[test]
fn no_container_writes_to_a_vtep_in_the_host_s_name() {
    let mut bench = host_with_uplink();
    let peer = BOB
        .with_v4(Ipv4Addr::new(192, 0, 2, 2))
        .with_mac(GATEWAY.mac);
    let forged = udp(V4, ALICE, peer, 50).ports(50_000, 4789).complete();
    bench.stops(A, &forged, Reflected);
    // To other ports, and other hosts, it may.
    for other in [
        udp(V4, ALICE, peer, 50).ports(50_000, 4790).complete(),
        udp(V4, ALICE, AWAY, 50).ports(50_000, 4789).complete(),
    ] {
        bench.come(A, &other);
        let out = bench.came_out();
        assert_eq!((out.len(), out[0].0), (1, UPLINK));
        bench.counted();
    }
}
