//! A frame, parsed once: a [`Frame`] that exists is well-formed Ethernet, its offload metadata
//! agrees with its octets, and where its headers are is known.

use crate::checksum;
use crate::ethernet::{EtherType, HEADER_LEN, TAG_LEN, VlanTag};
use crate::flow::FlowKey;
use crate::ip::{Fragment, IpHeader, Transport, Version};
use crate::mac::MacAddr;
use crate::vnet::{Gso, GsoKind, Offload, PartialChecksum, VnetHeader};
use crate::word;

/// The longest frame a TAP hands out: an IPv4 packet of 65535 octets behind two tags.
pub const MAX_FRAME_LEN: usize = 65535 + HEADER_LEN + 2 * TAG_LEN;

/// Linux's `TCP_MIN_SND_MSS` (48) less the 40 octets that options may take: no honest sender
/// segments finer, and a finer one would multiply frames.
pub(crate) const MIN_TCP_SEGMENT: u16 = 8;

/// Linux's `UDP_MAX_SEGMENTS` since 6.9; older kernels refuse more than 64.
const MAX_UDP_SEGMENTS: usize = 128;

/// What is inside the Ethernet frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// An IP packet whose lengths agree with the frame.
    Ip(IpHeader),
    /// ARP for IPv4 over Ethernet, whole (28 octets), starting here. Other ARP is
    /// [`Network::Opaque`].
    Arp {
        /// Octets from the start of the frame.
        start: u16,
    },
    /// The EtherType says IPv4, IPv6 or ARP, and the octets do not.
    Malformed,
    /// Anything else: carried, not looked into.
    Opaque,
}

/// Why octets are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FrameError {
    /// Shorter than an Ethernet header with the tags it announces.
    #[error("shorter than its Ethernet header")]
    Runt,
    /// Longer than any port can hand out.
    #[error("longer than 65535 octets of packet")]
    Giant,
    /// The virtio header has a flag or a type that was never negotiated.
    #[error("virtio header with an unknown flag or type")]
    UnknownOffload,
    /// The checksum to complete lies outside of what a transport header may be in.
    #[error("virtio header's checksum lies outside the packet's payload")]
    BadChecksumRange,
    /// The super-frame is not what the virtio header says.
    #[error("virtio header contradicts the super-frame")]
    BadGso,
}

/// One Ethernet frame in a worker's buffer, without preamble and FCS.
#[derive(Debug)]
pub struct Frame<'a> {
    bytes: &'a mut [u8],
    layout: Layout,
    offload: Offload,
}

/// Where the headers are; plain data that outlives the borrow of the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Octets of the Ethernet header with all its tags.
    pub link_len: u8,
    /// The outermost tag.
    pub tag: Option<VlanTag>,
    /// The type behind all tags.
    pub ethertype: EtherType,
    /// What the frame carries.
    pub network: Network,
}

impl Network {
    fn parse_arp(bytes: &[u8], start: usize) -> Self {
        let packet = bytes.get(start..).unwrap_or_default();
        // Hardware and protocol type, and how long an address of each is (RFC 826).
        let Some(&[h0, h1, p0, p1, hardware_len, protocol_len]) = packet.first_chunk() else {
            return Self::Malformed;
        };
        if packet.len() < 8 + 2 * usize::from(hardware_len) + 2 * usize::from(protocol_len) {
            return Self::Malformed;
        }
        match ([h0, h1], [p0, p1], hardware_len, protocol_len) {
            // Hardware type 6 is IEEE 802: Linux (`arp_process`) takes it for Ethernet, so whoever
            // looks for forged addresses has to see it.
            ([0, 1 | 6], [0x08, 0x00], 6, 4) => Self::Arp {
                start: start as u16,
            },
            _ => Self::Opaque,
        }
    }
}

impl Layout {
    #[inline]
    fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(FrameError::Runt)?;
        let mut ethertype = EtherType(u16::from_be_bytes([header[12], header[13]]));
        let mut link_len = HEADER_LEN;
        let mut tag = None;
        // Two tags at most, as in 802.1ad; what is deeper is carried as opaque payload.
        while ethertype.is_tag() && link_len < HEADER_LEN + 2 * TAG_LEN {
            let [a, b, c, d]: [u8; TAG_LEN] = *bytes
                .get(link_len..)
                .and_then(<[u8]>::first_chunk)
                .ok_or(FrameError::Runt)?;
            tag = tag.or(Some(VlanTag(u16::from_be_bytes([a, b]))));
            ethertype = EtherType(u16::from_be_bytes([c, d]));
            link_len += TAG_LEN;
        }
        let network = match ethertype {
            EtherType::IPV4 => IpHeader::parse_v4(bytes, link_len),
            EtherType::IPV6 => IpHeader::parse_v6(bytes, link_len),
            EtherType::ARP => Network::parse_arp(bytes, link_len),
            _ => Network::Opaque,
        };
        Ok(Self {
            link_len: link_len as u8,
            tag,
            ethertype,
            network,
        })
    }

    const fn packet_end(&self, frame_len: usize) -> usize {
        match self.network {
            Network::Ip(ip) => ip.end as usize,
            Network::Arp { .. } | Network::Malformed | Network::Opaque => frame_len,
        }
    }
}

impl<'a> Frame<'a> {
    /// Parses `bytes`, and holds what `header` claims against them.
    ///
    /// # Errors
    /// [`FrameError`] if the octets are no Ethernet frame or the claims do not fit. A packet that
    /// is malformed from the network layer up is still a frame: see [`Network::Malformed`].
    #[inline]
    pub fn parse(bytes: &'a mut [u8], header: VnetHeader) -> Result<Self, FrameError> {
        if bytes.len() > MAX_FRAME_LEN {
            return Err(FrameError::Giant);
        }
        let layout = Layout::parse(bytes)?;
        let offload = Offload::claimed(header).ok_or(FrameError::UnknownOffload)?;
        check_checksum(bytes, &layout, offload)?;
        if let Some(gso) = offload.gso {
            check_gso(bytes, &layout, offload, gso)?;
        }
        Ok(Self {
            bytes,
            layout,
            offload,
        })
    }

    /// Parses a complete frame that comes without a virtio header.
    ///
    /// # Errors
    /// As [`Frame::parse`].
    pub fn parse_plain(bytes: &'a mut [u8]) -> Result<Self, FrameError> {
        Self::parse(bytes, VnetHeader::default())
    }

    /// The octets, Ethernet header first.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The octets, to change in place; lengths and header positions must stay what they are.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes
    }

    /// Octets of the frame.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Where the headers are.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the frame carries.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.layout.network
    }

    /// The work left to the device.
    #[must_use]
    pub const fn offload(&self) -> Offload {
        self.offload
    }

    /// The destination MAC address.
    #[must_use]
    pub fn destination(&self) -> MacAddr {
        MacAddr(*self.bytes.first_chunk().unwrap_or(&[0; 6]))
    }

    /// The source MAC address.
    #[must_use]
    pub fn source(&self) -> MacAddr {
        MacAddr(
            *self
                .bytes
                .get(6..)
                .and_then(<[u8]>::first_chunk)
                .unwrap_or(&[0; 6]),
        )
    }

    /// Octets of all headers, link to transport; the payload starts here.
    #[must_use]
    pub const fn headers_len(&self) -> usize {
        match self.layout.network {
            Network::Ip(ip) => ip.payload as usize + ip.transport_len(),
            Network::Arp { .. } | Network::Malformed | Network::Opaque => {
                self.layout.link_len as usize
            }
        }
    }

    /// Octets of the longest packet this frame puts on a wire, the Ethernet header excluded: of
    /// one segment when it is a super-frame. What an MTU is compared with.
    #[must_use]
    pub const fn packet_len(&self) -> usize {
        let link_len = self.layout.link_len as usize;
        match self.offload.gso {
            Some(gso) => {
                let whole = self.bytes.len() - link_len;
                let segment = self.headers_len() - link_len + gso.size as usize;
                if segment < whole { segment } else { whole }
            }
            None => self.bytes.len() - link_len,
        }
    }

    /// How many frames this one stands for: 1, or a super-frame's segments.
    #[must_use]
    pub const fn segments(&self) -> usize {
        match self.offload.gso {
            Some(gso) => {
                let payload = self.bytes.len() - self.headers_len();
                let segments = payload.div_ceil(gso.size as usize);
                if segments == 0 { 1 } else { segments }
            }
            None => 1,
        }
    }

    /// One past the packet's last octet; Ethernet padding is behind it.
    #[must_use]
    pub const fn packet_end(&self) -> usize {
        self.layout.packet_end(self.bytes.len())
    }

    /// Completes a partial checksum in place, for a port that does not. The checksum of a
    /// super-frame is completed segment by segment, see [`crate::Segments`].
    pub fn complete_checksum(&mut self) {
        complete(self.bytes, &self.layout, &mut self.offload);
    }

    /// Looks at the checksum of a TCP segment or UDP datagram that is whole, of which nothing was said. If
    /// it is right, the frame counts as verified. If it is that of the pseudo-header alone, it is still to
    /// be completed: so Linux' VXLAN device leaves it to a NIC, and where there is none between two
    /// namespaces (veth), nobody has done it. If neither, it stays as it is, for its receiver to judge.
    pub fn verify_checksum(&mut self) {
        if let Network::Ip(ip) = self.layout.network
            && self.offload == Offload::NONE
            && let Some(offload) = found_offload(self.bytes, &ip)
        {
            self.offload = offload;
        }
    }

    /// Takes a TCP packet that is longer than the `mtu` of the link it came by, and whose checksum is still
    /// to be completed, for the super-frame that it must be. Linux' VXLAN device leaves segmentation, too,
    /// to a NIC, and a socket is not told (`udp_unexpected_gso` of 6.18 lets tunnelled super-frames
    /// through). TCP may be cut anywhere; what else is too long stays so.
    pub fn restore_super_frame(&mut self, mtu: u16) {
        let Network::Ip(ip) = self.layout.network else {
            return;
        };
        let kind = match (ip.transport, ip.version) {
            (Transport::Tcp { .. }, Version::V4) => GsoKind::Tcp4,
            (Transport::Tcp { .. }, Version::V6) => GsoKind::Tcp6,
            _ => return,
        };
        if self.offload.gso.is_some() || self.packet_len() <= usize::from(mtu) {
            return;
        }
        let headers = self.headers_len() - usize::from(self.layout.link_len);
        let size = usize::from(mtu).saturating_sub(headers) as u16;
        let gso = Gso {
            kind,
            size,
            ecn: false,
        };
        if check_gso(self.bytes, &self.layout, self.offload, gso).is_ok() {
            self.offload.gso = Some(gso);
        }
    }

    /// The flow the frame belongs to, if it has a TCP, UDP or SCTP header.
    #[must_use]
    pub fn flow(&self) -> Option<FlowKey> {
        match self.layout.network {
            Network::Ip(ip) => FlowKey::of(self.bytes, &ip),
            Network::Arp { .. } | Network::Malformed | Network::Opaque => None,
        }
    }
}

#[inline]
fn check_checksum(bytes: &[u8], layout: &Layout, offload: Offload) -> Result<(), FrameError> {
    let Some(partial) = offload.checksum else {
        return Ok(());
    };
    let start = usize::from(partial.start);
    // Whoever completes it writes there, after all that was looked at: not into addresses.
    let first = match layout.network {
        Network::Ip(ip) => ip.payload,
        Network::Arp { .. } => return Err(FrameError::BadChecksumRange),
        Network::Malformed | Network::Opaque => layout.link_len.into(),
    };
    let is_message = match layout.network {
        // ND has link-layer addresses behind its header.
        Network::Ip(ip) if ip.transport == Transport::Icmp => {
            partial.start == ip.payload && partial.offset == 2
        }
        _ => true,
    };
    let inside = start >= usize::from(first)
        && start + usize::from(partial.offset) + 2 <= layout.packet_end(bytes.len());
    if inside && is_message {
        Ok(())
    } else {
        Err(FrameError::BadChecksumRange)
    }
}

fn check_gso(bytes: &[u8], layout: &Layout, offload: Offload, gso: Gso) -> Result<(), FrameError> {
    use crate::ip::Version::{V4, V6};
    let Network::Ip(ip) = layout.network else {
        return Err(FrameError::BadGso);
    };
    let transport = usize::from(ip.payload);
    match (gso.kind, ip.version, ip.transport) {
        (GsoKind::Tcp4, V4, Transport::Tcp { .. }) | (GsoKind::Tcp6, V6, Transport::Tcp { .. }) => {
        }
        (GsoKind::Udp, V4 | V6, Transport::Udp)
            if usize::from(word::read(bytes, transport + 4)) == bytes.len() - transport => {}
        _ => return Err(FrameError::BadGso),
    }
    // Linux completes the checksum of every segment itself, so it always asks for it.
    let summed = offload
        .checksum
        .is_some_and(|c| c.start == ip.payload && Some(c.offset) == ip.transport.checksum_offset());
    let payload = bytes.len().checked_sub(transport + ip.transport_len());
    let sized = match (gso.kind, payload) {
        (_, None) => false,
        (GsoKind::Tcp4 | GsoKind::Tcp6, Some(_)) => gso.size >= MIN_TCP_SEGMENT,
        (GsoKind::Udp, Some(payload)) => {
            gso.size > 0 && payload.div_ceil(usize::from(gso.size)) <= MAX_UDP_SEGMENTS
        }
    };
    let whole = ip.fragment == Fragment::No && ip.end as usize == bytes.len();
    // The kernel drops a GSO write with a wrong IPv4 header checksum without a word.
    if summed && sized && whole && ip.checksum_ok(bytes) {
        Ok(())
    } else {
        Err(FrameError::BadGso)
    }
}

fn found_offload(bytes: &[u8], ip: &IpHeader) -> Option<Offload> {
    let octets = bytes.get(usize::from(ip.payload)..ip.end as usize)?;
    let is_summed = match ip.transport {
        Transport::Tcp { .. } => true,
        // RFC 768: zero is no checksum at all. One that covers less than the packet is left alone.
        Transport::Udp => {
            word::read(octets, 6) != 0 && usize::from(word::read(octets, 4)) == octets.len()
        }
        Transport::Icmp | Transport::Sctp | Transport::Other | Transport::Malformed => false,
    };
    if !is_summed || ip.fragment != Fragment::No {
        return None;
    }
    let offset = ip.transport.checksum_offset()?;
    let len = octets.len() as u32;
    let pseudo = checksum::pseudo_header(ip.addresses(bytes), ip.protocol, len);
    if checksum::add(pseudo, checksum::sum(octets)) == 0xffff {
        return Some(Offload {
            verified: true,
            ..Offload::NONE
        });
    }
    // A checksum that is wrong by chance in just this way is one of 65536.
    (word::read(octets, usize::from(offset)) == pseudo).then_some(Offload {
        checksum: Some(PartialChecksum {
            start: ip.payload,
            offset,
        }),
        ..Offload::NONE
    })
}

/// Completes a partial checksum in place, for a port that does not.
///
/// `bytes` and `offload` must be of one parsed frame; [`Frame::complete_checksum`] where there
/// still is one.
pub fn complete_checksum(bytes: &mut [u8], offload: &mut Offload) {
    if let Ok(layout) = Layout::parse(bytes) {
        complete(bytes, &layout, offload);
    }
}

fn complete(bytes: &mut [u8], layout: &Layout, offload: &mut Offload) {
    let Some(partial) = offload.checksum.take() else {
        return;
    };
    let end = layout.packet_end(bytes.len());
    if let Some(range) = bytes.get_mut(usize::from(partial.start)..end) {
        checksum::complete(range, usize::from(partial.offset));
    }
}
