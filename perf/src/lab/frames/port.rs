//! A container's interface, by a packet socket.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::SockRef;
use vswitch_netio::interface_name::InterfaceName;
use vswitch_netio::netlink::Netlink;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};
use vswitch_packet::MacAddr;

use super::frame;
use crate::lab::path::End;

/// One port of the tester.
#[derive(Debug)]
pub(super) struct Port {
    /// Only frames of the tester come in, each with the time of its arrival (`SO_TIMESTAMPNS`): when the
    /// receiver gets to look at it does not matter.
    pub(super) socket: PacketSocket,
    /// The interface's own addresses.
    pub(super) mac: MacAddr,
    pub(super) address: Ipv4Addr,
}

/// The interface of every container.
const INTERFACE: &str = "eth0";
/// Bytes of frames that wait for the receiver, counted with the kernel's overhead: some tenths of a second.
const RECEIVE_BUFFER: usize = 256 << 20;

impl Port {
    /// Opens the port in a container.
    ///
    /// # Errors
    /// If it has no such interface, or the kernel refuses.
    pub(super) fn open(end: &End) -> Result<Self> {
        let address = end.address.parse();
        let address = address.with_context(|| format!("an IPv4 address: {}", end.address))?;
        end.place.inside(|| {
            let name: InterfaceName = INTERFACE.parse()?;
            let link = Netlink::open()?.link(&name)?;
            let link = link.with_context(|| format!("a container has no {name}"))?;
            // The tester's frames are for no address of the container's. A kernel that forwards would answer them
            // by ICMP; namespaces take after the machine's first.
            let forwarding = format!("/proc/sys/net/ipv4/conf/{name}/forwarding");
            fs::write(&forwarding, "0").with_context(|| format!("write {forwarding}"))?;
            let options = PacketOptions {
                ignore_outgoing: true,
                promiscuous: true,
                receive_buffer: Some(RECEIVE_BUFFER),
                ..PacketOptions::default()
            };
            let socket = PacketSocket::open(link.index, &options)?;
            SockRef::from(&socket).attach_filter(&frame::filter())?;
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            Ok(Self {
                socket,
                mac: link.mac.context("an interface without MAC address")?,
                address,
            })
        })
    }
}

/// Nanoseconds of `CLOCK_REALTIME`.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
