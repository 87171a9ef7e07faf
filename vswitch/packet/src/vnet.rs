//! The `virtio_net_hdr` in front of each frame on a TAP or AF_PACKET socket, as untrusted bytes.
//!
//! The ten-byte legacy layout (virtio 1.2 §5.1.6, `struct virtio_net_hdr` in `linux/virtio_net.h`),
//! native-endian because no fd of ours asks for `TUNSETVNETLE`. Ten bytes rather than twelve:
//! with a 14-byte Ethernet header behind it the IP header lands on an 8-byte boundary.

/// Octets of the header.
pub const VNET_HEADER_LEN: usize = 10;

const F_NEEDS_CSUM: u8 = 1;
const F_DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// The fields as they were read; nothing in here is believed before [`crate::Frame::parse`] has
/// compared it with the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct VnetHeader {
    /// `NEEDS_CSUM`, `DATA_VALID` and flags this switch does not know.
    pub flags: u8,
    /// Kind of super-frame, with `ECN` as the top bit.
    pub gso_type: u8,
    /// What the sender says of the length of all headers; never used (the sender may lie).
    pub hdr_len: u16,
    /// Payload octets of each segment.
    pub gso_size: u16,
    /// Where the checksummed range starts, octets from the start of the frame.
    pub csum_start: u16,
    /// Where the checksum is stored, octets from `csum_start`.
    pub csum_offset: u16,
}

impl VnetHeader {
    /// Reads the ten octets.
    #[must_use]
    pub const fn read(bytes: &[u8; VNET_HEADER_LEN]) -> Self {
        let [flags, gso_type, a, b, c, d, e, f, g, h] = *bytes;
        Self {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([a, b]),
            gso_size: u16::from_ne_bytes([c, d]),
            csum_start: u16::from_ne_bytes([e, f]),
            csum_offset: u16::from_ne_bytes([g, h]),
        }
    }

    /// The ten octets.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; VNET_HEADER_LEN] {
        let [a, b] = self.hdr_len.to_ne_bytes();
        let [c, d] = self.gso_size.to_ne_bytes();
        let [e, f] = self.csum_start.to_ne_bytes();
        let [g, h] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h]
    }
}

/// What kind of super-frame the payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GsoKind {
    /// TCP over IPv4 (TSO4).
    Tcp4,
    /// TCP over IPv6 (TSO6).
    Tcp6,
    /// UDP datagrams of one size over IPv4 or IPv6 (USO, `VIRTIO_NET_HDR_GSO_UDP_L4`).
    Udp,
}

/// A frame that stands for many: the headers once, then the payloads of all segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gso {
    /// Which protocol is to be segmented.
    pub kind: GsoKind,
    /// Payload octets of each segment but the last; never zero.
    pub size: u16,
    /// TCP only: the first segment alone carries CWR (RFC 3168).
    pub ecn: bool,
}

/// The Internet checksum that somebody later on the way must complete.
///
/// The field at `start + offset` holds the folded, *not* complemented sum of the pseudo-header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialChecksum {
    /// First octet of the range, from the start of the frame.
    pub start: u16,
    /// The field, from `start`.
    pub offset: u16,
}

/// The work on a frame that its sender left to the device: what travels beside the frame from
/// port to port instead of being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Offload {
    /// A checksum to complete.
    pub checksum: Option<PartialChecksum>,
    /// The sender vouches for the checksums (a NIC verified them).
    pub verified: bool,
    /// Segmentation to do.
    pub gso: Option<Gso>,
}

impl Offload {
    /// A complete frame of its own: nothing left to do, nothing known.
    pub const NONE: Self = Self {
        checksum: None,
        verified: false,
        gso: None,
    };

    /// What `header` claims, or `None` where a flag or a type is one that was never negotiated.
    pub(crate) const fn claimed(header: VnetHeader) -> Option<Self> {
        if header.flags & !(F_NEEDS_CSUM | F_DATA_VALID) != 0 {
            return None;
        }
        let checksum = if header.flags & F_NEEDS_CSUM != 0 {
            Some(PartialChecksum {
                start: header.csum_start,
                offset: header.csum_offset,
            })
        } else {
            None
        };
        let kind = match header.gso_type & !GSO_ECN {
            GSO_NONE => None,
            GSO_TCPV4 => Some(GsoKind::Tcp4),
            GSO_TCPV6 => Some(GsoKind::Tcp6),
            GSO_UDP_L4 => Some(GsoKind::Udp),
            _ => return None,
        };
        let ecn = header.gso_type & GSO_ECN != 0;
        let gso = match kind {
            // As for the kernel (`virtio_net_hdr_to_skb`), which knows the flag for TCP only.
            None | Some(GsoKind::Udp) if ecn => return None,
            Some(kind) => Some(Gso {
                kind,
                size: header.gso_size,
                ecn,
            }),
            None => None,
        };
        Some(Self {
            checksum,
            verified: header.flags & F_DATA_VALID != 0,
            gso,
        })
    }

    /// The header to write in front of a frame whose headers, link to transport, take
    /// `headers_len` octets.
    ///
    /// `hdr_len` is always filled: with zero the kernel (`tun_get_user`) allocates a super-frame
    /// as one linear buffer.
    #[must_use]
    pub fn to_header(self, headers_len: usize) -> VnetHeader {
        let mut header = VnetHeader::default();
        if let Some(PartialChecksum { start, offset }) = self.checksum {
            header.flags = F_NEEDS_CSUM;
            header.csum_start = start;
            header.csum_offset = offset;
        } else if self.verified {
            header.flags = F_DATA_VALID;
        }
        if let Some(gso) = self.gso {
            header.gso_type = match gso.kind {
                GsoKind::Tcp4 => GSO_TCPV4,
                GsoKind::Tcp6 => GSO_TCPV6,
                GsoKind::Udp => GSO_UDP_L4,
            } | if gso.ecn { GSO_ECN } else { 0 };
            header.gso_size = gso.size;
            header.hdr_len = u16::try_from(headers_len).unwrap_or(u16::MAX);
        }
        header
    }
}

/// Which super-frames and unfinished checksums a port can take as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Completes checksums.
    pub checksum: bool,
    /// Takes [`GsoKind::Tcp4`].
    pub tso4: bool,
    /// Takes [`GsoKind::Tcp6`].
    pub tso6: bool,
    /// Takes [`GsoKind::Udp`].
    pub uso: bool,
}

impl Capabilities {
    /// Everything: a TAP of Linux 6.2 or later.
    pub const ALL: Self = Self {
        checksum: true,
        tso4: true,
        tso6: true,
        uso: true,
    };
    /// Whole frames only.
    pub const NONE: Self = Self {
        checksum: false,
        tso4: false,
        tso6: false,
        uso: false,
    };

    /// Whether a frame with `offload` can go out untouched.
    #[must_use]
    pub const fn take(self, offload: Offload) -> bool {
        let segments = match offload.gso {
            None => true,
            Some(Gso {
                kind: GsoKind::Tcp4,
                ..
            }) => self.tso4,
            Some(Gso {
                kind: GsoKind::Tcp6,
                ..
            }) => self.tso6,
            Some(Gso {
                kind: GsoKind::Udp, ..
            }) => self.uso,
        };
        segments && (self.checksum || offload.checksum.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_round_trip() {
        let header = VnetHeader {
            flags: 1,
            gso_type: 0x81,
            hdr_len: 66,
            gso_size: 1448,
            csum_start: 34,
            csum_offset: 16,
        };
        assert_eq!(VnetHeader::read(&header.to_bytes()), header);
        let offload = Offload::claimed(header).unwrap();
        assert_eq!(offload.to_header(66), header);
    }

    #[test]
    fn what_was_never_negotiated_is_refused() {
        let ufo = VnetHeader {
            gso_type: 3,
            ..VnetHeader::default()
        };
        let rsc = VnetHeader {
            flags: 4,
            ..VnetHeader::default()
        };
        let tunnel = VnetHeader {
            gso_type: 0x20 | 1,
            ..VnetHeader::default()
        };
        for header in [ufo, rsc, tunnel] {
            assert_eq!(Offload::claimed(header), None);
        }
    }

    #[test]
    fn capabilities_refuse_what_they_lack() {
        let tso = Offload {
            checksum: Some(PartialChecksum {
                start: 34,
                offset: 16,
            }),
            verified: false,
            gso: Some(Gso {
                kind: GsoKind::Tcp4,
                size: 1448,
                ecn: false,
            }),
        };
        assert!(Capabilities::ALL.take(tso));
        assert!(
            !Capabilities {
                tso4: false,
                ..Capabilities::ALL
            }
            .take(tso)
        );
        assert!(
            !Capabilities {
                checksum: false,
                ..Capabilities::ALL
            }
            .take(tso)
        );
        assert!(Capabilities::NONE.take(Offload::NONE));
    }
}
