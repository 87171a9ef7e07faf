//! Datagrams that are handed to the kernel as one.

use std::io::IoSlice;

use vswitch_packet::ethernet;
use vswitch_vxlan::HEADER_LEN;

/// Datagrams that the kernel takes at once: `UDP_MAX_SEGMENTS` of Linux before 6.9.
const MAX_DATAGRAMS: usize = 64;
/// Octets that it takes at once: the longest UDP payload over IPv4.
const MAX_OCTETS: usize = 65507;
/// Pieces of a datagram: the VXLAN header, the frame's headers, and its payload.
const PARTS: usize = 3;

/// How many segments of packets of `mtu` octets are handed over at once: a super-frame with more takes
/// two calls.
#[must_use]
pub fn super_frame_segments(mtu: u16) -> u32 {
    let datagram = HEADER_LEN + ethernet::HEADER_LEN + usize::from(mtu);
    (MAX_OCTETS / datagram).clamp(1, MAX_DATAGRAMS) as u32
}

/// Datagrams of one flow, all of the length of the first but the last, which may be shorter. That they
/// are is the caller's to see to.
pub(super) struct Batch<'a> {
    parts: [IoSlice<'a>; PARTS * MAX_DATAGRAMS],
    datagrams: usize,
    octets: usize,
    /// Octets of the first.
    segment: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn new() -> Self {
        Self {
            parts: [IoSlice::new(&[]); PARTS * MAX_DATAGRAMS],
            datagrams: 0,
            octets: 0,
            segment: 0,
        }
    }

    /// Whether a datagram of `len` octets may follow.
    pub(super) const fn has_room(&self, len: usize) -> bool {
        self.datagrams == 0 || (self.datagrams < MAX_DATAGRAMS && self.octets + len <= MAX_OCTETS)
    }

    /// Puts a datagram in, for which there has to be room.
    pub(super) fn add(&mut self, header: &'a [u8], headers: &'a [u8], payload: &'a [u8]) {
        let place = self.datagrams * PARTS;
        if let Some([a, b, c]) = self.parts.get_mut(place..place + PARTS) {
            *a = IoSlice::new(header);
            *b = IoSlice::new(headers);
            *c = IoSlice::new(payload);
            let len = header.len() + headers.len() + payload.len();
            if self.datagrams == 0 {
                self.segment = len;
            }
            self.datagrams += 1;
            self.octets += len;
        }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.datagrams
    }

    /// The octets of each but the last, if there are several.
    pub(super) fn segment(&self) -> Option<u16> {
        let segment = u16::try_from(self.segment).ok();
        segment.filter(|_| self.datagrams > 1)
    }

    /// All of them.
    pub(super) fn parts(&self) -> &[IoSlice<'a>] {
        self.parts.get(..self.datagrams * PARTS).unwrap_or_default()
    }

    /// One after the other.
    pub(super) fn one_by_one(&self) -> impl Iterator<Item = &[IoSlice<'a>]> {
        self.parts().chunks(PARTS)
    }

    pub(super) const fn clear(&mut self) {
        self.datagrams = 0;
        self.octets = 0;
    }
}
