//! From a container to the outside and back.

use std::sync::Arc;

use vswitch_datapath::DropReason::{
    Blackhole, Filtered, NoRoute, NoSource, NotOurs, Prohibited, SessionLimit, Untranslatable,
};
use vswitch_datapath::router::{Route, RouteKind, Routes};
use vswitch_packet::ip::Version::{self, V4, V6};
use vswitch_packet::{Capabilities, VlanId};

use crate::bench::{BRIDGE, Bench, HOST};
use crate::counters::on;
use crate::crafted::{Packet, echo, ethernet, ip, is_at, tcp, udp};
use crate::outside::{NIC, PEER, ROUTER, UPLINK, bench, hop, nat};
use crate::station::{A, ALICE, B, BOB, GATEWAY, Station};
use crate::tap_frame::TapFrame;
use crate::wire;

/// Whom a container addresses to reach the outside.
const AWAY: Station = PEER.with_mac(GATEWAY.mac);

type Transport = fn(Version, Station, Station, usize) -> Packet;

const TRANSPORTS: [Transport; 2] = [udp, tcp];

#[test]
fn udp_and_tcp_pass_whole_offloaded_and_as_super_frames() {
    for version in [V4, V6] {
        for (transport, port) in TRANSPORTS.into_iter().zip([5001, 443]) {
            let mut bench = bench();
            let out = transport(version, ALICE, AWAY, 900);
            let seen = transport(version, NIC, PEER, 900);
            let answer = transport(version, PEER, NIC, 900).ports(port, 40000);
            let heard = transport(version, AWAY, ALICE, 900).ports(port, 40000);
            let forms: [fn(&Packet) -> TapFrame; 3] =
                [Packet::complete, Packet::offloaded, |packet| {
                    packet.super_frame(300)
                }];
            for form in forms {
                bench.turns(A, &form(&out), &[(UPLINK, &form(&seen).hop_limit(63))]);
                bench.turns(UPLINK, &form(&answer), &[(A, &form(&heard).hop_limit(63))]);
            }
        }
    }
}

#[test]
fn ping_passes_and_the_host_s_own_answers_are_let_go() {
    for version in [V4, V6] {
        let mut bench = bench();
        let question = echo(version, true, ALICE, AWAY, 56);
        let seen = echo(version, true, NIC, PEER, 56).hop_limit(63);
        bench.turns(A, &question, &[(UPLINK, &seen)]);
        let answer = echo(version, false, PEER, NIC, 56);
        let heard = echo(version, false, AWAY, ALICE, 56).hop_limit(63);
        bench.turns(UPLINK, &answer, &[(A, &heard)]);
        // The host is asked.
        bench.refuses(UPLINK, &echo(version, true, PEER, NIC, 56), NotOurs);
    }
}

#[test]
fn a_burst_leaves_as_one_super_frame() {
    for version in [V4, V6] {
        let mut bench = bench();
        let frames = vec![udp(version, ALICE, AWAY, 100).offloaded(); 9];
        bench.burst(frames.iter().map(|frame| (A, frame)));
        let sent = bench.sent_at(UPLINK);
        assert_eq!(sent.len(), 1);
        let expected = vec![udp(version, NIC, PEER, 100).offloaded().hop_limit(63); 9];
        wire::assert_same_stream(&sent, &expected);
        bench.assert_counted([on(A).received(&frames), on(UPLINK).sent(&sent).coalesced(9)]);
    }
}

#[test]
fn an_uplink_that_takes_no_super_frames_gets_segments() {
    let mut bench = bench();
    bench.edit_port(UPLINK, |port| port.capabilities = Capabilities::NONE);
    let frame = tcp(V4, ALICE, AWAY, 5000).super_frame(1000);
    bench.enter(A, &frame);
    let sent = bench.sent_at(UPLINK);
    assert_eq!(sent.len(), 5);
    wire::assert_same_stream(
        &sent,
        [&tcp(V4, NIC, PEER, 5000).super_frame(1000).hop_limit(63)],
    );
    bench.assert_counted([
        on(A).received([&frame]),
        on(UPLINK).sent(&sent).segmented(1),
    ]);
}

#[test]
fn a_priority_tag_stays_on_its_link() {
    let mut bench = bench();
    let out = udp(V4, ALICE, AWAY, 100).offloaded();
    let seen = udp(V4, NIC, PEER, 100).offloaded().hop_limit(63);
    bench.turns(A, &out.tagged(0x6000), &[(UPLINK, &seen)]);
    let answer = udp(V4, PEER, NIC, 100).ports(5001, 40000).offloaded();
    let heard = udp(V4, AWAY, ALICE, 100).ports(5001, 40000).offloaded();
    bench.turns(
        UPLINK,
        &answer.clone().tagged(0x6000),
        &[(A, &heard.hop_limit(63))],
    );
    // Another VLAN is another interface of the host.
    bench.refuses(UPLINK, &answer.tagged(5), NotOurs);
}

#[test]
fn who_was_not_spoken_to_may_not_answer() {
    let mut bench = bench();
    bench.turns(
        A,
        &udp(V4, ALICE, AWAY, 9).complete(),
        &[(UPLINK, &udp(V4, NIC, PEER, 9).complete().hop_limit(63))],
    );
    let stranger = PEER.with_v4([203, 0, 113, 10].into());
    bench.refuses(
        UPLINK,
        &udp(V4, stranger, NIC, 9).ports(5001, 40000).complete(),
        Filtered,
    );
    // Where there is no mapping, the host is meant.
    bench.refuses(
        UPLINK,
        &udp(V4, PEER, NIC, 9).ports(5001, 40001).complete(),
        NotOurs,
    );
}

#[test]
fn what_is_not_for_the_host_at_its_nic_is_let_go() {
    let mut bench = bench();
    let elsewhere = NIC.with_v4([192, 0, 2, 77].into());
    let lldp = ethernet(ROUTER.mac, NIC.mac, 0x88cc, &[0; 46]);
    for frame in [
        udp(V4, PEER, elsewhere, 9).complete(),
        udp(V4, PEER, NIC.with_mac(BOB.mac), 9).complete(),
        udp(V4, PEER, NIC.with_v4([224, 0, 0, 251].into()), 9).complete(),
        udp(V4, PEER, NIC.with_v4([192, 0, 2, 255].into()), 9).complete(),
        lldp,
        is_at(ROUTER, NIC),
    ] {
        bench.refuses(UPLINK, &frame, NotOurs);
    }
}

#[test]
fn the_source_is_the_network_s_then_the_route_s_then_the_uplink_s() {
    let mut bench = bench();
    let source = |bench: &mut Bench| {
        let frame = udp(V4, ALICE, AWAY, 9).complete();
        bench.enter(A, &frame);
        let sent = bench.sent_at(UPLINK);
        bench.assert_counted([on(A).received([&frame]), on(UPLINK).sent(&sent)]);
        <[u8; 4]>::try_from(&sent[0].bytes[26..30]).unwrap()
    };
    assert_eq!(source(&mut bench), [192, 0, 2, 1]);

    let mut via = hop(Some(ROUTER.v4.into()));
    via.source = Some([192, 0, 2, 9].into());
    bench.edit_router(|router| {
        router.routes = routes("0.0.0.0/0", RouteKind::Via(via));
        router.nat = Some(Arc::new(nat(100)));
    });
    assert_eq!(source(&mut bench), [192, 0, 2, 9]);

    bench.edit_policy(BRIDGE, |policy| {
        policy.v4.source = Some([192, 0, 2, 10].into());
    });
    bench.edit_router(|router| router.nat = Some(Arc::new(nat(100))));
    assert_eq!(source(&mut bench), [192, 0, 2, 10]);
}

#[test]
fn without_a_source_nothing_leaves_translated() {
    let mut bench = bench();
    bench.edit_router(|router| {
        router.uplinks[0].addresses = vec!["fe80::1/64".parse().unwrap()];
    });
    for version in [V4, V6] {
        let frame = udp(version, ALICE, AWAY, 9).complete();
        bench.rejects(A, &frame, NoSource);
    }
}

fn routes(destination: &str, kind: RouteKind) -> Arc<Routes> {
    Arc::new(Routes::new(vec![Route {
        destination: destination.parse().unwrap(),
        kind,
        metric: 0,
    }]))
}

#[test]
fn routes_decide() {
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    for (kind, reason, code) in [
        (RouteKind::Unreachable, NoRoute, 0),
        (RouteKind::Elsewhere, NoRoute, 0),
        (RouteKind::Prohibited, Prohibited, 13),
    ] {
        let mut bench = bench();
        bench.edit_router(|router| router.routes = routes("203.0.113.0/24", kind));
        let error = bench.rejects(A, &frame, reason);
        assert_eq!(error.bytes[34..36], [3, code]);
        // There is no route at all for the other family.
        let error = bench.rejects(A, &udp(V6, ALICE, AWAY, 9).complete(), NoRoute);
        assert_eq!(error.bytes[54..56], [1, 0]);
    }
    let mut bench = bench();
    bench.edit_router(|router| router.routes = routes("203.0.113.0/24", RouteKind::Blackhole));
    bench.refuses(A, &frame, Blackhole);
}

#[test]
fn exhaustion_is_told_to_the_container_alone() {
    let mut bench = bench();
    bench.edit_router(|router| router.nat = Some(Arc::new(nat(2))));
    for port in [1001, 1002] {
        let out = udp(V4, ALICE, AWAY, 9).ports(port, 53).complete();
        let seen = udp(V4, NIC, PEER, 9)
            .ports(port, 53)
            .complete()
            .hop_limit(63);
        bench.turns(A, &out, &[(UPLINK, &seen)]);
    }
    let out = udp(V4, ALICE, AWAY, 9).ports(1003, 53).complete();
    let error = bench.rejects(A, &out, SessionLimit);
    assert_eq!(error.bytes[34..36], [3, 13]);
    let out = udp(V4, BOB, AWAY, 9).ports(1003, 53).complete();
    let seen = udp(V4, NIC, PEER, 9)
        .ports(1003, 53)
        .complete()
        .hop_limit(63);
    bench.turns(B, &out, &[(UPLINK, &seen)]);
}

#[test]
fn a_protocol_without_ports_does_not_share_an_address() {
    let mut bench = bench();
    // GRE.
    let frame = ip(V4, ALICE, AWAY, 47, &[0; 20], |_| ());
    let error = bench.rejects(A, &frame, Untranslatable);
    assert_eq!(error.bytes[34..36], [3, 13]);
}

#[test]
fn untranslated_where_masquerading_is_off_and_only_answers_come_back() {
    use vswitch_datapath::DropReason::NotPublished;
    for version in [V4, V6] {
        let mut bench = bench();
        bench.edit_policy(BRIDGE, |policy| {
            (policy.v4.masquerade, policy.v6.masquerade) = (false, false);
        });
        let out = udp(version, ALICE, AWAY, 9).complete();
        let seen = udp(version, ALICE.with_mac(NIC.mac), PEER, 9)
            .complete()
            .hop_limit(63);
        bench.turns(A, &out, &[(UPLINK, &seen)]);
        let to_alice = ALICE.with_mac(NIC.mac);
        let answer = udp(version, PEER, to_alice, 9)
            .ports(5001, 40000)
            .complete();
        let heard = udp(version, AWAY, ALICE, 9)
            .ports(5001, 40000)
            .complete()
            .hop_limit(63);
        bench.turns(UPLINK, &answer, &[(A, &heard)]);
        let question = udp(version, PEER, to_alice, 9)
            .ports(5001, 40001)
            .complete();
        bench.refuses(UPLINK, &question, NotPublished);
    }
}

#[test]
fn a_container_in_a_vlan_is_not_reached() {
    use vswitch_datapath::DropReason::VlanMismatch;
    let mut bench = bench();
    let out = udp(V4, ALICE, AWAY, 9).complete();
    bench.turns(
        A,
        &out,
        &[(UPLINK, &udp(V4, NIC, PEER, 9).complete().hop_limit(63))],
    );
    bench.edit_port(A, |port| port.vlan = VlanId::new(7));
    let answer = udp(V4, PEER, NIC, 9).ports(5001, 40000).complete();
    bench.refuses(UPLINK, &answer, VlanMismatch);
}

#[test]
fn without_a_translator_or_an_uplink_there_is_no_way_out() {
    let frame = udp(V4, ALICE, AWAY, 9).complete();
    let mut bench = bench();
    bench.edit_router(|router| router.nat = None);
    bench.rejects(A, &frame, NoRoute);
    let answer = udp(V4, PEER, NIC, 9).ports(5001, 40000).complete();
    bench.refuses(UPLINK, &answer, NotOurs);

    let mut bench = crate::outside::bench();
    bench.edit_router(|router| router.uplinks.clear());
    bench.rejects(A, &frame, NoRoute);
    bench.refuses(UPLINK, &answer, NotOurs);
    // The host is where it was.
    bench.carries(
        A,
        &udp(V4, ALICE, NIC.with_mac(GATEWAY.mac), 9).complete(),
        &[HOST],
    );
}
