//! Interfaces as a LAN has them: settings beside address and MTU, and addresses that are alone in their subnet.

use std::net::{IpAddr, UdpSocket};

use rustix::io::Errno;
use vswitch_netio::netlink::{
    AddressGeneration, Dad, LinkSettings, Netlink, Route, RouteScope, RouteTable,
};
use vswitch_netio::tap::{Tap, VNET_HEADER_LEN};
use vswitch_packet::MacAddr;

use crate::lab;

#[test]
fn an_interface_without_arp_asks_nobody() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let mut netlink = Netlink::open().unwrap();
    let mac = netlink.link_at(tap.index).unwrap().unwrap().mac.unwrap();
    let mut set_arp = |on| {
        let settings = LinkSettings {
            arp: Some(on),
            ..LinkSettings::default()
        };
        netlink.set(tap.index, &settings).unwrap();
    };
    set_arp(false);
    lab::provoke_frame("10.0.0.2:9");
    let frame = lab::next_frame(&tap.queues[0]);
    assert_eq!((&frame[..6], &frame[12..14]), (&mac.0[..], &[8, 0][..]));
    assert!(lab::command("ip link show t0").contains("NOARP"));

    set_arp(true);
    lab::provoke_frame("10.0.0.2:9");
    let frame = lab::next_frame(&tap.queues[0]);
    assert_eq!((&frame[..6], &frame[12..14]), (&[0xff; 6][..], &[8, 6][..]));
    assert!(netlink.link_at(tap.index).unwrap().unwrap().up);
}

#[test]
fn frames_wait_in_the_taps_own_queue_only() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(2)).unwrap();
    let mut netlink = Netlink::open().unwrap();
    netlink.set_unqueued(tap.index).unwrap();
    netlink.set_unqueued(tap.index).unwrap();
    lab::settle(tap.index, &tap.name, "10.0.0.1/24");
    let disciplines = lab::command("tc qdisc show dev t0");
    assert_eq!(disciplines.lines().count(), 1, "{disciplines}");
    assert!(disciplines.starts_with("qdisc noqueue "), "{disciplines}");
    lab::provoke_frame("10.0.0.2:9");
    lab::eventually("a frame", || {
        let mut queues = tap.queues.iter();
        queues.any(|queue| queue.read(&mut [0; 2048]).is_ok())
    });

    // The kernel's own is taken away while frames pass.
    let tap = Tap::create(&lab::name("t1"), lab::queues(2)).unwrap();
    lab::settle(tap.index, &tap.name, "10.0.1.1/24");
    let disciplines = lab::command("tc qdisc show dev t1");
    assert!(disciplines.starts_with("qdisc mq "), "{disciplines}");
    netlink.set_unqueued(tap.index).unwrap();
    let disciplines = lab::command("tc qdisc show dev t1");
    assert!(disciplines.starts_with("qdisc noqueue "), "{disciplines}");
    lab::provoke_frame("10.0.1.2:9");
    lab::eventually("a frame", || {
        let mut queues = tap.queues.iter();
        queues.any(|queue| queue.read(&mut [0; 2048]).is_ok())
    });
}

#[test]
fn the_kernel_makes_a_link_local_address_if_it_is_told_to() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    for (generation, count) in [(AddressGeneration::None, 0), (AddressGeneration::Eui64, 1)] {
        netlink
            .set_ipv6_address_generation(tap.index, generation)
            .unwrap();
        netlink.set_up(tap.index).unwrap();
        let addresses = netlink.addresses().unwrap();
        let ours = addresses.iter().filter(|a| a.interface == tap.index);
        assert_eq!(ours.count(), count, "{generation:?}");
        netlink.set_down(tap.index).unwrap();
    }

    netlink.set_mtu(tap.index, 1279).unwrap();
    let error = netlink
        .set_ipv6_address_generation(tap.index, AddressGeneration::None)
        .unwrap_err();
    assert_eq!(error.errno(), Some(Errno::AFNOSUPPORT), "{error}");
}

#[test]
fn the_address_of_a_tap_changes_while_it_is_up() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let mut netlink = Netlink::open().unwrap();
    let before = netlink.link_at(tap.index).unwrap().unwrap().mac.unwrap();
    let after = MacAddr([2, 0x42, 10, 0, 0, 1]);
    netlink.set_mac(tap.index, after).unwrap();
    let link = netlink.link_at(tap.index).unwrap().unwrap();
    assert_eq!((link.mac, link.up), (Some(after), true));

    // Not what it was, but what it is now, is received.
    let receiver = UdpSocket::bind("10.0.0.1:7").unwrap();
    for (mac, last) in [(before, 1), (after, 2)] {
        let mut packet = vec![0; VNET_HEADER_LEN];
        packet.extend(lab::ethernet(mac.0, 0x0800, &datagram(last)));
        tap.queues[0].write(&packet).unwrap();
    }
    receiver.set_read_timeout(Some(lab::PATIENCE)).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(receiver.recv(&mut buffer).unwrap(), 1);
    assert_eq!(buffer[0], 2);
}

/// From 10.0.0.2 to port 7 of 10.0.0.1, without a checksum.
fn datagram(payload: u8) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 29, 0, 0, 0x40, 0, 64, 17, 0, 0];
    ip.extend([10, 0, 0, 2, 10, 0, 0, 1]);
    let checksum = !lab::sum(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    ip.extend([0, 9, 0, 7, 0, 9, 0, 0, payload]);
    ip
}

#[test]
fn an_address_without_a_subnet_reaches_others_by_routes_of_their_own() {
    lab::enter();
    lab::without_dad();
    let mut netlink = Netlink::open().unwrap();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    netlink
        .set_ipv6_address_generation(tap.index, AddressGeneration::None)
        .unwrap();
    netlink.set_up(tap.index).unwrap();
    for (own, other) in [
        ("10.0.0.1/32", "10.0.0.7/32"),
        ("fd00::1/128", "fd00::7/128"),
    ] {
        let own: ipnet::IpNet = own.parse().unwrap();
        let other: ipnet::IpNet = other.parse().unwrap();
        netlink.add_address(tap.index, own, Dad::Off).unwrap();
        lab::await_address(own.addr());
        let mut route = Route {
            preferred_source: Some(own.addr()),
            ..Route::to(other, None, tap.index)
        };
        netlink.add_route(&route).unwrap();
        if route.version == 6 {
            route.metric = 1024;
        } else {
            assert_eq!(route.scope, RouteScope::Link);
        }
        let routes = netlink.routes().unwrap();
        assert!(routes.contains(&route), "{routes:?}");
        let subnets = routes.iter().filter(|route| {
            let net = route.destination.filter(|net| net.contains(&own.addr()));
            route.table == RouteTable::Main && net.is_some_and(|net| net != own)
        });
        assert_eq!(subnets.count(), 0, "no route but ours");

        let socket = UdpSocket::bind((unspecified(own.addr()), 0)).unwrap();
        socket.connect((other.addr(), 9)).unwrap();
        assert_eq!(socket.local_addr().unwrap().ip(), own.addr());
        netlink.delete_route(&route).unwrap();
        let error = socket.connect((other.addr(), 9)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH));
    }
}

fn unspecified(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0; 16].into(),
    }
}
