//! News of the kernel's tables.

use std::time::Duration;

use vswitch_netio::monitor::{Change, Monitor};
use vswitch_netio::netlink::{Dad, Neighbour, NeighbourState, Netlink, Route};
use vswitch_netio::netns::Netns;
use vswitch_netio::tap::Tap;
use vswitch_packet::MacAddr;

use crate::lab;

fn drain(monitor: &mut Monitor) -> Vec<Change> {
    std::iter::from_fn(|| monitor.next().unwrap()).collect()
}

#[test]
fn every_table_tells_its_changes() {
    lab::enter();
    let mut monitor = Monitor::open().unwrap();
    assert!(!lab::readable(&monitor, Duration::ZERO));
    assert_eq!(monitor.next().unwrap(), None);

    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    let mut netlink = Netlink::open().unwrap();
    netlink.set_up(tap.index).unwrap();
    assert!(lab::readable(&monitor, Duration::ZERO));
    let link = netlink.link(&tap.name).unwrap().unwrap();
    assert!(drain(&mut monitor).contains(&Change::Link(link)));

    for (net, gateway) in [("10.0.0.5/24", "10.0.0.1"), ("fd00::5/64", "fd00::1")] {
        let network = net.parse().unwrap();
        netlink.add_address(tap.index, network, Dad::Off).unwrap();
        let mut route = Route::default_via(gateway.parse().unwrap(), tap.index);
        netlink.add_route(&route).unwrap();
        route.metric = if route.version == 6 { 1024 } else { 0 };
        let neighbour = Neighbour {
            interface: tap.index,
            ip: gateway.parse().unwrap(),
            mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
            state: NeighbourState::Permanent,
        };
        netlink.set_neighbour(&neighbour).unwrap();
        let address = netlink.addresses().unwrap();
        let address = address.into_iter().find(|a| a.network == network).unwrap();
        let mut told = Vec::new();
        // The kernel tells of an IPv6 address from a work queue, so maybe after the call.
        lab::eventually("news of the address", || {
            told.extend(drain(&mut monitor));
            told.contains(&Change::Address(address.clone()))
        });
        assert!(told.contains(&Change::Route(route.clone())), "{told:?}");
        assert!(told.contains(&Change::Neighbour(neighbour)), "{told:?}");

        netlink.delete_route(&route).unwrap();
        netlink.remove_address(tap.index, network).unwrap();
        let told = drain(&mut monitor);
        assert!(told.contains(&Change::RouteGone(route)), "{told:?}");
        let gone = |c: &Change| matches!(c, Change::AddressGone(a) if a.network == network);
        assert!(told.iter().any(gone), "{told:?}");
    }
    let index = tap.index;
    drop(tap);
    assert!(drain(&mut monitor).contains(&Change::LinkGone { index }));
}

#[test]
fn an_interface_that_moves_away_is_gone() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    let mut monitor = Monitor::open().unwrap();
    let netns = Netns::create().unwrap();
    Netlink::open()
        .unwrap()
        .set_netns(tap.index, &netns)
        .unwrap();
    assert!(drain(&mut monitor).contains(&Change::LinkGone { index: tap.index }));
}

#[test]
fn ipv4_routes_vanish_with_their_interface_without_news() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.5/24");
    let mut netlink = Netlink::open().unwrap();
    let route = Route::default_via("10.0.0.1".parse().unwrap(), tap.index);
    netlink.add_route(&route).unwrap();
    let mut monitor = Monitor::open().unwrap();
    netlink.set_down(tap.index).unwrap();
    assert!(!netlink.routes().unwrap().contains(&route));
    let told = drain(&mut monitor);
    assert!(
        told.iter()
            .any(|c| matches!(c, Change::Link(link) if !link.up)),
        "{told:?}"
    );
    assert!(!told.contains(&Change::RouteGone(route)), "{told:?}");
}

#[test]
fn a_port_that_leaves_a_bridge_is_not_gone() {
    lab::enter();
    lab::command("ip link add b0 type bridge");
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    lab::command("ip link set t0 master b0");
    let mut monitor = Monitor::open().unwrap();
    lab::command("ip link set t0 nomaster");
    let told = drain(&mut monitor);
    assert!(
        !told.contains(&Change::LinkGone { index: tap.index }),
        "{told:?}"
    );
    let free =
        |c: &Change| matches!(c, Change::Link(l) if l.index == tap.index && l.controller.is_none());
    assert!(told.iter().any(free), "{told:?}");
}

#[test]
fn lost_news_is_told() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    let mut monitor = Monitor::open().unwrap();
    let mut netlink = Netlink::open().unwrap();
    for mtu in 0..10_000 {
        netlink.set_mtu(tap.index, 1000 + mtu % 100).unwrap();
    }
    let told = drain(&mut monitor);
    assert!(told.contains(&Change::Lost), "{} changes", told.len());
}
