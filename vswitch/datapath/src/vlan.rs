//! VLANs on a bridge: tags pass transparently, or a port is an access port of one VLAN.

use vswitch_packet::ethernet::{EtherType, TAG_LEN};
use vswitch_packet::{Frame, VlanId, VlanTag};

use crate::lan::WireTag;
use crate::port::Port;
use crate::verdict::DropReason;

/// The VLAN a frame travels in: 0 for none, else its id. Part of the FDB's key, so that one
/// address may be behind different ports in different VLANs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Vlan(u16);

impl Vlan {
    /// Of untagged frames on ports that are no access ports.
    pub const NONE: Self = Self(0);

    /// 0, or 1 to 4094.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The inverse of [`Vlan::get`] for a number that came from it.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits & 0x0fff)
    }

    /// The VLAN of a frame that came in at `port`.
    ///
    /// # Errors
    /// [`DropReason::VlanNotAllowed`] for a tag on an access port, except a priority tag, and for
    /// the reserved VLAN 4095 (IEEE 802.1Q table 9-2).
    #[inline]
    pub const fn of_ingress(port: &Port, frame: &Frame<'_>) -> Result<Self, DropReason> {
        let tag = match frame.layout().tag {
            None => 0,
            Some(VlanTag(control)) => control & 0x0fff,
        };
        match (port.vlan, tag) {
            (_, 4095) => Err(DropReason::VlanNotAllowed),
            (None, tag) => Ok(Self(tag)),
            (Some(access), 0) => Ok(Self(access.get())),
            (Some(_), _) => Err(DropReason::VlanNotAllowed),
        }
    }

    /// Whether frames of this VLAN may leave by `port`.
    #[inline]
    #[must_use]
    pub const fn leaves_by(self, port: &Port) -> bool {
        match port.vlan {
            None => true,
            Some(access) => access.get() == self.0,
        }
    }
}

impl From<Option<VlanId>> for Vlan {
    fn from(id: Option<VlanId>) -> Self {
        Self(id.map_or(0, VlanId::get))
    }
}

/// What must happen to the outermost tag before a frame leaves by a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagAction {
    /// Nothing.
    Keep,
    /// Take it away.
    Pop,
    /// Put this one in.
    Push(WireTag),
    /// Put this one in the place of the one that is there.
    Replace(WireTag),
}

impl TagAction {
    /// How a frame of `vlan` that carries `tag` leaves by `port`.
    #[inline]
    #[must_use]
    pub const fn at_egress(port: &Port, vlan: Vlan, tag: Option<WireTag>) -> Self {
        match (port.vlan, tag, vlan.0) {
            (Some(_), Some(_), _) => Self::Pop,
            (Some(_), None, _) | (None, _, 0) => Self::Keep,
            (None, None, id) => Self::Push(WireTag {
                ethertype: EtherType::VLAN,
                tag: VlanTag(id),
            }),
            // A priority tag from an access port gets the VLAN's id and keeps its priority.
            (None, Some(tag), id) => {
                if tag.vid() == id {
                    Self::Keep
                } else {
                    Self::Replace(tag.with_vid(id))
                }
            }
        }
    }
}

impl TagAction {
    /// Octets of the tag that is taken away.
    const fn removed(self) -> usize {
        match self {
            Self::Keep | Self::Push(_) => 0,
            Self::Pop | Self::Replace(_) => TAG_LEN,
        }
    }

    /// Octets of a header of `len` octets afterwards.
    pub(crate) const fn applied_to(self, len: usize) -> usize {
        let inserted = match self {
            Self::Keep | Self::Pop => 0,
            Self::Push(_) | Self::Replace(_) => TAG_LEN,
        };
        len + inserted - self.removed()
    }
}

/// The octets of a frame that leaves with another tag, piece by piece: they are not moved.
pub(crate) struct Retagged<'f> {
    pub(crate) macs: &'f [u8],
    tag: [u8; TAG_LEN],
    tag_len: usize,
    pub(crate) rest: &'f [u8],
}

impl<'f> Retagged<'f> {
    const MACS: usize = 12;

    pub(crate) fn new(frame: &'f [u8], action: TagAction) -> Self {
        let inserted = match action {
            TagAction::Keep | TagAction::Pop => None,
            TagAction::Push(tag) | TagAction::Replace(tag) => Some(tag),
        };
        let [a, b, c, d] = inserted.map_or([0; TAG_LEN], WireTag::to_bytes);
        let (macs, rest) = frame.split_at_checked(Self::MACS).unwrap_or((frame, &[]));
        Self {
            macs,
            tag: [a, b, c, d],
            tag_len: if inserted.is_some() { TAG_LEN } else { 0 },
            rest: rest.get(action.removed()..).unwrap_or_default(),
        }
    }

    /// The new tag; empty if there is none.
    pub(crate) fn tag(&self) -> &[u8] {
        &self.tag[..self.tag_len]
    }

    /// Octets of the frame.
    pub(crate) const fn len(&self) -> usize {
        self.macs.len() + self.tag_len + self.rest.len()
    }
}
