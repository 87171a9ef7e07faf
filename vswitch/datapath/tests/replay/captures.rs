//! What real programs said, replayed: each frame goes in at its sender's port, and comes out
//! where a learning bridge sends it, octet for octet.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use etherparse::TcpOptionElement;
use vswitch_datapath::DropReason::{
    self, BadSource, Malformed, ReservedGroup, RogueRouter, Runt, SpoofedAddress, SpoofedMac,
    TooBig, VlanNotAllowed,
};
use vswitch_datapath::PortId;
use vswitch_datapath::snoop::{Group, Groups};
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{Capabilities, MacAddr, VlanId};

use crate::bench::Bench;
use crate::capture::capture;
use crate::counters::on;
use crate::crafted::{advertise, is_at, udp};
use crate::station::{A, ALICE, B, BOB, C, D, GATEWAY, Station};
use crate::tap_frame::TapFrame;
use crate::wire;

type Capture = Vec<(Duration, TapFrame)>;

const ALL: [PortId; 4] = [A, B, C, D];

fn mac(frame: &TapFrame, at: usize) -> MacAddr {
    MacAddr(*frame.bytes[at..].first_chunk().unwrap())
}

/// Where a frame's sender is: who is neither alice nor bob was the bridge of the recording.
fn port_of(source: MacAddr) -> PortId {
    match source {
        mac if mac == ALICE.mac => A,
        mac if mac == BOB.mac => B,
        _ => C,
    }
}

/// The port each of `frames` goes in at, and those it comes out of: a bridge in ten lines.
fn bridged(frames: &Capture) -> Vec<(PortId, Vec<PortId>)> {
    let mut known = HashMap::new();
    let mut ways = vec![];
    for (_, frame) in frames {
        let ingress = port_of(mac(frame, 6));
        known.insert(mac(frame, 6), ingress);
        let egress = match known.get(&mac(frame, 0)) {
            Some(&port) => vec![port],
            None => ALL.into_iter().filter(|&port| port != ingress).collect(),
        };
        ways.push((ingress, egress));
    }
    ways
}

/// alice and bob are held to their addresses; dave only listens.
fn bench() -> Bench {
    let mut bench = Bench::new(4);
    bench.guard(A);
    bench.guard(B);
    bench
}

/// Replays at the pace of the recording.
#[track_caller]
fn replay(bench: &mut Bench, frames: &Capture) {
    let mut elapsed = Duration::ZERO;
    for ((since, frame), (ingress, egress)) in frames.iter().zip(bridged(frames)) {
        bench.wait(*since - elapsed);
        elapsed = *since;
        bench.carries(ingress, frame, &egress);
    }
}

/// Replays as one burst in which a NIC vouches for the checksums, so that what can be joined is.
/// Tells how many frames came out.
#[track_caller]
fn replay_joined(bench: &mut Bench, frames: &Capture) -> usize {
    let verified: Capture = frames
        .iter()
        .map(|(since, frame)| (*since, frame.clone().verified()))
        .collect();
    bench.learn(&[A, B]);
    bench.burst(
        verified
            .iter()
            .map(|(_, frame)| (port_of(mac(frame, 6)), frame)),
    );
    let sent = bench.sent();
    let mut changes = vec![];
    for port in [A, B] {
        let came = || verified.iter().map(|(_, frame)| frame);
        let entered = came().filter(|frame| port_of(mac(frame, 6)) == port);
        let due = came().filter(|frame| port_of(mac(frame, 0)) == port);
        wire::assert_same_stream(wire::at(port, &sent), due);
        let joined = wire::at(port, &sent).filter(|frame| frame.is_super());
        let joined = joined.map(TapFrame::segments).sum();
        changes.push(
            on(port)
                .received(entered)
                .sent(wire::at(port, &sent))
                .coalesced(joined),
        );
    }
    bench.assert_counted(changes);
    sent.len()
}

#[test]
fn arp_and_ping() {
    let frames = capture!("arp-ping");
    assert_eq!(frames.len(), 8);
    // Frame by frame what our own making would be.
    assert_eq!(frames[1].1, is_at(BOB, ALICE));
    let mut bench = bench();
    replay(&mut bench, &frames);
    assert_eq!(bench.bridge().fdb.learned(), 2);
    // Again, while the addresses are known: only the question is flooded.
    replay(&mut bench, &frames);
}

#[test]
fn arp_probe() {
    let frames = capture!("arp-probe");
    // Two probes from 0.0.0.0, which a checked port may send.
    assert_eq!(frames[0].1.bytes[28..32], [0; 4]);
    replay(&mut bench(), &frames);
}

#[test]
fn dhcp() {
    let frames = capture!("dhcp");
    assert_eq!(frames.len(), 4);
    assert_eq!(frames[0].1.bytes[26..30], [0; 4], "who has no address yet");
    replay(&mut bench(), &frames);
    // The same from a port that should know better than to answer.
    let mut bench = bench();
    bench.refuses(A, &frames[1].1, SpoofedMac);
}

#[test]
fn duplicate_address_detection_and_listener_reports() {
    let frames = capture!("nd-dad");
    let from_nowhere = frames
        .iter()
        .filter(|(_, frame)| frame.bytes[22..38] == [0; 16])
        .count();
    assert!(from_nowhere > 4, "{from_nowhere} frames from ::");
    replay(&mut bench(), &frames);
}

#[test]
fn neighbour_discovery_and_ping() {
    let frames = capture!("nd-ping");
    let flags =
        smoltcp::wire::NdiscNeighborFlags::SOLICITED | smoltcp::wire::NdiscNeighborFlags::OVERRIDE;
    assert_eq!(frames[1].1, advertise(BOB, ALICE, BOB, flags));
    replay(&mut bench(), &frames);
}

#[test]
fn tcp_with_timestamps() {
    for frames in [capture!("tcp-http"), capture!("tcp6-http")] {
        let mut bench = bench();
        replay(&mut bench, &frames);
        let count = replay_joined(&mut bench, &frames);
        assert!(
            count < frames.len() - 5,
            "{count} frames of {}",
            frames.len()
        );
    }
}

#[test]
fn tcp_that_loses_and_acknowledges_selectively() {
    let frames = capture!("tcp-sack");
    let selective = frames.iter().filter(|(_, frame)| {
        let (_, segment) = etherparse::Ipv4Header::from_slice(&frame.bytes[14..]).unwrap();
        let (tcp, _) = etherparse::TcpHeader::from_slice(segment).unwrap();
        let mut options = tcp.options_iterator();
        options.any(|o| matches!(o, Ok(TcpOptionElement::SelectiveAcknowledgement(..))))
    });
    assert!(selective.count() > 2, "no selective acknowledgements");
    let mut bench = bench();
    replay(&mut bench, &frames);
    replay_joined(&mut bench, &frames);
}

#[test]
fn a_burst_of_datagrams() {
    let frames = capture!("udp-burst");
    let mut bench = bench();
    replay(&mut bench, &frames);
    assert_eq!(frames.len(), 24);
    assert_eq!(replay_joined(&mut bench, &frames), 1);
    // Without segmentation offload they stay what they are.
    bench.edit_port(B, |port| port.capabilities = Capabilities::NONE);
    assert_eq!(replay_joined(&mut bench, &frames), 24);
}

#[test]
fn fragments() {
    for frames in [capture!("fragments"), capture!("fragments6")] {
        let mut bench = bench();
        replay(&mut bench, &frames);
        let whole: Capture = frames
            .into_iter()
            .filter(|(_, frame)| [ALICE.mac, BOB.mac].contains(&mac(frame, 0)))
            .collect();
        assert_eq!(replay_joined(&mut bench, &whole), whole.len());
    }
}

#[test]
fn jumbo_frames() {
    let frames = capture!("jumbo");
    let mut bench = bench();
    for port in [A, B, C] {
        bench.edit_port(port, |port| port.mtu = 9000);
    }
    bench.learn(&[A, B]);
    for (_, frame) in &frames {
        assert!(frame.bytes.len() > 8900);
        let (ingress, egress) = if mac(frame, 6) == ALICE.mac {
            (A, B)
        } else {
            (B, A)
        };
        bench.carries(ingress, frame, &[egress]);
    }
    bench.edit_port(B, |port| port.mtu = 1500);
    bench.refuses_at(A, &frames[0].1, B, TooBig);
}

#[test]
fn vlan_tags() {
    let frames = capture!("vlan");
    replay(&mut bench(), &frames);

    // With bob at an access port: to him without the tag, from him with it.
    let mut bench = Bench::new(2);
    bench.edit_port(B, |port| port.vlan = VlanId::new(100));
    for (_, frame) in &frames {
        let plain = frame.clone().untagged();
        if mac(frame, 6) == ALICE.mac {
            bench.turns(A, frame, &[(B, &plain)]);
        } else {
            bench.turns(B, &plain, &[(A, &plain.clone().tagged(100))]);
        }
    }
}

#[test]
fn frames_that_are_cut_off() {
    let frames = capture!("truncated");
    let mut guarded = bench();
    let mut open = Bench::new(2);
    for (place, (_, frame)) in frames.iter().enumerate() {
        let runt = place < 2;
        guarded.refuses(A, frame, if runt { Runt } else { Malformed });
        // A bridge that checks nobody carries what has an Ethernet header.
        if runt {
            open.refuses(A, frame, Runt);
        } else {
            open.carries(A, frame, &[B]);
        }
    }
    assert_eq!((frames.len(), guarded.bridge().fdb.learned()), (10, 0));
}

#[test]
fn hostile_frames() {
    let reasons: [DropReason; 26] = [
        BadSource,
        BadSource,
        SpoofedMac,
        SpoofedAddress,
        SpoofedMac,
        SpoofedAddress,
        SpoofedAddress,
        SpoofedAddress,
        SpoofedAddress,
        SpoofedAddress,
        RogueRouter,
        RogueRouter,
        RogueRouter,
        RogueRouter,
        Malformed,
        Malformed,
        Malformed,
        Malformed,
        Malformed,
        Malformed,
        Malformed,
        Malformed,
        Malformed,
        VlanNotAllowed,
        ReservedGroup,
        ReservedGroup,
    ];
    let frames = capture!("hostile");
    assert_eq!(frames.len(), reasons.len());
    let mut bench = bench();
    for ((_, frame), reason) in frames.iter().zip(reasons) {
        bench.refuses(A, frame, reason);
    }
    assert_eq!(bench.bridge().fdb.learned(), 0);
}

/// A frame to the group that the captures join, over IPv4 and IPv6.
fn to_group(from: Station) -> [TapFrame; 2] {
    let group = from
        .with_mac(MacAddr([0x01, 0, 0x5e, 1, 2, 3]))
        .with_v4([239, 1, 2, 3].into());
    let group6 = from
        .with_mac(MacAddr([0x33, 0x33, 0, 0, 1, 0x23]))
        .with_v6(core::net::Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 0x123));
    [
        udp(V4, from, group, 99).complete(),
        udp(V6, from, group6, 99).complete(),
    ]
}

#[test]
fn membership_reports_to_a_querier() {
    let frames = capture!("multicast");
    let mut bench = bench();
    bench.edit_bridge(|bridge| bridge.groups = Some(Arc::new(Groups::default())));
    let mut elapsed = Duration::ZERO;
    let mut asked = false;
    for (since, frame) in &frames {
        // alice leaves after six seconds.
        if elapsed < Duration::from_secs(5) && *since >= Duration::from_secs(5) {
            for data in to_group(BOB) {
                bench.carries(B, &data, &[A, C]);
            }
        }
        bench.wait(*since - elapsed);
        elapsed = *since;
        let (ingress, to) = (port_of(mac(frame, 6)), mac(frame, 0).0);
        let report = matches!(
            to,
            [0x01, 0, 0x5e, 0, 0, 0x16] | [0x33, 0x33, 0, 0, 0, 0x16]
        );
        asked |= mac(frame, 6) == GATEWAY.mac && !report;
        let egress: Vec<_> = match (report, asked) {
            (true, true) => [C].into_iter().filter(|&port| port != ingress).collect(),
            _ => ALL.into_iter().filter(|&port| port != ingress).collect(),
        };
        bench.carries(ingress, frame, &egress);
    }
    // Nobody listens any more, and nothing says so for good: to everybody again.
    bench.wait(Duration::from_secs(3));
    for data in to_group(BOB) {
        bench.carries(B, &data, &[A, C, D]);
    }
}

#[test]
fn membership_reports_of_version_2() {
    let frames = capture!("igmpv2");
    let mut bench = bench();
    let groups = Arc::new(Groups::default());
    bench.edit_bridge(|bridge| bridge.groups = Some(Arc::clone(&groups)));
    // Nobody asks, so all is flooded, but it is noted who listens.
    replay(&mut bench, &frames[..2].to_vec());
    let rows = groups.rows(bench.now());
    let member = (rows[0].group, rows[0].port, rows.len());
    assert_eq!(member, (Some(Group([239, 1, 2, 3].into())), A, 1));
    bench.carries(A, &frames[2].1, &[B, C, D]);
    bench.wait(Duration::from_secs(2));
    assert_eq!(groups.rows(bench.now()), []);
}
