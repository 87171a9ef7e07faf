//! Whatever comes in at a container or from another host: nothing panics, what comes out is counted,
//! and everything has one outcome.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use vswitch_datapath::snoop::Groups;
use vswitch_datapath::{Port, PortId};
use vswitch_packet::ip::Version::V4;
use vswitch_packet::{Capabilities, Frame, Network, VlanId};
use vswitch_vxlan::Path;

use super::peers::{FAR, NEAR, NOBODY, TO_FAR, TO_NEAR, UNDERLAY, VNI, with_peers};
use crate::bench::{Bench, HOST};
use crate::conservation::{count, drops, frame};
use crate::counters::{self, Changes, on};
use crate::datagrams::{Delivery, HandOver};
use crate::station::{A, B, C, D};
use crate::tap_frame::TapFrame;
use crate::wire;

const PORTS: [PortId; 8] = [A, B, C, D, HOST, TO_NEAR, TO_FAR, UNDERLAY];
const INGRESS: [PortId; 5] = [A, B, C, D, HOST];

/// A switch with something of everything.
fn bench() -> Bench {
    let mut bench = with_peers(4).with_gateway(Some(HOST));
    bench.edit_bridge(|bridge| bridge.groups = Some(Arc::new(Groups::with_limit(2))));
    bench
        .topology()
        .set_host_addresses([[192, 168, 9, 9].into()]);
    bench.guard(A);
    bench.edit_port(B, |port| port.capabilities = Capabilities::NONE);
    bench.edit_port(C, |port| {
        (port.vlan, port.mtu) = (VlanId::new(100), 65535);
    });
    bench.edit_port(D, |port| (port.isolated, port.mtu) = (true, 65535));
    // One of the peers takes tags, and almost anything that is long.
    bench.edit_tunnel(TO_FAR, |tunnel| {
        (tunnel.tagged, tunnel.learn_limit) = (true, 1);
        tunnel.path = Path::new(V4, u16::MAX).into();
    });
    bench
}

/// What comes in at once.
#[derive(Clone, Debug)]
enum Input {
    Frame(PortId, TapFrame),
    Datagrams(Delivery),
}

/// Boxed, or its value trees would fill the stack.
fn input() -> BoxedStrategy<Input> {
    let container = (0..INGRESS.len(), frame());
    let container = container.prop_map(|(port, frame)| Input::Frame(INGRESS[port], frame));
    let from = prop_oneof![4 => Just(NEAR), 4 => Just(FAR), 1 => Just(NOBODY), 1 => Just([192, 168, 9, 9].into())];
    let vni = prop_oneof![9 => Just(VNI), 1 => Just(VNI + 1)];
    let damage = vec((0..8usize, any::<u8>()), 0..2);
    let remote = (
        from,
        vni,
        frame(),
        1..5usize,
        weighted(0.2, 0..200usize),
        weighted(0.1, damage),
        any::<u8>(),
    );
    let remote = remote.prop_map(|(from, vni, mut frame, many, cut, damage, tos)| {
        // As a datagram is at most, and several are together.
        frame.bytes.truncate(65_507 / many - 8);
        let mut delivery = Delivery::joined(from, vni, &vec![frame; many]).marked(tos);
        if let Some(last) = delivery.datagrams.last_mut() {
            last.truncate(cut.unwrap_or(usize::MAX).max(1));
        }
        for (place, value) in damage.unwrap_or_default() {
            if let Some(octet) = delivery.datagrams[0].get_mut(place) {
                *octet = value;
            }
        }
        Input::Datagrams(delivery)
    });
    prop_oneof![container.boxed(), remote.boxed()].boxed()
}

fn enter(bench: &mut Bench, input: &Input) {
    match input {
        Input::Frame(port, frame) => bench.enter(*port, frame),
        Input::Datagrams(delivery) => bench.arrive(UNDERLAY, [delivery]),
    }
}

/// The tunnel that a hand-over left by.
fn tunnel_of(one: &HandOver) -> PortId {
    if one.envelope.to.ip() == NEAR {
        TO_NEAR
    } else {
        TO_FAR
    }
}

/// What is wrong with the outcome of `input`, if anything is.
fn judge(bench: &mut Bench, input: &Input) -> Result<(), TestCaseError> {
    enter(bench, input);
    let (sent, handed_over) = (bench.sent(), bench.handed_over());
    let changes = bench.counted();
    let ingress = match input {
        Input::Frame(port, frame) => {
            let read = frame.bytes.len().min(vswitch_packet::MAX_FRAME_LEN) as u64;
            prop_assert_eq!(count(&changes, *port, "received_bytes"), read);
            *port
        }
        Input::Datagrams(delivery) => {
            let arrived = counters::sum([on(UNDERLAY).arrived([delivery])]);
            for name in ["received_frames", "received_bytes", "received_super"] {
                prop_assert_eq!(
                    count(&changes, UNDERLAY, name),
                    count(&arrived, UNDERLAY, name)
                );
            }
            // Each was taken by a tunnel, or dropped.
            let frames = |port| count(&changes, port, "received_frames");
            let taken = frames(TO_NEAR) + frames(TO_FAR);
            prop_assert_eq!(frames(UNDERLAY), taken + drops(&changes, UNDERLAY));
            if delivery.from == NEAR {
                TO_NEAR
            } else {
                TO_FAR
            }
        }
    };
    for port in PORTS {
        if port != ingress && port != UNDERLAY {
            prop_assert_eq!(count(&changes, port, "received_frames"), 0);
        }
        // Everything that came out is counted, and nothing else.
        let local = wire::at(port, &sent);
        let remote = handed_over.iter().filter(|one| tunnel_of(one) == port);
        let counted = counters::sum([on(port).sent(local).handed_over(remote)]);
        for name in ["sent_frames", "sent_bytes", "sent_super"] {
            prop_assert_eq!(count(&changes, port, name), count(&counted, port, name));
        }
    }
    // Nothing goes from tunnel to tunnel but answers to where the question was from.
    if let Input::Datagrams(_) = input {
        prop_assert!(handed_over.iter().all(|one| tunnel_of(one) == ingress));
    }
    // One frame has one outcome at each port.
    if let Input::Frame(port, _) = input {
        for other in PORTS.into_iter().filter(|other| other != port) {
            let out = count(&changes, other, "sent_frames");
            let lost = drops(&changes, other);
            prop_assert!(lost <= 1 && (lost == 0 || out == 0), "sent and dropped");
        }
        let dropped = drops(&changes, *port);
        let reached: BTreeSet<_> = PORTS
            .into_iter()
            .filter(|&p| count(&changes, p, "sent_frames") > 0)
            .collect();
        prop_assert!(dropped <= 1);
        prop_assert!(
            dropped == 0 || reached.iter().all(|p| p == port),
            "dropped and sent"
        );
    }
    for one in &handed_over {
        assert_whole(bench.port(tunnel_of(one)), one)?;
    }
    Ok(())
}

/// What goes into a tunnel is a frame, of the segment, and short enough for the path.
fn assert_whole(port: &Port, one: &HandOver) -> Result<(), TestCaseError> {
    let tunnel = port.tunnel.as_ref().unwrap();
    prop_assert!(one.outer_len() <= usize::from(tunnel.path.mtu()));
    for frame in one.frames(VNI) {
        let mut bytes = frame.bytes.clone();
        let parsed = Frame::parse_plain(&mut bytes);
        let parsed = parsed.map_err(|error| TestCaseError::fail(format!("{error}: {frame:?}")))?;
        prop_assert!(tunnel.tagged || parsed.layout().tag.is_none());
    }
    Ok(())
}

/// What came out, packet by packet, in no order.
fn packets(bench: &mut Bench) -> Vec<(PortId, Vec<u8>)> {
    let sent = bench.sent();
    let local = sent.iter().flat_map(|(port, frame)| {
        let packets = on_the_wire(frame);
        packets.into_iter().map(|packet| (*port, packet))
    });
    let mut all: Vec<_> = local.collect();
    for one in bench.handed_over() {
        let frames = one.frames(VNI);
        let packets = frames.iter().flat_map(on_the_wire);
        all.extend(packets.map(|packet| (tunnel_of(&one), packet)));
    }
    all.sort_unstable();
    all
}

/// Padding stays behind where packets are joined; where a malformed packet ends, nobody can say.
fn on_the_wire(frame: &TapFrame) -> Vec<Vec<u8>> {
    let mut bytes = frame.bytes.clone();
    let parsed = Frame::parse(&mut bytes, frame.header);
    let end = match parsed.map(|frame| (frame.network(), frame.packet_end())) {
        Ok((Network::Malformed, _)) | Err(_) => return vec![bytes],
        Ok((_, end)) => end,
    };
    bytes.truncate(end);
    let header = frame.header;
    wire::stream([&TapFrame { header, bytes }])
}

/// But for what a burst joins.
fn comparable(bench: &mut Bench) -> Changes {
    let mut changes = bench.counted();
    changes.retain(|(_, name), _| {
        let joined = [
            "sent_frames",
            "sent_bytes",
            "sent_super",
            "coalesced",
            "received_super",
        ];
        !joined.contains(name)
    });
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_frame_and_datagram_has_one_outcome(inputs in vec((input(), 0..500u64), 1..40)) {
        let mut bench = bench();
        for (input, millis) in &inputs {
            bench.wait(Duration::from_millis(*millis));
            judge(&mut bench, input)?;
        }
    }

    #[test]
    fn joined_datagrams_are_what_they_are_one_by_one(inputs in vec(input(), 1..20)) {
        let (mut joined, mut apart) = (bench(), bench());
        for input in &inputs {
            enter(&mut joined, input);
            match input {
                Input::Datagrams(delivery) => {
                    for datagram in &delivery.datagrams {
                        let one = Delivery { datagrams: vec![datagram.clone()], ..delivery.clone() };
                        apart.arrive(UNDERLAY, [&one]);
                    }
                }
                Input::Frame(..) => enter(&mut apart, input),
            }
            let [one, other] = [&mut joined, &mut apart].map(|b| (comparable(b), packets(b)));
            prop_assert_eq!(one, other);
        }
    }
}
