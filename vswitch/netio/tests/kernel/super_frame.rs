//! Frames larger than the MTU, with partial checksums, through TAPs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use vswitch_netio::epoll::{Epoll, Events, Interest, Token};
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;
use vswitch_netio::tap::{Tap, VNET_HEADER_LEN};
use vswitch_netio::wake::Waker;

use crate::lab;

/// `VIRTIO_NET_HDR_GSO_*` of `linux/virtio_net.h`.
const GSO_TCPV4: u8 = 1;
const GSO_UDP_L4: u8 = 5;

/// What a cable saw.
#[derive(Default)]
struct Seen {
    super_frames: usize,
    longest: usize,
}

/// A namespace with a TAP in it that is held here.
fn host(name: &str, address: &str) -> (Tap, Netns) {
    let tap = Tap::create(&lab::name(name), lab::queues(1)).unwrap();
    let netns = Netns::create().unwrap();
    Netlink::open()
        .unwrap()
        .set_netns(tap.index, &netns)
        .unwrap();
    netns
        .run(|| lab::settle(tap.index, &tap.name, address))
        .unwrap();
    (tap, netns)
}

/// Carries frames as they are from TAP to TAP until it is told to stop.
fn cable(ends: [&Tap; 2], stop: &AtomicBool, waker: &Waker) -> Seen {
    let mut seen = Seen::default();
    let mut buffer = vec![0; 1 << 17];
    let epoll = Epoll::new().unwrap();
    let mut events = Events::with_capacity(4);
    for (end, token) in ends.iter().zip(0..) {
        epoll
            .add(&end.queues[0], Token(token), Interest::Read)
            .unwrap();
    }
    epoll.add(waker, Token(2), Interest::Read).unwrap();
    while !stop.load(Ordering::Relaxed) {
        epoll.wait(&mut events, Some(lab::PATIENCE)).unwrap();
        for event in events.iter().filter(|event| event.token != Token(2)) {
            let from = usize::try_from(event.token.0).unwrap();
            while let Ok(length) = ends[from].queues[0].read(&mut buffer) {
                seen.super_frames += usize::from(buffer[1] == GSO_TCPV4);
                seen.longest = seen.longest.max(length);
                assert_eq!(
                    ends[1 - from].queues[0].write(&buffer[..length]).unwrap(),
                    length
                );
            }
        }
    }
    seen
}

#[test]
fn a_tcp_stream_crosses_as_super_frames() {
    const LENGTH: usize = 32 << 20;
    lab::enter();
    let (left, left_ns) = host("left", "10.0.0.1/24");
    let (right, right_ns) = host("right", "10.0.0.2/24");
    let stop = AtomicBool::new(false);
    let waker = Waker::new().unwrap();
    let sent: Vec<u8> = (0..LENGTH).map(|i| (i / 7) as u8).collect();

    let seen = thread::scope(|scope| {
        let cable = scope.spawn(|| cable([&left, &right], &stop, &waker));
        let listener = right_ns
            .run(|| TcpListener::bind("10.0.0.2:80").unwrap())
            .unwrap();
        let receiver = scope.spawn(move || {
            let mut received = Vec::with_capacity(LENGTH);
            listener
                .accept()
                .unwrap()
                .0
                .read_to_end(&mut received)
                .unwrap();
            received
        });
        let mut stream = left_ns
            .run(|| TcpStream::connect("10.0.0.2:80").unwrap())
            .unwrap();
        stream.write_all(&sent).unwrap();
        drop(stream);
        assert!(
            receiver.join().unwrap() == sent,
            "the stream changed on the way"
        );
        stop.store(true, Ordering::Relaxed);
        waker.wake();
        cable.join().unwrap()
    });
    assert!(
        seen.super_frames > 100,
        "{} super-frames",
        seen.super_frames
    );
    assert!(
        seen.longest > 60_000,
        "the longest has {} bytes",
        seen.longest
    );
}

#[test]
fn a_tcp_segment_has_a_partial_checksum() {
    lab::enter();
    let (tap, netns) = host("tap", "10.0.0.1/24");
    netns
        .run(|| lab::command("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:09 dev tap"))
        .unwrap();
    let connect =
        || TcpStream::connect_timeout(&"10.0.0.2:80".parse().unwrap(), Duration::from_millis(100));
    netns.run(connect).unwrap().unwrap_err();
    let mut buffer = [0; 2048];
    tap.queues[0].read(&mut buffer).unwrap();
    let [flags, gso, _, _, _, _, start, _, offset, _] =
        *buffer.first_chunk::<VNET_HEADER_LEN>().unwrap();
    assert_eq!(
        (flags, gso, start, offset),
        (1, 0, 34, 16),
        "NEEDS_CSUM of a TCP segment"
    );
}

#[test]
fn a_udp_super_frame_is_read_whole() {
    lab::enter();
    let (tap, netns) = host("tap", "10.0.0.1/24");
    netns
        .run(|| lab::command("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:09 dev tap"))
        .unwrap();
    let socket = netns
        .run(|| UdpSocket::bind("10.0.0.1:7").unwrap())
        .unwrap();
    lab::set_udp_segment(&socket, 1000);
    socket.send_to(&[7; 3500], "10.0.0.2:7").unwrap();

    let mut buffer = [0; 8192];
    let length = tap.queues[0].read(&mut buffer).unwrap();
    assert_eq!(length, VNET_HEADER_LEN + 14 + 20 + 8 + 3500);
    assert_eq!(
        (buffer[1], &buffer[4..6]),
        (GSO_UDP_L4, &1000u16.to_ne_bytes()[..])
    );
}

#[test]
fn a_udp_super_frame_is_received_as_datagrams() {
    lab::enter();
    let (tap, netns) = host("tap", "10.0.0.1/24");
    let socket = netns
        .run(|| UdpSocket::bind("10.0.0.1:7").unwrap())
        .unwrap();
    socket.set_read_timeout(Some(lab::PATIENCE)).unwrap();
    let mac = netns
        .run(|| {
            Netlink::open()
                .unwrap()
                .link(&tap.name)
                .unwrap()
                .unwrap()
                .mac
        })
        .unwrap();
    let packet = udp_super_frame(mac.unwrap().0, &[7; 450], 100);
    assert_eq!(tap.queues[0].write(&packet).unwrap(), packet.len());
    let lengths = [0; 5].map(|_| socket.recv(&mut [0; 2048]).unwrap());
    assert_eq!(lengths, [100, 100, 100, 100, 50]);
}

#[test]
fn a_udp_super_frame_has_128_datagrams_at_most() {
    lab::enter();
    let (tap, netns) = host("tap", "10.0.0.1/24");
    let socket = netns
        .run(|| UdpSocket::bind("10.0.0.1:7").unwrap())
        .unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mac = netns
        .run(|| {
            Netlink::open()
                .unwrap()
                .link(&tap.name)
                .unwrap()
                .unwrap()
                .mac
        })
        .unwrap();
    let mac = mac.unwrap().0;
    tap.queues[0]
        .write(&udp_super_frame(mac, &[7; 1280], 10))
        .unwrap();
    for _ in 0..128 {
        assert_eq!(socket.recv(&mut [0; 2048]).unwrap(), 10);
    }
    let error = tap.queues[0]
        .write(&udp_super_frame(mac, &[7; 1290], 10))
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}

/// A header and a frame from 10.0.0.2 to port 7 of 10.0.0.1, with a partial UDP checksum.
fn udp_super_frame(destination: [u8; 6], payload: &[u8], segment: u16) -> Vec<u8> {
    let udp_length = u16::try_from(8 + payload.len()).unwrap();
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp_length).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    let checksum = !lab::sum(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut pseudo = ip[12..20].to_vec();
    pseudo.extend([0, 17]);
    pseudo.extend(udp_length.to_be_bytes());
    ip.extend([0, 9, 0, 7]);
    ip.extend(udp_length.to_be_bytes());
    ip.extend(lab::sum(&pseudo).to_be_bytes());
    ip.extend(payload);

    let mut packet = vec![1, GSO_UDP_L4];
    for field in [42, segment, 34, 6] {
        packet.extend(field.to_ne_bytes());
    }
    packet.extend(lab::ethernet(destination, 0x0800, &ip));
    packet
}
