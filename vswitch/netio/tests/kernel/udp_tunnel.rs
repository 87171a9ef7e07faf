//! Datagrams and batches of them between the tunnels of two hosts.

use std::io::{ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr, UdpSocket};

use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};
use vswitch_netio::tap::VNET_HEADER_LEN;
use vswitch_netio::udp_tunnel::{Received, TunnelConfig, TunnelSocket};

use crate::lab;
use crate::uplink::Uplink;

pub(crate) const PORT: u16 = 4789;

/// The host and the machine outside, by either IP version.
pub(crate) const ENDS: [[&str; 2]; 2] = [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]];

/// `VIRTIO_NET_HDR_GSO_*` of `linux/virtio_net.h`.
const GSO_NONE: u8 = 0;
const GSO_UDP_L4: u8 = 5;

pub(crate) fn config(local: &str) -> TunnelConfig {
    TunnelConfig {
        local: local.parse().unwrap(),
        port: PORT,
        interface: None,
    }
}

/// The tunnel of the calling thread's namespace.
pub(crate) fn open(config: &TunnelConfig, workers: usize) -> Vec<TunnelSocket> {
    let mut group = Vec::new();
    // Where all tests are one process, one that another test is just starting may hold what was closed here.
    lab::eventually("the port is free", || {
        match TunnelSocket::open_group(config, workers) {
            Ok(opened) => group = opened,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
        }
        !group.is_empty()
    });
    group
}

/// With one worker.
pub(crate) fn tunnel(local: &str) -> TunnelSocket {
    open(&config(local), 1).pop().unwrap()
}

pub(crate) fn peer(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), PORT)
}

pub(crate) fn send(from: &TunnelSocket, to: &str, bytes: &[u8]) -> std::io::Result<()> {
    from.send(peer(to), 0, 0, None, None, &[IoSlice::new(bytes)])
}

/// What comes in next.
pub(crate) fn receive(tunnel: &TunnelSocket) -> (Received, Vec<u8>) {
    assert!(lab::readable(tunnel, lab::PATIENCE), "no datagram");
    let mut room = vec![0; 1 << 16];
    let received = tunnel.receive(&mut room).unwrap();
    room.truncate(received.len);
    (received, room)
}

pub(crate) fn nothing_waits(tunnel: &TunnelSocket) -> bool {
    tunnel
        .receive(&mut [0; 64])
        .is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
}

/// A datagram as a machine on the way sees it.
struct Datagram {
    tos: u8,
    ttl: u8,
    /// IPv6 has it always.
    dont_fragment: bool,
    source_port: u16,
    checksum: u16,
    /// Of the pseudo-header, the UDP header and the payload: 0xffff if the checksum is right.
    sum: u16,
    payload: Vec<u8>,
    gso: u8,
    gso_size: usize,
}

/// Sees what arrives outside, with virtio headers.
fn watch(uplink: &Uplink) -> PacketSocket {
    let options = PacketOptions {
        vnet_header: true,
        ignore_outgoing: true,
        receive_buffer: Some(4 << 20),
        ..PacketOptions::default()
    };
    let open = || PacketSocket::open(uplink.far, &options).unwrap();
    uplink.outside.run(open).unwrap()
}

/// The next datagram to the tunnel's port.
fn next_datagram(watch: &PacketSocket) -> Datagram {
    let mut buffer = vec![0; 1 << 17];
    loop {
        assert!(lab::readable(watch, lab::PATIENCE), "nothing seen");
        let length = watch.read(&mut buffer).unwrap();
        if let Some(datagram) = decode(&buffer[..length]) {
            return datagram;
        }
    }
}

fn decode(frame: &[u8]) -> Option<Datagram> {
    let (header, frame) = frame.split_at(VNET_HEADER_LEN);
    let (ethernet, packet) = frame.split_at(14);
    let v4 = match ethernet[12..] {
        [0x08, 0x00] if packet[9] == 17 => true,
        [0x86, 0xdd] if packet[6] == 17 => false,
        _ => return None,
    };
    let (addresses, udp) = if v4 {
        let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        (&packet[12..20], &packet[20..length])
    } else {
        (&packet[8..40], &packet[40..])
    };
    let number = |at| u16::from_be_bytes([udp[at], udp[at + 1]]);
    if number(2) != PORT {
        return None;
    }
    let mut summed = addresses.to_vec();
    summed.extend([0, 17]);
    summed.extend((udp.len() as u16).to_be_bytes());
    summed.extend(udp);
    Some(Datagram {
        tos: if v4 {
            packet[1]
        } else {
            packet[0] << 4 | packet[1] >> 4
        },
        ttl: packet[if v4 { 8 } else { 7 }],
        dont_fragment: !v4 || packet[6] == 0x40,
        source_port: number(0),
        checksum: number(6),
        sum: lab::sum(&summed),
        payload: udp[8..].to_vec(),
        gso: header[1],
        gso_size: usize::from(u16::from_le_bytes([header[4], header[5]])),
    })
}

#[test]
fn a_datagram_crosses_both_ways_with_its_marks() {
    lab::enter();
    let uplink = Uplink::new();
    // So that the checksum is there to be seen.
    lab::command("ethtool -K nic tx off");
    let watch = watch(&uplink);
    for [here, there] in ENDS {
        let near = tunnel(here);
        let far = uplink.outside.run(|| tunnel(there)).unwrap();
        assert!(nothing_waits(&far));
        let parts = [&b"he"[..], b"", b"llo"].map(IoSlice::new);
        near.send(peer(there), 5, 0xba, Some(7), None, &parts)
            .unwrap();
        let (received, payload) = receive(&far);
        assert_eq!(payload, b"hello");
        assert_eq!(
            received,
            Received {
                len: 5,
                from: here.parse().unwrap(),
                segment: None,
                tos: 0xba
            }
        );
        let seen = next_datagram(&watch);
        assert_eq!((seen.tos, seen.ttl), (0xba, 7), "{there}");
        assert!(seen.dont_fragment);
        assert_ne!(seen.checksum, 0);
        assert_eq!(seen.sum, 0xffff);

        // The answer, without marks.
        send(&far, here, b"").unwrap();
        let (received, _) = receive(&near);
        assert_eq!(received.from, there.parse::<IpAddr>().unwrap());
        assert_eq!((received.len, received.tos), (0, 0));
        send(&near, there, b"hello").unwrap();
        let seen = next_datagram(&watch);
        assert_eq!((seen.tos, seen.ttl), (0, 64));
    }
}

#[test]
fn a_flow_keeps_its_source_port_and_flows_have_several() {
    lab::enter();
    let uplink = Uplink::new();
    let watch = watch(&uplink);
    let [here, there] = ENDS[0];
    let group = open(&config(here), 2);
    let source_port = |tunnel: &TunnelSocket, entropy| {
        let parts = [IoSlice::new(b"hello")];
        tunnel
            .send(peer(there), entropy, 0, None, None, &parts)
            .unwrap();
        next_datagram(&watch).source_port
    };
    let mut ports: Vec<u16> = group
        .iter()
        .flat_map(|tunnel| (0..16).map(|entropy| source_port(tunnel, entropy)))
        .collect();
    assert!(ports.iter().all(|port| *port >= 61000), "{ports:?}");
    for entropy in [3, 16 + 3, u16::MAX - 12] {
        assert_eq!(source_port(&group[0], entropy), ports[3]);
    }
    // A flow may change workers.
    assert_eq!(ports[..16], ports[16..]);
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 16);
}

#[test]
fn a_batch_leaves_as_one_super_packet_and_arrives_as_one() {
    lab::enter();
    let uplink = Uplink::new();
    let watch = watch(&uplink);
    for [here, there] in ENDS {
        let near = tunnel(here);
        let far = uplink.outside.run(|| tunnel(there)).unwrap();
        // Headers and frames by turns, as a tunnel's are; the last datagram is shorter.
        for (segments, segment, last) in [(64, 1000, 1000), (100, 600, 60), (2, 1400, 1)] {
            let bytes: Vec<u8> = (0..(segments - 1) * segment + last)
                .map(|i| (i / 7) as u8)
                .collect();
            let parts: Vec<IoSlice<'_>> = bytes
                .chunks(segment)
                .flat_map(|datagram| {
                    let (header, frame) = datagram.split_at(datagram.len().min(8));
                    [IoSlice::new(header), IoSlice::new(frame)]
                })
                .collect();
            let size = Some(segment as u16);
            near.send(peer(there), 1, 0xb8, None, size, &parts).unwrap();
            let seen = next_datagram(&watch);
            assert_eq!((seen.gso, seen.gso_size), (GSO_UDP_L4, segment), "{there}");
            assert_eq!(seen.payload, bytes);
            let (received, payload) = receive(&far);
            assert_eq!(payload, bytes);
            assert_eq!((received.segment, received.tos), (size, 0xb8));
            assert_eq!(received.from, here.parse::<IpAddr>().unwrap());
        }
        // One datagram is no batch.
        let parts = [IoSlice::new(b"hello")];
        near.send(peer(there), 1, 0, None, Some(1000), &parts)
            .unwrap();
        assert_eq!(next_datagram(&watch).gso, GSO_NONE);
        assert_eq!(receive(&far).0.segment, None);
    }
}

#[test]
fn a_batch_goes_out_of_an_interface_without_offloads_in_pieces() {
    lab::enter();
    let uplink = Uplink::new();
    lab::command("ethtool -K nic tx off gso off tx-udp-segmentation off");
    let watch = watch(&uplink);
    for [here, there] in ENDS {
        let near = tunnel(here);
        let bytes = [7; 2500];
        let parts = [IoSlice::new(&bytes)];
        near.send(peer(there), 1, 0, None, Some(1000), &parts)
            .unwrap();
        for length in [1000, 1000, 500] {
            let seen = next_datagram(&watch);
            assert_eq!((seen.gso, seen.payload.len()), (GSO_NONE, length));
            assert!(seen.dont_fragment);
            assert_ne!(seen.checksum, 0);
            assert_eq!(seen.sum, 0xffff);
        }
    }
}

#[test]
fn a_datagram_without_room_is_an_error_and_lost() {
    lab::enter();
    let near = tunnel("127.0.0.1");
    send(&near, "127.0.0.1", b"too long").unwrap();
    send(&near, "127.0.0.1", b"fits").unwrap();
    assert!(lab::readable(&near, lab::PATIENCE));
    let error = near.receive(&mut [0; 7]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    assert_eq!(receive(&near).1, b"fits");
    assert!(nothing_waits(&near));
}

#[test]
fn workers_share_what_comes_in_by_flow() {
    const FLOWS: usize = 64;
    lab::enter();
    let uplink = Uplink::new();
    for [here, there] in [ENDS[0], ENDS[1], ["0.0.0.0", "10.0.0.2"]] {
        let group = open(&config(here), 2);
        let to = if here == "0.0.0.0" { "10.0.0.1" } else { here };
        let flows = || {
            for flow in 0..FLOWS {
                let socket = UdpSocket::bind((there, 0)).unwrap();
                for _ in 0..2 {
                    socket.send_to(&[flow as u8], peer(to)).unwrap();
                }
            }
        };
        uplink.outside.run(flows).unwrap();
        let mut seen = [[0; FLOWS]; 2];
        let mut room = [0; 64];
        lab::eventually("all came", || {
            for (tunnel, seen) in group.iter().zip(&mut seen) {
                while let Ok(received) = tunnel.receive(&mut room) {
                    for datagram in &room[..received.len] {
                        seen[usize::from(*datagram)] += 1;
                    }
                }
            }
            seen.as_flattened().iter().sum::<usize>() == 2 * FLOWS
        });
        for seen in &seen {
            assert!(seen.iter().any(|times| *times > 0), "a worker without work");
        }
        for (first, second) in seen[0].into_iter().zip(seen[1]) {
            assert!(matches!((first, second), (2, 0) | (0, 2)), "{seen:?}");
        }
    }
}

#[test]
fn a_checksum_may_be_missing_but_not_wrong() {
    lab::enter();
    let uplink = Uplink::new();
    let raw = uplink.far_socket();
    for [here, there] in ENDS {
        let near = tunnel(here);
        let address = |text: &str| match text.parse().unwrap() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let addresses = [address(there), address(here)].concat();
        let send = |payload: &[u8; 5], checksum: fn(u16) -> u16| {
            let mut udp = vec![0xf0, 0x00];
            udp.extend(PORT.to_be_bytes());
            udp.extend([0, 13, 0, 0]);
            udp.extend(payload);
            let right = !lab::sum(&[&addresses[..], &[0, 17, 0, 13], &udp[..]].concat());
            udp[6..8].copy_from_slice(&checksum(right).to_be_bytes());
            let (ethertype, mut packet) = if here.contains(':') {
                (0x86dd, vec![0x60, 0, 0, 0, 0, 13, 17, 64])
            } else {
                let mut header = vec![0x45, 0, 0, 33, 0, 0, 0x40, 0, 64, 17, 0, 0];
                let sum = !lab::sum(&[&header[..], &addresses].concat());
                header[10..].copy_from_slice(&sum.to_be_bytes());
                (0x0800, header)
            };
            packet.extend(&addresses);
            packet.extend(udp);
            raw.write(&uplink.to_host(ethertype, &packet)).unwrap();
        };
        send(b"none.", |_| 0);
        send(b"wrong", |right| right ^ 1);
        send(b"right", |right| right);
        let heard = [receive(&near).1, receive(&near).1];
        assert_eq!(heard, [b"none.", b"right"], "{here}");
    }
}

#[test]
fn what_comes_to_a_source_port_is_dropped() {
    lab::enter();
    let uplink = Uplink::new();
    let watch = watch(&uplink);
    let [here, there] = ENDS[0];
    let near = tunnel(here);
    send(&near, there, b"hello").unwrap();
    let port = next_datagram(&watch).source_port;
    // Neither kept, nor refused: that would tell the network about the tunnel.
    let answer = uplink.datagram((here.parse::<IpAddr>().unwrap(), port));
    assert_eq!(answer, crate::uplink::Answer::Silence);
    let table = std::fs::read_to_string("/proc/thread-self/net/udp").unwrap();
    let line = table
        .lines()
        .find(|line| line.contains(&format!(":{port:04X} 00000000")))
        .unwrap();
    assert!(line.contains(" 00000000:00000000 "), "{line}");
    assert!(nothing_waits(&near));
}
