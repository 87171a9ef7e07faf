//! Fragmentation of IPv4 (RFC 791 §3.2, RFC 1812 §4.2.2.7): as few fragments as possible, in order,
//! each but the last as long as possible.

use vswitch_packet::checksum;
use vswitch_packet::ethernet::{self, EtherType};

/// Octets from the start of the IP header.
const TOTAL_LEN: usize = 2;
const FLAGS: usize = 6;
const CHECKSUM: usize = 10;
const FIXED: usize = 20;

const MORE: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// An option with this bit is in every fragment (RFC 791 §3.1).
const COPIED: u8 = 0x80;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;

/// The Ethernet header, untagged, and the longest IPv4 header.
const MAX_HEADERS: usize = ethernet::HEADER_LEN + 60;

/// The fragments of one packet.
#[derive(Debug)]
pub(crate) struct Fragments<'a> {
    /// Of the fragment that is next.
    headers: [u8; MAX_HEADERS],
    headers_len: usize,
    /// The flags and the offset of the packet itself, which may be a fragment.
    field: u16,
    data: &'a [u8],
    at: usize,
    mtu: usize,
    done: bool,
}

/// One fragment: its headers, and its part of the packet's data.
#[derive(Debug)]
pub(crate) struct Fragment<'a> {
    headers: [u8; MAX_HEADERS],
    headers_len: usize,
    pub(crate) data: &'a [u8],
}

impl Fragment<'_> {
    pub(crate) fn headers(&self) -> &[u8] {
        self.headers.get(..self.headers_len).unwrap_or_default()
    }
}

impl<'a> Fragments<'a> {
    /// Of the IPv4 packet that begins `link_len` octets into `frame`, for links that take packets
    /// of `mtu` octets. The fragments are untagged. The packet's checksums must be complete.
    /// `None` if it is no such packet.
    pub(crate) fn new(frame: &'a [u8], link_len: usize, mtu: u16) -> Option<Self> {
        let packet = frame.get(link_len..)?;
        let fixed: &[u8; FIXED] = packet.first_chunk()?;
        let header_len = usize::from(fixed[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([fixed[TOTAL_LEN], fixed[TOTAL_LEN + 1]]));
        let header = packet.get(..header_len)?;
        let headers_len = ethernet::HEADER_LEN + header_len;
        let mut headers = [0; MAX_HEADERS];
        headers.get_mut(..12)?.copy_from_slice(frame.get(..12)?);
        headers
            .get_mut(12..14)?
            .copy_from_slice(&EtherType::IPV4.0.to_be_bytes());
        headers.get_mut(14..headers_len)?.copy_from_slice(header);
        Some(Self {
            headers,
            headers_len,
            field: u16::from_be_bytes([fixed[FLAGS], fixed[FLAGS + 1]]),
            data: packet.get(header_len..total_len)?,
            at: 0,
            mtu: usize::from(mtu),
            done: false,
        })
    }

    fn finish(&mut self, taken: usize) {
        let header_len = self.headers_len - ethernet::HEADER_LEN;
        let last = self.at + taken == self.data.len();
        // A middle piece of a fragment has more behind it whatever it is a piece of.
        let more = if last { self.field & MORE } else { MORE };
        let kept = self.field & !(MORE | OFFSET);
        let offset = (self.field & OFFSET).wrapping_add((self.at / 8) as u16) & OFFSET;
        let header = self
            .headers
            .get_mut(ethernet::HEADER_LEN..)
            .unwrap_or_default();
        put(header, TOTAL_LEN, (header_len + taken) as u16);
        put(header, FLAGS, kept | more | offset);
        put(header, CHECKSUM, 0);
        let sum = !checksum::sum(header.get(..header_len).unwrap_or_default());
        put(header, CHECKSUM, sum);
    }

    /// Leaves the options to the later fragments that are in every fragment.
    fn drop_options(&mut self) {
        let options = self
            .headers
            .get(14 + FIXED..self.headers_len)
            .unwrap_or_default();
        let mut kept = [0; 40];
        let mut len = 0;
        let mut rest = options;
        while let [kind, behind @ ..] = rest {
            let size = match (*kind, behind) {
                (END_OF_OPTIONS, _) => break,
                (NO_OPERATION, _) => 1,
                (_, [size, ..]) => usize::from(*size).max(2),
                (_, []) => break,
            };
            let Some((option, behind)) = rest.split_at_checked(size) else {
                break;
            };
            if kind & COPIED != 0
                && let Some(place) = kept.get_mut(len..len + size)
            {
                place.copy_from_slice(option);
                len += size;
            }
            rest = behind;
        }
        // Padded with the end of options, which is zero.
        let header_len = FIXED + len.next_multiple_of(4);
        self.headers_len = ethernet::HEADER_LEN + header_len;
        if let Some(place) = self.headers.get_mut(14 + FIXED..self.headers_len) {
            let len = place.len();
            place.copy_from_slice(kept.get(..len).unwrap_or_default());
        }
        if let Some(first) = self.headers.get_mut(14) {
            *first = 0x40 | (header_len / 4) as u8;
        }
    }
}

impl<'a> Iterator for Fragments<'a> {
    type Item = Fragment<'a>;

    fn next(&mut self) -> Option<Fragment<'a>> {
        if self.done {
            return None;
        }
        if self.at > 0 {
            self.drop_options();
        }
        let room = self
            .mtu
            .saturating_sub(self.headers_len - ethernet::HEADER_LEN);
        let rest = self.data.get(self.at..)?;
        let taken = if rest.len() <= room {
            rest.len()
        } else {
            (room & !7).max(8).min(rest.len())
        };
        self.finish(taken);
        let fragment = Fragment {
            headers: self.headers,
            headers_len: self.headers_len,
            data: rest.get(..taken)?,
        };
        self.at += taken;
        self.done = self.at == self.data.len();
        Some(fragment)
    }
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(word) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *word = value.to_be_bytes();
    }
}
