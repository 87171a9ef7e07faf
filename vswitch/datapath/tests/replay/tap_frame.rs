//! A frame as it is read from and written to a TAP: the virtio header and the octets.

use core::fmt;

use vswitch_packet::{Frame, VNET_HEADER_LEN, VnetHeader};

/// `VIRTIO_NET_HDR_F_*` and `VIRTIO_NET_HDR_GSO_*` of `linux/virtio_net.h`.
pub(crate) const NEEDS_CSUM: u8 = 1;
pub(crate) const DATA_VALID: u8 = 2;
pub(crate) const GSO_TCPV4: u8 = 1;
pub(crate) const GSO_TCPV6: u8 = 4;
pub(crate) const GSO_UDP_L4: u8 = 5;
pub(crate) const GSO_ECN: u8 = 0x80;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TapFrame {
    pub(crate) header: VnetHeader,
    pub(crate) bytes: Vec<u8>,
}

impl TapFrame {
    /// Octets that are complete by themselves.
    pub(crate) fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            header: VnetHeader::default(),
            bytes: bytes.into(),
        }
    }

    /// Reads what was written to a TAP.
    pub(crate) fn read(octets: &[u8]) -> Self {
        let (header, bytes) = octets.split_first_chunk::<VNET_HEADER_LEN>().unwrap();
        Self {
            header: VnetHeader::read(header),
            bytes: bytes.to_vec(),
        }
    }

    pub(crate) fn is_super(&self) -> bool {
        self.header.gso_type != 0
    }

    /// The sender's NIC vouches for the checksums.
    pub(crate) fn verified(mut self) -> Self {
        self.header.flags = DATA_VALID;
        self
    }

    /// With `tci` as the outermost 802.1Q tag.
    pub(crate) fn tagged(mut self, tci: u16) -> Self {
        let [a, b] = tci.to_be_bytes();
        self.bytes.splice(12..12, [0x81, 0, a, b]);
        self.moved(4)
    }

    /// Without the outermost tag.
    pub(crate) fn untagged(mut self) -> Self {
        self.bytes.drain(12..16);
        self.moved(-4)
    }

    fn moved(mut self, by: i16) -> Self {
        if self.header.flags & NEEDS_CSUM != 0 {
            self.header.csum_start = self.header.csum_start.wrapping_add_signed(by);
        }
        if self.is_super() {
            self.header.hdr_len = self.header.hdr_len.wrapping_add_signed(by);
        }
        self
    }

    /// With another time to live, or hop limit. Untagged IP only.
    pub(crate) fn hop_limit(mut self, hops: u8) -> Self {
        if self.bytes[12..14] == [0x08, 0x00] {
            let header_len = usize::from(self.bytes[14] & 0x0f) * 4;
            self.bytes[22] = hops;
            self.bytes[24..26].fill(0);
            let sum = !crate::wire::sum(&self.bytes[14..14 + header_len]);
            self.bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        } else {
            self.bytes[21] = hops;
        }
        self
    }

    /// With `octets` from `at` on.
    pub(crate) fn patched(mut self, at: usize, octets: &[u8]) -> Self {
        self.bytes[at..at + octets.len()].copy_from_slice(octets);
        self
    }

    /// How many packets it puts on a wire.
    pub(crate) fn segments(&self) -> u64 {
        Frame::parse(&mut self.bytes.clone(), self.header)
            .unwrap()
            .segments() as u64
    }
}

impl fmt::Debug for TapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, bytes } = self;
        if *header != VnetHeader::default() {
            write!(f, "{header:?} ")?;
        }
        write!(f, "{} octets ", bytes.len())?;
        for (at, octet) in bytes.iter().take(96).enumerate() {
            if matches!(at, 6 | 12 | 14 | 34 | 54) {
                f.write_str(" ")?;
            }
            write!(f, "{octet:02x}")?;
        }
        if bytes.len() > 96 {
            f.write_str("…")
        } else {
            Ok(())
        }
    }
}
