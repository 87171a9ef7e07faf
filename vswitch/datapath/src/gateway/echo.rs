//! Ping: the echo request becomes its answer in place (RFC 792, RFC 4443 §4.2).

use vswitch_packet::ip::{IpHeader, Version, protocol};
use vswitch_packet::{Frame, checksum};

use super::verified_message;

const REQUEST: u8 = 8;
const REPLY: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;

/// Of the answer: RFC 1700's default, as Linux's.
const HOP_LIMIT: u8 = 64;

/// Octets from the start of the IP header, or of the message.
const V4_TTL: usize = 8;
const V4_CHECKSUM: usize = 10;
const V6_HOP_LIMIT: usize = 7;
const MESSAGE_CHECKSUM: usize = 2;

/// Turns `frame` into the answer, if it is an echo request with a right checksum. Says whether it
/// did.
///
/// Requests with IP options or extension headers, which an answer could not simply repeat, are
/// left alone, and so are those without a source to answer to.
pub(super) fn answer(frame: &mut Frame<'_>, ip: &IpHeader) -> bool {
    let (number, plain_len, request, answer) = match ip.version {
        Version::V4 => (protocol::ICMP, 20, REQUEST, REPLY),
        Version::V6 => (protocol::ICMPV6, 40, REQUEST_V6, REPLY_V6),
    };
    if ip.protocol != number || ip.payload - ip.start != plain_len {
        return false;
    }
    if ip.source(frame.bytes()).is_unspecified() {
        return false;
    }
    let asked = verified_message(frame, ip).and_then(<[u8]>::first_chunk::<8>);
    if !asked.is_some_and(|&[kind, code, ..]| kind == request && code == 0) {
        return false;
    }
    let partial = frame.offload().checksum.is_some();
    let (start, message) = (usize::from(ip.start), usize::from(ip.payload));
    let bytes = frame.bytes_mut();

    swap(bytes, 0, 6);
    match ip.version {
        Version::V4 => {
            swap(bytes, start + 12, 4);
            let old = word(bytes, start + V4_TTL);
            put(
                bytes,
                start + V4_TTL,
                u16::from_be_bytes([HOP_LIMIT, protocol::ICMP]),
            );
            let new = word(bytes, start + V4_TTL);
            let header = checksum::update(word(bytes, start + V4_CHECKSUM), old, new);
            put(bytes, start + V4_CHECKSUM, header);
        }
        Version::V6 => {
            swap(bytes, start + 8, 16);
            if let Some(hop_limit) = bytes.get_mut(start + V6_HOP_LIMIT) {
                *hop_limit = HOP_LIMIT;
            }
        }
    }
    let (old, new) = (word(bytes, message), u16::from_be_bytes([answer, 0]));
    put(bytes, message, new);
    // A partial checksum covers the pseudo-header alone, which the exchange of the addresses does
    // not change.
    if !partial {
        let sum = checksum::update(word(bytes, message + MESSAGE_CHECKSUM), old, new);
        put(bytes, message + MESSAGE_CHECKSUM, sum);
    }
    true
}

/// Exchanges the two neighbouring fields of `len` octets at `at`.
fn swap(bytes: &mut [u8], at: usize, len: usize) {
    if let Some(pair) = bytes.get_mut(at..at + 2 * len) {
        let (first, second) = pair.split_at_mut(len);
        first.swap_with_slice(second);
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    u16::from_be_bytes(*word.unwrap_or(&[0; 2]))
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(word) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *word = value.to_be_bytes();
    }
}
