//! A host for each test: a process of its own in new network and mount namespaces.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, mount};
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Link, Netlink, Route, RouteTable};
use vswitch_netio::netns::{NamedNetns, Netns};
use vswitch_netio::tap::Tap;

/// Told to the process that is inside already.
const INSIDE: &str = "VSWITCHD_TEST_INSIDE";

/// How long anything may take that is not waited for by a command.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test in a process of its own, whose network and mounts are its own too: loopback is up, and
/// `/run` is empty. Call it as the first thing of a test.
pub(crate) fn isolated(body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None).unwrap();
        Netlink::open().unwrap().set_up(1).unwrap();
        body();
        return;
    }
    let thread = thread::current();
    let name = thread.name().expect("the test's thread has its name");
    let output = Command::new("unshare")
        .args(["--net", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("these tests need unshare (util-linux)");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        !err.contains("unshare: "),
        "these tests make network namespaces, which needs CAP_SYS_ADMIN: run them as root: {err}"
    );
    assert!(output.status.success(), "{name} failed:\n{out}\n{err}");
    assert!(
        out.contains("1 passed"),
        "{name} did not run:\n{out}\n{err}"
    );
    println!("{out}");
}

/// A process in a named namespace, which sleeps until it is killed.
pub(crate) fn process_in(name: &str) -> Child {
    let process = Command::new("nsenter")
        .args([&*format!("--net=/run/netns/{name}"), "sleep", "1000"])
        .spawn()
        .unwrap();
    let inside = netns(name).id();
    eventually("the process is inside", || {
        Netns::of_pid(process.id()).is_ok_and(|netns| netns.id() == inside)
    });
    process
}

/// Waits until the condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until what is found is what is expected.
pub(crate) fn eventually_eq<T: PartialEq + std::fmt::Debug>(expected: &T, find: impl Fn() -> T) {
    let start = Instant::now();
    while find() != *expected && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(find(), *expected);
}

pub(crate) fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

/// The namespace with that name.
pub(crate) fn netns(sandbox: &str) -> Netns {
    NamedNetns::open(sandbox.parse().unwrap()).unwrap().netns
}

/// A connection to the configuration of a named namespace.
pub(crate) fn netlink(sandbox: &str) -> Netlink {
    netns(sandbox).run(Netlink::open).unwrap().unwrap()
}

/// An interface of a named namespace.
pub(crate) fn link(sandbox: &str, interface: &str) -> Option<Link> {
    netlink(sandbox).link(&name(interface)).unwrap()
}

/// An interface of the host.
pub(crate) fn host_link(interface: &str) -> Option<Link> {
    Netlink::open().unwrap().link(&name(interface)).unwrap()
}

/// The names of the interfaces of a named namespace.
pub(crate) fn links(sandbox: &str) -> BTreeSet<String> {
    let links = netlink(sandbox).links().unwrap();
    links.iter().map(|link| link.name.to_string()).collect()
}

/// The TAPs of the host.
pub(crate) fn host_taps() -> Vec<String> {
    let links = Netlink::open().unwrap().links().unwrap();
    let taps = links.iter().filter(|link| link.tun.is_some());
    taps.map(|link| link.name.to_string()).collect()
}

/// The addresses of an interface of a named namespace, without link-local ones, sorted.
pub(crate) fn addresses(sandbox: &str, interface: &str) -> Vec<String> {
    let mut netlink = netlink(sandbox);
    let index = netlink.link(&name(interface)).unwrap().unwrap().index;
    let mut found: Vec<String> = netlink
        .addresses()
        .unwrap()
        .iter()
        .filter(|address| address.interface == index && !address.local_scope)
        .map(|address| address.network.to_string())
        .collect();
    found.sort();
    found
}

/// The next hop of a named namespace's default route, and its interface.
pub(crate) fn default_route(sandbox: &str, version: u8) -> Option<(IpAddr, String)> {
    let mut netlink = netlink(sandbox);
    let is_default = |route: &Route| {
        route.destination.is_none() && route.version == version && route.table == RouteTable::Main
    };
    let route = netlink.routes().unwrap().into_iter().find(is_default)?;
    let link = netlink.link_at(route.interface).unwrap()?;
    Some((route.gateway?, link.name.to_string()))
}

/// Makes a TAP with that alias that stays when nobody holds it.
pub(crate) fn leave_tap(interface: &str, alias: &str) {
    let tap = Tap::create(&name(interface), NonZeroUsize::MIN).unwrap();
    let mut netlink = Netlink::open().unwrap();
    netlink.set_alias(tap.index, alias).unwrap();
    tap.set_persistent(true).unwrap();
}

/// Runs a command of the system in a named namespace, and says whether it succeeded.
pub(crate) fn succeeds_in(sandbox: &str, line: &str) -> bool {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    let output = netns(sandbox)
        .run(move || command.output())
        .unwrap()
        .unwrap();
    output.status.success()
}
