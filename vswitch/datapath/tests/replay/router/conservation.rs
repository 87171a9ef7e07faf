//! Whatever comes in at the router: nothing panics, everything has an outcome, what leaves is
//! whole, and no address of the inside leaks.

use core::time::Duration;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use vswitch_datapath::{DropReason, PortId};
use vswitch_nat::Protocol::Udp;
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{Capabilities, Frame, Network};

use crate::bench::{Bench, HOST};
use crate::counters::{self, Changes, on};
use crate::crafted::{echo, ip, is_at, tcp, udp};
use crate::outside::{E, ERIN, NIC, OTHER_GATEWAY, PEER, ROUTER, UPLINK, bench};
use crate::station::{A, ALICE, B, BOB, C, CAROL, GATEWAY};
use crate::tap_frame::TapFrame;

const PORTS: [PortId; 6] = [A, B, C, E, HOST, UPLINK];

/// With a narrow container, an uplink that takes no super-frames of one kind, and a published port.
fn lab() -> Bench {
    let mut bench = bench();
    bench.publish(Udp, (B, BOB), "0.0.0.0", 5001..=5001);
    bench.edit_port(B, |port| port.mtu = 600);
    bench.edit_port(UPLINK, |port| {
        port.mtu = 1300;
        port.capabilities = Capabilities {
            uso: false,
            ..Capabilities::ALL
        };
    });
    bench
}

/// Who sends what to whom, to be damaged.
fn honest() -> Vec<(PortId, TapFrame)> {
    let mut frames = vec![(UPLINK, is_at(ROUTER, NIC))];
    for version in [V4, V6] {
        for (port, from, to) in [
            (A, ALICE, PEER.with_mac(GATEWAY.mac)),
            (C, CAROL, NIC.with_mac(GATEWAY.mac)),
            (A, ALICE, ERIN.with_mac(GATEWAY.mac)),
            (E, ERIN, NIC.with_mac(OTHER_GATEWAY.mac)),
            (E, ERIN, PEER.with_mac(OTHER_GATEWAY.mac)),
            (UPLINK, PEER, NIC),
            (UPLINK, PEER, ALICE.with_mac(NIC.mac)),
        ] {
            let answers = |packet: crate::crafted::Packet| match port {
                UPLINK => packet.ports(5001, 40000),
                _ => packet,
            };
            frames.push((port, answers(udp(version, from, to, 30)).offloaded()));
            frames.push((port, udp(version, from, to, 700).fragmentable().complete()));
            frames.push((port, answers(tcp(version, from, to, 3000)).super_frame(700)));
            frames.push((
                port,
                answers(udp(version, from, to, 5000).fragmentable()).super_frame(1400),
            ));
            frames.push((port, echo(version, true, from, to, 40)));
            frames.push((port, echo(version, false, from, to, 1400)));
            let piece = ip(version, from, to, 17, &[7; 64], |header| {
                header.fragment_offset = 8.try_into().unwrap();
            });
            frames.push((port, piece));
            let about = answers(udp(version, to, from, 30)).complete().bytes[14..].to_vec();
            let (protocol, kind) = if version == V4 { (1, 3) } else { (58, 1) };
            let message = [&[kind, 3, 0, 0, 0, 0, 0, 0], &about[..]].concat();
            frames.push((port, ip(version, from, to, protocol, &message, |_| ())));
        }
    }
    frames
}

fn arrivals() -> impl Strategy<Value = (PortId, TapFrame)> {
    let honest = honest();
    (
        0..honest.len(),
        vec((14..100usize, any::<u8>()), 0..4),
        weighted(0.5, 0..255u8),
        weighted(0.1, 14..200usize),
    )
        .prop_map(move |(which, patches, hops, cut)| {
            let (port, mut frame) = honest[which].clone();
            for (place, value) in patches {
                if let Some(octet) = frame.bytes.get_mut(place) {
                    *octet = value;
                }
            }
            let ip = frame.bytes.len() > 74 && frame.bytes[12] == 8 && frame.bytes[13] == 0;
            if ip && frame.bytes[14] >> 4 == 4 && frame.bytes[14] & 15 >= 5 {
                // The header's checksum is right all the same, so that the rest is looked at.
                let hops = hops.unwrap_or(frame.bytes[22]);
                frame = frame.hop_limit(hops);
            }
            frame.bytes.truncate(cut.unwrap_or(usize::MAX));
            (port, frame)
        })
}

fn drops(changes: &Changes) -> u64 {
    let reasons = || DropReason::ALL.iter().map(|reason| reason.name());
    changes
        .iter()
        .filter(|((_, name), _)| reasons().any(|r| r == *name))
        .map(|(_, n)| n)
        .sum()
}

fn judge(bench: &mut Bench, port: PortId, frame: &TapFrame) -> Result<(), TestCaseError> {
    bench.enter(port, frame);
    let sent = bench.sent();
    let changes = bench.counted();
    let count = |port, name| changes.get(&(port, name)).copied().unwrap_or(0);
    for at in PORTS {
        prop_assert_eq!(count(at, "received_frames"), u64::from(at == port));
        let out: Vec<_> = crate::wire::at(at, &sent).collect();
        let counted = counters::sum([on(at).sent(out.iter().copied())]);
        for name in ["sent_frames", "sent_bytes", "sent_super"] {
            prop_assert_eq!(
                count(at, name),
                counted.get(&(at, name)).copied().unwrap_or(0)
            );
        }
    }
    let held: u64 = PORTS.iter().map(|&port| count(port, "held")).sum();
    prop_assert!(drops(&changes) + held > 0 || !sent.is_empty(), "vanished");
    for (at, out) in &sent {
        let mut bytes = out.bytes.clone();
        let parsed = Frame::parse(&mut bytes, out.header)
            .map_err(|error| TestCaseError::fail(format!("{error}: {out:?}")))?;
        prop_assert!(bench.port(*at).capabilities.take(parsed.offload()));
        prop_assert!(
            parsed.packet_len() <= usize::from(bench.port(*at).mtu),
            "{:?}",
            out
        );
        let Network::Ip(ip) = parsed.network() else {
            continue;
        };
        if *at == UPLINK {
            prop_assert_eq!(parsed.source(), NIC.mac);
            if parsed.destination().is_multicast() {
                // A question after somebody on the link.
                prop_assert_eq!(parsed.bytes().get(54), Some(&135));
                continue;
            }
            // Whoever the link's ARP says has the router's address.
            prop_assert!(parsed.destination().is_valid_source());
            let source = ip.source(parsed.bytes());
            prop_assert!(NIC.addresses().contains(&source), "{} leaked", source);
            prop_assert!(ip.checksum_ok(parsed.bytes()));
        }
        if port == UPLINK {
            prop_assert!([GATEWAY.mac, OTHER_GATEWAY.mac, NIC.mac].contains(&parsed.source()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_packet_has_an_outcome_and_what_leaves_is_whole(
        frames in vec((arrivals(), 0..500u64), 1..60),
    ) {
        let mut bench = lab();
        for ((port, frame), millis) in &frames {
            bench.wait(Duration::from_millis(*millis));
            judge(&mut bench, *port, frame)?;
        }
    }
}
