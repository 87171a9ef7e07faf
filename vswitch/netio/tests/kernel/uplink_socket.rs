//! Packet sockets as an uplink has them: several on one NIC, filtered, with super-frames both ways.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use vswitch_netio::TransportProtocol::{Tcp, Udp};
use vswitch_netio::divert::Divert;
use vswitch_netio::epoll::{Epoll, Events, Interest, Token};
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};
use vswitch_netio::tap::VNET_HEADER_LEN;

use crate::lab;
use crate::uplink::Uplink;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// `VIRTIO_NET_HDR_GSO_TCPV4` of `linux/virtio_net.h`.
const GSO_TCPV4: u8 = 1;

fn uplink() -> (Uplink, Divert, PacketOptions) {
    lab::enter();
    let uplink = Uplink::new();
    let divert = Divert::new().unwrap();
    divert.add_address(HOST).unwrap();
    divert
        .attach(&mut Netlink::open().unwrap(), uplink.nic, "test")
        .unwrap();
    let options = PacketOptions {
        vnet_header: true,
        ignore_outgoing: true,
        filter: Some(divert.socket_filter()),
        receive_buffer: Some(16 << 20),
        ..PacketOptions::default()
    };
    (uplink, divert, options)
}

/// The source ports of the datagrams that wait at a socket.
fn source_ports(socket: &PacketSocket) -> Vec<u16> {
    let mut buffer = [0; 65536];
    std::iter::from_fn(|| {
        let length = socket.read(&mut buffer).ok()?;
        let frame = &buffer[VNET_HEADER_LEN..length];
        let udp = frame[12..14] == [0x08, 0x00] && frame[23] == 17;
        Some(udp.then(|| u16::from_be_bytes([frame[34], frame[35]])))
    })
    .flatten()
    .collect()
}

#[test]
fn a_group_shares_the_frames_by_flow() {
    const FLOWS: usize = 64;
    let (uplink, divert, options) = uplink();
    divert.claims().claim(HOST, Udp, 7);
    let mut group = PacketSocket::open_group(uplink.nic, &options, lab::queues(4)).unwrap();
    // Another group, of another number, gets all frames as well.
    let others = PacketSocket::open_group(uplink.nic, &options, lab::queues(2)).unwrap();
    let senders: Vec<UdpSocket> = uplink
        .outside
        .run(|| {
            let bind = |_| UdpSocket::bind("10.0.0.2:0").unwrap();
            (0..FLOWS).map(bind).collect()
        })
        .unwrap();
    let send = || {
        for sender in senders.iter().chain(&senders) {
            sender.send_to(b"hello", (HOST, 7)).unwrap();
        }
    };
    let ports: Vec<u16> = senders
        .iter()
        .map(|sender| sender.local_addr().unwrap().port())
        .collect();
    send();
    let seen: Vec<Vec<u16>> = group.iter().map(source_ports).collect();
    for port in &ports {
        let times: Vec<usize> = seen
            .iter()
            .map(|seen| seen.iter().filter(|&p| p == port).count())
            .filter(|&times| times > 0)
            .collect();
        assert_eq!(times, [2], "both of a flow at one socket, and at no other");
    }
    assert!(seen.iter().all(|seen| !seen.is_empty()), "{seen:?}");
    let elsewhere: usize = others.iter().map(|s| source_ports(s).len()).sum();
    assert_eq!(elsewhere, 2 * FLOWS);

    group.pop();
    send();
    let seen: usize = group.iter().map(|s| source_ports(s).len()).sum();
    assert_eq!(seen, 2 * FLOWS, "the rest of the group gets all");
}

#[test]
fn a_group_hears_nothing_of_what_it_sends() {
    let (uplink, _divert, options) = uplink();
    let unfiltered = PacketOptions {
        filter: None,
        ..options
    };
    let group = PacketSocket::open_group(uplink.nic, &unfiltered, lab::queues(2)).unwrap();
    let far = uplink.far_socket();
    let mut packet = vec![0; VNET_HEADER_LEN];
    packet.extend(uplink.far_mac.0);
    packet.extend(uplink.nic_mac.0);
    packet.extend([0x88, 0xb5]);
    packet.extend([1; 46]);
    group[0].write(&packet).unwrap();
    let mut buffer = [0; 2048];
    assert_eq!(far.read(&mut buffer).unwrap(), 60);
    for socket in &group {
        while let Ok(length) = socket.read(&mut buffer) {
            assert_ne!(buffer[VNET_HEADER_LEN..length], packet[VNET_HEADER_LEN..]);
        }
    }
    // Without a filter everything comes in.
    far.write(&uplink.to_host(0x88b5, &[2; 46])).unwrap();
    let mut heard = 0;
    for socket in &group {
        while let Ok(length) = socket.read(&mut buffer) {
            heard += usize::from(buffer[length - 46..length] == [2; 46]);
        }
    }
    assert_eq!(heard, 1);
}

#[test]
fn a_group_has_256_sockets_at_most() {
    let (uplink, _divert, options) = uplink();
    let error = PacketSocket::open_group(uplink.nic, &options, lab::queues(257)).unwrap_err();
    assert!(error.to_string().contains("PACKET_FANOUT"), "{error}");
}

/// Carries a TCP stream between the machine outside and one behind a second veth, by two packet
/// sockets: as an uplink does, with no kernel forwarding between the two.
#[test]
fn super_frames_cross_two_nics_both_ways() {
    const LENGTH: usize = 16 << 20;
    lab::enter();
    // far (in `outside`) = nic | left = inner (in `inside`); one subnet across.
    lab::command("ip link add nic type veth peer name far");
    lab::command("ip link add left type veth peer name inner");
    let mut netlink = Netlink::open().unwrap();
    let index = |name: &str| {
        let mut netlink = Netlink::open().unwrap();
        netlink.link(&lab::name(name)).unwrap().unwrap().index
    };
    let ends = [("far", "10.0.0.2/24"), ("inner", "10.0.0.1/24")].map(|(name, address)| {
        let netns = Netns::create().unwrap();
        let index = index(name);
        Netlink::open().unwrap().set_netns(index, &netns).unwrap();
        netns
            .run(|| lab::settle(index, &lab::name(name), address))
            .unwrap();
        netns
    });
    for name in ["nic", "left"] {
        vswitch_netio::sysctl::set_ipv6_disabled(&lab::name(name), true).unwrap();
        netlink.set_up(index(name)).unwrap();
    }
    let options = PacketOptions {
        vnet_header: true,
        ignore_outgoing: true,
        promiscuous: true,
        receive_buffer: Some(64 << 20),
        send_buffer: Some(64 << 20),
        ..PacketOptions::default()
    };
    let sockets = ["nic", "left"].map(|name| PacketSocket::open(index(name), &options).unwrap());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let sent: Vec<u8> = (0..LENGTH).map(|i| (i / 7) as u8).collect();
    let [outside, inside] = &ends;

    let longest = std::thread::scope(|scope| {
        let carrier = scope.spawn(|| {
            let mut longest = [0; 2];
            let mut buffer = vec![0; 1 << 17];
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for (from, to) in [(0, 1), (1, 0)] {
                    while let Ok(length) = sockets[from].read(&mut buffer) {
                        if buffer[1] == GSO_TCPV4 {
                            longest[from] = longest[from].max(length);
                        }
                        assert_eq!(sockets[to].write(&buffer[..length]).unwrap(), length);
                    }
                }
                lab::readable(&sockets[0], Duration::from_millis(1));
            }
            longest
        });
        let echo = inside
            .run(|| TcpListener::bind("10.0.0.1:80").unwrap())
            .unwrap();
        scope.spawn(move || {
            let (mut stream, _) = echo.accept().unwrap();
            let mut received = vec![0; LENGTH];
            stream.read_exact(&mut received).unwrap();
            stream.write_all(&received).unwrap();
        });
        let mut stream = outside
            .run(|| TcpStream::connect("10.0.0.1:80").unwrap())
            .unwrap();
        stream.write_all(&sent).unwrap();
        let mut back = vec![0; LENGTH];
        stream.read_exact(&mut back).unwrap();
        assert!(back == sent, "the stream changed on the way");
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        carrier.join().unwrap()
    });
    assert!(
        longest.iter().all(|&length| length > 30_000),
        "the longest super-frame each way: {longest:?}"
    );
}

#[test]
fn a_filtered_socket_gets_super_frames_whole() {
    let (uplink, divert, options) = uplink();
    divert.claims().claim(HOST, Udp, 7);
    let socket = PacketSocket::open(uplink.nic, &options).unwrap();
    let sender = uplink
        .outside
        .run(|| UdpSocket::bind("10.0.0.2:0").unwrap())
        .unwrap();
    socket2::SockRef::from(&sender)
        .connect(&std::net::SocketAddr::from((HOST, 7)).into())
        .unwrap();
    lab::set_udp_segment(&sender, 1000);
    sender.send(&[7; 3500]).unwrap();
    let mut buffer = [0; 8192];
    loop {
        let length = socket.read(&mut buffer).unwrap();
        // Behind the neighbour discovery of the first packet.
        if buffer[VNET_HEADER_LEN + 12..][..2] == [8, 0] {
            assert_eq!(length, VNET_HEADER_LEN + 14 + 20 + 8 + 3500);
            assert_eq!(buffer[1], 5, "VIRTIO_NET_HDR_GSO_UDP_L4");
            break;
        }
    }
}

fn frame(uplink: &Uplink, length: usize) -> Vec<u8> {
    let mut packet = vec![0; VNET_HEADER_LEN];
    packet.extend(uplink.far_mac.0);
    packet.extend(uplink.nic_mac.0);
    packet.extend([0x88, 0xb5]);
    packet.resize(VNET_HEADER_LEN + length, 0);
    packet
}

fn errno(result: std::io::Result<usize>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

#[test]
fn a_frame_longer_than_the_mtu_is_refused() {
    let (uplink, _divert, options) = uplink();
    let socket = PacketSocket::open(uplink.nic, &options).unwrap();
    socket.write(&frame(&uplink, 14 + 1500)).unwrap();
    let error = errno(socket.write(&frame(&uplink, 14 + 1501)));
    assert_eq!(error, Some(libc::EMSGSIZE));
}

#[test]
fn a_full_queue_is_told_unless_it_is_bypassed() {
    let (uplink, _divert, options) = uplink();
    // A slow interface with room for a few frames.
    lab::command("tc qdisc add dev nic root tbf rate 8kbit burst 1600 limit 4000");
    let socket = PacketSocket::open(uplink.nic, &options).unwrap();
    let error = (0..100).find_map(|_| socket.write(&frame(&uplink, 1000)).err());
    assert_eq!(error.unwrap().raw_os_error(), Some(libc::ENOBUFS));

    let far = uplink.far_socket();
    let bypass = PacketOptions {
        qdisc_bypass: true,
        ..options
    };
    let socket = PacketSocket::open(uplink.nic, &bypass).unwrap();
    let mut buffer = [0; 2048];
    while far.read(&mut buffer).is_ok() {}
    for _ in 0..100 {
        socket.write(&frame(&uplink, 1001)).unwrap();
        assert_eq!(far.read(&mut buffer).unwrap(), 1001);
    }
}

#[test]
fn an_interface_goes_down_and_comes_back() {
    let (uplink, divert, options) = uplink();
    divert.claims().claim(HOST, Tcp, 80);
    let group = PacketSocket::open_group(uplink.nic, &options, lab::queues(2)).unwrap();
    let epoll = Epoll::new().unwrap();
    let mut events = Events::with_capacity(4);
    for (socket, token) in group.iter().zip(0..) {
        while socket.read(&mut [0; 2048]).is_ok() {}
        epoll.add(socket, Token(token), Interest::Read).unwrap();
    }
    let mut netlink = Netlink::open().unwrap();
    netlink.set_down(uplink.nic).unwrap();
    epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.iter().len() == 2 && events.iter().all(|event| event.failed));
    for socket in &group {
        let error = errno(socket.write(&frame(&uplink, 60)));
        assert!(
            matches!(error, Some(libc::ENETDOWN | libc::ENXIO)),
            "{error:?}"
        );
        while let Err(e) = socket.read(&mut [0; 2048]) {
            if e.kind() == ErrorKind::WouldBlock {
                break;
            }
            assert_eq!(e.raw_os_error(), Some(libc::ENETDOWN));
        }
    }
    epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty(), "told once");

    netlink.set_up(uplink.nic).unwrap();
    lab::eventually("the cable is plugged in", || {
        netlink.link(&lab::name("nic")).unwrap().unwrap().running
    });
    for socket in &group {
        socket.write(&frame(&uplink, 60)).unwrap();
    }
    // The other end notices later that it can send again.
    lab::eventually("the host is heard", || {
        uplink.connect((HOST, 80));
        group
            .iter()
            .any(|socket| socket.read(&mut [0; 2048]).is_ok())
    });
}

#[test]
fn an_interface_that_is_gone_stays_gone() {
    for away in ["ip link del nic", "ip link set nic netns away"] {
        let (uplink, _divert, options) = uplink();
        lab::command("ip netns add away");
        let socket = PacketSocket::open(uplink.nic, &options).unwrap();
        while socket.read(&mut [0; 2048]).is_ok() {}
        let epoll = Epoll::new().unwrap();
        let mut events = Events::with_capacity(4);
        epoll.add(&socket, Token(0), Interest::Read).unwrap();
        lab::command(away);
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.iter().any(|event| event.failed), "{away}");
        let error = errno(socket.read(&mut [0; 2048]));
        assert_eq!(error, Some(libc::ENETDOWN), "{away}");
        assert_eq!(errno(socket.write(&frame(&uplink, 60))), Some(libc::ENXIO));

        let again = format!(
            "ip link add nic index {} type veth peer name near",
            uplink.nic
        );
        lab::command(&again);
        lab::command("ip link set nic up");
        let read = socket.read(&mut [0; 2048]).unwrap_err();
        assert_eq!(read.kind(), ErrorKind::WouldBlock);
        assert_eq!(errno(socket.write(&frame(&uplink, 60))), Some(libc::ENXIO));
        lab::command("ip netns del away");
    }
}
