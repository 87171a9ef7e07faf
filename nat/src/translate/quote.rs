//! The packet that an ICMP error is about, as far as the error quotes it.

use std::ops::Range;

use vswitch_packet::checksum;
use vswitch_packet::ip::{Version, protocol};

use super::extensions::Extensions;
use super::fields::{Checksum, Fields, checksum_offset, chunk, word};
use super::icmp::Message;
use crate::refusal::Refusal;
use crate::tuple::Protocol;

/// Ports, or an ICMP header: what RFC 792 has an error quote at least.
const TRANSPORT_MIN: usize = 8;

/// Finds the fields of the packet that is quoted in `range` of `bytes`. Its transport header may be
/// cut short behind the first eight octets, and its checksum is not looked at (RFC 5508 REQ-3c).
///
/// # Errors
/// [`Refusal::Malformed`] if it is no packet that an honest router would send an error about,
/// [`Refusal::NoSession`] if it is one that no session can be known by.
pub(crate) fn read(bytes: &[u8], range: Range<usize>, version: Version) -> Result<Fields, Refusal> {
    let packet = bytes.get(range.clone()).ok_or(Refusal::Malformed)?;
    let network = match version {
        Version::V4 => Quoted::v4(packet)?,
        Version::V6 => Quoted::v6(packet)?,
    };
    let there = packet.len().min(network.packet_len);
    if there < network.header_len + TRANSPORT_MIN {
        return Err(Refusal::Malformed);
    }
    let transport = range.start + network.header_len;
    let end = range.start + there;
    let (protocol, checksum) = match (version, network.protocol) {
        (_, protocol::TCP) => (Protocol::Tcp, Checksum::Internet),
        (_, protocol::UDP) => (Protocol::Udp, Checksum::Optional),
        (_, protocol::SCTP) if network.whole => {
            // As long as the packet was, not as its quote is.
            let following = (network.packet_len - network.header_len - 4) as u32;
            (Protocol::Sctp, Checksum::Crc { following })
        }
        (_, protocol::SCTP) => (Protocol::Sctp, Checksum::Absent),
        (Version::V4, protocol::ICMP) | (Version::V6, protocol::ICMPV6) => {
            match Message::of(version, chunk::<1>(bytes, transport)[0]) {
                Message::EchoRequest | Message::EchoReply => {}
                // RFC 1122 §3.2.2, RFC 4443 §2.4 (e): never about an error.
                Message::Error => return Err(Refusal::Malformed),
                Message::Other => return Err(Refusal::NoSession),
            }
            (Protocol::Echo, Checksum::Internet)
        }
        (_, other) => (Protocol::Other(other), Checksum::Absent),
    };
    let checksum_len = if protocol == Protocol::Sctp { 4 } else { 2 };
    let quoted = transport + checksum_offset(protocol) + checksum_len <= end;
    Ok(Fields {
        version,
        protocol,
        checksum: if quoted { checksum } else { Checksum::Absent },
        start: range.start as u32,
        transport: transport as u32,
    })
}

/// Lengths that a quoted header states, in octets from its start.
struct Quoted {
    header_len: usize,
    packet_len: usize,
    protocol: u8,
    /// Not the first piece of a longer one.
    whole: bool,
}

impl Quoted {
    fn v4(packet: &[u8]) -> Result<Self, Refusal> {
        let fixed: &[u8; 20] = packet.first_chunk().ok_or(Refusal::Malformed)?;
        let quoted = Self {
            // With its options (RFC 5508 REQ-3b).
            header_len: usize::from(fixed[0] & 0x0f) * 4,
            packet_len: usize::from(word(packet, 2)),
            protocol: fixed[9],
            whole: word(packet, 6) & 0x2000 == 0,
        };
        let header = packet.get(..quoted.header_len).ok_or(Refusal::Malformed)?;
        let sound = fixed[0] >> 4 == 4
            && quoted.header_len >= 20
            && quoted.packet_len >= quoted.header_len + TRANSPORT_MIN
            // RFC 5508 REQ-3a.
            && checksum::sum(header) == 0xffff;
        if !sound {
            return Err(Refusal::Malformed);
        }
        // RFC 1122 §3.2.2: never about a piece without its transport header, by which alone its
        // session could be known.
        if word(packet, 6) & 0x1fff != 0 {
            return Err(Refusal::NoSession);
        }
        Ok(quoted)
    }

    fn v6(packet: &[u8]) -> Result<Self, Refusal> {
        let fixed: &[u8; 40] = packet.first_chunk().ok_or(Refusal::Malformed)?;
        let packet_len = 40 + usize::from(word(packet, 4));
        let extensions = Extensions::walk(packet).ok_or(Refusal::Malformed)?;
        if fixed[0] >> 4 != 6 || packet_len < extensions.payload + TRANSPORT_MIN {
            return Err(Refusal::Malformed);
        }
        let fragment = extensions.fragment.map_or(0, |at| word(packet, at + 2));
        if fragment & 0xfff8 != 0 || extensions.en_route {
            return Err(Refusal::NoSession);
        }
        Ok(Self {
            header_len: extensions.payload,
            packet_len,
            protocol: extensions.protocol,
            whole: fragment & 1 == 0,
        })
    }
}
