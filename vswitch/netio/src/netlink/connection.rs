//! Requests and answers on a netlink socket, of any protocol.

use std::fmt;
use std::io;

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer,
    NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};

use super::NetlinkError;

/// A netlink socket that speaks `M`, with one request under way at a time.
#[derive(Debug)]
pub(crate) struct Connection<M> {
    socket: Socket,
    /// Of the last answer.
    datagram: Vec<u8>,
    sequence: u32,
    message: std::marker::PhantomData<fn(M) -> M>,
}

/// Whether a dump is one consistent picture.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Whole,
    Interrupted,
}

/// How often a dump is begun anew when the table changed under it.
const DUMP_ATTEMPTS: usize = 8;

/// Room for an answer: the kernel fills no more for a dump (`netlink_recvmsg`, Linux 6.18), and a single object is smaller.
const DATAGRAM: usize = 32 * 1024;

/// `struct nlmsghdr`, in bytes.
const NLMSG_HEADER_LEN: usize = 16;

impl<M> Connection<M>
where
    M: NetlinkSerializable + NetlinkDeserializable<Error = DecodeError> + Clone + fmt::Debug,
{
    /// Connects to the kernel in the calling thread's namespace.
    pub(crate) fn open(protocol: isize) -> Result<Self, NetlinkError> {
        Self::connect(protocol).map_err(NetlinkError::Socket)
    }

    fn connect(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // The kernel then says why it refuses, without sending the request back.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        Ok(Self {
            socket,
            datagram: Vec::with_capacity(DATAGRAM),
            sequence: 0,
            message: std::marker::PhantomData,
        })
    }

    /// Sends a change and waits for the acknowledgement. `what` completes "cannot ...".
    pub(super) fn change(
        &mut self,
        what: fmt::Arguments<'_>,
        message: M,
        flags: u16,
    ) -> Result<(), NetlinkError> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.receive(what, |_| {})?;
        Ok(())
    }

    /// Asks for one object. `None` if the kernel has no such object.
    pub(super) fn query<T>(
        &mut self,
        what: fmt::Arguments<'_>,
        message: M,
        decode: impl Fn(M) -> Option<T>,
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
    pub(crate) fn dump<T>(
        &mut self,
        what: fmt::Arguments<'_>,
        message: &M,
        decode: impl Fn(M) -> Option<T>,
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

    fn send(&mut self, message: M, flags: u16) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        retry_interrupted(|| self.socket.send(&bytes, 0)).map_err(NetlinkError::Socket)?;
        Ok(())
    }

    /// Hands every message of the answer to `each`, up to the acknowledgement or the end of a dump.
    fn receive(
        &mut self,
        what: fmt::Arguments<'_>,
        mut each: impl FnMut(M),
    ) -> Result<Answer, NetlinkError> {
        let mut answer = Answer::Whole;
        loop {
            let Self {
                socket, datagram, ..
            } = self;
            datagram.clear();
            let length = retry_interrupted(|| socket.recv(datagram, libc::MSG_TRUNC))
                .map_err(NetlinkError::Socket)?;
            if length > datagram.len() {
                let cause = format!("{length} octets are more than fit");
                return Err(NetlinkError::undecodable(what, cause));
            }
            for message in messages::<M>(datagram) {
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

/// The messages of one datagram.
pub(crate) fn messages<M: NetlinkDeserializable<Error = DecodeError>>(
    mut datagram: &[u8],
) -> impl Iterator<Item = Result<NetlinkMessage<M>, String>> {
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
