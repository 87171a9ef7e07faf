//! Stations that the wire sees by their parent's MAC address: what of a frame names a station by its
//! MAC address is rewritten on the way to the wire, and back on the way from it. Beside the Ethernet
//! header that is in ARP and in Neighbour Discovery. DHCP answers find such a station only if they
//! are broadcast.

mod arp;
mod dhcp;
mod nd;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use vswitch_packet::ip::{IpHeader, Version};
use vswitch_packet::{EtherType, Frame, MacAddr, Network, PartialChecksum, checksum};

use crate::verdict::DropReason;

/// Reverse ARP, RFC 903.
const RARP: EtherType = EtherType(0x8035);

/// Where the Ethernet header has its addresses.
const DESTINATION: usize = 0;
const SOURCE: usize = 6;

/// Turns a frame of the station at `inside` into one of `outside`, the parent's address. If that is
/// the station's own, only DHCP requests change.
///
/// # Errors
/// The reason to drop the frame, which is as it was: its answers could not reach the station, or what
/// it says might be read in different ways.
pub(super) fn outward(
    frame: &mut Frame<'_>,
    inside: MacAddr,
    outside: MacAddr,
) -> Result<(), DropReason> {
    let renamed = inside != outside;
    match frame.network() {
        Network::Ip(ip) => match ip.version {
            Version::V4 => dhcp::ask_for_broadcast(frame, &ip)?,
            Version::V6 if renamed => nd::outward(frame, &ip, inside, outside)?,
            Version::V6 => {}
        },
        Network::Arp { start } if renamed => {
            arp::outward(frame.bytes_mut(), usize::from(start), inside, outside);
        }
        // The receiver may be less strict, and find `inside` in it.
        Network::Malformed if renamed => return Err(DropReason::Malformed),
        // ARP of other protocols, whose addresses may be anywhere; and who asks by RARP which IP
        // address its MAC address has, would ask for the parent's.
        Network::Opaque if renamed && matches!(frame.layout().ethertype, EtherType::ARP | RARP) => {
            return Err(DropReason::Untranslatable);
        }
        _ => {}
    }
    put(frame.bytes_mut(), SOURCE, outside);
    Ok(())
}

/// Turns a frame to the parent's address into one to the station at `inside`. What is for a group
/// stays as it is.
pub(super) fn inward(frame: &mut Frame<'_>, inside: MacAddr) {
    let outside = frame.destination();
    if outside.is_multicast() {
        return;
    }
    if let Network::Arp { start } = frame.network() {
        arp::inward(frame.bytes_mut(), usize::from(start), outside, inside);
    }
    put(frame.bytes_mut(), DESTINATION, inside);
}

/// The IP address that a frame is for: what tells stations with one MAC address apart.
pub(super) fn destination_address(frame: &Frame<'_>) -> Option<IpAddr> {
    match frame.network() {
        Network::Ip(ip) => Some(ip.destination(frame.bytes())),
        Network::Arp { start } => Some(arp::target(frame.bytes(), usize::from(start)).into()),
        Network::Malformed | Network::Opaque => None,
    }
}

/// Whether a frame is what a DHCP server sends to a client.
pub(super) fn is_dhcp_answer(frame: &Frame<'_>) -> bool {
    matches!(frame.network(), Network::Ip(ip) if dhcp::is_answer(frame, &ip))
}

/// Whether `frame` is from a DHCP client to a server.
pub(super) fn is_dhcp_request(frame: &Frame<'_>) -> bool {
    matches!(frame.network(), Network::Ip(ip) if dhcp::is_request(frame, &ip))
}

/// The checksum over what is rewritten.
#[derive(Clone, Copy)]
enum Checksum {
    /// It is here, octets from the start of the frame.
    At(usize),
    /// A device will complete it, or there is none: what is there now does not cover the message.
    Absent,
}

impl Checksum {
    /// Of the message in `ip`, which has it `offset` octets from its start.
    ///
    /// # Errors
    /// [`DropReason::Malformed`] if a device is to write another one, which no kernel asks for: it
    /// might overwrite what was rewritten.
    fn of(frame: &Frame<'_>, ip: &IpHeader, offset: u16) -> Result<Self, DropReason> {
        let start = ip.payload;
        match frame.offload().checksum {
            None => Ok(Self::At(usize::from(start) + usize::from(offset))),
            Some(partial) if partial == PartialChecksum { start, offset } => Ok(Self::Absent),
            Some(_) => Err(DropReason::Malformed),
        }
    }

    /// Makes up for a word that was `old` and is `new`. A wrong checksum stays as wrong.
    fn update(self, bytes: &mut [u8], old: u16, new: u16) {
        let Self::At(at) = self else {
            return;
        };
        if let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            let sum = checksum::update(u16::from_be_bytes(*field), old, new);
            // RFC 768: zero is no checksum at all. To ICMPv6 both are the same number.
            let sum = if sum == 0 { 0xffff } else { sum };
            *field = sum.to_be_bytes();
        }
    }
}

fn put(bytes: &mut [u8], at: usize, mac: MacAddr) {
    if let Some(place) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = mac.0;
    }
}
