//! A host on the wire: smoltcp's stack, which verifies every checksum, and knows a station only by
//! what it heard of it. And frames that nobody has foreseen.

use std::collections::VecDeque;

use proptest::prelude::*;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, HardwareAddress, IpCidr, Ipv6Packet};

use super::*;
use crate::gateway::nd::solicited_node;

/// A host on the wire.
struct Peer {
    interface: Interface,
    wire: Wire,
}

#[derive(Default)]
struct Wire {
    arrived: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Taken(Vec<u8>);
struct Place<'w>(&'w mut Vec<Vec<u8>>);

impl Device for Wire {
    type RxToken<'w> = Taken;
    type TxToken<'w> = Place<'w>;

    fn receive(&mut self, _: Instant) -> Option<(Taken, Place<'_>)> {
        Some((Taken(self.arrived.pop_front()?), Place(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Place<'_>> {
        Some(Place(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        (capabilities.medium, capabilities.max_transmission_unit) = (Medium::Ethernet, 1514);
        capabilities
    }
}

impl RxToken for Taken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Place<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut bytes = vec![0; len];
        let result = write(&mut bytes);
        self.0.push(bytes);
        result
    }
}

impl Peer {
    fn new() -> Self {
        let mut wire = Wire::default();
        let address = HardwareAddress::Ethernet(EthernetAddress(PEER.0));
        let mut interface = Interface::new(Config::new(address), &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(PEER4.into(), 24)).unwrap();
            addresses.push(IpCidr::new(PEER6.into(), 64)).unwrap();
        });
        Self { interface, wire }
    }

    /// What it answers to `frame` of the station at `inside`, as that gets it.
    fn answer(&mut self, mut frame: Vec<u8>, inside: MacAddr, outside: MacAddr) -> Vec<Vec<u8>> {
        outward(
            &mut Frame::parse_plain(&mut frame).unwrap(),
            inside,
            outside,
        )
        .unwrap();
        self.wire.arrived.push_back(frame);
        let mut sockets = SocketSet::new(vec![]);
        self.interface
            .poll(Instant::from_millis(1), &mut self.wire, &mut sockets);
        let answers = std::mem::take(&mut self.wire.sent).into_iter();
        let to_us = answers.filter(|bytes| bytes[..6] == outside.0);
        let back = |mut bytes: Vec<u8>| {
            inward(&mut Frame::parse_plain(&mut bytes).unwrap(), inside);
            bytes
        };
        to_us.map(back).collect()
    }
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(|[a, rest @ ..]| {
        let [b, c, d, e, f] = rest;
        MacAddr([a & 0xfe | 2, b, c, d, e, f])
    })
}

proptest! {
    /// Whatever the addresses are, a host on the wire answers as if the station had the parent's
    /// address, and the station hears answers to its own.
    #[test]
    fn questions_are_answered(inside in mac(), outside in mac(), v4 in 10u8..250, v6: u16) {
        prop_assume!(inside != PEER && outside != PEER);
        let station4 = Ipv4Addr::new(192, 0, 2, v4);
        let [a, b, c, d, ..] = STATION6.segments();
        let station6 = Ipv6Addr::new(a, b, c, d, 0x1234, 0, 0, v6);
        let from_inside = |mut bytes: Vec<u8>| {
            bytes[6..12].copy_from_slice(&inside.0);
            bytes
        };
        let mut peer = Peer::new();

        let mut question = from_inside(arp(MacAddr::BROADCAST, ArpOperation::Request, (MacAddr::ZERO, PEER4)));
        question[22..28].copy_from_slice(&inside.0);
        question[28..32].copy_from_slice(&station4.octets());
        let answers = peer.answer(question, inside, outside);
        prop_assert_eq!(answers.len(), 1);
        prop_assert_eq!(&answers[0][..6], &inside.0);
        prop_assert_eq!(hardware(&answers[0]), [PEER, inside]);

        let solicitation = discovery(NdiscRepr::NeighborSolicit {
            target_addr: PEER6,
            lladdr: Some(EthernetAddress(inside.0).into()),
        });
        let group = solicited_node(PEER6);
        let mut question = from_inside(plain((station6, group), &solicitation));
        question[..6].copy_from_slice(&[0x33, 0x33, 0xff, 0, 0, 9]);
        let answers = peer.answer(question, inside, outside);
        prop_assert_eq!(answers.len(), 1);
        let advertisement = Icmpv6Packet::new_checked(message(&answers[0])).unwrap();
        let repr = NdiscRepr::parse(&advertisement).unwrap();
        let told = matches!(repr, NdiscRepr::NeighborAdvert { target_addr, .. } if target_addr == PEER6);
        prop_assert!(told && answers[0][..6] == inside.0);

        // By what it has heard of the station, the peer answers to a ping.
        let ping = [128, 0, 0, 0, 0, 7, 0, 1, 1, 2, 3];
        let answers = peer.answer(from_inside(plain((station6, PEER6), &ping)), inside, outside);
        prop_assert_eq!(answers.len(), 1);
        prop_assert_eq!(message(&answers[0])[4..].to_vec(), ping[4..].to_vec());
        prop_assert_eq!(&answers[0][..6], &inside.0);
    }

    /// An advertisement is believed by who asked for it, and rewritten on its way there and back is as
    /// it was.
    #[test]
    fn there_and_back(inside in mac(), outside in mac(), flags in 0u8..8, kinds: [bool; 3]) {
        let option = |is_target: bool| option(if is_target { 2 } else { 1 }, inside);
        let fixed = [&[136, 0, 0, 0, flags << 5, 0, 0, 0][..], &STATION6.octets()].concat();
        let before = plain((STATION6, ROUTER6), &[fixed, kinds.map(option).concat()].concat());
        let mut bytes = before.clone();
        outward(&mut Frame::parse_plain(&mut bytes).unwrap(), inside, outside).unwrap();
        prop_assert_eq!(&message(&bytes)[26..32], &outside.0);
        outward(&mut Frame::parse_plain(&mut bytes).unwrap(), outside, inside).unwrap();
        // But for the two forms of zero.
        message(&bytes);
        prop_assert_eq!(&bytes[58..], &before[58..]);
        prop_assert_eq!(&bytes[6..12], &inside.0);
    }

    /// Nothing panics, and what does not leave is as it was.
    #[test]
    fn hostile_frames(
        seed in prop_oneof![
            Just(arp(MacAddr::BROADCAST, ArpOperation::Request, (MacAddr::ZERO, PEER4))),
            Just(udp([68, 67], None, &DISCOVER)),
            (0usize..5).prop_map(|n| plain((STATION6, PEER6), &messages(INSIDE, INSIDE)[n])),
            (0usize..5).prop_map(|n| icmpv6(
                (STATION6, PEER6),
                (44, &[58, 0, 0, 0, 0, 0, 0, 7]),
                &messages(INSIDE, INSIDE)[n],
            )),
        ],
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::weighted(0.3, any::<prop::sample::Index>()),
        partial in proptest::option::weighted(0.3, (14u16..90, 0u16..40)),
    ) {
        let mut bytes = seed;
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(14));
        }
        let header = partial.map_or(VnetHeader::default(), |(csum_start, csum_offset)| VnetHeader {
            flags: NEEDS_CSUM,
            csum_start,
            csum_offset,
            ..VnetHeader::default()
        });
        let before = bytes.clone();
        let Ok(mut frame) = Frame::parse(&mut bytes, header) else {
            return Ok(());
        };
        let layout = *frame.layout();
        let result = outward(&mut frame, INSIDE, OUTSIDE);
        match result {
            Ok(()) => {
                prop_assert_eq!(frame.source(), OUTSIDE);
                // Where its headers are has not changed.
                let again = Frame::parse(&mut bytes, header).unwrap();
                prop_assert_eq!(*again.layout(), layout);
                // Whoever reads it as ND finds the station nowhere.
                if layout.link_len == 14 && bytes.get(12..15) == Some(b"\x86\xdd\x60") {
                    let frame = EthernetFrame::new_checked(&bytes[..]).unwrap();
                    prop_assert_eq!(frame.ethertype(), EthernetProtocol::Ipv6);
                    assert_unnamed(frame.payload());
                }
            }
            Err(_) => prop_assert_eq!(bytes, before),
        }
    }
}

/// A plain ND message, as smoltcp reads it, does not name the station.
fn assert_unnamed(packet: &[u8]) {
    let Ok(packet) = Ipv6Packet::new_checked(packet) else {
        return;
    };
    let message = Icmpv6Packet::new_checked(packet.payload());
    let Some(message) = message
        .ok()
        .filter(|_| u8::from(packet.next_header()) == 58)
    else {
        return;
    };
    if !message.msg_type().is_ndisc() {
        return;
    }
    let named = match NdiscRepr::parse(&message) {
        Ok(
            NdiscRepr::NeighborSolicit { lladdr, .. } | NdiscRepr::NeighborAdvert { lladdr, .. },
        ) => lladdr,
        Ok(NdiscRepr::RouterSolicit { lladdr } | NdiscRepr::RouterAdvert { lladdr, .. }) => lladdr,
        _ => None,
    };
    assert!(named.is_none_or(|named| named.as_bytes() != INSIDE.0));
}
