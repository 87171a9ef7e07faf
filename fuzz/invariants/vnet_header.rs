//! What holds for any virtio header in front of frames that are well-formed: a header that lies is
//! refused, or does no harm.

use vswitch_packet::{VNET_HEADER_LEN, VnetHeader};

use super::frame;

/// Panics if the switch would.
pub(crate) fn check(input: &[u8]) {
    let Some(header) = input.first_chunk::<VNET_HEADER_LEN>() else {
        return;
    };
    assert_eq!(VnetHeader::read(header).to_bytes(), *header);
    for version in [4, 6] {
        for protocol in [6, 17] {
            let mut octets = header.to_vec();
            octets.extend(packet(version, protocol));
            frame::check(&octets);
        }
    }
}

/// A packet with room for a few segments, as a sender hands it to its device.
fn packet(version: u8, protocol: u8) -> Vec<u8> {
    const PAYLOAD: u16 = 3000;
    let transport_len = PAYLOAD + if protocol == 6 { 20 } else { 8 };
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    let len = transport_len.to_be_bytes();
    if version == 4 {
        let total = (20 + transport_len).to_be_bytes();
        frame.extend([
            0x08, 0x00, 0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, protocol, 0, 0,
        ]);
        frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        let checksum = !vswitch_packet::checksum::sum(&frame[14..34]);
        frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    } else {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, len[0], len[1], protocol, 64]);
        frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    }
    let addresses = &frame[frame.len() - if version == 4 { 8 } else { 32 }..];
    let sum = vswitch_packet::checksum::pseudo_header(addresses, protocol, transport_len.into());
    let [high, low] = sum.to_be_bytes();
    frame.extend([0x9c, 0x40, 0x13, 0x89]);
    if protocol == 6 {
        frame.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0xf6, high, low, 0, 0]);
    } else {
        frame.extend([len[0], len[1], high, low]);
    }
    frame.extend((0..PAYLOAD).map(|octet| octet as u8));
    frame
}
