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
use crate::vnet::{Gso, GsoKind, Offload, PartialChecksum};
use crate::word;

/// Datagrams in a super-frame: `UDP_MAX_SEGMENTS` of Linux before 6.9.
const MAX_DATAGRAMS: usize = 64;

/// Longest packet, IP header included; a TAP's `gso_max_size` allows one octet more.
const MAX_PACKET: usize = 65535;

const TCP_FLAGS: usize = 13;
const ACK: u8 = 0x10;
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
    common: Common,
    ip: IpHeader,
    offload: Offload,
    headers_len: u8,
    payload_len: u16,
    /// TCP only.
    sequence: Option<u32>,
    push: bool,
}

/// The octets of the headers that are the same in all packets of a train: all but lengths,
/// identification, checksums, and TCP's sequence number and PSH. In words, to compare a few.
#[derive(Clone, Copy, Debug)]
struct Common {
    link: [u64; 3],
    network: [u64; 5],
    transport: [u64; 4],
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
        let packet = bytes.get(usize::from(ip.start)..)?;
        let network = match ip.version {
            Version::V4 => common_ipv4(packet, &ip)?,
            Version::V6 => common_ipv6(packet, &ip)?,
        };
        let segment = bytes.get(usize::from(ip.payload)..)?;
        let mut sequence = None;
        let mut push = false;
        let transport = match ip.transport {
            Transport::Udp => common_udp(segment, payload_len)?,
            Transport::Tcp { header_len } => {
                let [_, _, _, _, number @ .., _, _, _, _] = segment.first_chunk::<12>()?;
                sequence = Some(u32::from_be_bytes(*number));
                push = segment.get(TCP_FLAGS)? & PSH != 0;
                common_tcp(segment, usize::from(header_len))?
            }
            Transport::Icmp | Transport::Sctp | Transport::Other | Transport::Malformed => {
                return None;
            }
        };
        Some(Self {
            common: Common {
                link: common_link(bytes, usize::from(ip.start))?,
                network,
                transport,
            },
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
            && next.ip.start == self.head.ip.start
            && next.common.same(&self.head.common);
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

impl Common {
    /// Compares all words before it decides: they are hardly ever different, and `==` on arrays
    /// would call `memcmp` for each.
    #[inline]
    fn same(&self, other: &Self) -> bool {
        fn difference<const N: usize>(a: &[u64; N], b: &[u64; N]) -> u64 {
            a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a ^ b))
        }
        let link = difference(&self.link, &other.link);
        let network = difference(&self.network, &other.network);
        let transport = difference(&self.transport, &other.transport);
        link | network | transport == 0
    }
}

impl Candidate {
    fn sequence_after(&self) -> Option<u32> {
        let len = u32::from(self.payload_len);
        self.sequence.map(|sequence| sequence.wrapping_add(len))
    }
}

/// The eight octets at `at`, as a number.
#[inline]
fn word(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*octets.get(at..)?.first_chunk()?))
}

/// The whole link header, some octets of it twice.
#[inline]
fn common_link(bytes: &[u8], link_len: usize) -> Option<[u64; 3]> {
    Some([word(bytes, 0)?, word(bytes, 6)?, word(bytes, link_len - 8)?])
}

#[inline]
fn common_ipv4(packet: &[u8], ip: &IpHeader) -> Option<[u64; 5]> {
    const DONT_FRAGMENT: u64 = 0x4000;
    let header = packet.get(..20)?;
    let first = word(header, 0)?;
    let options = ip.payload - ip.start != 20;
    // Joined, a broken header would be mended or would break all the others.
    if options || first & DONT_FRAGMENT == 0 || checksum::sum(header) != 0xffff {
        return None;
    }
    Some([
        // Without total length and identification, then without the checksum.
        first & 0xffff_0000_0000_ffff,
        word(header, 8)? & 0xffff_0000_ffff_ffff,
        word(header, 12)?,
        0,
        0,
    ])
}

#[inline]
fn common_ipv6(packet: &[u8], ip: &IpHeader) -> Option<[u64; 5]> {
    let header = packet.get(..40)?;
    if ip.payload - ip.start != 40 {
        return None;
    }
    Some([
        // Without payload length.
        word(header, 0)? & 0xffff_ffff_0000_ffff,
        word(header, 8)?,
        word(header, 16)?,
        word(header, 24)?,
        word(header, 32)?,
    ])
}

#[inline]
fn common_udp(datagram: &[u8], payload_len: usize) -> Option<[u64; 4]> {
    let header = word(datagram, 0)?;
    let len = (header >> 16) as u16;
    let checksum = header as u16;
    // RFC 768: zero is no checksum at all, and segmenting would make one.
    if usize::from(len) != 8 + payload_len || checksum == 0 {
        return None;
    }
    let ports = header >> 32;
    Some([ports, 0, 0, 0])
}

#[inline]
fn common_tcp(segment: &[u8], header_len: usize) -> Option<[u64; 4]> {
    let header = segment.get(..header_len)?;
    if header.get(TCP_FLAGS)? & !PSH != ACK {
        return None;
    }
    let (urgent, timestamps) = match header_len {
        // No options, or the twelve octets Linux puts on every segment (RFC 7323 appendix A).
        20 => (u64::from(word::read(header, 18)), 0),
        32 => (word(header, 16)? & 0x0000_ffff_ffff_ffff, word(header, 24)?),
        _ => return None,
    };
    Some([
        // Without sequence number, then without flags, then without checksum.
        word(header, 0)? >> 32,
        word(header, 8)? & 0xffff_ffff_ff00_ffff,
        urgent,
        timestamps,
    ])
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
