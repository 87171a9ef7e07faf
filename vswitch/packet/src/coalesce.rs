//! Coalescing: consecutive packets of one flow joined to a super-frame, so that one write delivers
//! them all. The inverse of [`crate::segment`].
//!
//! A packet becomes a [`Candidate`] if nothing speaks against joining it; candidates with the same
//! headers form a [`Train`]. Payloads are not touched: the caller keeps the list of them, writes
//! the head's headers and then one payload after the other (`writev`).
//!
//! The rule under all others: segmenting a sealed train gives back the packets that went in. The
//! IPv4 identification alone is free, as RFC 6864 §4.1 has it for packets that may not be
//! fragmented.

use core::ops::Range;

use crate::checksum;
use crate::frame::{Frame, MIN_TCP_SEGMENT, Network};
use crate::ip::{Fragment, IpHeader, Transport, Version};
use crate::length;
use crate::likeness::Likeness;
use crate::vnet::{Gso, GsoKind, Offload, PartialChecksum};
use crate::word;

/// Datagrams in a super-frame: `UDP_MAX_SEGMENTS` of Linux before 6.9.
const MAX_DATAGRAMS: usize = 64;

/// Longest packet, IP header included; a TAP's `gso_max_size` allows one octet more.
const MAX_PACKET: usize = 65535;

const TCP_FLAGS: usize = 13;
const PSH: u8 = 0x08;

/// What a train says to the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Answer {
    /// It is part of the train now: append its payload.
    Accept,
    /// It is not. If it is of the same flow, the train must be written before it.
    Refuse,
}

/// A packet that may be joined with others like it; plain data that outlives the frame.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    likeness: Likeness,
    ip: IpHeader,
    offload: Offload,
    headers_len: u8,
    payload_len: u16,
    /// TCP only.
    sequence: Option<u32>,
    push: bool,
}

impl Candidate {
    /// Describes the packet in `frame`, or `None` if it has to travel alone.
    ///
    /// A candidate is a whole UDP datagram, or a TCP segment with data, no flag but ACK and PSH
    /// and no options but timestamps; without IP options or extension headers, over IPv4 with DF;
    /// with a checksum that is partial or that the sender vouches for.
    #[must_use]
    #[inline]
    pub fn of(frame: &Frame<'_>) -> Option<Self> {
        let Network::Ip(ip) = frame.network() else {
            return None;
        };
        let offload = frame.offload();
        let headers_len = frame.headers_len();
        let payload_len = (ip.end as usize).checked_sub(headers_len)?;
        if offload.gso.is_some() || ip.fragment != Fragment::No || payload_len == 0 {
            return None;
        }
        let summed = match offload.checksum {
            Some(partial) => partial == own_checksum(&ip)?,
            None => offload.verified,
        };
        if !summed {
            return None;
        }

        let bytes = frame.bytes();
        let (sequence, push) = match ip.transport {
            Transport::Tcp { .. } => {
                let header: &[u8; 20] = bytes.get(usize::from(ip.payload)..)?.first_chunk()?;
                let [_, _, _, _, a, b, c, d, ..] = *header;
                let sequence = u32::from_be_bytes([a, b, c, d]);
                (Some(sequence), header[TCP_FLAGS] & PSH != 0)
            }
            _ => (None, false),
        };
        Some(Self {
            likeness: Likeness::of(bytes, &ip)?,
            ip,
            offload,
            headers_len: headers_len as u8,
            payload_len: u16::try_from(payload_len).ok()?,
            sequence,
            push,
        })
    }

    /// Octets of all headers, link to transport; the payload starts here.
    #[must_use]
    pub const fn headers_len(&self) -> usize {
        self.headers_len as usize
    }

    /// The checksum that the sender left to others.
    #[must_use]
    pub const fn checksum(&self) -> Option<PartialChecksum> {
        self.offload.checksum
    }

    /// Where the payload is in the frame: from the headers to the end of the packet, so that
    /// Ethernet padding stays behind.
    #[must_use]
    pub const fn payload(&self) -> Range<usize> {
        let start = self.headers_len as usize;
        start..start + self.payload_len as usize
    }
}

/// Packets on their way to become one super-frame: the head, whose headers stand for all, and the
/// payloads that follow it.
///
/// ```
/// # use vswitch_packet::{Answer, Candidate, Train};
/// # fn burst(candidates: &[Candidate], buffers: &mut [Vec<u8>]) -> Option<()> {
/// let mut train = Train::start(candidates.first()?);
/// let mut joined = 1;
/// while let Some(next) = candidates.get(joined) && train.offer(next) == Answer::Accept {
///     joined += 1;
/// }
/// let offload = train.seal(buffers.first_mut()?);
/// // writev: offload.to_header(train.headers_len()), buffers[0] up to the end of its payload,
/// // then the payload of each of buffers[1..joined].
/// # Some(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Train {
    head: Candidate,
    /// Octets from the IP header to the end of the last payload.
    packet_len: usize,
    segments: usize,
    /// What the next TCP segment has to start with.
    sequence: Option<u32>,
    push: bool,
    open: bool,
}

impl Train {
    /// A train of one.
    #[must_use]
    #[inline]
    pub fn start(head: &Candidate) -> Self {
        Self {
            head: *head,
            packet_len: head.ip.end as usize - usize::from(head.ip.start),
            segments: 1,
            sequence: head.sequence_after(),
            push: head.push,
            // What a frame refuses when it is read must not be written either.
            open: !head.push && (head.sequence.is_none() || head.payload_len >= MIN_TCP_SEGMENT),
        }
    }

    /// Asks whether `next` may follow, and takes it if so.
    #[inline]
    pub fn offer(&mut self, next: &Candidate) -> Answer {
        let packet_len = self.packet_len + usize::from(next.payload_len);
        let fits = self.open
            && next.payload_len <= self.head.payload_len
            && packet_len <= MAX_PACKET
            && next.sequence == self.sequence
            && next.likeness == self.head.likeness;
        if !fits {
            return Answer::Refuse;
        }
        self.packet_len = packet_len;
        self.segments += 1;
        self.sequence = next.sequence_after();
        self.push = next.push;
        let full = next.sequence.is_none() && self.segments == MAX_DATAGRAMS;
        self.open = next.payload_len == self.head.payload_len && !next.push && !full;
        Answer::Accept
    }

    /// How many packets the train has, the head included.
    #[must_use]
    pub const fn segments(&self) -> usize {
        self.segments
    }

    /// Whether another packet could follow; `false` after a shorter one, PSH, or the last that
    /// the kernel takes.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Octets of all headers, link to transport.
    #[must_use]
    pub const fn headers_len(&self) -> usize {
        self.head.headers_len()
    }

    /// Octets of the frame as it will be written, Ethernet header first.
    #[must_use]
    pub const fn frame_len(&self) -> usize {
        self.head.ip.start as usize + self.packet_len
    }

    /// Makes the headers at the front of `head`, the frame the train was started with, those of
    /// the super-frame, and tells what to write it with. A train of one is left as it is.
    #[must_use]
    pub fn seal(&self, head: &mut [u8]) -> Offload {
        let Candidate { ip, offload, .. } = &self.head;
        if self.segments == 1 {
            return *offload;
        }
        let Some(partial) = own_checksum(ip) else {
            return *offload;
        };
        let end = self.frame_len();
        let transport = usize::from(ip.payload);
        length::write(head, ip, end);
        let len = (end - transport) as u32;
        let sum = checksum::pseudo_header(ip.addresses(head), ip.protocol, len);
        word::write(head, transport + usize::from(partial.offset), sum);
        if self.push
            && let Some(flags) = head.get_mut(transport + TCP_FLAGS)
        {
            *flags |= PSH;
        }
        let kind = match (ip.transport, ip.version) {
            (Transport::Tcp { .. }, Version::V4) => GsoKind::Tcp4,
            (Transport::Tcp { .. }, Version::V6) => GsoKind::Tcp6,
            _ => GsoKind::Udp,
        };
        Offload {
            checksum: Some(partial),
            verified: false,
            gso: Some(Gso {
                kind,
                size: self.head.payload_len,
                ecn: false,
            }),
        }
    }
}

impl Candidate {
    fn sequence_after(&self) -> Option<u32> {
        let len = u32::from(self.payload_len);
        self.sequence.map(|sequence| sequence.wrapping_add(len))
    }
}

/// The checksum of the transport header itself, rather than of something inside its payload.
const fn own_checksum(ip: &IpHeader) -> Option<PartialChecksum> {
    match ip.transport.checksum_offset() {
        Some(offset) => Some(PartialChecksum {
            start: ip.payload,
            offset,
        }),
        None => None,
    }
}
