//! Segmentation in software, for a port that cannot take a super-frame: what a NIC's TSO and USO,
//! or the kernel's `tcp_gso_segment` and `__udp_gso_segment`, would do.

use crate::checksum;
use crate::frame::{Frame, Network};
use crate::ip::{IpHeader, Transport, Version};
use crate::length;
use crate::vnet::{Gso, Offload, PartialChecksum};
use crate::word;

/// Identification, RFC 791 §3.1.
const IPV4_ID: usize = 4;
/// Sequence number and flags, RFC 9293 §3.1.
const TCP_SEQUENCE: usize = 4;
const TCP_FLAGS: usize = 13;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Who completes the transport checksum of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumMode {
    /// The output, by itself: the field holds the pseudo-header's sum for the segment's length.
    Partial,
    /// The segmentation, as the output completes nothing.
    Complete,
}

/// A segment that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Octets of the frame, from the start of the scratch buffer.
    pub len: usize,
    /// What is left to do on it: nothing, or a checksum to complete.
    pub offload: Offload,
}

/// The frames that a frame stands for, one after the other.
///
/// A frame that is no super-frame comes out as its own only segment, with its checksum completed
/// if that is asked for.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    headers: &'a [u8],
    payload: &'a [u8],
    /// `None`: the only segment is the frame as it is.
    split: Option<Split>,
    checksum: Option<PartialChecksum>,
    /// Octets behind the packet that no checksum covers.
    padding: usize,
    verified: bool,
    mode: ChecksumMode,
    written: usize,
    count: usize,
}

/// How the payload is divided.
#[derive(Clone, Copy, Debug)]
struct Split {
    ip: IpHeader,
    gso: Gso,
}

impl<'a> Segments<'a> {
    /// The segments of `frame`.
    #[must_use]
    pub fn new(frame: &'a Frame<'_>, mode: ChecksumMode) -> Self {
        let offload = frame.offload();
        let (headers, payload) = frame
            .bytes()
            .split_at_checked(frame.headers_len())
            .unwrap_or((frame.bytes(), &[]));
        let split = match (frame.network(), offload.gso) {
            (Network::Ip(ip), Some(gso)) => Some(Split { ip, gso }),
            _ => None,
        };
        Self {
            headers,
            payload,
            split,
            checksum: offload.checksum,
            padding: frame.len() - frame.packet_end(),
            verified: offload.verified,
            mode,
            written: 0,
            count: frame.segments(),
        }
    }

    /// Octets of the longest segment: what a scratch buffer must hold.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.headers.len() + self.payload.len().min(self.size())
    }

    /// Octets of the next segment; of the headers alone after the last.
    #[must_use]
    pub fn next_len(&self) -> usize {
        let payload = self.cut().map_or(0, |(_, payload)| payload.len());
        self.headers.len() + payload
    }

    /// How many are still to be written.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.count - self.written
    }

    /// Writes the next segment to the front of `scratch`; `None` after the last one, or if it is
    /// longer than `scratch`.
    pub fn next_into(&mut self, scratch: &mut [u8]) -> Option<Segment> {
        let (from, payload) = self.cut()?;
        let len = self.headers.len() + payload.len();
        let segment = scratch.get_mut(..len)?;
        let (headers, body) = segment.split_at_mut_checked(self.headers.len())?;
        headers.copy_from_slice(self.headers);
        body.copy_from_slice(payload);
        if let Some(split) = self.split {
            self.adapt(headers, split, from, len);
        }
        let checksum = match self.mode {
            ChecksumMode::Partial => self.checksum,
            ChecksumMode::Complete => {
                self.complete(segment);
                None
            }
        };
        self.written += 1;
        Some(Segment {
            len,
            offload: Offload {
                checksum,
                verified: self.verified,
                gso: None,
            },
        })
    }

    /// Writes the next segment's headers to the front of `scratch`, with the checksum completed, for
    /// an output that gathers: the octets written, and the payload that follows them, which stays
    /// where it is. `None` after the last one, or if `scratch` is too short.
    ///
    /// Whatever the mode, nothing is left to do on such a segment.
    pub fn next_gathered(&mut self, scratch: &mut [u8]) -> Option<(usize, &'a [u8])> {
        let (from, payload) = self.cut()?;
        let headers_len = self.headers.len();
        let covered = self.checksum.map(|partial| {
            let (start, field) = (usize::from(partial.start), usize::from(partial.offset));
            (
                start,
                start + field + 2 <= headers_len && (headers_len - start).is_multiple_of(2),
            )
        });
        if let Some((_, false)) = covered {
            // A sum over something inside the payload cannot be written without a copy.
            let len = headers_len + payload.len();
            let segment = scratch.get_mut(..len)?;
            let (headers, body) = segment.split_at_mut_checked(headers_len)?;
            headers.copy_from_slice(self.headers);
            body.copy_from_slice(payload);
            self.complete(segment);
            self.written += 1;
            return Some((len, &[]));
        }
        let headers = scratch.get_mut(..headers_len)?;
        headers.copy_from_slice(self.headers);
        if let Some(split) = self.split {
            self.adapt(headers, split, from, headers_len + payload.len());
        }
        if let (Some((start, _)), Some(partial)) = (covered, self.checksum)
            && let Some(range) = headers.get_mut(start..)
        {
            let covered = payload.len().saturating_sub(self.padding);
            let summed = payload.get(..covered).unwrap_or_default();
            checksum::complete_with(range, usize::from(partial.offset), checksum::sum(summed));
        }
        self.written += 1;
        Some((headers_len, payload))
    }

    /// Where the next segment's payload begins in that of all, and what it is.
    fn cut(&self) -> Option<(usize, &'a [u8])> {
        if self.remaining() == 0 {
            return None;
        }
        let from = self.written * self.size();
        let rest = self.payload.get(from..)?;
        Some((from, rest.get(..self.size()).unwrap_or(rest)))
    }

    fn size(&self) -> usize {
        match self.split {
            Some(split) => usize::from(split.gso.size),
            None => self.payload.len(),
        }
    }

    /// Makes the super-frame's headers those of the segment whose payload begins `from` octets
    /// into the whole, and which is `len` octets long.
    fn adapt(&self, headers: &mut [u8], Split { ip, gso }: Split, from: usize, len: usize) {
        length::write(headers, &ip, len);
        if ip.version == Version::V4 {
            let start = usize::from(ip.start);
            let id = word::read(headers, start + IPV4_ID);
            let id = id.wrapping_add(self.written as u16);
            length::write_ipv4(headers, start, IPV4_ID, id);
        }

        let transport = usize::from(ip.payload);
        if let Some(offset) = ip.transport.checksum_offset() {
            // Only the length is exchanged, as the kernel does it: with a routing header the
            // addresses of the sum are not those of the IPv6 header (RFC 8200 §8.1).
            let field = transport + usize::from(offset);
            let whole = self.headers.len() + self.payload.len() - transport;
            let partial = word::read(headers, field);
            let partial = checksum::update_partial(partial, whole as u16, (len - transport) as u16);
            word::write(headers, field, partial);
        }
        if let Transport::Tcp { .. } = ip.transport {
            self.adapt_tcp(headers, transport, gso, from);
        }
    }

    fn adapt_tcp(&self, headers: &mut [u8], transport: usize, gso: Gso, from: usize) {
        let Some(tcp) = headers.get_mut(transport..) else {
            return;
        };
        if let Some(sequence) = tcp
            .get_mut(TCP_SEQUENCE..)
            .and_then(<[u8]>::first_chunk_mut)
        {
            *sequence = u32::from_be_bytes(*sequence)
                .wrapping_add(from as u32)
                .to_be_bytes();
        }
        if let Some(flags) = tcp.get_mut(TCP_FLAGS) {
            if self.remaining() > 1 {
                *flags &= !(FIN | PSH);
            }
            // RFC 3168 §6.1.2: once per reduction of the window. Without the mark the bit is part
            // of the counter of RFC 9768, which all segments carry.
            if gso.ecn && self.written > 0 {
                *flags &= !CWR;
            }
        }
    }

    fn complete(&self, segment: &mut [u8]) {
        let Some(partial) = self.checksum else {
            return;
        };
        let end = segment.len() - self.padding;
        if let Some(range) = segment.get_mut(usize::from(partial.start)..end) {
            checksum::complete(range, usize::from(partial.offset));
        }
    }
}
