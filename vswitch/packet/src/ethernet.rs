//! Ethernet II and 802.1Q (IEEE 802.3 §3, 802.1Q §9).

use core::fmt;

/// Octets of an untagged header.
pub const HEADER_LEN: usize = 14;
/// Octets of one 802.1Q tag.
pub const TAG_LEN: usize = 4;

/// The type field behind all tags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4, RFC 894.
    pub const IPV4: Self = Self(0x0800);
    /// ARP, RFC 826.
    pub const ARP: Self = Self(0x0806);
    /// A customer tag, 802.1Q.
    pub const VLAN: Self = Self(0x8100);
    /// A service tag, 802.1ad.
    pub const SERVICE_VLAN: Self = Self(0x88a8);
    /// IPv6, RFC 2464.
    pub const IPV6: Self = Self(0x86dd);

    /// Whether a tag follows.
    #[must_use]
    pub const fn is_tag(self) -> bool {
        matches!(self, Self::VLAN | Self::SERVICE_VLAN)
    }
}

impl fmt::Debug for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// A VLAN identifier that names a VLAN: 1 to 4094.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VlanId(u16);

impl VlanId {
    /// `None` for 0 (priority tag) and 4095 (reserved) and above.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        if id == 0 || id >= 4095 {
            None
        } else {
            Some(Self(id))
        }
    }

    /// 1 to 4094.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The outermost tag of a frame: priority (3 bits), DEI (1 bit), VLAN id (12 bits).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VlanTag(pub u16);

impl VlanTag {
    /// The VLAN the tag names; `None` for a priority tag and the reserved id.
    #[must_use]
    pub const fn id(self) -> Option<VlanId> {
        VlanId::new(self.0 & 0x0fff)
    }
}
