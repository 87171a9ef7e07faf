//! Tagged frames through packet sockets.

use std::io::ErrorKind;

use vswitch_netio::packet_socket::{PacketOptions, PacketSocket, Received, VlanTag};
use vswitch_netio::tap::VNET_HEADER_LEN;

use crate::lab;
use crate::uplink::Uplink;

/// An Ethertype for local experiments (IEEE 802).
const EXPERIMENT: u16 = 0x88b5;

const CUSTOMER: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;

/// What frames of these tests hold, and no other frame ends with.
const PAYLOAD: &[u8] = b"of a length that needs no padding on Ethernet";

fn options() -> PacketOptions {
    PacketOptions {
        vnet_header: true,
        ignore_outgoing: true,
        promiscuous: true,
        vlan_tags: true,
        ..PacketOptions::default()
    }
}

/// A frame with tags in band, behind an empty header.
fn tagged(uplink: &Uplink, tags: &[(u16, u16)], payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; VNET_HEADER_LEN];
    packet.extend(uplink.to_host(EXPERIMENT, payload));
    for (protocol, control) in tags.iter().rev() {
        let tag = [protocol.to_be_bytes(), control.to_be_bytes()].concat();
        packet.splice(VNET_HEADER_LEN + 12..VNET_HEADER_LEN + 12, tag);
    }
    packet
}

#[test]
fn the_outer_tag_comes_beside_the_frame() {
    lab::enter();
    let uplink = Uplink::new();
    let group = PacketSocket::open_group(uplink.nic, &options(), lab::queues(2)).unwrap();
    let far = uplink
        .outside
        .run(|| PacketSocket::open(uplink.far, &options()).unwrap())
        .unwrap();
    let cases: [&[(u16, u16)]; 7] = [
        &[],
        &[(CUSTOMER, 7)],
        &[(CUSTOMER, 0xa000)],
        &[(CUSTOMER, 0xf007)],
        &[(SERVICE, 5)],
        &[(SERVICE, 5), (CUSTOMER, 7)],
        &[(CUSTOMER, 5), (CUSTOMER, 7)],
    ];
    let mut buffer = [0; 2048];
    for tags in cases {
        let packet = tagged(&uplink, tags, PAYLOAD);
        assert_eq!(far.write(&packet).unwrap(), packet.len());
        let received = group
            .iter()
            .find_map(|socket| receive_experiment(socket, &mut buffer))
            .unwrap();
        let inner = tagged(&uplink, tags.get(1..).unwrap_or_default(), PAYLOAD);
        let vlan = tags
            .first()
            .map(|&(protocol, control)| VlanTag { protocol, control });
        let length = inner.len();
        assert_eq!(received, Received { length, vlan }, "{tags:?}");
        assert_eq!(buffer[..length], inner, "{tags:?}");
    }
    for socket in &group {
        assert!(
            receive_experiment(socket, &mut buffer).is_none(),
            "each came once"
        );
    }
}

/// The next frame of ours that waits, among those of the kernels at both ends.
fn receive_experiment(socket: &PacketSocket, buffer: &mut [u8]) -> Option<Received> {
    loop {
        let received = match socket.receive(buffer) {
            Ok(received) => received,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
            Err(e) => panic!("{e}"),
        };
        if buffer[..received.length].ends_with(PAYLOAD) {
            return Some(received);
        }
    }
}

#[test]
fn an_own_tagged_frame_is_not_heard() {
    lab::enter();
    let uplink = Uplink::new();
    let group = PacketSocket::open_group(uplink.nic, &options(), lab::queues(2)).unwrap();
    for tags in [&[(CUSTOMER, 7)][..], &[(SERVICE, 5), (CUSTOMER, 7)]] {
        group[0].write(&tagged(&uplink, tags, PAYLOAD)).unwrap();
    }
    for socket in &group {
        assert!(receive_experiment(socket, &mut [0; 2048]).is_none());
    }
}

#[test]
fn a_customer_tag_fits_beside_the_mtu_and_no_other() {
    lab::enter();
    let uplink = Uplink::new();
    let socket = PacketSocket::open(uplink.nic, &options()).unwrap();
    let cases: [(&[(u16, u16)], usize); 4] = [
        (&[], 1500),
        (&[(CUSTOMER, 7)], 1500),
        (&[(SERVICE, 7)], 1496),
        (&[(CUSTOMER, 7), (CUSTOMER, 8)], 1496),
    ];
    for (tags, longest) in cases {
        let write = |payload| socket.write(&tagged(&uplink, tags, &vec![1; payload]));
        write(longest).unwrap();
        let error = write(longest + 1).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE), "{tags:?}");
    }
}
