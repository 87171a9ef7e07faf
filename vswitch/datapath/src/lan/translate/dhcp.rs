//! DHCP (RFC 2131): an answer to the parent's MAC address, and to an IP address that is not yet
//! anybody's, would find nobody. Thus each request asks for a broadcast (§4.1).

use vswitch_packet::Frame;
use vswitch_packet::ip::{IpHeader, Transport, Version};

use super::Checksum;
use crate::verdict::DropReason;

const SERVER: u16 = 67;
const CLIENT: u16 = 68;

/// Octets from the start of the UDP header.
const CHECKSUM: u16 = 6;
const OPERATION: usize = 8;
const FLAGS: usize = 18;

const REQUEST: u8 = 1;
const BROADCAST: u16 = 0x8000;

/// Sets the broadcast flag, if the packet is a client's request. The flags of one in pieces are in the
/// first.
///
/// # Errors
/// [`DropReason::Malformed`] if a device is to write a checksum where there is none.
pub(super) fn ask_for_broadcast(frame: &mut Frame<'_>, ip: &IpHeader) -> Result<(), DropReason> {
    if !is_request(frame, ip) {
        return Ok(());
    }
    let start = usize::from(ip.payload);
    let message = start..ip.end as usize;
    let octets = frame.bytes().get(message).unwrap_or_default();
    let flags = octets.get(FLAGS..).and_then(<[u8]>::first_chunk);
    let (Some(&REQUEST), Some(&flags)) = (octets.get(OPERATION), flags) else {
        return Ok(());
    };
    let old = u16::from_be_bytes(flags);
    let new = old | BROADCAST;
    if old == new {
        return Ok(());
    }
    let at = usize::from(CHECKSUM);
    let checksum = match octets.get(at..at + 2) {
        // RFC 768: the sender has made none.
        Some([0, 0]) if frame.offload().checksum.is_none() => Checksum::Absent,
        _ => Checksum::of(frame, ip, CHECKSUM)?,
    };
    let bytes = frame.bytes_mut();
    if let Some(flags) = bytes.get_mut(start + FLAGS..start + FLAGS + 2) {
        flags.copy_from_slice(&new.to_be_bytes());
    }
    checksum.update(bytes, old, new);
    Ok(())
}

/// Whether the packet is from a client to a server.
pub(super) fn is_request(frame: &Frame<'_>, ip: &IpHeader) -> bool {
    is_between(frame, ip, CLIENT, SERVER)
}

/// Whether the packet is from a server to a client.
pub(super) fn is_answer(frame: &Frame<'_>, ip: &IpHeader) -> bool {
    is_between(frame, ip, SERVER, CLIENT)
}

fn is_between(frame: &Frame<'_>, ip: &IpHeader, from: u16, to: u16) -> bool {
    let [a, b] = from.to_be_bytes();
    let [c, d] = to.to_be_bytes();
    let start = usize::from(ip.payload);
    ip.version == Version::V4
        && ip.transport == Transport::Udp
        && frame.bytes().get(start..start + 4) == Some(&[a, b, c, d])
}
