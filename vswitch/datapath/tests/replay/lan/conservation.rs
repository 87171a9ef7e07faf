//! Whatever comes in: it has one outcome, which is counted. It never comes out in another VLAN, and what is
//! from a station of ours never at one that is private.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use vswitch_datapath::Face::{Own, Shared, Translated};
use vswitch_datapath::Mode::{Bridge, Private, Vepa};
use vswitch_datapath::lan::Wire;
use vswitch_datapath::{BridgeId, Face, Identity, Mode, PortId, StormLimit, WireTag};
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{Capabilities, EtherType, Frame};

use super::physical::{
    FOURTH, NIC, NIC_MAC, OTHER, ROUTER, THIRD, UNTAGGED, beside, on_wire, service_vlan, vlan,
};
use crate::bench::{BRIDGE, Bench, HOST};
use crate::conservation::{count, drops, frame};
use crate::counters::{self, on};
use crate::crafted::{echo, ethernet, everybody, is_at, solicit, tcp, udp, who_has};
use crate::station::{Station, at};
use crate::tap_frame::TapFrame;
use crate::wire;

const INSIDE: BridgeId = BridgeId(4);
const SIBLING: BridgeId = BridgeId(5);

/// The network, mode and face of each station.
const STATIONS: [(PortId, BridgeId, Mode, Face); 13] = [
    (PortId(0), BRIDGE, Bridge, Own),
    (PortId(1), BRIDGE, Private, Own),
    (PortId(2), BRIDGE, Vepa, Own),
    (PortId(3), OTHER, Bridge, Translated),
    (PortId(4), OTHER, Private, Shared),
    (PortId(5), OTHER, Bridge, Shared),
    (PortId(6), THIRD, Bridge, Own),
    (PortId(7), THIRD, Private, Own),
    (PortId(8), SIBLING, Vepa, Translated),
    (PortId(10), FOURTH, Bridge, Own),
    (PortId(11), FOURTH, Private, Own),
    (PortId(12), INSIDE, Bridge, Own),
    (HOST, BRIDGE, Bridge, Own),
];

fn wire_of(bridge: BridgeId) -> Wire {
    match bridge {
        BRIDGE | OTHER => UNTAGGED,
        THIRD | SIBLING => vlan(100),
        FOURTH => service_vlan(100),
        _ => Wire::Internal(0),
    }
}

/// The station at `port`, with the MAC address that it has inside.
fn inside(port: PortId) -> Station {
    match STATIONS.iter().find(|station| station.0 == port) {
        Some((_, _, _, Shared)) => at(port).with_mac(NIC_MAC),
        _ => at(port),
    }
}

/// A NIC with something of everything.
fn bench() -> Bench {
    let mut bench = on_wire(UNTAGGED);
    for (port, bridge, mode, face) in STATIONS {
        bench.put_on(bridge, wire_of(bridge));
        if port == HOST {
            bench.join_host(port, bridge);
        } else {
            bench.join(port, bridge, mode, face);
        }
        let local = at(port).link_local();
        let own = inside(port);
        bench.edit_port(port, |port| {
            port.identity = Some(Identity::with_link_local(own.mac, local, &own.addresses()));
        });
        bench.edit_station(port, |station| station.addresses.push(local.into()));
    }
    bench.edit_port(PortId(2), |port| port.capabilities = Capabilities::NONE);
    bench.edit_port(PortId(6), |port| {
        port.storm = Some(StormLimit::new(20).into());
    });
    bench.edit_port(PortId(10), |port| port.mtu = 65535);
    bench.edit_station(PortId(5), |station| station.managed_dhcp = true);
    bench
}

/// A frame that a station, or somebody behind the wire, may well send.
fn honest(from: Station) -> BoxedStrategy<TapFrame> {
    let ports = STATIONS.map(|station| station.0);
    let to = (select(ports.to_vec()), any::<bool>(), any::<bool>());
    let to = to.prop_map(|(port, outside, many)| {
        let station = inside(port);
        match (outside, many) {
            (true, false) => station.with_mac(NIC_MAC),
            (true, true) => ROUTER,
            (false, true) => everybody(station),
            (false, false) => station,
        }
    });
    let version = select(vec![V4, V6]);
    (to, version, 0..9u8)
        .prop_map(move |(to, version, kind)| match kind {
            0 => udp(version, from, to, 30).offloaded(),
            1 => tcp(version, from, to, 100).complete().verified(),
            2 => tcp(version, from, to, 3000).super_frame(700),
            3 => udp(version, from, to, 900).super_frame(300),
            4 => echo(version, true, from, to, 40),
            5 => who_has(from, to),
            6 => is_at(from, to),
            7 => solicit(from, to),
            _ => ethernet(from.mac, to.mac, 0x88b5, &[7; 50]),
        })
        .boxed()
}

fn tags() -> impl Strategy<Value = Option<u16>> {
    select(vec![
        None,
        None,
        None,
        Some(0),
        Some(0xa000),
        Some(100),
        Some(0xa064),
        Some(7),
        Some(4095),
    ])
}

/// With up to two tags, each by 802.1Q or by 802.1ad.
fn tagged(frame: BoxedStrategy<TapFrame>) -> BoxedStrategy<TapFrame> {
    let tag = || (tags(), any::<bool>());
    (frame, tag(), tag())
        .prop_map(|(frame, inner, outer)| {
            [inner, outer]
                .into_iter()
                .fold(frame, |frame, tag| match tag {
                    (None, _) => frame,
                    (Some(control), false) => frame.tagged(control),
                    (Some(control), true) => frame.tagged(control).patched(12, &[0x88, 0xa8]),
                })
        })
        .boxed()
}

/// What comes in: where, with what beside it.
type Input = (PortId, Option<WireTag>, TapFrame);

fn from_station() -> BoxedStrategy<Input> {
    let ports = STATIONS.map(|station| station.0).to_vec();
    let port = select(ports);
    let frame = port.prop_flat_map(|port| (Just(port), tagged(honest(inside(port)))));
    frame.prop_map(|(port, frame)| (port, None, frame)).boxed()
}

fn input() -> BoxedStrategy<Input> {
    let beside = (tags(), any::<bool>()).prop_map(|(control, service)| {
        let ethertype = match service {
            true => EtherType::SERVICE_VLAN,
            false => EtherType::VLAN,
        };
        beside(ethertype, control?)
    });
    let from_wire = (beside, tagged(honest(ROUTER))).prop_map(|(tag, frame)| (NIC, tag, frame));
    let ports = STATIONS.iter().map(|station| station.0).chain([NIC]);
    let anything = (select(ports.collect::<Vec<_>>()), frame());
    let anything = anything.prop_map(|(port, frame)| (port, None, frame));
    prop_oneof![
        4 => from_station(),
        3 => from_wire.boxed(),
        2 => anything.boxed(),
    ]
    .boxed()
}

/// The LAN that a frame on the wire is of.
fn lan_on_wire(tag: Option<WireTag>) -> Option<Wire> {
    match tag {
        None => Some(UNTAGGED),
        Some(tag) if tag.tag.0 & 0x0fff == 0 => Some(UNTAGGED),
        Some(tag) => {
            let vlan = tag.tag.id()?;
            let ethertype = tag.ethertype;
            Some(Wire::Parent {
                port: NIC,
                tag: Some((ethertype, vlan)),
            })
        }
    }
}

fn outermost(frame: &TapFrame) -> Option<WireTag> {
    match frame.bytes.get(12..16) {
        Some(&[a, b, c, d]) if [a, b] == [0x81, 0] || [a, b] == [0x88, 0xa8] => beside(
            EtherType(u16::from_be_bytes([a, b])),
            u16::from_be_bytes([c, d]),
        ),
        _ => None,
    }
}

fn lan_at(port: PortId, frame: &TapFrame, tag: Option<WireTag>) -> Option<Wire> {
    match STATIONS.iter().find(|station| station.0 == port) {
        Some((_, bridge, ..)) => Some(wire_of(*bridge)),
        None => lan_on_wire(tag.or_else(|| outermost(frame))),
    }
}

fn is_private(port: PortId) -> bool {
    STATIONS
        .iter()
        .any(|station| station.0 == port && station.2 == Private)
}

/// Not longer than a frame may be, nor with a service tag in front of two of a customer's.
fn is_readable(frame: &TapFrame) -> bool {
    let headers = wire::link_len(&frame.bytes);
    frame.bytes.len() <= vswitch_packet::MAX_FRAME_LEN && headers <= 14 + 2 * 4
}

/// What came out, and what is wrong with the outcome of one frame, if anything is.
fn judge(bench: &mut Bench, input: &Input) -> Result<Vec<(PortId, TapFrame)>, TestCaseError> {
    let (ingress, tag, frame) = input;
    bench.burst_tagged([(*ingress, *tag, frame)]);
    let sent = bench.sent();
    let changes = bench.counted();
    let ports: Vec<_> = STATIONS.iter().map(|s| s.0).chain([NIC]).collect();
    for &port in &ports {
        let received = u64::from(port == *ingress);
        prop_assert_eq!(count(&changes, port, "received_frames"), received);
        let out: Vec<_> = wire::at(port, &sent).collect();
        let counted = counters::sum([on(port).sent(out.iter().copied())]);
        for name in ["sent_frames", "sent_bytes", "sent_super"] {
            prop_assert_eq!(count(&changes, port, name), count(&counted, port, name));
        }
        let lost = drops(&changes, port);
        prop_assert!(lost <= 1, "dropped twice");
        prop_assert!(lost == 0 || out.is_empty(), "sent and dropped");
        let segmented = count(&changes, port, "segmented");
        prop_assert!(out.len() <= 1 || segmented == 1, "more than once");
    }
    if drops(&changes, *ingress) > 0 {
        prop_assert!(sent.is_empty(), "dropped and sent");
    }
    let lan = lan_at(*ingress, frame, *tag);
    for (port, out) in &sent {
        prop_assert_ne!(port, ingress, "to where it is from");
        prop_assert_eq!(lan_at(*port, out, None), lan, "in another VLAN");
        let by_host = [*port, *ingress].contains(&HOST);
        prop_assert!(!(by_host && *port == NIC), "from the host to the wire");
        let ours = *ingress != NIC && !by_host;
        prop_assert!(!(ours && is_private(*port)), "to a private station");
        // What comes out is what a device accepts.
        if is_readable(out) {
            let mut bytes = out.bytes.clone();
            let parsed = Frame::parse(&mut bytes, out.header);
            let parsed =
                parsed.map_err(|error| TestCaseError::fail(format!("{error}: {out:?}")))?;
            let capabilities = bench.port(*port).capabilities;
            prop_assert!(capabilities.take(parsed.offload()));
        }
    }
    Ok(sent)
}

/// As a switch that reflects sends it back, and the kernel hands it over.
fn reflected(frame: TapFrame) -> Input {
    match outermost(&frame) {
        None => (NIC, None, frame),
        tag => (NIC, tag, frame.untagged()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_frame_has_one_outcome(inputs in vec((input(), 0..100u64), 1..40)) {
        let mut bench = bench();
        for (input, millis) in &inputs {
            bench.wait(Duration::from_millis(*millis));
            judge(&mut bench, input)?;
        }
    }

    #[test]
    fn what_comes_back_stays_with_whom_it_may_reach(inputs in vec(from_station(), 1..40)) {
        let mut bench = bench();
        for input in &inputs {
            for (port, frame) in judge(&mut bench, input)? {
                if port != NIC {
                    continue;
                }
                prop_assert!(!frame.bytes.windows(6).any(|octets| {
                    let hidden = [PortId(3), PortId(8)].map(|port| at(port).mac);
                    octets == &hidden[0].0[..] && input.0 == PortId(3)
                        || octets == &hidden[1].0[..] && input.0 == PortId(8)
                }), "an address that the wire should not see");
                for (heard, _) in judge(&mut bench, &reflected(frame))? {
                    prop_assert_ne!(heard, input.0, "by the sender itself");
                    prop_assert_ne!(heard, HOST);
                    prop_assert!(!is_private(heard) && !is_private(input.0));
                }
            }
        }
    }

    #[test]
    fn a_tag_beside_a_frame_counts_as_one_within(input in input()) {
        let (ingress, tag, frame) = input;
        let Some(WireTag { ethertype, tag: control }) = tag.filter(|_| ingress == NIC) else {
            return Ok(());
        };
        let within = frame.clone().tagged(control.0).patched(12, &ethertype.0.to_be_bytes());
        let [mut one, mut other] = [bench(), bench()];
        one.burst_tagged([(NIC, tag, &frame)]);
        other.burst_tagged([(NIC, None, &within)]);
        let outcome = |bench: &mut Bench| {
            let mut changes = bench.counted();
            changes.remove(&(NIC, "received_bytes"));
            (bench.sent(), changes)
        };
        // Two tags are the most that is looked into.
        if outermost(&frame).is_none() || Frame::parse(&mut within.bytes.clone(), within.header)
            .is_ok_and(|within| within.layout().link_len < 22) {
            prop_assert_eq!(outcome(&mut one), outcome(&mut other));
        } else {
            outcome(&mut one);
            outcome(&mut other);
        }
    }

    #[test]
    fn a_burst_counts_what_its_frames_count(inputs in vec(input(), 1..64)) {
        let (mut single, mut burst) = (bench(), bench());
        for (ingress, tag, frame) in &inputs {
            single.burst_tagged([(*ingress, *tag, frame)]);
        }
        burst.burst_tagged(inputs.iter().map(|(ingress, tag, frame)| (*ingress, *tag, frame)));
        let (mut one, mut many) = (single.counted(), burst.counted());
        let (came, joined) = (single.sent(), burst.sent());
        for port in STATIONS.iter().map(|station| station.0).chain([NIC]) {
            let total = |sent| wire::at(port, sent).map(TapFrame::segments).sum::<u64>();
            if came.iter().all(|(_, out)| is_readable(out)) {
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
