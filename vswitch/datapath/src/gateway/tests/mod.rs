//! Frames in, verdicts and answers out.

mod arp;
mod echo;
mod nd;
mod other_ip;

use core::net::{Ipv4Addr, Ipv6Addr};
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
    Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Packet, Ipv4Repr,
    Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
};
use vswitch_packet::{Capabilities, Frame, MacAddr, Moment, VnetHeader, checksum};

use super::*;
use crate::bridge::BridgeId;
use crate::counters::PortCounters;
use crate::neighbour::{Neighbour, Origin};
use DropReason::{BadIpHeader, Hairpin, NoRoute, NotServed, SpoofedAddress};

const GATEWAY: MacAddr = MacAddr([0x02, 0x42, 10, 0, 0, 1]);
const ALICE: MacAddr = MacAddr([0x02, 0x42, 10, 0, 0, 2]);
const MALLORY: MacAddr = MacAddr([0x02, 0x42, 10, 0, 0, 66]);
const ZERO: &str = "0.0.0.0";
const GATEWAY4: &str = "10.0.0.1";
const ALICE4: &str = "10.0.0.2";
const BOB4: &str = "10.0.0.3";
const GATEWAY6: &str = "fd00::1";
const ALICE6: &str = "fd00::2";
const BOB6: &str = "fd00::3";
const GATEWAY_LINK_LOCAL: &str = "fe80::42:aff:fe00:1";
const GATEWAY6_GROUP: &str = "ff02::1:ff00:1";
const INGRESS: PortId = PortId(7);
const HOST: PortId = PortId(1);
const NOW: Moment = Moment::from_secs(100);

struct Lab {
    gateway: Gateway,
    topology: Topology,
    neighbours: Neighbours,
    ingress: Port,
    reply: Reply,
}

impl Lab {
    fn new() -> Self {
        let mut topology = Topology::default();
        topology.set_host_addresses(["192.168.9.9", "2001:db8::9"].map(|a| a.parse().unwrap()));
        let addresses = ["10.0.0.1/24", "fd00::1/64"]
            .map(|a| a.parse().unwrap())
            .to_vec();
        Self {
            gateway: Gateway {
                mac: GATEWAY,
                link: GatewayLink::Broadcast,
                addresses,
                subnets: vec![],
                host_port: Some(HOST),
                policy: Policy::default(),
            },
            topology,
            neighbours: Neighbours::default(),
            ingress: port(Role::Endpoint),
            reply: [0xee; REPLY_LEN],
        }
    }

    fn without_host_port() -> Self {
        let mut lab = Self::new();
        lab.gateway.host_port = None;
        lab
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Option<Verdict> {
        self.receive_offloaded(bytes, VnetHeader::default())
    }

    fn receive_offloaded(&mut self, bytes: &mut [u8], header: VnetHeader) -> Option<Verdict> {
        let mut frame = Frame::parse(bytes, header).unwrap();
        self.gateway.receive(
            &self.topology,
            (BridgeId(0), &self.neighbours),
            &self.ingress,
            &mut frame,
            &mut self.reply,
            NOW,
        )
    }

    /// The answer written for `bytes`.
    fn answer(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self.receive(&mut bytes) {
            Some(Verdict::Reply(len)) => self.reply[..len].to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn knows(&self, address: &str) -> Option<MacAddr> {
        self.neighbours
            .get(ip(address))
            .map(|neighbour| neighbour.mac)
    }
}

fn port(role: Role) -> Port {
    Port {
        id: INGRESS,
        bridge: Some(BridgeId(0)),
        role,
        mac: ALICE,
        mtu: 1500,
        capabilities: Capabilities::ALL,
        vlan: None,
        isolated: true,
        identity: None,
        storm: None,
        tunnel: None,
        station: None,
        counters: Arc::new(PortCounters::new(1)),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

const fn drop(reason: DropReason) -> Option<Verdict> {
    Some(Verdict::Drop(reason))
}

const TO_HOST: Option<Verdict> = Some(Verdict::Out(HOST));
const ANSWERED: Option<Verdict> = Some(Verdict::Out(INGRESS));

fn ethernet(to: MacAddr, from: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &ethertype.to_be_bytes(), payload].concat()
}

fn arp(to: MacAddr, operation: u16, sender: (MacAddr, &str), target: &str) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation: operation.into(),
        source_hardware_addr: EthernetAddress(sender.0.0),
        source_protocol_addr: v4(sender.1),
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: v4(target),
    };
    let mut packet = vec![0; repr.buffer_len()];
    repr.emit(&mut ArpPacket::new_unchecked(&mut packet));
    ethernet(to, ALICE, 0x0806, &packet)
}

fn ask(to: MacAddr, sender: &str, target: &str) -> Vec<u8> {
    arp(to, 1, (ALICE, sender), target)
}

fn ipv4(from: &str, to: &str, protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let repr = Ipv4Repr {
        src_addr: v4(from),
        dst_addr: v4(to),
        next_header: protocol,
        payload_len: payload.len(),
        hop_limit: 3,
    };
    let mut packet = vec![0; repr.buffer_len() + payload.len()];
    let mut view = Ipv4Packet::new_unchecked(&mut packet);
    repr.emit(&mut view, &ChecksumCapabilities::default());
    view.payload_mut().copy_from_slice(payload);
    ethernet(GATEWAY, ALICE, 0x0800, &packet)
}

fn ipv6(to_mac: MacAddr, from: &str, to: &str, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let repr = Ipv6Repr {
        src_addr: v6(from),
        dst_addr: v6(to),
        next_header: IpProtocol::Icmpv6,
        payload_len: payload.len(),
        hop_limit,
    };
    let mut packet = vec![0; repr.buffer_len() + payload.len()];
    let mut view = Ipv6Packet::new_unchecked(&mut packet);
    repr.emit(&mut view);
    view.payload_mut().copy_from_slice(payload);
    ethernet(to_mac, ALICE, 0x86dd, &packet)
}

fn icmpv6(from: &str, to: &str, repr: &Icmpv6Repr<'_>) -> Vec<u8> {
    let mut message = vec![0; repr.buffer_len()];
    let mut packet = Icmpv6Packet::new_unchecked(&mut message);
    repr.emit(
        &v6(from),
        &v6(to),
        &mut packet,
        &ChecksumCapabilities::default(),
    );
    message
}

fn solicit(
    to_mac: MacAddr,
    from: &str,
    to: &str,
    target: &str,
    option: Option<MacAddr>,
) -> Vec<u8> {
    let lladdr = option.map(|mac| EthernetAddress(mac.0).into());
    let repr = NdiscRepr::NeighborSolicit {
        target_addr: v6(target),
        lladdr,
    };
    ipv6(
        to_mac,
        from,
        to,
        255,
        &icmpv6(from, to, &Icmpv6Repr::Ndisc(repr)),
    )
}

fn advertise(
    to: (MacAddr, &str),
    from: &str,
    target: &str,
    flags: NdiscNeighborFlags,
    mac: MacAddr,
) -> Vec<u8> {
    let lladdr = Some(EthernetAddress(mac.0).into());
    let repr = NdiscRepr::NeighborAdvert {
        flags,
        target_addr: v6(target),
        lladdr,
    };
    ipv6(
        to.0,
        from,
        to.1,
        255,
        &icmpv6(from, to.1, &Icmpv6Repr::Ndisc(repr)),
    )
}

fn ping4(from: &str, to: &str, data: &[u8]) -> Vec<u8> {
    let repr = Icmpv4Repr::EchoRequest {
        ident: 0x1234,
        seq_no: 7,
        data,
    };
    let mut message = vec![0; repr.buffer_len()];
    repr.emit(
        &mut Icmpv4Packet::new_unchecked(&mut message),
        &ChecksumCapabilities::default(),
    );
    ipv4(from, to, IpProtocol::Icmp, &message)
}

fn ping6(from: &str, to: &str, data: &[u8]) -> Vec<u8> {
    let repr = Icmpv6Repr::EchoRequest {
        ident: 0x1234,
        seq_no: 7,
        data,
    };
    ipv6(GATEWAY, from, to, 64, &icmpv6(from, to, &repr))
}

fn tagged(bytes: &[u8], tag: u16) -> Vec<u8> {
    let [a, b] = tag.to_be_bytes();
    [&bytes[..12], &[0x81, 0x00, a, b], &bytes[12..]].concat()
}

/// Makes the ICMPv6 checksum right again after a change.
fn seal(bytes: &mut [u8]) {
    bytes[56..58].fill(0);
    let message = &bytes[54..];
    let pseudo = checksum::pseudo_header(&bytes[22..54], 58, message.len() as u32);
    let sum = !checksum::add(checksum::sum(message), pseudo);
    bytes[56..58].copy_from_slice(&sum.to_be_bytes());
}

fn seeds() -> impl Strategy<Value = Vec<u8>> {
    let group = MacAddr([0x33, 0x33, 0xff, 0, 0, 1]);
    let solicited = NdiscNeighborFlags::SOLICITED;
    prop_oneof![
        Just(ask(MacAddr::BROADCAST, ALICE4, GATEWAY4)),
        Just(arp(GATEWAY, 2, (ALICE, ALICE4), GATEWAY4)),
        Just(solicit(
            group,
            ALICE6,
            GATEWAY6_GROUP,
            GATEWAY6,
            Some(ALICE)
        )),
        Just(solicit(group, "::", GATEWAY6_GROUP, GATEWAY6, None)),
        Just(advertise(
            (GATEWAY, GATEWAY6),
            ALICE6,
            ALICE6,
            solicited,
            ALICE
        )),
        Just(ping4(ALICE4, GATEWAY4, b"some data")),
        Just(ping6(ALICE6, GATEWAY6, b"some data")),
        Just(tagged(&ping4(ALICE4, GATEWAY4, b"some data"), 0)),
        (
            any::<[bool; 2]>(),
            proptest::collection::vec(any::<u8>(), 0..200)
        )
            .prop_map(|([to_us, six], payload)| {
                let to = if to_us { GATEWAY } else { MacAddr::BROADCAST };
                ethernet(to, ALICE, if six { 0x86dd } else { 0x0800 }, &payload)
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever comes in, nothing panics, an answer is one that its receiver takes, and what was
    /// sent to the gateway does not go on through the bridge.
    #[test]
    fn hostile_frames(
        mut bytes in seeds(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        sealed: bool,
        host_port: bool,
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(22));
        }
        if sealed && bytes.len() > 62 && bytes[12..14] == [0x86, 0xdd] {
            seal(&mut bytes);
        }
        let mut lab = if host_port { Lab::new() } else { Lab::without_host_port() };
        let to_us = bytes[..6] == GATEWAY.0;
        let verdict = lab.receive(&mut bytes);
        prop_assert!(verdict.is_some() || !to_us);
        match verdict {
            Some(Verdict::Reply(len)) => check_answer(&lab.reply[..len]),
            Some(Verdict::Out(INGRESS)) => check_answer(&bytes),
            Some(Verdict::Out(port)) => prop_assert_eq!(Some(port), lab.gateway.host_port),
            Some(Verdict::Rejected(_, len)) => check_error(&lab.reply[..len]),
            Some(Verdict::Taken) => prop_assert_eq!(lab.gateway.host_port, None),
            Some(other @ (Verdict::Flood(_) | Verdict::Lan(_) | Verdict::Routed(_) | Verdict::Held | Verdict::Asked(..))) => {
                prop_assert!(false, "there is no other port, and no uplink: {:?}", other);
            }
            Some(Verdict::Drop(_)) | None => {}
        }
        for (address, neighbour) in lab.neighbours.rows() {
            prop_assert!(neighbour.mac.is_valid_source());
            prop_assert!(!lab.gateway.is_own(address));
            let interface = Interface::of_gateway(BridgeId(0), &lab.gateway, &lab.neighbours);
            prop_assert!(interface.is_on_link(address));
        }
    }
}

/// Parses an answer with smoltcp, which verifies its checksums.
fn check_answer(bytes: &[u8]) {
    let capabilities = ChecksumCapabilities::default();
    let frame = EthernetFrame::new_checked(bytes).unwrap();
    assert_eq!(frame.src_addr().0, GATEWAY.0);
    let (ethertype, payload) = match u16::from(frame.ethertype()) {
        0x8100 | 0x88a8 => (u16::from_be_bytes([bytes[16], bytes[17]]), &bytes[18..]),
        ethertype => (ethertype, frame.payload()),
    };
    match ethertype {
        0x0806 => {
            ArpRepr::parse(&ArpPacket::new_checked(payload).unwrap()).unwrap();
        }
        0x0800 => {
            let packet = Ipv4Packet::new_checked(payload).unwrap();
            assert!(packet.verify_checksum());
            let message = Icmpv4Packet::new_checked(packet.payload()).unwrap();
            assert!(message.verify_checksum());
        }
        0x86dd => {
            let packet = Ipv6Packet::new_checked(payload).unwrap();
            let (from, to) = (packet.src_addr(), packet.dst_addr());
            let message = Icmpv6Packet::new_checked(packet.payload()).unwrap();
            Icmpv6Repr::parse(&from, &to, &message, &capabilities).unwrap();
        }
        other => panic!("{other:#06x}"),
    }
}

/// Parses an ICMP error with smoltcp.
fn check_error(bytes: &[u8]) {
    check_answer(bytes);
    let kind = bytes[if bytes[12..14] == [0x08, 0x00] {
        34
    } else {
        54
    }];
    assert!(matches!(kind, 1 | 3 | 11), "{kind}");
}
