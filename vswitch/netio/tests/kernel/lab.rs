//! A place to experiment in: namespaces that vanish with the test's thread.

use std::net::{IpAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;
use rustix::time::Timespec;
use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::{Netlink, Route, RouteTable};
use vswitch_netio::tap::{Tap, TapQueue, VNET_HEADER_LEN};

/// How long anything may take that the kernel does in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Moves the test's thread (and threads and processes that it starts) to a network namespace of its
/// own with loopback up, and to a mount namespace of its own with an empty `/run`.
pub(crate) fn enter() {
    let flags = UnshareFlags::NEWNET | UnshareFlags::NEWNS;
    // SAFETY: the table of descriptors stays shared, as CLONE_FILES is not among the flags.
    unsafe { rustix::thread::unshare_unsafe(flags) }
        .expect("these tests make network namespaces, which needs CAP_SYS_ADMIN: run them as root");
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .unwrap();
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None).unwrap();
    Netlink::open().unwrap().set_up(1).unwrap();
}

pub(crate) fn name(name: &str) -> InterfaceName {
    name.parse().unwrap()
}

pub(crate) fn queues(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// A TAP of one queue that is up, has this IPv4 address and sends nothing of its own accord.
pub(crate) fn quiet_tap(tap: &str, address: &str) -> Tap {
    let tap = Tap::create(&name(tap), queues(1)).unwrap();
    settle(tap.index, &tap.name, address);
    tap
}

/// Brings an interface up, without IPv6 and so without router solicitations.
pub(crate) fn settle(index: u32, interface: &InterfaceName, address: &str) {
    use vswitch_netio::netlink::Dad;
    vswitch_netio::sysctl::set_ipv6_disabled(interface, true).unwrap();
    let mut netlink = Netlink::open().unwrap();
    netlink
        .add_address(index, address.parse().unwrap(), Dad::On)
        .unwrap();
    netlink.set_up(index).unwrap();
}

/// Has interfaces that come to the thread's namespace use their link-local addresses at once. Until then, the
/// kernel can ask for no neighbour on behalf of others, and what waits for one may be dropped.
pub(crate) fn without_dad() {
    let setting = ["ipv6", "conf", "default", "accept_dad"];
    vswitch_netio::sysctl::write(&setting, "0").unwrap();
}

/// Waits until a new address works: for one of IPv6, a thread of the kernel's makes the route.
pub(crate) fn await_address(ip: IpAddr) {
    let mut netlink = Netlink::open().unwrap();
    let local = |route: &Route| {
        let to = route.destination.map(|destination| destination.addr());
        route.table == RouteTable::Local && to == Some(ip)
    };
    eventually("the address works", || {
        netlink.routes().unwrap().iter().any(local)
    });
}

/// Runs a command of the system and returns what it prints.
pub(crate) fn command(line: &str) -> String {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap())
        .args(words)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until the condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until a descriptor is readable or in error, and says whether that came to pass.
pub(crate) fn readable(fd: impl AsFd, timeout: Duration) -> bool {
    let timeout = Timespec::try_from(timeout).unwrap();
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap() > 0
}

/// The next frame from a queue, without its header.
pub(crate) fn next_frame(queue: &TapQueue) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 17];
    assert!(readable(queue, PATIENCE), "no frame");
    let length = queue.read(&mut buffer).unwrap();
    buffer[VNET_HEADER_LEN..length].to_vec()
}

/// Makes the kernel of the calling thread's namespace send a frame towards an address: an ARP request
/// or a datagram.
pub(crate) fn provoke_frame(towards: &str) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Without a neighbour the datagram waits, and an ARP request is the frame.
    socket.send_to(b"hello", towards).unwrap();
}

/// An Ethernet frame without padding.
pub(crate) fn ethernet(destination: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = destination.to_vec();
    frame.extend([2, 0, 0, 0, 0, 9]);
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The ones' complement sum of RFC 1071; an odd octet at the end counts as if a zero followed.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Has the kernel cut what is sent into datagrams of that length.
pub(crate) fn set_udp_segment(socket: &UdpSocket, segment: libc::c_int) {
    let length = size_of_val(&segment) as libc::socklen_t;
    // SAFETY: the kernel reads the number that the pointer and the length describe.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw const segment).cast(),
            length,
        )
    };
    assert_eq!(result, 0);
}
