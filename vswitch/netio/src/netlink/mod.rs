//! Interfaces, addresses, routes and neighbours of one namespace, over a blocking rtnetlink socket.

mod address;
mod error;
mod link;
mod neighbour;
mod route;

use std::fmt;
use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

pub use address::{Address, Dad};
pub use error::{NetlinkError, Refusal};
pub use link::{Link, TunState};
pub use neighbour::{Neighbour, NeighbourState};
pub use route::{Route, RouteKind, RouteProtocol, RouteScope, RouteTable};

/// A connection to the kernel's configuration of one network namespace: the one that the thread was in
/// that called [`Netlink::open`], wherever the handle is used later.
///
/// Each method is one request (or one dump) and returns when the kernel has answered.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// How often a dump is begun anew when the table changed under it.
const DUMP_ATTEMPTS: usize = 8;

impl Netlink {
    /// Opens a connection in the calling thread's namespace.
    ///
    /// # Errors
    /// [`NetlinkError::Socket`], for want of descriptors or memory.
    pub fn open() -> Result<Self, NetlinkError> {
        Self::connect().map_err(NetlinkError::Socket)
    }

    fn connect() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // The kernel then says why it refuses, without sending the request back.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Sends a change and waits for the acknowledgement. `what` completes "cannot ...".
    fn change(
        &mut self,
        what: fmt::Arguments<'_>,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.receive(what, |_| {})?;
        Ok(())
    }

    /// Asks for one object. `None` if the kernel has no such object.
    fn query<T>(
        &mut self,
        what: fmt::Arguments<'_>,
        message: RouteNetlinkMessage,
        decode: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Option<T>, NetlinkError> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK)?;
        let mut found = None;
        match self.receive(what, |answer| found = decode(answer)) {
            Ok(_) => Ok(found),
            Err(NetlinkError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for a whole table, and drops what `decode` does not want.
    fn dump<T>(
        &mut self,
        what: fmt::Arguments<'_>,
        message: &RouteNetlinkMessage,
        decode: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            self.send(message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            let mut table = Vec::new();
            if self.receive(what, |entry| table.extend(decode(entry)))? == Answer::Whole {
                return Ok(table);
            }
        }
        Err(NetlinkError::Unstable {
            request: what.to_string(),
        })
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        retry_interrupted(|| self.socket.send(&bytes, 0)).map_err(NetlinkError::Socket)?;
        Ok(())
    }

    /// Hands every message of the answer to `each`, up to the acknowledgement or the end of a dump.
    fn receive(
        &self,
        what: fmt::Arguments<'_>,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> Result<Answer, NetlinkError> {
        let mut answer = Answer::Whole;
        loop {
            let (datagram, _) =
                retry_interrupted(|| self.socket.recv_from_full()).map_err(NetlinkError::Socket)?;
            for message in messages(&datagram) {
                let message = message.map_err(|cause| NetlinkError::undecodable(what, cause))?;
                // An answer to a request that was given up, when decoding failed half way.
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                if message.header.flags & NLM_F_DUMP_INTR != 0 {
                    answer = Answer::Interrupted;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => each(inner),
                    NetlinkPayload::Done(done) if done.code == 0 => return Ok(answer),
                    NetlinkPayload::Done(done) => {
                        return Err(NetlinkError::refused(what, done.code, &done.extended_ack));
                    }
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answer),
                    NetlinkPayload::Error(error) => {
                        let attributes = error.header.get(NLMSG_HEADER_LEN..).unwrap_or_default();
                        return Err(NetlinkError::refused(what, error.raw_code(), attributes));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Whether a dump is one consistent picture.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Whole,
    Interrupted,
}

/// `struct nlmsghdr`, in bytes.
const NLMSG_HEADER_LEN: usize = 16;

/// The messages of one datagram.
pub(crate) fn messages(
    mut datagram: &[u8],
) -> impl Iterator<Item = Result<NetlinkMessage<RouteNetlinkMessage>, String>> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let length = match NetlinkBuffer::new_checked(datagram) {
            Ok(header) => (header.length() as usize)
                .next_multiple_of(4)
                .min(datagram.len()),
            Err(e) => {
                datagram = &[];
                return Some(Err(e.to_string()));
            }
        };
        let (message, rest) = datagram.split_at(length);
        datagram = rest;
        Some(NetlinkMessage::deserialize(message).map_err(|e| e.to_string()))
    })
}

fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
