//! Settings are those of the thread's namespace.

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
