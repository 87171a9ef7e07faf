//! A station that has come to a place: what it would say itself so that everybody finds it there.

use core::net::Ipv6Addr;
use std::net::IpAddr;

use vswitch_packet::{EtherType, MacAddr};

use crate::gateway::{REPLY_LEN, nd};
use crate::router::question;

/// RFC 903.
const RARP: EtherType = EtherType(0x8035);
const REVERSE_REQUEST: u8 = 3;
/// The shortest Ethernet frame, without its checksum.
const MIN_FRAME: usize = 60;

/// Writes frames from `mac` that announce it and its `addresses`, and hands each to `out`: an ARP
/// announcement (RFC 5227 §2.3) or an unsolicited neighbour advertisement (RFC 4861 §7.2.6) for each
/// address; without any, a RARP request, which moves the MAC address alone, as QEMU sends it after a
/// migration.
pub fn announce(addresses: &[IpAddr], mac: MacAddr, mut out: impl FnMut(&[u8])) {
    let mut frame = [0; REPLY_LEN];
    for address in addresses {
        let len = match *address {
            IpAddr::V4(own) => question::arp(mac, own, own, MacAddr::BROADCAST, &mut frame),
            IpAddr::V6(own) => {
                let nobody = (Ipv6Addr::UNSPECIFIED, MacAddr::BROADCAST);
                nd::answer(mac, own, false, nobody, &mut frame)
            }
        };
        out(frame.get(..len).unwrap_or_default());
    }
    if addresses.is_empty() {
        out(&reverse_request(mac));
    }
}

/// "Who am I?"
fn reverse_request(mac: MacAddr) -> [u8; MIN_FRAME] {
    let mut frame = [0; MIN_FRAME];
    let fields: [&[u8]; 8] = [
        &MacAddr::BROADCAST.0,
        &mac.0,
        &RARP.0.to_be_bytes(),
        // Ethernet and IPv4, with the lengths of their addresses.
        &[0, 1, 0x08, 0x00, 6, 4, 0, REVERSE_REQUEST],
        &mac.0,
        &[0; 4],
        &mac.0,
        &[0; 4],
    ];
    let octets = fields.into_iter().flatten();
    for (place, octet) in frame.iter_mut().zip(octets) {
        *place = *octet;
    }
    frame
}
