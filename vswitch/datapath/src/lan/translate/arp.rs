//! ARP (RFC 826): packets that [`vswitch_packet::Network::Arp`] has found whole.

use core::net::Ipv4Addr;

use vswitch_packet::MacAddr;

use super::put;

/// Octets from the start of the packet.
const SENDER: usize = 8;
const TARGET: usize = 18;
const TARGET_PROTOCOL: usize = 24;

/// The sender is known by `outside`, and so is the target of an announcement, which is the same.
pub(super) fn outward(bytes: &mut [u8], start: usize, inside: MacAddr, outside: MacAddr) {
    put(bytes, start + SENDER, outside);
    replace(bytes, start + TARGET, inside, outside);
}

/// The target is known by `inside`. A question may leave it open, which nobody minds.
pub(super) fn inward(bytes: &mut [u8], start: usize, outside: MacAddr, inside: MacAddr) {
    replace(bytes, start + TARGET, outside, inside);
}

/// Who is asked, or told.
pub(super) fn target(bytes: &[u8], start: usize) -> Ipv4Addr {
    let address = bytes
        .get(start + TARGET_PROTOCOL..)
        .and_then(<[u8]>::first_chunk);
    Ipv4Addr::from(*address.unwrap_or(&[0; 4]))
}

fn replace(bytes: &mut [u8], at: usize, old: MacAddr, new: MacAddr) {
    if bytes.get(at..at + 6) == Some(&old.0[..]) {
        put(bytes, at, new);
    }
}
