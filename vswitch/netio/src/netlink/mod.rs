//! Interfaces, addresses, routes and neighbours of one namespace, over a blocking rtnetlink socket.

mod address;
mod connection;
mod error;
mod ingress;
mod link;
mod neighbour;
mod queueing;
mod route;

use std::fmt;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;

pub use address::{Address, Dad};
pub(crate) use connection::{Connection, messages};
pub use error::{NetlinkError, Refusal};
pub(crate) use ingress::IngressProgram;
pub use link::{AddressGeneration, Link, LinkSettings, TunState};
pub use neighbour::{Neighbour, NeighbourState};
pub use route::{Route, RouteKind, RouteProtocol, RouteScope, RouteTable};

/// A connection to the kernel's configuration of one network namespace: the one that the thread was in
/// that called [`Netlink::open`], wherever the handle is used later.
///
/// Each method is one request (or one dump) and returns when the kernel has answered.
#[derive(Debug)]
pub struct Netlink(Connection<RouteNetlinkMessage>);

impl Netlink {
    /// Opens a connection in the calling thread's namespace.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`], for want of descriptors or memory.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self(Connection::open(NETLINK_ROUTE)?))
    }

    fn change(
        &mut self,
        what: fmt::Arguments<'_>,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.0.change(what, message, flags)
    }

    fn query<T>(
        &mut self,
        what: fmt::Arguments<'_>,
        message: RouteNetlinkMessage,
        decode: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Option<T>, NetlinkError> {
        self.0.query(what, message, decode)
    }

    fn dump<T>(
        &mut self,
        what: fmt::Arguments<'_>,
        message: &RouteNetlinkMessage,
        decode: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        self.0.dump(what, message, decode)
    }
}
