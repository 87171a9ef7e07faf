//! Sharing the host's addresses with its kernel.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use vswitch_netio::TransportProtocol::{Sctp, Tcp, Udp};
use vswitch_netio::divert::{Divert, DivertError};
use vswitch_netio::netlink::{Dad, Netlink};
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};

use crate::lab;
use crate::uplink::Answer::{Accepted, Refused, Silence};
use crate::uplink::Uplink;

const TAG: &str = "test";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A host whose addresses are shared, with nothing claimed.
fn shared() -> (Uplink, Divert) {
    lab::enter();
    let uplink = Uplink::new();
    let divert = Divert::new().unwrap();
    for address in ["10.0.0.1", "fd00::1"] {
        divert.add_address(ip(address)).unwrap();
    }
    attach(&divert, &uplink);
    (uplink, divert)
}

fn attach(divert: &Divert, uplink: &Uplink) {
    divert
        .attach(&mut Netlink::open().unwrap(), uplink.nic, TAG)
        .unwrap();
}

#[test]
fn the_kernel_knows_nothing_of_a_claimed_port() {
    let (uplink, divert) = shared();
    let claims = divert.claims();
    for host in [ip("10.0.0.1"), ip("fd00::1")] {
        assert_eq!(uplink.connect((host, 80)), Refused);
        assert_eq!(uplink.datagram((host, 80)), Refused);

        assert!(claims.claim(host, Tcp, 80));
        assert!(claims.is_claimed(host, Tcp, 80) && !claims.is_claimed(host, Udp, 80));
        assert_eq!(uplink.connect((host, 80)), Silence);
        assert_eq!(uplink.datagram((host, 80)), Refused, "only TCP was claimed");
        assert_eq!(uplink.connect((host, 81)), Refused, "the next port");
        assert_eq!(uplink.connect((host, 80 + 64)), Refused, "the next word");

        assert!(claims.claim(host, Udp, 80) && claims.release(host, Tcp, 80));
        assert_eq!(uplink.connect((host, 80)), Refused);
        assert_eq!(uplink.datagram((host, 80)), Silence);

        assert!(claims.release(host, Udp, 80));
        assert_eq!(uplink.datagram((host, 80)), Refused);
    }
    assert!(
        !claims.claim(ip("10.0.0.9"), Tcp, 80),
        "no address of the host's"
    );
}

#[test]
fn the_hosts_own_sockets_are_undisturbed() {
    let (uplink, divert) = shared();
    for host in [ip("10.0.0.1"), ip("fd00::1")] {
        let claims = divert.claims();
        for protocol in [Tcp, Udp, Sctp] {
            claims.claim_range(host, protocol, 0..=u16::MAX);
            claims.release(host, protocol, 8080);
        }
        let listener = TcpListener::bind((host, 8080)).unwrap();
        assert_eq!(uplink.connect((host, 8080)), Accepted);
        drop(listener);
        assert_eq!(uplink.connect((host, 8080)), Refused);

        let socket = UdpSocket::bind((host, 8080)).unwrap();
        assert_eq!(uplink.datagram((host, 8080)), Silence, "nobody answers it");
        assert_eq!(socket.recv(&mut [0; 16]).unwrap(), 5);
        assert_eq!(uplink.ping(&host.to_string()), Accepted);
    }
    // And through loopback the host reaches itself at claimed ports, too.
    let listener = TcpListener::bind("10.0.0.1:9000").unwrap();
    TcpStream::connect("10.0.0.1:9000")
        .unwrap()
        .write_all(b"x")
        .unwrap();
    listener
        .accept()
        .unwrap()
        .0
        .read_exact(&mut [0; 1])
        .unwrap();
}

#[test]
fn a_range_is_claimed_from_end_to_end() {
    let (uplink, divert) = shared();
    let (claims, host) = (divert.claims(), ip("10.0.0.1"));
    assert!(claims.claim_range(host, Udp, 20_000..=59_999));
    for (port, answer) in [
        (19_999, Refused),
        (20_000, Silence),
        (40_000, Silence),
        (59_999, Silence),
        (60_000, Refused),
    ] {
        assert_eq!(uplink.datagram((host, port)), answer, "port {port}");
    }
    assert!(claims.release_range(host, Udp, 20_000..=59_998));
    assert_eq!(uplink.datagram((host, 59_998)), Refused);
    assert_eq!(uplink.datagram((host, 59_999)), Silence);
}

#[test]
fn each_address_has_claims_of_its_own() {
    let (uplink, divert) = shared();
    let (first, second) = (ip("10.0.0.1"), ip("10.0.0.11"));
    let mut netlink = Netlink::open().unwrap();
    netlink
        .add_address(uplink.nic, "10.0.0.11/24".parse().unwrap(), Dad::Off)
        .unwrap();
    divert.add_address(second).unwrap();
    let claims = divert.claims();
    assert!(claims.claim(first, Tcp, 1) && claims.claim(second, Tcp, 2));
    assert_eq!(uplink.connect((first, 1)), Silence);
    assert_eq!(uplink.connect((first, 2)), Refused);
    assert_eq!(uplink.connect((second, 1)), Refused);
    assert_eq!(uplink.connect((second, 2)), Silence);

    divert.remove_address(second).unwrap();
    assert_eq!(divert.addresses(), [first, ip("fd00::1")]);
    assert_eq!(uplink.connect((second, 2)), Refused);
    assert_eq!(uplink.connect((first, 1)), Silence);
    divert.add_address(second).unwrap();
    assert!(
        !claims.is_claimed(second, Tcp, 2),
        "claims go with the address"
    );
    assert_eq!(uplink.connect((second, 2)), Refused);
}

#[test]
fn everything_to_a_routed_subnet_is_ours() {
    let (uplink, divert) = shared();
    let mut netlink = Netlink::open().unwrap();
    for address in ["10.9.0.1/32", "10.9.0.2/32", "fd09::1/128"] {
        netlink
            .add_address(1, address.parse().unwrap(), Dad::Off)
            .unwrap();
    }
    uplink
        .outside
        .run(|| {
            lab::command("ip route add 10.9.0.0/24 via 10.0.0.1");
            lab::command("ip route add fd09::/64 via fd00::1");
        })
        .unwrap();
    let answers = |host: &str| {
        [
            uplink.connect((ip(host), 80)),
            uplink.datagram((ip(host), 80)),
            uplink.ping(host),
        ]
    };
    for host in ["10.9.0.1", "fd09::1"] {
        lab::await_address(ip(host));
        assert_eq!(answers(host), [Refused, Refused, Accepted]);
    }
    divert.add_subnet("10.9.0.77/24".parse().unwrap()).unwrap();
    divert.add_subnet("fd09::/64".parse().unwrap()).unwrap();
    for host in ["10.9.0.1", "fd09::1"] {
        assert_eq!(answers(host), [Silence, Silence, Silence]);
    }
    // An address of the host's within it stays shared.
    divert.add_address(ip("10.9.0.2")).unwrap();
    assert_eq!(answers("10.9.0.2"), [Refused, Refused, Accepted]);

    divert
        .remove_subnet("10.9.0.0/24".parse().unwrap())
        .unwrap();
    assert_eq!(answers("10.9.0.1"), [Refused, Refused, Accepted]);
}

#[test]
fn an_address_is_no_subnet() {
    let divert = Divert::new().unwrap();
    divert.add_address(ip("10.0.0.1")).unwrap();
    let error = divert
        .add_subnet("10.0.0.1/32".parse().unwrap())
        .unwrap_err();
    assert!(
        matches!(error, DivertError::AddressIsSubnet { .. }),
        "{error}"
    );
    divert.add_subnet("10.0.0.2/32".parse().unwrap()).unwrap();
    let error = divert.add_address(ip("10.0.0.2")).unwrap_err();
    assert!(
        matches!(error, DivertError::AddressIsSubnet { .. }),
        "{error}"
    );
}

#[test]
fn there_is_room_for_64_addresses() {
    let divert = Divert::new().unwrap();
    let address = |last: u8| IpAddr::from([10, 0, 0, last]);
    for last in 0..64 {
        divert.add_address(address(last)).unwrap();
    }
    divert.add_address(address(0)).unwrap();
    let error = divert.add_address(address(64)).unwrap_err();
    assert!(
        matches!(error, DivertError::TooManyAddresses { .. }),
        "{error}"
    );
    divert.remove_address(address(7)).unwrap();
    divert.add_address(address(64)).unwrap();
    assert!(divert.claims().claim(address(64), Sctp, 0));
}

#[test]
fn the_next_process_takes_over() {
    let (uplink, divert) = shared();
    let host = ip("10.0.0.1");
    divert.claims().claim(host, Tcp, 80);
    drop(divert);
    assert_eq!(
        uplink.connect((host, 80)),
        Silence,
        "what was claimed outlives the process"
    );

    let next = Divert::new().unwrap();
    next.add_address(host).unwrap();
    next.claims().claim(host, Tcp, 443);
    assert_eq!(uplink.connect((host, 80)), Silence, "not attached yet");
    attach(&next, &uplink);
    assert_eq!(uplink.connect((host, 80)), Refused);
    assert_eq!(uplink.connect((host, 443)), Silence);
    let filters = lab::command("tc filter show dev nic ingress");
    assert_eq!(filters.matches("vswitch:test").count(), 1, "{filters}");

    let mut netlink = Netlink::open().unwrap();
    assert!(Divert::detach(&mut netlink, uplink.nic, TAG).unwrap());
    assert_eq!(uplink.connect((host, 443)), Refused);
    assert!(!Divert::detach(&mut netlink, uplink.nic, TAG).unwrap());
    assert!(
        !Divert::detach(&mut netlink, 1, TAG).unwrap(),
        "nothing ever was at loopback"
    );
    assert!(
        !Divert::detach(&mut netlink, 999, TAG).unwrap(),
        "no such interface"
    );
}

#[test]
fn other_filters_and_daemons_stay() {
    lab::enter();
    let uplink = Uplink::new();
    // The older discipline, with somebody's filter.
    lab::command("tc qdisc add dev nic ingress");
    lab::command("tc filter add dev nic ingress prio 50 protocol ip u32 match u32 0 0 classid 1:7");
    let host = ip("10.0.0.1");
    let mut netlink = Netlink::open().unwrap();
    let diverts = [("a", 1), ("b", 2)].map(|(tag, port)| {
        let divert = Divert::new().unwrap();
        divert.add_address(host).unwrap();
        divert.claims().claim(host, Tcp, port);
        divert.attach(&mut netlink, uplink.nic, tag).unwrap();
        divert
    });
    assert_eq!(uplink.connect((host, 1)), Silence);
    assert_eq!(uplink.connect((host, 2)), Silence);
    assert!(Divert::detach(&mut netlink, uplink.nic, "a").unwrap());
    assert_eq!(uplink.connect((host, 1)), Refused);
    assert_eq!(uplink.connect((host, 2)), Silence);
    let filters = lab::command("tc filter show dev nic ingress");
    assert!(filters.contains("flowid 1:7"), "{filters}");
    drop(diverts);

    let error = Divert::new()
        .unwrap()
        .attach(&mut netlink, 999, TAG)
        .unwrap_err();
    assert!(error.to_string().contains("interface 999"), "{error}");
}

/// The frames that wait at a socket.
fn frames(socket: &PacketSocket) -> Vec<Vec<u8>> {
    let mut buffer = [0; 65536];
    std::iter::from_fn(|| socket.read(&mut buffer).ok().map(|n| buffer[..n].to_vec())).collect()
}

/// ARP, or ICMPv6.
fn is_neighbour_discovery(frame: &[u8]) -> bool {
    frame[12..14] == [0x08, 0x06] || (frame[12..14] == [0x86, 0xdd] && frame[20] == 58)
}

/// A packet socket of the host's with the filter, which also hears what is not for the host.
fn filtered(uplink: &Uplink, divert: &Divert) -> PacketSocket {
    let options = PacketOptions {
        filter: Some(divert.socket_filter()),
        promiscuous: true,
        ..PacketOptions::default()
    };
    PacketSocket::open(uplink.nic, &options).unwrap()
}

#[test]
fn a_packet_socket_gets_what_is_ours() {
    let (uplink, divert) = shared();
    let socket = filtered(&uplink, &divert);
    for (host, header, protocol) in [
        (ip("10.0.0.1"), 14 + 20, 14 + 9),
        (ip("fd00::1"), 14 + 40, 14 + 6),
    ] {
        divert.claims().claim(host, Tcp, 80);
        divert.claims().claim(host, Udp, 80);
        assert_eq!(uplink.datagram((host, 81)), Refused);
        assert_eq!(uplink.connect((host, 81)), Refused);
        assert_eq!(uplink.datagram((host, 80)), Silence);
        assert_eq!(uplink.connect((host, 80)), Silence);
        let seen: Vec<u16> = frames(&socket)
            .iter()
            // Neighbours may be looked for at any time.
            .filter(|frame| matches!(frame[protocol], 6 | 17))
            .map(|frame| u16::from_be_bytes([frame[header + 2], frame[header + 3]]))
            .collect();
        assert_eq!(
            seen,
            [80, 80],
            "a datagram and a SYN, and nothing of what the host sends"
        );
    }
}

/// An IPv4 packet from 10.0.0.2 to 10.0.0.1. `fragment` is the offset in bytes and whether more follow.
fn ipv4(protocol: u8, fragment: (u16, bool), options: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = 20 + options.len() + payload.len();
    let mut packet = vec![0x45 + (options.len() / 4) as u8, 0];
    packet.extend((length as u16).to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(((fragment.0 / 8) | (u16::from(fragment.1) << 13)).to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    packet.extend(options);
    let checksum = !lab::sum(&packet);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// An IPv6 packet from fd00::2 to fd00::1.
fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next_header, 64]);
    for last in [2, 1] {
        packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend(payload);
    packet
}

/// A fragment header and what is behind it.
fn fragment6(next_header: u8, fragment: (u16, bool), payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![next_header, 0];
    packet.extend((fragment.0 | u16::from(fragment.1)).to_be_bytes());
    packet.extend([0, 0, 0x12, 0x34]);
    packet.extend(payload);
    packet
}

/// Ports 1000 and `port`, and what is no matter here.
fn ports(port: u16) -> Vec<u8> {
    let mut header = 1000u16.to_be_bytes().to_vec();
    header.extend(port.to_be_bytes());
    header.extend([0; 20]);
    header
}

#[test]
fn each_kind_of_frame_is_told_apart() {
    const IPV4: u16 = 0x0800;
    const IPV6: u16 = 0x86dd;
    let (uplink, divert) = shared();
    divert.add_subnet("fd09::/64".parse().unwrap()).unwrap();
    for host in [ip("10.0.0.1"), ip("fd00::1")] {
        for (protocol, port) in [(Tcp, 6), (Udp, 17), (Sctp, 132)] {
            divert.claims().claim(host, protocol, port);
        }
    }
    let far = uplink.far_socket();
    let socket = filtered(&uplink, &divert);
    let whole = (0, false);
    let to_host = |ethertype, payload: &[u8]| uplink.to_host(ethertype, payload);
    let tagged = |mut frame: Vec<u8>| {
        frame.splice(12..12, [0x81, 0, 0, 7]);
        frame
    };
    let addressed = |mut frame: Vec<u8>, mac: [u8; 6]| {
        frame[..6].copy_from_slice(&mac);
        frame
    };
    let ours4 = to_host(IPV4, &ipv4(17, whole, &[], &ports(17)));
    let ours6 = to_host(IPV6, &ipv6(17, &ports(17)));
    let mut subnet6 = ipv6(0, &[59, 0, 1, 4, 0, 0, 0, 0]);
    subnet6[25] = 9;
    let all_nodes = [0x33, 0x33, 0, 0, 0, 1];

    let cases = [
        ("UDP", true, ours4.clone()),
        ("UDP over IPv6", true, ours6.clone()),
        ("TCP", true, to_host(IPV4, &ipv4(6, whole, &[], &ports(6)))),
        (
            "SCTP",
            true,
            to_host(IPV4, &ipv4(132, whole, &[], &ports(132))),
        ),
        (
            "SCTP over IPv6",
            true,
            to_host(IPV6, &ipv6(132, &ports(132))),
        ),
        (
            "UDP to TCP's port",
            false,
            to_host(IPV4, &ipv4(17, whole, &[], &ports(6))),
        ),
        (
            "options",
            true,
            to_host(IPV4, &ipv4(17, whole, &[1; 40], &ports(17))),
        ),
        (
            "another protocol",
            false,
            to_host(IPV4, &ipv4(47, whole, &[], &ports(17))),
        ),
        (
            "ping",
            true,
            to_host(IPV4, &ipv4(1, whole, &[], &[8, 0, 0, 0])),
        ),
        (
            "ping over IPv6",
            true,
            to_host(IPV6, &ipv6(58, &[128, 0, 0, 0])),
        ),
        (
            "multicast ICMPv6",
            true,
            addressed(to_host(IPV6, &ipv6(58, &[134, 0])), all_nodes),
        ),
        ("multicast UDP", false, addressed(ours6.clone(), all_nodes)),
        ("broadcast UDP", false, addressed(ours4.clone(), [0xff; 6])),
        (
            "broadcast ARP",
            true,
            addressed(to_host(0x0806, &[0; 46]), [0xff; 6]),
        ),
        ("ARP", true, to_host(0x0806, &[0; 46])),
        ("LLDP", false, to_host(0x88cc, &[0; 46])),
        ("tagged", false, tagged(ours4.clone())),
        (
            "another station's",
            false,
            addressed(ours4.clone(), [2, 0, 0, 0, 0, 77]),
        ),
        (
            "another station's ARP",
            false,
            addressed(to_host(0x0806, &[0; 46]), [2, 0, 0, 0, 0, 77]),
        ),
        (
            "cut off in IPv4",
            false,
            to_host(IPV4, &ipv4(17, whole, &[], &ports(17))[..19]),
        ),
        (
            "cut off before the port",
            false,
            to_host(IPV4, &ipv4(17, whole, &[], &[0, 0, 0])),
        ),
        (
            "cut off in IPv6",
            false,
            to_host(IPV6, &ipv6(17, &ports(17))[..39]),
        ),
        (
            "first fragment",
            true,
            to_host(IPV4, &ipv4(17, (0, true), &[], &ports(17))),
        ),
        (
            "the host's first fragment",
            false,
            to_host(IPV4, &ipv4(17, (0, true), &[], &ports(9))),
        ),
        (
            "later fragment",
            true,
            to_host(IPV4, &ipv4(17, (24, true), &[], &[7; 24])),
        ),
        (
            "first fragment over IPv6",
            true,
            to_host(IPV6, &ipv6(44, &fragment6(17, (0, true), &ports(17)))),
        ),
        (
            "the host's first over IPv6",
            false,
            to_host(IPV6, &ipv6(44, &fragment6(17, (0, true), &ports(9)))),
        ),
        (
            "later fragment over IPv6",
            true,
            to_host(IPV6, &ipv6(44, &fragment6(17, (24, false), &[7; 24]))),
        ),
        (
            "first fragment of ICMPv6",
            true,
            to_host(IPV6, &ipv6(44, &fragment6(58, (0, true), &[128, 0]))),
        ),
        (
            "hop-by-hop options",
            false,
            to_host(IPV6, &ipv6(0, &[17, 0, 1, 4, 0, 0, 0, 0])),
        ),
        (
            "hop-by-hop options to a subnet",
            true,
            to_host(IPV6, &subnet6),
        ),
    ];
    let to = |last: u8| (14 + 16, [10u8, 0, 0, last]);
    let mut elsewhere = to_host(IPV4, &ipv4(17, (24, true), &[], &[7; 24]));
    let (at, octets) = to(99);
    elsewhere[at..at + 4].copy_from_slice(&octets);
    frames(&socket);
    for (what, passes, frame) in
        cases
            .into_iter()
            .chain([("later fragment to another address", false, elsewhere)])
    {
        far.write(&frame).unwrap();
        let seen = frames(&socket);
        // The kernel may look for a neighbour, to answer.
        let others = |seen: &&Vec<u8>| **seen != frame && !is_neighbour_discovery(seen);
        assert_eq!(seen.iter().find(others), None, "{what}");
        assert_eq!(seen.contains(&frame), passes, "{what}");
    }
}

#[test]
fn the_kernel_gets_its_own_fragments_and_not_ours() {
    let (uplink, divert) = shared();
    for host in [ip("10.0.0.1"), ip("fd00::1")] {
        let [ours, theirs] = [7, 8].map(|port| UdpSocket::bind((host, port)).unwrap());
        divert.claims().claim(host, Udp, 7);
        let send = |port| {
            uplink
                .outside
                .run(|| {
                    let any: IpAddr = if host.is_ipv4() {
                        [0; 4].into()
                    } else {
                        [0; 16].into()
                    };
                    let socket = UdpSocket::bind((any, 0)).unwrap();
                    socket.send_to(&[7; 5000], (host, port)).unwrap();
                })
                .unwrap();
        };
        let socket = filtered(&uplink, &divert);
        send(8);
        assert_eq!(theirs.recv(&mut [0; 8192]).unwrap(), 5000);
        let fragments = || {
            let seen = frames(&socket).into_iter();
            seen.filter(|frame| !is_neighbour_discovery(frame)).count()
        };
        let later = fragments();
        assert!(later >= 3, "its later fragments are seen: {later}");
        send(7);
        assert_eq!(fragments(), later + 1, "ours with the first");
        assert!(!lab::readable(&ours, Duration::from_millis(50)));
    }
}
