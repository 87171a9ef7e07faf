//! Interfaces, addresses, routes and neighbours, against what `ip` says of them.

use std::net::IpAddr;

use rustix::io::Errno;
use vswitch_netio::netlink::{
    Dad, LinkSettings, Neighbour, NeighbourState, Netlink, NetlinkError, Route, RouteKind,
    RouteProtocol, RouteScope, RouteTable,
};
use vswitch_netio::netns::Netns;
use vswitch_netio::tap::Tap;
use vswitch_packet::MacAddr;

use crate::lab;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A TAP that is up, without addresses.
fn tap(netlink: &mut Netlink) -> Tap {
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    netlink.set_up(tap.index).unwrap();
    tap
}

#[test]
fn an_interface_is_what_it_was_set_to() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    let mut netlink = Netlink::open().unwrap();
    let mac = MacAddr([2, 0x42, 10, 0, 0, 1]);
    let settings = LinkSettings {
        alias: Some("the first"),
        mac: Some(mac),
        mtu: Some(9000),
        queue_length: Some(4000),
        segments: Some(7),
        arp: None,
    };
    netlink.set(tap.index, &settings).unwrap();
    netlink.rename(tap.index, &lab::name("eth0")).unwrap();
    netlink.set_up(tap.index).unwrap();

    let link = netlink.link(&lab::name("eth0")).unwrap().unwrap();
    assert_eq!(
        (link.index, link.mtu, link.mac),
        (tap.index, 9000, Some(mac))
    );
    assert_eq!(link.alias.as_deref(), Some("the first"));
    assert!(link.up && link.running && link.carrier);
    let said = lab::command("ip -details link show eth0");
    for part in ["qlen 4000", "mtu 9000", "gso_max_segs 7"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("NOARP"), "{said}");

    assert_eq!(netlink.link_at(tap.index).unwrap().as_ref(), Some(&link));
    assert!(netlink.link(&lab::name("t0")).unwrap().is_none());
    assert!(netlink.link_at(999).unwrap().is_none());
    let names: Vec<_> = netlink
        .links()
        .unwrap()
        .into_iter()
        .map(|l| l.name.to_string())
        .collect();
    assert!(names.starts_with(&["lo".to_owned()]) && names.contains(&"eth0".to_owned()));

    netlink.rename(tap.index, &lab::name("eth1")).unwrap();
    assert!(
        netlink.link(&lab::name("eth1")).unwrap().unwrap().up,
        "renamed while it was up"
    );
    netlink.set_down(tap.index).unwrap();
    netlink.set_alias(tap.index, "").unwrap();
    let link = netlink.link_at(tap.index).unwrap().unwrap();
    assert_eq!((link.up, link.alias), (false, None));
    netlink.delete_link(tap.index).unwrap();
    assert!(netlink.link_at(tap.index).unwrap().is_none());
}

#[test]
fn a_list_of_many_datagrams_is_whole() {
    lab::enter();
    let names: Vec<_> = (0..100).map(|i| lab::name(&format!("t{i}"))).collect();
    let taps: Vec<_> = names
        .iter()
        .map(|n| Tap::create(n, lab::queues(1)).unwrap())
        .collect();
    let links = Netlink::open().unwrap().links().unwrap();
    assert!(
        taps.iter()
            .all(|tap| links.iter().any(|link| link.index == tap.index))
    );
}

#[test]
fn an_interface_moves_and_is_renamed_there() {
    lab::enter();
    let netns = Netns::create().unwrap();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    let mut here = Netlink::open().unwrap();
    here.set_alias(tap.index, "endpoint 7").unwrap();
    here.set_netns(tap.index, &netns).unwrap();
    let mut there = netns.run(|| Netlink::open().unwrap()).unwrap();
    let link = there.link(&tap.name).unwrap().unwrap();
    assert_eq!(
        (link.up, link.alias.as_deref()),
        (false, Some("endpoint 7"))
    );
    there.rename(link.index, &lab::name("eth0")).unwrap();
    assert!(there.link(&lab::name("eth0")).unwrap().is_some());
}

#[test]
fn an_interface_cannot_move_where_its_name_is_taken() {
    lab::enter();
    let netns = Netns::create().unwrap();
    let _there = netns
        .run(|| Tap::create(&lab::name("t0"), lab::queues(1)).unwrap())
        .unwrap();
    let here = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    let error = Netlink::open()
        .unwrap()
        .set_netns(here.index, &netns)
        .unwrap_err();
    assert!(matches!(error, NetlinkError::Exists(_)), "{error}");
}

#[test]
fn refusals_keep_the_number_and_the_kernels_words() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let error = netlink.set_up(999).unwrap_err();
    assert!(matches!(error, NetlinkError::NotFound(_)), "{error}");
    assert_eq!(error.errno(), Some(Errno::NODEV));

    let tap = tap(&mut netlink);
    let error = netlink.set_mtu(tap.index, 1 << 20).unwrap_err();
    let message = error.to_string();
    assert_eq!(error.errno(), Some(Errno::INVAL));
    assert!(
        message.contains("mtu greater than device maximum"),
        "{message}"
    );
    assert!(message.contains("set the MTU of interface"), "{message}");
    // The connection is usable afterwards.
    assert!(netlink.links().unwrap().len() >= 2);
}

#[test]
fn addresses_come_with_their_routes() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let tap = tap(&mut netlink);
    let (v4, v6) = (
        "10.0.0.5/24".parse().unwrap(),
        "fd00::5/64".parse().unwrap(),
    );
    netlink.add_address(tap.index, v4, Dad::On).unwrap();
    netlink.add_address(tap.index, v6, Dad::Off).unwrap();
    let error = netlink.add_address(tap.index, v4, Dad::On).unwrap_err();
    assert!(matches!(error, NetlinkError::Exists(_)), "{error}");

    let addresses = netlink.addresses().unwrap();
    let ours = |net| {
        addresses
            .iter()
            .find(|a| a.network == net && a.interface == tap.index)
    };
    assert!(!ours(v4).unwrap().local_scope);
    assert!(
        !ours(v6).unwrap().tentative,
        "usable at once without duplicate detection"
    );
    assert!(lab::command("ip -4 address show t0").contains("10.0.0.5/24 brd 10.0.0.255"));

    let routes = netlink.routes().unwrap();
    let find = |net: &str| {
        let net = Some(net.parse().unwrap());
        routes
            .iter()
            .filter(move |r| r.destination == net && r.interface == tap.index)
    };
    let subnet = find("10.0.0.0/24").next().unwrap();
    assert_eq!(
        (subnet.table, subnet.kind),
        (RouteTable::Main, RouteKind::Unicast)
    );
    assert_eq!(
        (subnet.scope, subnet.protocol),
        (RouteScope::Link, RouteProtocol::Kernel)
    );
    assert_eq!(
        (subnet.gateway, subnet.preferred_source),
        (None, Some(v4.addr()))
    );
    let own = find("10.0.0.5/32").next().unwrap();
    assert_eq!((own.table, own.kind), (RouteTable::Local, RouteKind::Local));
    assert_eq!(find("fd00::/64").next().unwrap().version, 6);

    netlink.remove_address(tap.index, v4).unwrap();
    netlink.remove_address(tap.index, v6).unwrap();
    let error = netlink.remove_address(tap.index, v4).unwrap_err();
    assert!(matches!(error, NetlinkError::NotFound(_)), "{error}");
    assert!(
        netlink
            .routes()
            .unwrap()
            .iter()
            .all(|r| r.table != RouteTable::Main
                || r.destination != Some("10.0.0.0/24".parse().unwrap()))
    );
}

#[test]
fn duplicate_detection_makes_an_address_tentative() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let tap = tap(&mut netlink);
    let v6 = "fd00::5/64".parse().unwrap();
    netlink.add_address(tap.index, v6, Dad::On).unwrap();
    let addresses = netlink.addresses().unwrap();
    assert!(addresses.iter().any(|a| a.network == v6 && a.tentative));
}

#[test]
fn routes_are_added_replaced_and_deleted() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let tap = tap(&mut netlink);
    netlink
        .add_address(tap.index, "10.0.0.5/24".parse().unwrap(), Dad::On)
        .unwrap();
    netlink
        .add_address(tap.index, "fd00::5/64".parse().unwrap(), Dad::Off)
        .unwrap();
    for (net, first, second) in [
        ("10.1.0.0/16", "10.0.0.1", "10.0.0.2"),
        ("fd01::/48", "fd00::1", "fd00::2"),
    ] {
        let first = [
            Route::to(net.parse().unwrap(), Some(ip(first)), tap.index),
            Route::default_via(ip(first), tap.index),
        ];
        for mut route in first {
            netlink.add_route(&route).unwrap();
            let error = netlink.add_route(&route).unwrap_err();
            assert!(matches!(error, NetlinkError::Exists(_)), "{error}");
            // What was added is what is read, but for the metric that IPv6 puts for 0.
            route.metric = if route.version == 6 { 1024 } else { 0 };
            assert!(netlink.routes().unwrap().contains(&route), "{route}");

            route.gateway = Some(ip(second));
            netlink.replace_route(&route).unwrap();
            let routes = netlink.routes().unwrap();
            let same = |r: &&Route| {
                r.destination == route.destination
                    && r.version == route.version
                    && r.table == RouteTable::Main
                    && r.kind == RouteKind::Unicast
            };
            assert_eq!(routes.iter().filter(same).collect::<Vec<_>>(), [&route]);

            netlink.delete_route(&route).unwrap();
            let error = netlink.delete_route(&route).unwrap_err();
            assert!(matches!(error, NetlinkError::NotFound(_)), "{error}");
        }
    }
}

#[test]
fn a_gateway_that_is_on_no_link_is_refused() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let tap = tap(&mut netlink);
    let error = netlink
        .add_route(&Route::default_via(ip("10.0.0.1"), tap.index))
        .unwrap_err();
    assert_eq!(error.errno(), Some(Errno::NETUNREACH));
    assert!(
        error.to_string().contains("Nexthop has invalid gateway"),
        "{error}"
    );
}

#[test]
fn routes_of_other_makers_are_read() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let tap = tap(&mut netlink);
    netlink
        .add_address(tap.index, "10.0.0.5/24".parse().unwrap(), Dad::On)
        .unwrap();
    lab::command("ip route add blackhole 10.9.0.0/16 metric 5");
    lab::command("ip route add 10.8.0.0/16 via 10.0.0.1 table 1000 proto dhcp");
    lab::command("ip route add 10.6.0.0/16 via 10.0.0.1 mtu 1400");
    lab::command("ip route add 10.7.0.0/16 nexthop via 10.0.0.1 nexthop via 10.0.0.2");
    let routes = netlink.routes().unwrap();
    let find = |net: &str| {
        routes
            .iter()
            .find(|r| r.destination == net.parse().ok())
            .unwrap()
    };
    let blackhole = find("10.9.0.0/16");
    assert_eq!(
        (blackhole.kind, blackhole.metric, blackhole.gateway),
        (RouteKind::Blackhole, 5, None)
    );
    let other = find("10.8.0.0/16");
    assert_eq!(
        (other.table, other.protocol),
        (RouteTable::Other(1000), RouteProtocol::Other(16))
    );
    assert_eq!(find("10.6.0.0/16").mtu, Some(1400));
    assert_eq!(other.mtu, None);
    let several = find("10.7.0.0/16");
    assert_eq!(
        (several.gateway, several.interface),
        (Some(ip("10.0.0.1")), tap.index)
    );
}

#[test]
fn neighbours_are_set_and_read() {
    lab::enter();
    let mut netlink = Netlink::open().unwrap();
    let tap = tap(&mut netlink);
    for address in ["10.0.0.9", "fd00::9"] {
        let mut neighbour = Neighbour {
            interface: tap.index,
            ip: ip(address),
            mac: Some(MacAddr([2, 0, 0, 0, 0, 9])),
            state: NeighbourState::Permanent,
        };
        for mac in [MacAddr([2, 0, 0, 0, 0, 9]), MacAddr([2, 0, 0, 0, 0, 10])] {
            neighbour.mac = Some(mac);
            netlink.set_neighbour(&neighbour).unwrap();
            assert!(netlink.neighbours().unwrap().contains(&neighbour));
        }
        netlink.delete_neighbour(tap.index, neighbour.ip).unwrap();
        let left = netlink.neighbours().unwrap();
        assert!(
            !left
                .iter()
                .any(|n| n.ip == neighbour.ip && n.state.is_valid()),
            "{left:?}"
        );
    }
}
