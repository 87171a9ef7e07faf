//! Whatever comes in: nothing panics, and each frame has exactly one outcome.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use vswitch_datapath::snoop::Groups;
use vswitch_datapath::{DropReason, PortId, StormLimit};
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{Capabilities, Frame, MacAddr, VlanId, VnetHeader};

use crate::bench::{Bench, HOST};
use crate::counters::{self, Changes, on};
use crate::crafted::{
    ICMPV6, IGMP, echo, everybody, icmpv6, ip, is_at, solicit, tcp, udp, who_has,
};
use crate::station::{A, ALICE, B, BOB, C, D, DAVE, GATEWAY, at};
use crate::tap_frame::TapFrame;

const E: PortId = PortId(4);
const F: PortId = PortId(5);
const PORTS: [PortId; 7] = [A, B, C, D, E, F, HOST];

/// A switch with something of everything.
fn bench() -> Bench {
    let mut bench = Bench::new(6).with_gateway(Some(HOST));
    bench.edit_bridge(|bridge| bridge.groups = Some(Arc::new(Groups::with_limit(2))));
    bench
        .topology()
        .set_host_addresses([Ipv4Addr::new(192, 168, 9, 9).into()]);
    bench.guard(A);
    bench.edit_port(B, |port| port.capabilities = Capabilities::NONE);
    bench.edit_port(C, |port| {
        (port.vlan, port.mtu) = (VlanId::new(100), 65535);
    });
    bench.edit_port(D, |port| (port.isolated, port.mtu) = (true, 65535));
    bench.edit_port(E, |port| {
        port.isolated = true;
        port.capabilities = Capabilities {
            tso6: false,
            ..Capabilities::ALL
        };
    });
    bench.edit_port(F, |port| {
        (port.vlan, port.storm) = (VlanId::new(100), Some(Arc::new(StormLimit::new(20))));
    });
    bench
}

/// Frames that get far, to be damaged.
fn honest() -> Vec<TapFrame> {
    let mut frames = vec![
        who_has(ALICE, BOB),
        who_has(ALICE, GATEWAY),
        is_at(BOB, ALICE),
        solicit(ALICE, GATEWAY),
        solicit(ALICE, BOB),
        ip(
            V4,
            DAVE,
            GATEWAY.with_mac(MacAddr([1, 0, 0x5e, 1, 2, 3])),
            IGMP,
            &[0x16, 0, 0, 0, 239, 1, 2, 3],
            |_| (),
        ),
        icmpv6(
            ALICE,
            everybody(BOB),
            1,
            (0, &[ICMPV6, 0, 5, 2, 0, 0, 1, 0]),
            &[130; 28],
        ),
    ];
    for version in [V4, V6] {
        for (from, to) in [
            (ALICE, BOB),
            (BOB, ALICE),
            (DAVE, GATEWAY),
            (at(C), at(F)),
            (BOB, DAVE),
        ] {
            frames.push(udp(version, from, to, 30).offloaded());
            frames.push(tcp(version, from, to, 100).complete().verified());
            frames.push(tcp(version, from, to, 3000).super_frame(700));
            frames.push(udp(version, from, to, 900).super_frame(300));
            frames.push(echo(version, true, from, to, 40));
        }
    }
    let tagged = frames
        .iter()
        .flat_map(|frame| [0, 100, 7].map(|tci| frame.clone().tagged(tci)));
    frames.extend(tagged.collect::<Vec<_>>());
    frames
}

fn header() -> impl Strategy<Value = VnetHeader> {
    let word = || prop_oneof![Just(0u16), 0..100u16, any::<u16>()];
    let kind = prop_oneof![
        Just(0u8),
        Just(1),
        Just(4),
        Just(5),
        Just(0x81),
        any::<u8>()
    ];
    (
        prop_oneof![0..4u8, any::<u8>()],
        kind,
        word(),
        word(),
        word(),
        word(),
    )
        .prop_map(
            |(flags, gso_type, hdr_len, gso_size, csum_start, csum_offset)| VnetHeader {
                flags,
                gso_type,
                hdr_len,
                gso_size,
                csum_start,
                csum_offset,
            },
        )
}

pub(crate) fn frame() -> impl Strategy<Value = TapFrame> {
    let honest = honest();
    let damaged = (
        0..honest.len(),
        vec((0..120usize, any::<u8>()), 0..4),
        weighted(0.2, 0..200usize),
        weighted(0.2, header()),
        weighted(0.2, 1..60usize),
    )
        .prop_map(move |(which, patches, cut, header, padding)| {
            let mut frame = honest[which].clone();
            for (place, value) in patches {
                if let Some(octet) = frame.bytes.get_mut(place) {
                    *octet = value;
                }
            }
            frame.bytes.truncate(cut.unwrap_or(usize::MAX));
            frame.bytes.extend(vec![0xee; padding.unwrap_or(0)]);
            frame.header = header.unwrap_or(frame.header);
            frame
        });
    let noise =
        (header(), vec(any::<u8>(), 0..200)).prop_map(|(header, bytes)| TapFrame { header, bytes });
    // The edges of what is addressable, to somebody who takes it.
    let long = (header(), 65_000..65_600usize, any::<bool>()).prop_map(|(header, len, access)| {
        let (from, to) = if access { (at(C), at(F)) } else { (BOB, DAVE) };
        let mut bytes = [&to.mac.0[..], &from.mac.0, &[0x88, 0xb5]].concat();
        bytes.resize(len, 0x5a);
        TapFrame { header, bytes }
    });
    prop_oneof![20 => damaged, 4 => noise, 1 => long]
}

pub(crate) fn count(changes: &Changes, port: PortId, name: &'static str) -> u64 {
    changes.get(&(port, name)).copied().unwrap_or(0)
}

pub(crate) fn drops(changes: &Changes, port: PortId) -> u64 {
    DropReason::ALL
        .iter()
        .map(|reason| count(changes, port, reason.name()))
        .sum()
}

/// Whether this is an ICMP error.
fn is_error(frame: &TapFrame) -> bool {
    match frame.bytes.get(12..) {
        Some([8, 0, rest @ ..]) => rest[9] == 1 && matches!(rest[20], 3 | 11),
        Some([0x86, 0xdd, rest @ ..]) => rest[6] == ICMPV6 && rest[40] < 128,
        _ => false,
    }
}

/// What is wrong with the outcome of one frame, if anything is.
fn judge(bench: &mut Bench, ingress: PortId, frame: &TapFrame) -> Result<(), TestCaseError> {
    bench.enter(ingress, frame);
    let sent = bench.sent();
    let changes = bench.counted();

    // Received once, as long as it was.
    let read = frame.bytes.len().min(vswitch_packet::MAX_FRAME_LEN) as u64;
    for port in PORTS {
        let expected = if port == ingress { (1, read) } else { (0, 0) };
        let got = (
            count(&changes, port, "received_frames"),
            count(&changes, port, "received_bytes"),
        );
        prop_assert_eq!(got, expected);
    }
    // Everything that came out is counted, and nothing else; each port has one outcome.
    for port in PORTS {
        let out: Vec<_> = crate::wire::at(port, &sent).collect();
        let counted = counters::sum([on(port).sent(out.iter().copied())]);
        for name in ["sent_frames", "sent_bytes", "sent_super"] {
            prop_assert_eq!(count(&changes, port, name), count(&counted, port, name));
        }
        prop_assert!(drops(&changes, port) <= 1);
        let told = port == ingress && out.len() == 1 && is_error(out[0]);
        prop_assert!(
            out.is_empty() || drops(&changes, port) == 0 || told,
            "sent and dropped"
        );
        let segmented = count(&changes, port, "segmented");
        prop_assert!(
            out.len() as u64 <= 1.max(segmented * 10_000),
            "more than once"
        );
        prop_assert_eq!(count(&changes, port, "coalesced"), 0, "a train of one");
    }
    let reached: BTreeSet<_> = sent.iter().map(|(port, _)| *port).collect();
    let lost: Vec<_> = PORTS
        .into_iter()
        .filter(|&port| drops(&changes, port) > 0)
        .collect();
    if lost.contains(&ingress) {
        let told = reached.iter().all(|&port| port == ingress);
        prop_assert!(told && lost.len() == 1, "dropped at the ingress and sent");
    }
    if reached.contains(&ingress) {
        // The gateway's answer, or an ICMP error.
        prop_assert_eq!(reached.len(), 1);
        prop_assert_eq!(sent[0].1.bytes.get(6..12), Some(&GATEWAY.mac.0[..]));
    }
    // What comes out is what a device accepts.
    for (port, out) in &sent {
        let capabilities = bench.port(*port).capabilities;
        let mut bytes = out.bytes.clone();
        let parsed = Frame::parse(&mut bytes, out.header);
        // A tag more than the longest frame, which a kernel refuses.
        if out.bytes.len() <= vswitch_packet::MAX_FRAME_LEN {
            let parsed =
                parsed.map_err(|error| TestCaseError::fail(format!("{error}: {out:?}")))?;
            prop_assert!(capabilities.take(parsed.offload()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_frame_has_one_outcome(
        frames in vec((0..PORTS.len(), frame(), 0..500u64), 1..40),
    ) {
        let mut bench = bench();
        for (ingress, frame, millis) in &frames {
            bench.wait(Duration::from_millis(*millis));
            judge(&mut bench, PORTS[*ingress], frame)?;
        }
    }

    #[test]
    fn a_burst_counts_what_its_frames_count(
        frames in vec((0..PORTS.len(), frame()), 1..64),
    ) {
        // One at a time, and all in a burst: only coalescing makes a difference, and it is
        // made up for by the segments.
        let (mut single, mut burst) = (bench(), bench());
        for (ingress, frame) in &frames {
            single.enter(PORTS[*ingress], frame);
        }
        burst.burst(frames.iter().map(|(ingress, frame)| (PORTS[*ingress], frame)));
        let (mut one, mut many) = (single.counted(), burst.counted());
        let (came, joined) = (single.sent(), burst.sent());
        for port in PORTS {
            let total = |sent| crate::wire::at(port, sent).map(TapFrame::segments).sum::<u64>();
            let wired = |sent: &Vec<(PortId, TapFrame)>| {
                sent.iter().all(|(_, out)| out.bytes.len() <= vswitch_packet::MAX_FRAME_LEN)
            };
            if wired(&came) {
                prop_assert_eq!(total(&came), total(&joined));
            }
        }
        for changes in [&mut one, &mut many] {
            changes.retain(|(_, name), _| {
                !["sent_frames", "sent_bytes", "sent_super", "coalesced"].contains(name)
            });
        }
        prop_assert_eq!(one, many);
    }
}
