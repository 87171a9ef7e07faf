//! What a NIC receives beside its own frames.

use vswitch_netio::netlink::Netlink;
use vswitch_netio::packet_socket::{Membership, PacketSocketError};
use vswitch_packet::MacAddr;

use crate::lab;

const STATIONS: [MacAddr; 2] = [MacAddr([2, 0, 0, 0, 0, 7]), MacAddr([2, 0, 0, 0, 0, 8])];

/// A veth, which cannot filter by several addresses.
fn nic() -> u32 {
    lab::enter();
    lab::command("ip link add nic type veth peer name far");
    up("nic")
}

fn up(name: &str) -> u32 {
    let mut netlink = Netlink::open().unwrap();
    let link = netlink.link(&lab::name(name)).unwrap().unwrap();
    netlink.set_up(link.index).unwrap();
    link.index
}

fn promiscuity(interface: u32) -> u32 {
    let link = Netlink::open().unwrap().link_at(interface).unwrap();
    link.unwrap().promiscuity
}

#[test]
fn a_nic_that_cannot_filter_is_promiscuous_while_an_address_is_there() {
    let nic = nic();
    let membership = Membership::open(nic).unwrap();
    assert_eq!(promiscuity(nic), 0);
    for station in STATIONS {
        membership.add_unicast(station).unwrap();
        assert_eq!(promiscuity(nic), 1, "one reason for all addresses");
    }
    membership.remove_unicast(STATIONS[0]).unwrap();
    assert_eq!(promiscuity(nic), 1);
    membership.remove_unicast(STATIONS[1]).unwrap();
    assert_eq!(promiscuity(nic), 0);
    membership.remove_unicast(STATIONS[1]).unwrap();

    membership.add_unicast(STATIONS[0]).unwrap();
    membership.add_unicast(STATIONS[0]).unwrap();
    membership.remove_unicast(STATIONS[0]).unwrap();
    assert_eq!(promiscuity(nic), 1, "added twice");
    drop(membership);
    assert_eq!(promiscuity(nic), 0);
}

#[test]
fn a_nic_that_can_filter_stays_as_it_is() {
    nic();
    lab::command("ip link add link nic name able type macvlan mode bridge");
    let able = up("able");
    let membership = Membership::open(able).unwrap();
    for station in STATIONS {
        membership.add_unicast(station).unwrap();
    }
    assert_eq!(promiscuity(able), 0);
    membership.set_promiscuous().unwrap();
    assert_eq!(promiscuity(able), 1);
    drop(membership);
    assert_eq!(promiscuity(able), 0);
}

#[test]
fn a_nic_can_be_had_to_receive_all_groups() {
    let nic = nic();
    let all_groups = || lab::command("ip -d link show").contains("allmulti 1");
    let membership = Membership::open(nic).unwrap();
    assert!(!all_groups());
    membership.set_all_groups().unwrap();
    assert!(all_groups());
    assert_eq!(promiscuity(nic), 0);
    drop(membership);
    assert!(!all_groups());
}

#[test]
fn a_membership_outlasts_a_nic_that_is_down_but_not_one_that_is_gone() {
    let nic = nic();
    let membership = Membership::open(nic).unwrap();
    membership.add_unicast(STATIONS[0]).unwrap();
    let mut netlink = Netlink::open().unwrap();
    netlink.set_down(nic).unwrap();
    netlink.set_up(nic).unwrap();
    assert_eq!(promiscuity(nic), 1);

    netlink.delete_link(nic).unwrap();
    let again = format!("ip link add nic index {nic} type veth peer name far");
    lab::command(&again);
    netlink.set_up(nic).unwrap();
    assert_eq!(promiscuity(nic), 0);
    membership.remove_unicast(STATIONS[0]).unwrap();

    netlink.delete_link(nic).unwrap();
    let error = membership.add_unicast(STATIONS[0]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    membership.remove_unicast(STATIONS[0]).unwrap();
    let error = Membership::open(nic).unwrap_err();
    assert!(
        matches!(error, PacketSocketError::NotFound { interface } if interface == nic),
        "{error}"
    );
}
