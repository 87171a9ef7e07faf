//! What holds for any frame that is translated: an octet says which way it goes, a virtio header
//! and the frame follow.

use vswitch_packet::ip::{Fragment, IpHeader, Transport, Version};
use vswitch_packet::{Frame, Network, VNET_HEADER_LEN, VnetHeader, checksum};

use super::host::{Host, Way};

/// Panics if the translator would, or if it spoils a frame.
pub(crate) fn check(input: &[u8]) {
    let Some((way, rest)) = input.split_first() else {
        return;
    };
    let Some((header, octets)) = rest.split_first_chunk::<VNET_HEADER_LEN>() else {
        return;
    };
    let header = VnetHeader::read(header);
    let way = Way::choose(*way);
    let original = octets.to_vec();
    let mut octets = original.clone();
    let Ok(mut frame) = Frame::parse(&mut octets, header) else {
        return;
    };
    let host = Host::new();
    let ours = host.is_ours(&frame);
    let (layout, offload) = (*frame.layout(), frame.offload());
    let before = sound(&frame);
    let flow = frame.flow();
    let result = host.pass(&mut frame, way);
    if result.is_err() || matches!(way, Way::Direct(_)) {
        assert_eq!(octets, original, "unchanged: {result:?}");
        return;
    }
    if matches!(way, Way::In) {
        assert!(ours, "who leads inside is ours");
    }
    let after = Frame::parse(&mut octets, header).expect("a frame is translated to a frame");
    assert_eq!((*after.layout(), after.offload()), (layout, offload));
    assert_eq!(sound(&after), before, "right sums stay right");
    if let (Some(old), Some(new)) = (flow, after.flow()) {
        match way {
            Way::In => {
                assert_eq!((old.source, old.source_port), (new.source, new.source_port));
            }
            Way::Out(_) | Way::Direct(_) => assert_eq!(
                (old.destination, old.destination_port),
                (new.destination, new.destination_port)
            ),
        }
    }
    if let Network::Ip(ip) = layout.network {
        let end = ip.end as usize;
        let headers = usize::from(ip.payload) + 20;
        // Behind an error's header is a quote, which changes as well.
        if ip.transport != Transport::Icmp && headers < end {
            assert_eq!(octets[headers..], original[headers..], "payload");
        }
        assert_eq!(octets[end..], original[end..], "padding");
    }
    assert_eq!(octets[..12], original[..12], "link");
}

/// Whether the sums are right: of the IPv4 header, and the transport's where it is whole.
fn sound(frame: &Frame<'_>) -> (bool, bool) {
    let Network::Ip(ip) = frame.network() else {
        return (true, true);
    };
    let partial = frame.offload().checksum.is_some();
    let transport = partial || ip.fragment != Fragment::No || sums(frame.bytes(), &ip);
    (ip.checksum_ok(frame.bytes()), transport)
}

fn sums(bytes: &[u8], ip: &IpHeader) -> bool {
    let (payload, end) = (usize::from(ip.payload), ip.end as usize);
    // A datagram may be shorter than its packet.
    let end = match ip.transport {
        Transport::Udp => {
            let len = u16::from_be_bytes([bytes[payload + 4], bytes[payload + 5]]);
            payload + usize::from(len)
        }
        _ => end,
    };
    let Some(field) = ip.transport.checksum_offset() else {
        return true;
    };
    let octets = &bytes[payload..end];
    let field = usize::from(field);
    if ip.transport == Transport::Udp && octets[field..field + 2] == [0, 0] {
        return true;
    }
    let pseudo = if ip.transport == Transport::Icmp && ip.version == Version::V4 {
        0
    } else {
        checksum::pseudo_header(ip.addresses(bytes), ip.protocol, octets.len() as u32)
    };
    checksum::add(pseudo, checksum::sum(octets)) == 0xffff
}
