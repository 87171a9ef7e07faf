//! Multicast groups, as a tunnel without a list of peers uses them.

use std::io::{ErrorKind, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use vswitch_netio::netlink::Netlink;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};
use vswitch_netio::udp_tunnel::{GroupSocket, TunnelConfig};

use crate::lab;
use crate::udp_tunnel::{ENDS, PORT, config, nothing_waits, open, receive, send, tunnel};
use crate::uplink::Uplink;

/// By either IP version.
const GROUPS: [&str; 2] = ["239.1.1.1", "ff05::1:1"];

fn join(group: &str, config: &TunnelConfig) -> std::io::Result<GroupSocket> {
    GroupSocket::join(group.parse().unwrap(), config)
}

/// The datagrams that wait at a socket.
fn datagrams(group: &GroupSocket) -> Vec<Vec<u8>> {
    let mut room = [0; 2048];
    std::iter::from_fn(|| {
        let received = group.receive(&mut room).ok()?;
        Some(room[..received.len].to_vec())
    })
    .collect()
}

#[test]
fn a_group_is_heard_once_beside_the_workers() {
    lab::enter();
    let uplink = Uplink::new();
    for ([here, there], group) in ENDS.into_iter().zip(GROUPS) {
        let any = if here.contains(':') { "::" } else { "0.0.0.0" };
        let far = uplink.outside.run(|| tunnel(there)).unwrap();
        let elsewhere = uplink.outside.run(|| join(group, &config(there))).unwrap();
        for local in [here, any] {
            let config = TunnelConfig {
                interface: (local == any).then_some(uplink.nic),
                ..config(local)
            };
            let workers = open(&config, 2);
            let sockets = [0; 2].map(|_| join(group, &config).unwrap());
            send(&far, group, b"to all").unwrap();
            send(&far, here, b"to one").unwrap();
            let heard = || {
                let mut room = [0; 64];
                let received = workers.iter().find_map(|w| w.receive(&mut room).ok())?;
                Some(room[..received.len].to_vec())
            };
            let mut first = None;
            lab::eventually("a worker hears", || {
                first = heard();
                first.is_some()
            });
            assert_eq!(first.unwrap(), b"to one");
            assert_eq!(heard(), None);
            for socket in &sockets {
                let mut room = [0; 64];
                let received = socket.receive(&mut room).unwrap();
                assert_eq!(received.from, there.parse::<IpAddr>().unwrap());
                assert_eq!(&room[..received.len], b"to all");
                assert!(datagrams(socket).is_empty());
            }
        }
        assert!(
            datagrams(elsewhere.as_ref().unwrap()).is_empty(),
            "a host does not hear itself"
        );
    }
}

#[test]
fn a_group_of_others_is_not_heard() {
    lab::enter();
    let uplink = Uplink::new();
    let [any4, any6] = ["0.0.0.0", "::"].map(tunnel);
    // Other programs of the host, on other ports.
    let program = UdpSocket::bind("0.0.0.0:0").unwrap();
    let nic = Ipv4Addr::new(10, 0, 0, 1);
    let group: Ipv4Addr = GROUPS[0].parse().unwrap();
    program.join_multicast_v4(&group, &nic).unwrap();
    let program6 = UdpSocket::bind("[::]:0").unwrap();
    let group6: Ipv6Addr = GROUPS[1].parse().unwrap();
    program6.join_multicast_v6(&group6, uplink.nic).unwrap();
    // A group of the tunnel's, but another.
    let other = join("239.1.1.2", &config("10.0.0.1")).unwrap();
    for (([here, there], group), tunnel) in ENDS.into_iter().zip(GROUPS).zip([&any4, &any6]) {
        let far = uplink
            .outside
            .run(|| crate::udp_tunnel::tunnel(there))
            .unwrap();
        send(&far, group, b"to all").unwrap();
        send(&far, here, b"to one").unwrap();
        assert_eq!(receive(tunnel).1, b"to one");
        assert!(nothing_waits(tunnel));
        assert!(datagrams(&other).is_empty());
    }
}

#[test]
fn a_batch_to_a_group_arrives_as_one() {
    lab::enter();
    let uplink = Uplink::new();
    for ([here, there], group) in ENDS.into_iter().zip(GROUPS) {
        let near = join(group, &config(here)).unwrap();
        let far = uplink.outside.run(|| tunnel(there)).unwrap();
        let bytes = [7; 2500];
        let to = (group.parse::<IpAddr>().unwrap(), PORT).into();
        let parts = [IoSlice::new(&bytes)];
        far.send(to, 3, 0xb8, Some(9), Some(1000), &parts).unwrap();
        assert!(lab::readable(&near, lab::PATIENCE));
        let received = near.receive(&mut [0; 1 << 16]).unwrap();
        assert_eq!((received.len, received.segment), (2500, Some(1000)));
        assert_eq!(received.tos, 0xb8);
    }
}

#[test]
fn the_interface_is_the_given_one_or_that_of_the_address() {
    lab::enter();
    let _uplink = Uplink::new();
    let mut netlink = Netlink::open().unwrap();
    lab::command("ip link add second type veth peer name other");
    for line in ["second up", "other up"] {
        lab::command(&format!("ip link set {line}"));
    }
    lab::command("ip address add 10.2.0.1/24 dev second");
    lab::command("ip address add fd02::1/64 dev second nodad");
    let index = netlink.link(&lab::name("second")).unwrap().unwrap().index;
    let other = netlink.link(&lab::name("other")).unwrap().unwrap().index;
    let other = PacketSocket::open(other, &PacketOptions::default()).unwrap();
    let mut frame = [0; 2048];
    for (local, any, group) in [
        ("10.2.0.1", "0.0.0.0", "239.1.1.9"),
        ("fd02::1", "::", "ff02::1:9"),
    ] {
        let given = TunnelConfig {
            interface: Some(index),
            ..config(any)
        };
        let by_address = config(local);
        for config in [given, by_address] {
            if group.starts_with("ff02") && config.interface.is_none() {
                let error = join(group, &config).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                continue;
            }
            let near = open(&config, 1).pop().unwrap();
            let _member = join(group, &config).unwrap();
            let listed = lab::command("ip maddress show dev second");
            assert!(listed.contains(group), "{listed}");
            send(&near, group, b"to all").unwrap();
            lab::eventually("it left by that interface", || {
                let length = other.read(&mut frame).unwrap_or(0);
                frame[..length].ends_with(b"to all")
            });
        }
        let listed = lab::command("ip maddress show dev second");
        assert!(!listed.contains(group), "closed, but a member: {listed}");
    }
}

#[test]
fn what_cannot_be_joined_is_told() {
    lab::enter();
    let _uplink = Uplink::new();
    for (group, local) in [
        ("10.0.0.1", "10.0.0.1"),
        ("ff05::1", "10.0.0.1"),
        ("239.1.1.1", "fd00::1"),
    ] {
        let error = join(group, &config(local)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(group), "{error}");
    }
    for (group, local) in GROUPS.into_iter().zip(["0.0.0.0", "::"]) {
        let gone = TunnelConfig {
            interface: Some(999),
            ..config(local)
        };
        let error = join(group, &gone).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV), "{group}");
    }
    let no_route = join(GROUPS[0], &config("0.0.0.0")).unwrap_err();
    assert_eq!(no_route.raw_os_error(), Some(libc::ENODEV));
    let elsewhere = TunnelConfig {
        port: PORT + 1,
        ..config("10.0.0.1")
    };
    let _program = UdpSocket::bind(("0.0.0.0", PORT + 1)).unwrap();
    let error = join(GROUPS[0], &elsewhere).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}
