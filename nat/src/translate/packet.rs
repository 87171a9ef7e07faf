//! What a packet is to a translator.

use vswitch_packet::ip::{Fragment, IpHeader, Transport, Version, protocol};
use vswitch_packet::{Frame, Network, PartialChecksum};

use super::error::Error;
use super::extensions::Extensions;
use super::fields::{Checksum, Fields, checksum_offset, chunk};
use super::icmp::Message;
use crate::conntrack::Step;
use crate::refusal::Refusal;
use crate::tuple::Protocol;

/// A packet whose fields are found and agree with each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Packet {
    /// Part of a conversation: whole, or the first piece.
    Message { fields: Fields, step: Step },
    /// About a packet of one.
    Error(Error),
    /// A piece without a transport header.
    Later,
}

/// The IP header of the packet in `frame`.
///
/// # Errors
/// [`Refusal::Malformed`] if it has none, or contradicts it.
#[inline]
pub(crate) fn header<'f>(frame: &'f Frame<'_>) -> Result<&'f IpHeader, Refusal> {
    match &frame.layout().network {
        Network::Ip(ip) => Ok(ip),
        Network::Arp { .. } | Network::Malformed | Network::Opaque => Err(Refusal::Malformed),
    }
}

/// Finds out what the packet in `frame` is, whose header is `ip`.
///
/// # Errors
/// [`Refusal::Malformed`] for one that contradicts itself; [`Refusal::Untranslatable`] for one that
/// is for another address than it seems.
#[inline(always)]
pub(crate) fn read(frame: &Frame<'_>, ip: &IpHeader) -> Result<Packet, Refusal> {
    let mut authenticated = false;
    if ip.version == Version::V6 && ip.payload - ip.start > 40 {
        let packet = frame.bytes().get(usize::from(ip.start)..ip.end as usize);
        let extensions = packet.and_then(Extensions::walk);
        let extensions = extensions.ok_or(Refusal::Malformed)?;
        if extensions.en_route {
            return Err(Refusal::Untranslatable);
        }
        authenticated = extensions.authenticated;
    }
    let partial = frame.offload().checksum;
    if ip.fragment != Fragment::No && partial.is_some() {
        // Whoever splits a packet sums it before.
        return Err(Refusal::Malformed);
    }
    if ip.fragment == Fragment::Later {
        return Ok(Packet::Later);
    }
    if authenticated {
        // As in IPv4, where this header is the payload.
        let protocol = Protocol::Other(protocol::AUTHENTICATION);
        return Ok(message(ip, protocol, Checksum::Absent, Step::Plain));
    }
    transport(frame.bytes(), ip, partial)
}

#[inline(always)]
fn transport(
    bytes: &[u8],
    ip: &IpHeader,
    partial: Option<PartialChecksum>,
) -> Result<Packet, Refusal> {
    let at = usize::from(ip.payload);
    let unfinished = unfinished(ip, partial)?;
    let unless_unfinished = |checksum| {
        if unfinished {
            Checksum::Partial
        } else {
            checksum
        }
    };
    let internet = unless_unfinished(Checksum::Internet);
    Ok(match (ip.transport, ip.version, ip.protocol) {
        (Transport::Tcp { .. }, ..) => {
            let [_, _, _, _, a, b, c, d, e, f, g, h, _, flags] = chunk(bytes, at);
            let step = Step::Tcp {
                flags,
                sequence: u32::from_be_bytes([a, b, c, d]),
                acknowledgement: u32::from_be_bytes([e, f, g, h]),
            };
            message(ip, Protocol::Tcp, internet, step)
        }
        (Transport::Udp, ..) => {
            let checksum = unless_unfinished(Checksum::Optional);
            message(ip, Protocol::Udp, checksum, Step::Plain)
        }
        (Transport::Sctp, ..) => {
            let checksum = match (unfinished, ip.fragment) {
                (true, _) => Checksum::Absent,
                (false, Fragment::No) => Checksum::Crc {
                    following: ip.end - u32::from(ip.payload) - 4,
                },
                // How far the pieces behind this one move the ports in the CRC is not known.
                (false, _) => Checksum::Unknown,
            };
            // The first octet behind the common header.
            let [chunk] = chunk(bytes, at + 12);
            message(ip, Protocol::Sctp, checksum, Step::Sctp { chunk })
        }
        (Transport::Icmp, version @ Version::V4, protocol::ICMP)
        | (Transport::Icmp, version @ Version::V6, protocol::ICMPV6) => {
            let [kind] = chunk(bytes, at);
            match Message::of(version, kind) {
                Message::EchoRequest => message(ip, Protocol::Echo, internet, Step::Query),
                Message::EchoReply => message(ip, Protocol::Echo, internet, Step::Reply),
                Message::Error => {
                    let outer = fields(ip, Protocol::Other(ip.protocol), internet);
                    Packet::Error(Error::read(bytes, ip, outer)?)
                }
                Message::Other => message(ip, Protocol::Other(ip.protocol), internet, Step::Plain),
            }
        }
        (Transport::Malformed, ..) => return Err(Refusal::Malformed),
        // ICMP over IPv6 and the like mean nothing, and are nobody's.
        (Transport::Icmp | Transport::Other, ..) => {
            let protocol = Protocol::Other(ip.protocol);
            message(ip, protocol, Checksum::Absent, Step::Plain)
        }
    })
}

#[inline]
fn message(ip: &IpHeader, protocol: Protocol, checksum: Checksum, step: Step) -> Packet {
    let fields = fields(ip, protocol, checksum);
    Packet::Message { fields, step }
}

#[inline]
fn fields(ip: &IpHeader, protocol: Protocol, checksum: Checksum) -> Fields {
    Fields {
        version: ip.version,
        protocol,
        checksum,
        start: ip.start.into(),
        transport: ip.payload.into(),
    }
}

/// Whether the transport's own checksum is left to be completed.
///
/// The sender of a frame says where the checksum will be written. One inside the payload, of a
/// packet in a tunnel, concerns nobody here; anywhere else it would overwrite what is translated.
#[inline]
fn unfinished(ip: &IpHeader, partial: Option<PartialChecksum>) -> Result<bool, Refusal> {
    let Some(partial) = partial else {
        return Ok(false);
    };
    let own = match ip.transport {
        Transport::Sctp => Some(checksum_offset(Protocol::Sctp) as u16),
        transport => transport.checksum_offset(),
    };
    if partial.start == ip.payload && own == Some(partial.offset) {
        Ok(true)
    } else if usize::from(partial.start) >= usize::from(ip.payload) + ip.transport_len() {
        Ok(false)
    } else {
        Err(Refusal::Malformed)
    }
}
