//! What the kernel says when a tunnel cannot be opened, or a datagram cannot be sent.

use std::io::{ErrorKind, IoSlice};
use std::net::{IpAddr, UdpSocket};
use std::ops::RangeInclusive;

use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;
use vswitch_netio::sysctl;
use vswitch_netio::udp_tunnel::{TunnelSocket, path_mtu};

use crate::lab;
use crate::udp_tunnel::{ENDS, PORT, config, nothing_waits, open, peer, receive, send, tunnel};
use crate::uplink::Uplink;

/// The kernel's belief about the path.
fn mtu(local: &str, to: &str) -> u16 {
    path_mtu(local.parse().unwrap(), to.parse().unwrap(), PORT).unwrap()
}

/// Bytes of the IP and UDP headers.
fn headers(address: &str) -> usize {
    if address.contains(':') { 48 } else { 28 }
}

fn errno(result: std::io::Result<()>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

#[test]
fn what_is_longer_than_the_link_allows_is_refused() {
    lab::enter();
    let uplink = Uplink::new();
    let mut netlink = Netlink::open().unwrap();
    let bytes = vec![7; 1 << 16];
    for [here, there] in ENDS {
        netlink.set_mtu(uplink.nic, 1500).unwrap();
        assert_eq!(mtu(here, there), 1500);
        let near = tunnel(here);
        let far = uplink.outside.run(|| tunnel(there)).unwrap();
        netlink.set_mtu(uplink.nic, 1280).unwrap();
        assert_eq!(mtu(here, there), 1280);
        let longest = 1280 - headers(here);
        send(&near, there, &bytes[..longest]).unwrap();
        assert_eq!(receive(&far).0.len, longest);
        let too_long = send(&near, there, &bytes[..longest + 1]);
        assert_eq!(errno(too_long), Some(libc::EMSGSIZE));

        let batch = |segment: usize, length| {
            let parts = [IoSlice::new(&bytes[..length])];
            near.send(peer(there), 0, 0, None, Some(segment as u16), &parts)
        };
        batch(longest, 3 * longest).unwrap();
        assert_eq!(receive(&far).0.len, 3 * longest);
        let too_long = batch(longest + 1, 3 * longest);
        assert_eq!(errno(too_long), Some(libc::EMSGSIZE));
        send(&near, there, b"last").unwrap();
        assert_eq!(receive(&far).1, b"last");
    }
}

#[test]
fn a_link_without_limit_has_the_largest_mtu() {
    lab::enter();
    lab::command("ip link set lo mtu 100000");
    assert_eq!(mtu("127.0.0.1", "127.0.0.1"), u16::MAX);
    assert_eq!(mtu("::", "::1"), u16::MAX);
}

#[test]
fn a_router_on_the_way_lowers_the_path_mtu() {
    lab::enter();
    let router = Uplink::new().outside;
    let beyond = Netns::create().unwrap();
    beyond.run(lab::without_dad).unwrap();
    router
        .run(|| {
            sysctl::write(&["ipv4", "ip_forward"], "1").unwrap();
            sysctl::write(&["ipv6", "conf", "all", "forwarding"], "1").unwrap();
            lab::command("ip link add second mtu 1300 type veth peer name last");
            let mut netlink = Netlink::open().unwrap();
            let last = netlink.link(&lab::name("last")).unwrap().unwrap();
            netlink.set_netns(last.index, &beyond).unwrap();
            lab::command("ip link set second up");
            lab::command("ip address add 10.1.0.1/24 dev second");
            lab::command("ip address add fd01::1/64 dev second nodad");
        })
        .unwrap();
    beyond
        .run(|| {
            lab::command("ip link set last up");
            lab::command("ip address add 10.1.0.2/24 dev last");
            lab::command("ip address add fd01::2/64 dev last nodad");
            lab::command("ip route add default via 10.1.0.1");
            lab::command("ip route add default via fd01::1");
        })
        .unwrap();
    lab::command("ip route add 10.1.0.0/24 via 10.0.0.2");
    lab::command("ip route add fd01::/64 via fd00::2");
    for (here, there) in [("10.0.0.1", "10.1.0.2"), ("fd00::1", "fd01::2")] {
        let near = tunnel(here);
        let far = beyond.run(|| tunnel(there)).unwrap();
        assert_eq!(mtu(here, there), 1500);
        let bytes = [7; 1400];
        // A batch, too, is a packet too big for the router.
        let parts = [IoSlice::new(&bytes)];
        near.send(peer(there), 0, 0, None, None, &parts).unwrap();
        lab::eventually("the router said so", || mtu(here, there) == 1300);
        assert_eq!(errno(send(&near, there, &bytes)), Some(libc::EMSGSIZE));
        let parts = [IoSlice::new(&bytes), IoSlice::new(&bytes)];
        let batch = near.send(peer(there), 0, 0, None, Some(1400), &parts);
        assert_eq!(errno(batch), Some(libc::EMSGSIZE));
        let longest = 1300 - headers(here);
        send(&near, there, &bytes[..longest]).unwrap();
        assert_eq!(receive(&far).0.len, longest);
    }
}

#[test]
fn a_port_that_is_taken_is_told() {
    lab::enter();
    lab::command("ip address add 192.0.2.1/32 dev lo");
    let in_use = |local| {
        let error = TunnelSocket::open_group(&config(local), 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{local}");
    };
    // Of the kernel's own tunnel.
    for (device, locals) in [
        ("id 5", ["0.0.0.0", "127.0.0.1"]),
        ("id 5 local ::1", ["::", "::1"]),
    ] {
        lab::command(&format!("ip link add vx type vxlan {device} dstport 4789"));
        lab::command("ip link set vx up");
        locals.into_iter().for_each(in_use);
        lab::command("ip link delete vx");
    }

    let program = UdpSocket::bind(("192.0.2.1", PORT)).unwrap();
    in_use("192.0.2.1");
    in_use("0.0.0.0");
    let others = ["127.0.0.1", "::"].map(tunnel);
    drop((program, others));

    // Of another switch, although its sockets can be shared among themselves.
    let other = open(&config("127.0.0.1"), 2);
    in_use("127.0.0.1");
    in_use("0.0.0.0");
    drop(other);
    let _all = tunnel("0.0.0.0");
    in_use("0.0.0.0");
    in_use("127.0.0.1");

    let nobodys = TunnelSocket::open_group(&config("192.0.2.99"), 1).unwrap_err();
    assert_eq!(nobodys.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn source_ports_in_use_are_passed_over_until_none_is_left() {
    lab::enter();
    let hold = |ip: &str, ports: RangeInclusive<u16>| -> Vec<UdpSocket> {
        let bind = |port| UdpSocket::bind((ip, port)).unwrap();
        ports.map(bind).collect()
    };
    let _all = hold("127.0.0.1", 61000..=65535);
    let error = TunnelSocket::open_group(&config("127.0.0.1"), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);

    let _most = hold("127.0.0.2", 61001..=65534);
    let near = tunnel("127.0.0.2");
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let mut seen: Vec<u16> = (0..16)
        .map(|entropy| {
            near.send(to, entropy, 0, None, None, &[IoSlice::new(b"hello")])
                .unwrap();
            receiver.recv_from(&mut [0; 16]).unwrap().1.port()
        })
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [61000, 65535]);
}

#[test]
fn a_firewall_that_drops_is_told() {
    lab::enter();
    let _uplink = Uplink::new();
    for ([here, there], program) in ENDS.into_iter().zip(["iptables", "ip6tables"]) {
        let near = tunnel(here);
        lab::command(&format!("{program} -A OUTPUT -p udp --dport 4789 -j DROP"));
        assert_eq!(errno(send(&near, there, b"hello")), Some(libc::EPERM));
        lab::command(&format!("{program} -F OUTPUT"));
        send(&near, there, b"hello").unwrap();
    }
}

#[test]
fn a_way_that_is_not_there_is_told() {
    lab::enter();
    let _uplink = Uplink::new();
    for ([here, _], [nowhere, refused]) in ENDS
        .into_iter()
        .zip([["10.9.0.1", "10.8.0.1"], ["fd09::1", "fd08::1"]])
    {
        let near = tunnel(here);
        assert_eq!(errno(send(&near, nowhere, b"")), Some(libc::ENETUNREACH));
        let error = path_mtu(here.parse().unwrap(), nowhere.parse().unwrap(), PORT).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
        for (kind, error) in [
            ("unreachable", libc::EHOSTUNREACH),
            ("prohibit", libc::EACCES),
            ("blackhole", libc::EINVAL),
        ] {
            lab::command(&format!("ip route add {kind} {refused}"));
            assert_eq!(
                errno(send(&near, refused, b"")),
                Some(error),
                "{here} {kind}"
            );
            lab::command(&format!("ip route delete {kind} {refused}"));
        }
    }
    let [[here, _], [here6, there6]] = ENDS;
    let other_family = send(&tunnel(here), there6, b"");
    assert_eq!(errno(other_family), Some(libc::EAFNOSUPPORT));
    let other_family = send(&tunnel(here6), here, b"");
    assert_eq!(errno(other_family), Some(libc::ENETUNREACH));
}

#[test]
fn a_peer_that_is_not_there_is_no_error() {
    lab::enter();
    let uplink = Uplink::new();
    for ([here, there], silent) in ENDS.into_iter().zip(["10.0.0.77", "fd00::77"]) {
        let near = tunnel(here);
        // The port is closed, and the machine outside says so.
        let from = uplink
            .outside
            .run(|| UdpSocket::bind((there, PORT)))
            .unwrap();
        send(&near, there, b"hello").unwrap();
        drop(from);
        for _ in 0..8 {
            send(&near, there, b"hello").unwrap();
            send(&near, silent, b"hello").unwrap();
        }
        assert!(nothing_waits(&near));
    }
}

#[test]
fn what_no_datagram_can_be_is_refused() {
    lab::enter();
    for (local, longest) in [("127.0.0.1", 65507), ("::1", 65527)] {
        let near = tunnel(local);
        let bytes = vec![7; 1 << 17];
        let send = |segment, length: usize| {
            let parts = [IoSlice::new(&bytes[..length])];
            near.send(peer(local), 0, 0, None, segment, &parts)
        };
        assert_eq!(errno(send(Some(100), 12801)), Some(libc::EINVAL));
        let too_long = send(Some(1000), longest + 1);
        assert_eq!(errno(too_long), Some(libc::EMSGSIZE));
        let parts = [IoSlice::new(b"x"); 1025];
        let too_many = near.send(peer(local), 0, 0, None, None, &parts);
        assert_eq!(errno(too_many), Some(libc::EMSGSIZE));
        assert!(nothing_waits(&near));

        send(Some(100), 12800).unwrap();
        assert_eq!(receive(&near).0.segment, Some(100));
        // With the headers it is more than an interface takes as one.
        send(Some(1000), longest).unwrap();
        let mut rest = longest;
        while rest > 0 {
            rest -= receive(&near).0.len;
        }
        near.send(peer(local), 0, 0, None, None, &parts[1..])
            .unwrap();
        assert_eq!(receive(&near).0.len, 1024);
    }
    let near = tunnel("127.0.0.1");
    let no_hops = near.send(peer("127.0.0.1"), 0, 0, Some(0), None, &[]);
    assert_eq!(errno(no_hops), Some(libc::EINVAL));
}

#[test]
fn an_address_that_is_gone_is_told_over_ipv4_only() {
    lab::enter();
    let uplink = Uplink::new();
    let [[here, there], [here6, there6]] = ENDS;
    let near = tunnel(here);
    let near6 = tunnel(here6);
    let far6 = uplink.outside.run(|| tunnel(there6)).unwrap();
    lab::command("ip address delete 10.0.0.1/24 dev nic");
    lab::command("ip address add 10.0.0.3/24 dev nic");
    lab::command("ip address delete fd00::1/64 dev nic");
    lab::command("ip address add fd00::3/64 dev nic nodad");
    assert_eq!(errno(send(&near, there, b"")), Some(libc::ENETUNREACH));
    send(&near6, there6, b"from nowhere").unwrap();
    assert_eq!(receive(&far6).0.from, here6.parse::<IpAddr>().unwrap());
}
