//! Settings are those of the thread's namespace.

use vswitch_netio::ephemeral_ports;
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;
use vswitch_netio::sysctl::{self, SysctlError};
use vswitch_netio::tap::Tap;

use crate::lab;

#[test]
fn a_setting_is_written_in_the_threads_namespace() {
    lab::enter();
    let forward = ["ipv4", "ip_forward"];
    let netns = Netns::create().unwrap();
    let before = sysctl::read(&forward).unwrap();
    let other = if before == "0" { "1" } else { "0" };
    netns
        .run(|| {
            sysctl::write(&forward, other).unwrap();
            assert_eq!(sysctl::read(&forward).unwrap(), other);
        })
        .unwrap();
    assert_eq!(sysctl::read(&forward).unwrap(), before);
}

#[test]
fn ipv6_is_taken_from_an_interface() {
    lab::enter();
    let tap = Tap::create(&lab::name("eth0.100"), lab::queues(1)).unwrap();
    let mut netlink = Netlink::open().unwrap();
    netlink.set_up(tap.index).unwrap();
    let mut has_ipv6 = || {
        let addresses = netlink.addresses().unwrap();
        addresses
            .iter()
            .any(|a| a.interface == tap.index && a.network.addr().is_ipv6())
    };
    assert!(has_ipv6(), "the link-local address");
    sysctl::set_ipv6_disabled(&tap.name, true).unwrap();
    assert!(!has_ipv6());
    sysctl::set_ipv6_disabled(&tap.name, false).unwrap();
    assert!(has_ipv6());
    let error = sysctl::set_ipv6_disabled(&lab::name("none"), true).unwrap_err();
    assert!(matches!(error, SysctlError::NotFound { .. }), "{error}");
}

#[test]
fn the_names_of_all_interfaces_cannot_be_given_to_one() {
    lab::enter();
    for name in ["all", "default"] {
        let add = ["tuntap", "add", "name", name, "mode", "tap"];
        let status = std::process::Command::new("ip")
            .args(add)
            .output()
            .unwrap()
            .status;
        assert!(
            !status.success(),
            "the kernel made an interface named {name}"
        );
    }
}

#[test]
fn reserved_ports_are_kept_from_the_kernel_and_others_reservations_stay() {
    lab::enter();
    lab::command("ip link set lo up");
    let range = ["ipv4", "ip_local_port_range"];
    sysctl::write(&range, "40000 40003").unwrap();
    assert_eq!(ephemeral_ports::range().unwrap(), 40000..=40003);
    sysctl::write(&["ipv4", "ip_local_reserved_ports"], "9000").unwrap();
    ephemeral_ports::reserve(&[40000..=40001], &[]).unwrap();
    ephemeral_ports::reserve(&[40002..=40003], &[40000..=40001]).unwrap();
    let reserved = || sysctl::read(&["ipv4", "ip_local_reserved_ports"]).unwrap();
    assert_eq!(reserved(), "9000,40002-40003");
    let sockets: Vec<_> = (0..2)
        .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut ports: Vec<u16> = sockets
        .iter()
        .map(|socket| socket.local_addr().unwrap().port())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [40000, 40001]);
    let asked_for = std::net::UdpSocket::bind("127.0.0.1:40002");
    assert!(asked_for.is_ok(), "who asks for it gets it");
    ephemeral_ports::reserve(&[], &[9000..=9000, 40002..=40003]).unwrap();
    assert_eq!(reserved(), "");
}

#[test]
fn a_long_list_is_read_whole_and_kept() {
    lab::enter();
    let setting = ["ipv4", "ip_local_reserved_ports"];
    let every_other = (1..=65535).step_by(2).map(|port: u32| port.to_string());
    let list = every_other.collect::<Vec<_>>().join(",");
    sysctl::write(&setting, &list).unwrap();
    assert_eq!(sysctl::read(&setting).unwrap(), list);
    ephemeral_ports::reserve(&[40000..=40000], &[]).unwrap();
    let kept = list.replace("39999,40001", "39999-40001");
    assert_eq!(sysctl::read(&setting).unwrap(), kept);
}
