//! Random bursts: what arrives of each flow is what was sent, in order, whole, and once.

use std::collections::{BTreeMap, HashMap};

use proptest::collection::vec;
use proptest::prelude::*;
use vswitch_datapath::PortId;
use vswitch_packet::Capabilities;
use vswitch_packet::ip::Version::{self, V4, V6};

use crate::coalescing::bench;
use crate::crafted::{Packet, UDP, echo, ip, tcp, udp, who_has};
use crate::station::at;
use crate::tap_frame::TapFrame;
use crate::wire;

/// What one sender does in a random burst.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Udp {
        flow: u16,
        to: u32,
        version: Version,
        len: usize,
        left: bool,
        fragmentable: bool,
    },
    Tcp {
        flow: u16,
        to: u32,
        version: Version,
        len: usize,
        push: bool,
        fin: bool,
    },
    Super {
        flow: u16,
        to: u32,
        version: Version,
    },
    SuperTcp {
        flow: u16,
        to: u32,
        version: Version,
        len: usize,
    },
    Fragment {
        to: u32,
        offset: u16,
    },
    Ping {
        to: u32,
    },
    Ask,
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let version = || prop_oneof![Just(V4), Just(V6)];
    let len = || prop_oneof![4 => Just(100usize), 1 => Just(40), 1 => 4..1200usize];
    let (flow, to) = (|| 0..3u16, || 1..4u32);
    let rarely = || prop::bool::weighted(0.1);
    prop_oneof![
        8 => (flow(), to(), version(), len(), prop::bool::weighted(0.9), rarely()).prop_map(
            |(flow, to, version, len, left, fragmentable)| {
                Act::Udp { flow, to, version, len, left, fragmentable }
            }
        ),
        8 => (flow(), to(), version(), len(), rarely(), rarely()).prop_map(
            |(flow, to, version, len, push, fin)| Act::Tcp { flow, to, version, len, push, fin }
        ),
        1 => (flow(), to(), version()).prop_map(|(flow, to, version)| {
            Act::Super { flow, to, version }
        }),
        1 => (flow(), to(), version(), 1..8000usize).prop_map(|(flow, to, version, len)| {
            Act::SuperTcp { flow, to, version, len }
        }),
        1 => (to(), 0..4u16).prop_map(|(to, offset)| Act::Fragment { to, offset: offset * 8 }),
        1 => to().prop_map(|to| Act::Ping { to }),
        1 => Just(Act::Ask),
    ]
}

/// Flow, how far the receiver's port is from the sender's, kind.
type Flow = (u16, u32, u8);

/// A frame, where it comes in, and the flow it belongs to.
pub(crate) type Sent = (PortId, TapFrame, Flow);

/// What each of `acts` sends from its port.
pub(crate) fn perform_all(acts: &[(u32, Act)]) -> Vec<Sent> {
    let mut sequences = HashMap::new();
    let numbered = acts.iter().enumerate();
    numbered
        .map(|(n, (from, act))| {
            let from = PortId(*from);
            let key = match act {
                Act::Tcp {
                    flow, to, version, ..
                }
                | Act::SuperTcp {
                    flow, to, version, ..
                } => (from, *flow, *to, *version == V4),
                _ => (from, 0, 0, false),
            };
            let sequence = sequences.entry(key).or_insert(0xffff_ff00);
            let (frame, flow) = perform(act, from, n as u32, sequence);
            (from, frame, flow)
        })
        .collect()
}

/// The frame that `act` sends, and the flow it belongs to.
fn perform(act: &Act, from: PortId, n: u32, sequence: &mut u32) -> (TapFrame, Flow) {
    let sender = at(from);
    // Never to itself.
    let peer = |to: u32| at(PortId((from.0 + to) % 4));
    let stamped = |packet: Packet, len: usize| {
        let mut data = packet.payload.clone();
        data.resize(len.max(4), 0);
        data[..4].copy_from_slice(&n.to_be_bytes());
        packet.data(data)
    };
    let family = |version: Version| u8::from(version == V6);
    match *act {
        Act::Udp {
            flow,
            to,
            version,
            len,
            left,
            fragmentable,
        } => {
            let packet = stamped(udp(version, sender, peer(to), len).ports(flow, 9), len);
            let packet = if fragmentable {
                packet.fragmentable()
            } else {
                packet
            };
            let frame = if left {
                packet.offloaded()
            } else {
                packet.complete().verified()
            };
            (frame, (flow, to, family(version)))
        }
        Act::Tcp {
            flow,
            to,
            version,
            len,
            push,
            fin,
        } => {
            let packet = stamped(tcp(version, sender, peer(to), len).ports(flow, 9), len);
            let packet = packet.tcp_header(|tcp| {
                (tcp.psh, tcp.fin) = (push, fin);
                tcp.sequence_number = *sequence;
            });
            *sequence = sequence.wrapping_add(len as u32);
            (packet.offloaded(), (flow, to, 2 + family(version)))
        }
        Act::Super { flow, to, version } => {
            let packet = stamped(udp(version, sender, peer(to), 2000).ports(flow, 9), 2000);
            (packet.super_frame(700), (flow, to, family(version)))
        }
        Act::SuperTcp {
            flow,
            to,
            version,
            len,
        } => {
            let packet = stamped(tcp(version, sender, peer(to), len).ports(flow, 9), len);
            let packet = packet.tcp_header(|tcp| tcp.sequence_number = *sequence);
            *sequence = sequence.wrapping_add(packet.payload.len() as u32);
            (packet.super_frame(1000), (flow, to, 2 + family(version)))
        }
        Act::Fragment { to, offset } => {
            let stamp = [&n.to_be_bytes()[..], &[0; 28]].concat();
            let frame = ip(V4, sender, peer(to), UDP, &stamp, |header| {
                header.dont_fragment = false;
                header.more_fragments = true;
                header.fragment_offset = (offset / 8).try_into().unwrap();
            });
            (frame, (0xffff, to, 4))
        }
        Act::Ping { to } => (
            echo(V4, true, sender, peer(to), n as usize % 64),
            (0xffff, to, 5),
        ),
        Act::Ask => (who_has(sender, at(PortId(200))), (0xffff, 0, 6)),
    }
}

/// What is wrong with what came out of the ports, if anything is.
pub(crate) fn judge(frames: &[Sent], sent: &[(PortId, TapFrame)]) -> Result<(), TestCaseError> {
    for port in (0..4).map(PortId) {
        // What the port should have got, from whom and of which flow.
        let mut expected = BTreeMap::<_, Vec<&TapFrame>>::new();
        for (from, frame, flow) in frames {
            let flooded = flow.2 == 6;
            if (flooded && *from != port) || (!flooded && (from.0 + flow.1) % 4 == port.0) {
                expected.entry((*from, *flow)).or_default().push(frame);
            }
        }
        let mut arrived = wire::stream(wire::at(port, sent));
        for flow in expected.values() {
            let flow = wire::stream(flow.iter().copied());
            let mut arrived = arrived.iter();
            for packet in &flow {
                prop_assert!(arrived.any(|p| p == packet), "lost or overtaken");
            }
        }
        let mut all: Vec<_> = expected
            .values()
            .flat_map(|flow| wire::stream(flow.iter().copied()))
            .collect();
        all.sort_unstable();
        arrived.sort_unstable();
        prop_assert_eq!(arrived.len(), all.len());
        prop_assert!(arrived == all, "lost, doubled or garbled");
    }
    // A fragment has no ports, so it may belong to any datagram over IPv4 of its sender: what
    // came in before it goes out before it.
    for (from, to) in (0..16).map(|n| (at(PortId(n / 4)), PortId(n % 4))) {
        let datagrams = |packets: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
            let of_pair = |p: &Vec<u8>| p[..6] == at(to).mac.0 && p[6..12] == from.mac.0;
            let udp4 = |p: &Vec<u8>| p[12..14] == [8, 0] && p[23] == UDP;
            packets
                .into_iter()
                .filter(|p| of_pair(p) && udp4(p))
                .collect()
        };
        let came = datagrams(wire::stream(frames.iter().map(|(_, frame, _)| frame)));
        let left = datagrams(wire::stream(wire::at(to, sent)));
        for (place, fragment) in came.iter().enumerate().filter(|(_, p)| p[20] & 0x20 != 0) {
            let end = left.iter().position(|packet| packet == fragment).unwrap();
            let [mut before, mut sent_before] = [came[..place].to_vec(), left[..end].to_vec()];
            before.sort_unstable();
            sent_before.sort_unstable();
            prop_assert!(
                before == sent_before,
                "a fragment overtook, or was overtaken"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_flow_arrives_in_order_and_whole(
        acts in vec((0..4u32, act()), 1..150),
        plain in proptest::option::weighted(0.3, 0..4u32),
    ) {
        let mut bench = bench();
        if let Some(port) = plain {
            bench.edit_port(PortId(port), |port| port.capabilities = Capabilities::NONE);
        }
        let frames = perform_all(&acts);
        bench.burst(frames.iter().map(|(from, frame, _)| (*from, frame)));
        bench.counted();
        judge(&frames, &bench.sent())?;
    }
}
