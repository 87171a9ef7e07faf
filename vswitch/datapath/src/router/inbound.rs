//! From an uplink. Its frames are the host's too: what is not ours is let go without a word.

use std::net::IpAddr;

use smoltcp::wire::ArpPacket;
use vswitch_nat::Admit;
use vswitch_packet::ethernet::{HEADER_LEN, TAG_LEN};
use vswitch_packet::ip::IpHeader;
use vswitch_packet::{Frame, MacAddr, Moment, Network};

use super::container::REMOTE;
use super::header;
use super::interface::Interface;
use super::martian;
use super::passage::{Exit, Passage, Stop};
use super::policy::Mode;
use crate::bridge::BridgeId;
use crate::gateway::{Reply, nd};
use crate::heard::Heard;
use crate::port::Port;
use crate::topology::Topology;
use crate::verdict::{DropReason, Verdict};

/// What becomes of a frame that came in at an uplink.
pub(crate) fn receive(
    topology: &Topology,
    ingress: &Port,
    frame: &mut Frame<'_>,
    reply: &mut Reply,
    now: Moment,
) -> Verdict {
    const NOT_OURS: Verdict = Verdict::Drop(DropReason::NotOurs);
    let Some(uplink) = topology.router().uplink(ingress.id) else {
        return NOT_OURS;
    };
    // A VLAN is an interface of its own to the host; a priority tag names none.
    let layout = frame.layout();
    let in_vlan = usize::from(layout.link_len) > HEADER_LEN + TAG_LEN
        || layout.tag.is_some_and(|tag| tag.0 & 0x0fff != 0);
    if in_vlan || !frame.source().is_valid_source() {
        return NOT_OURS;
    }
    let entrance = Interface::of_uplink(uplink);
    let heard = Heard {
        interface: entrance,
        pending: &topology.router().pending,
        port: ingress,
        now,
    };
    let to_us = frame.destination() == uplink.mac;
    match frame.network() {
        Network::Arp { start } => {
            let packet = frame.bytes().get(usize::from(start)..).unwrap_or_default();
            hear_arp(heard, packet, to_us);
            NOT_OURS
        }
        Network::Ip(ip) => {
            nd::hear(heard, frame, &ip, to_us);
            if !to_us {
                return NOT_OURS;
            }
            let passage = Passage::new(topology, ingress, entrance, now);
            let outcome = passage.inbound(frame, &ip);
            passage.conclude(outcome, frame, reply)
        }
        Network::Malformed | Network::Opaque => NOT_OURS,
    }
}

/// Learns from the host's ARP and from that of its neighbours, which the host's kernel answers.
fn hear_arp(heard: Heard<'_>, packet: &[u8], to_us: bool) {
    let Ok(arp) = ArpPacket::new_checked(packet) else {
        return;
    };
    let address = |octets: &[u8]| {
        let octets: [u8; 4] = *octets.first_chunk().unwrap_or(&[0; 4]);
        IpAddr::from(octets)
    };
    let sender = address(arp.source_protocol_addr());
    let mac = MacAddr(*arp.source_hardware_addr().first_chunk().unwrap_or(&[0; 6]));
    if heard.interface.owns(sender) {
        return;
    }
    heard.refresh(sender, mac);
    if to_us || heard.interface.owns(address(arp.target_protocol_addr())) {
        heard.learn(sender, mac);
    }
}

impl Passage<'_> {
    fn inbound(&self, frame: &mut Frame<'_>, ip: &IpHeader) -> Result<Exit, Stop> {
        let destination = ip.destination(frame.bytes());
        if !martian::crosses_routers(destination) {
            return Err(DropReason::NotOurs.into());
        }
        if self.is_host(destination) {
            let Err(reason) = self.check_from_outside(frame, ip) else {
                return self.to_mapping(frame, ip);
            };
            // The host's own packets are the host's to judge.
            let router = self.router();
            let nat = router.nat.as_ref();
            let ours = nat.is_some_and(|nat| nat.is_ours(frame, &router.published));
            return Err(if ours { reason } else { DropReason::NotOurs }.into());
        }
        match self.topology.bridge_of(destination) {
            Some(id) => {
                self.check_from_outside(frame, ip)?;
                self.to_own_address(id, destination, frame, ip)
            }
            None => Err(DropReason::NotOurs.into()),
        }
    }

    /// RFC 1812 §5.2.2 and §5.3.7. The host's own addresses, and those of containers, are not
    /// outside.
    fn check_from_outside(&self, frame: &Frame<'_>, ip: &IpHeader) -> Result<(), DropReason> {
        let source = ip.source(frame.bytes());
        let inside = || self.is_host(source) || self.topology.bridge_of(source).is_some();
        if !ip.checksum_ok(frame.bytes()) {
            Err(DropReason::BadIpHeader)
        } else if !martian::crosses_routers(source) || inside() {
            Err(DropReason::Martian)
        } else if header::has_source_route(frame, ip) {
            Err(DropReason::SourceRoute)
        } else {
            Ok(())
        }
    }

    /// To a container's own address: as its network's mode has it.
    fn to_own_address(
        &self,
        id: BridgeId,
        destination: IpAddr,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
    ) -> Result<Exit, Stop> {
        let network = self.network(id)?;
        let policy = network.policy();
        if network.interface().owns(destination) {
            return Err(DropReason::NotOurs.into());
        }
        if policy.internal {
            return Err(DropReason::Internal.into());
        }
        let family = policy.family(ip.version);
        let admit = match family.mode {
            Mode::Isolated => return Err(DropReason::Isolated.into()),
            // All of its sessions are translated: this is an answer to none.
            Mode::Nat if family.masquerade => return Err(DropReason::NotPublished.into()),
            Mode::Nat => Admit::Answers,
            Mode::NatUnprotected => Admit::All,
            Mode::Routed => Admit::Openings,
        };
        let container = self.resident(network, destination)?;
        Self::check(&container, frame, ip)?;
        if family.is_stateless(network.interface().kind) {
            return Ok(Self::deliver(&container, frame, ip));
        }
        let admitted = match container.is_remote() {
            true => Admit::Answers,
            false => admit,
        };
        self.admit(&container, admitted, frame)
            .map_err(|stop| match stop {
                Stop::Rejected(DropReason::NotPublished, _) if admitted != admit => REMOTE,
                stop => stop,
            })?;
        Ok(Self::deliver(&container, frame, ip))
    }
}
