//! News of interfaces, addresses, routes and neighbours of one namespace, as they happen.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use crate::netlink::{Address, Link, Neighbour, Route, messages};

/// A subscription to the news of the namespace that the calling thread of [`Monitor::open`] was in.
///
/// Open it *before* dumping the tables, so that no change falls between. Never blocks: wait for the
/// descriptor to be readable, then call [`Monitor::next`] until it has none.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    /// Of the datagram read last.
    pending: VecDeque<Change>,
}

/// One piece of news. What the kernel says is the state after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An interface appeared or changed.
    Link(Link),
    /// An interface was deleted or moved to another namespace.
    LinkGone {
        /// Its index, free to be used again.
        index: u32,
    },
    /// An address appeared or changed, as at the end of duplicate detection. An IPv6 address without it is
    /// told shortly after it can be used (Linux 6.18).
    Address(Address),
    /// An address was removed.
    AddressGone(Address),
    /// A route appeared or was replaced. The kernel tells of no IPv4 route that goes because its interface went
    /// down (Linux 6.18): look at the tables again after a [`Change::Link`] that is down.
    Route(Route),
    /// A route was removed.
    RouteGone(Route),
    /// A neighbour appeared or changed.
    Neighbour(Neighbour),
    /// A neighbour was forgotten.
    NeighbourGone(Neighbour),
    /// News was lost, as it came faster than it was read (`ENOBUFS`): resynchronise by a dump.
    Lost,
}

/// `RTMGRP_*` of `linux/rtnetlink.h`.
const GROUPS: u32 = (libc::RTMGRP_LINK
    | libc::RTMGRP_NEIGH
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV6_ROUTE) as u32;

/// Bytes of news that may wait, for bursts as when a routing daemon starts; memory is used only while it waits.
const RECEIVE_BUFFER: usize = 4 << 20;

impl Monitor {
    /// Subscribes in the calling thread's namespace.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        // Without CAP_NET_ADMIN the default has to do; what is lost is told.
        let _ = set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER);
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        Ok(Self {
            socket,
            pending: VecDeque::new(),
        })
    }

    /// The next piece of news; `None` if there is none now.
    ///
    /// # Errors
    /// None that a caller can cause.
    #[expect(
        clippy::should_implement_trait,
        reason = "None is not the end, only the end for now"
    )]
    pub fn next(&mut self) -> io::Result<Option<Change>> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Ok(Some(change));
            }
            match self.socket.recv_from_full() {
                Ok((datagram, _)) => self.pending.extend(changes(&datagram)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => return Ok(Some(Change::Lost)),
                Err(e) => return Err(e),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What cannot be decoded, of a kind that no table of ours holds, is no news.
fn changes(datagram: &[u8]) -> impl Iterator<Item = Change> {
    messages::<RouteNetlinkMessage>(datagram)
        .filter_map(Result::ok)
        .filter_map(|message| match message.payload {
            NetlinkPayload::InnerMessage(inner) => Change::decode(inner),
            NetlinkPayload::Overrun(_) => Some(Change::Lost),
            _ => None,
        })
}

impl Change {
    fn decode(message: RouteNetlinkMessage) -> Option<Self> {
        use RouteNetlinkMessage as Message;
        match message {
            // A bridge sends the same messages about its ports; "deleted" then means "no port any more".
            Message::NewLink(link) | Message::DelLink(link)
                if link.header.interface_family != AddressFamily::Unspec =>
            {
                None
            }
            Message::NewLink(link) => Link::decode(link).map(Self::Link),
            Message::DelLink(link) => Some(Self::LinkGone {
                index: link.header.index,
            }),
            Message::NewAddress(address) => Address::decode(address).map(Self::Address),
            Message::DelAddress(address) => Address::decode(address).map(Self::AddressGone),
            Message::NewRoute(route) => Route::decode(route).map(Self::Route),
            Message::DelRoute(route) => Route::decode(route).map(Self::RouteGone),
            Message::NewNeighbour(neighbour) => Neighbour::decode(neighbour).map(Self::Neighbour),
            Message::DelNeighbour(gone) => Neighbour::decode(gone).map(Self::NeighbourGone),
            _ => None,
        }
    }
}
