//! Namespaces, with and without names.

use std::fs;
use std::process::{Child, Command};

use rustix::thread::CapabilitySet;
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::{NamedNetns, Netns, NetnsError, NetnsName, processes_in};

use crate::lab;

/// A process that sleeps until the end of the test.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn named(name: &str) -> NetnsName {
    name.parse().unwrap()
}

#[test]
fn a_closure_runs_inside_and_the_caller_stays_outside() {
    lab::enter();
    let outside = Netns::of_current_thread().unwrap();
    let inside = Netns::create().unwrap();
    assert_ne!(inside.id(), outside.id());
    let seen = inside
        .run(|| Netns::of_current_thread().unwrap().id())
        .unwrap();
    assert_eq!(seen, inside.id());
    assert_eq!(Netns::of_current_thread().unwrap().id(), outside.id());

    let netlink = inside.run(|| Netlink::open().unwrap()).unwrap();
    let mut netlink = netlink;
    assert!(
        !netlink.links().unwrap()[0].up,
        "a handle stays where it was opened"
    );
}

#[test]
fn a_panic_inside_goes_on_outside() {
    lab::enter();
    let netns = Netns::create().unwrap();
    let caught = std::panic::catch_unwind(|| netns.run(|| panic!("deliberate")));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"deliberate"));
}

#[test]
fn the_ip_command_sees_our_namespaces_and_we_see_its() {
    lab::enter();
    assert!(NamedNetns::list().unwrap().is_empty());
    let ours = NamedNetns::create(named("ours")).unwrap();
    lab::command("ip netns add theirs");
    assert_eq!(
        NamedNetns::list().unwrap(),
        [named("ours"), named("theirs")]
    );
    let listed = lab::command("ip netns list");
    assert!(
        listed.contains("ours") && listed.contains("theirs"),
        "{listed}"
    );

    lab::command("ip netns exec ours ip link set lo up");
    let up = ours
        .netns
        .run(|| Netlink::open().unwrap().links().unwrap()[0].up)
        .unwrap();
    assert!(up);
    let again = NamedNetns::open(named("ours")).unwrap();
    assert_eq!(again.netns.id(), ours.netns.id());
    NamedNetns::open(named("theirs")).unwrap();

    NamedNetns::delete(&named("theirs")).unwrap();
    lab::command("ip netns delete ours");
    assert!(NamedNetns::list().unwrap().is_empty());
    assert_eq!(lab::command("ip netns list"), "");
}

#[test]
fn names_are_taken_once_and_deleted_once() {
    lab::enter();
    NamedNetns::create(named("blue")).unwrap();
    let error = NamedNetns::create(named("blue")).unwrap_err();
    assert!(matches!(error, NetnsError::Exists { .. }), "{error}");
    NamedNetns::delete(&named("blue")).unwrap();
    let error = NamedNetns::delete(&named("blue")).unwrap_err();
    assert!(matches!(error, NetnsError::NotFound { .. }), "{error}");
    let error = NamedNetns::open(named("blue")).unwrap_err();
    assert!(matches!(error, NetnsError::NotFound { .. }), "{error}");
}

#[test]
fn a_file_without_its_mount_is_recognised_and_can_be_deleted() {
    lab::enter();
    fs::create_dir("/run/netns").unwrap();
    fs::write("/run/netns/left", "").unwrap();
    let error = NamedNetns::open(named("left")).unwrap_err();
    assert!(matches!(error, NetnsError::NotANamespace { .. }), "{error}");
    NamedNetns::delete(&named("left")).unwrap();
    assert!(NamedNetns::list().unwrap().is_empty());
}

#[test]
fn a_namespace_lives_as_long_as_its_name() {
    lab::enter();
    let id = NamedNetns::create(named("blue")).unwrap().netns.id();
    assert_eq!(NamedNetns::open(named("blue")).unwrap().netns.id(), id);
}

#[test]
fn other_namespaces_are_not_entered() {
    lab::enter();
    let mount = Netns::open("/proc/self/ns/mnt").unwrap();
    let error = mount.run(|| ()).unwrap_err();
    assert!(matches!(error, NetnsError::Io { .. }), "{error}");
}

#[test]
fn without_the_privilege_nothing_is_entered() {
    lab::enter();
    let outside = Netns::of_current_thread().unwrap().id();
    let inside = Netns::create().unwrap();
    let mut held = rustix::thread::capabilities(None).unwrap();
    held.effective.remove(CapabilitySet::SYS_ADMIN);
    rustix::thread::set_capabilities(None, held).unwrap();
    let error = inside.run(|| ()).unwrap_err();
    assert!(matches!(error, NetnsError::NotPermitted { .. }), "{error}");
    assert_eq!(Netns::of_current_thread().unwrap().id(), outside);
}

#[test]
fn processes_are_found_by_namespace() {
    lab::enter();
    let netns = Netns::create().unwrap();
    assert!(processes_in(netns.id()).unwrap().is_empty());
    let sleep = || Sleeper(Command::new("sleep").arg("60").spawn().unwrap());
    let sleepers = netns.run(|| [sleep(), sleep()]).unwrap();
    let mut pids = sleepers.each_ref().map(|sleeper| sleeper.0.id());
    pids.sort_unstable();
    assert_eq!(processes_in(netns.id()).unwrap(), pids);
    assert_eq!(Netns::of_pid(pids[0]).unwrap().id(), netns.id());
    drop(sleepers);
    assert!(processes_in(netns.id()).unwrap().is_empty());
    let error = Netns::of_pid(pids[0]).unwrap_err();
    assert!(matches!(error, NetnsError::NoProcess { .. }), "{error}");
}
