//! VLAN tags where a LAN meets its stations and its wire. The kernel takes the outermost tag off what comes
//! by the wire, and hands it over beside the frame.

use vswitch_packet::ethernet::{EtherType, HEADER_LEN, TAG_LEN};
use vswitch_packet::{Frame, VlanTag};

use super::{Lan, Wire};
use crate::verdict::DropReason;
use crate::vlan::TagAction;

/// The VLAN id's place in a tag.
const VID: u16 = 0x0fff;
/// The id that names no VLAN (IEEE 802.1Q table 9-2).
pub(super) const RESERVED: u16 = 0x0fff;

/// A tag with its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireTag {
    /// 802.1Q or 802.1ad.
    pub ethertype: EtherType,
    /// Priority, DEI and VLAN id.
    pub tag: VlanTag,
}

impl WireTag {
    /// The outermost tag in `frame`.
    #[inline]
    #[must_use]
    pub fn outermost(frame: &Frame<'_>) -> Option<Self> {
        let tag = frame.layout().tag?;
        let ethertype = frame.bytes().get(12..).and_then(<[u8]>::first_chunk);
        Some(Self {
            ethertype: EtherType(u16::from_be_bytes(*ethertype?)),
            tag,
        })
    }

    /// The VLAN id: 0 of a priority tag.
    pub(crate) const fn vid(self) -> u16 {
        self.tag.0 & VID
    }

    /// With another VLAN id and the same priority.
    pub(crate) const fn with_vid(self, vid: u16) -> Self {
        Self {
            tag: VlanTag((self.tag.0 & !VID) | vid),
            ..self
        }
    }

    /// As it is in a frame.
    pub(crate) const fn to_bytes(self) -> [u8; TAG_LEN] {
        let [a, b] = self.ethertype.0.to_be_bytes();
        let [c, d] = self.tag.0.to_be_bytes();
        [a, b, c, d]
    }
}

/// What a station has put in front of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Untagged,
    Priority(WireTag),
    /// Tags that are its own affair.
    Inside,
}

impl Lan {
    /// How a station's frame goes on to other stations.
    ///
    /// # Errors
    /// [`DropReason::VlanNotAllowed`] for tags that are not the station's to set.
    pub(super) fn tag_to_stations(&self, frame: &Frame<'_>) -> Result<TagAction, DropReason> {
        Ok(match self.sent(frame)? {
            Sent::Untagged | Sent::Inside => TagAction::Keep,
            Sent::Priority(_) => TagAction::Pop,
        })
    }

    /// How a station's frame goes on to the wire. A priority tag gives its priority to the LAN's.
    ///
    /// # Errors
    /// As [`Lan::tag_to_stations`].
    pub(super) fn tag_to_wire(&self, frame: &Frame<'_>) -> Result<TagAction, DropReason> {
        let sent = self.sent(frame)?;
        let Some(tag) = self.own_tag() else {
            return Ok(TagAction::Keep);
        };
        Ok(match sent {
            Sent::Untagged | Sent::Inside => TagAction::Push(tag),
            Sent::Priority(priority) => TagAction::Replace(WireTag {
                ethertype: tag.ethertype,
                ..priority.with_vid(tag.vid())
            }),
        })
    }

    /// How a frame that came by the wire, with a tag `beside` it or none, goes on to stations.
    ///
    /// # Errors
    /// [`DropReason::VlanNotAllowed`] if there are tags inside that no station of this LAN may send.
    pub(super) fn tag_from_wire(
        &self,
        beside: Option<WireTag>,
        frame: &Frame<'_>,
    ) -> Result<TagAction, DropReason> {
        if self.transparent {
            return Ok(beside.map_or(TagAction::Keep, TagAction::Push));
        }
        let is_in_band = beside.is_none() && tags(frame) > 0;
        if tags(frame) > usize::from(is_in_band) && !self.is_service() {
            return Err(DropReason::VlanNotAllowed);
        }
        Ok(match is_in_band {
            true => TagAction::Pop,
            false => TagAction::Keep,
        })
    }

    /// The tag of what it has on the wire.
    pub(super) fn own_tag(&self) -> Option<WireTag> {
        match self.wire {
            Wire::Parent { tag, .. } => tag.map(|(ethertype, vlan)| WireTag {
                ethertype,
                tag: VlanTag(vlan.get()),
            }),
            Wire::Internal(_) => None,
        }
    }

    /// Whether tags of customers are inside its own (IEEE 802.1ad).
    fn is_service(&self) -> bool {
        self.own_tag()
            .is_some_and(|tag| tag.ethertype == EtherType::SERVICE_VLAN)
    }

    fn sent(&self, frame: &Frame<'_>) -> Result<Sent, DropReason> {
        let Some(tag) = WireTag::outermost(frame) else {
            return Ok(Sent::Untagged);
        };
        match tag.vid() {
            _ if self.transparent => Ok(Sent::Inside),
            RESERVED => Err(DropReason::VlanNotAllowed),
            // A tag behind it would be the outermost when a switch has taken this one off.
            0 if tags(frame) == 1 => Ok(Sent::Priority(tag)),
            _ if self.is_service() && tag.ethertype == EtherType::VLAN => Ok(Sent::Inside),
            _ => Err(DropReason::VlanNotAllowed),
        }
    }
}

/// Octets of a packet as a packet socket counts them (`packet_snd` and `packet_extra_vlan_len_allowed`
/// of Linux 6.18): tags are a part of it, but one of 802.1Q if that is the outermost.
pub(super) fn packet_len_on_wire(frame: &Frame<'_>, action: TagAction) -> usize {
    let outermost = match action {
        TagAction::Push(tag) | TagAction::Replace(tag) => Some(tag),
        TagAction::Keep | TagAction::Pop => WireTag::outermost(frame),
    };
    let link_len = action.applied_to(usize::from(frame.layout().link_len));
    let free = match outermost {
        Some(tag) if tag.ethertype == EtherType::VLAN => HEADER_LEN + TAG_LEN,
        _ => HEADER_LEN,
    };
    frame.packet_len() + link_len.saturating_sub(free)
}

/// Tags in `frame`, as far as it was looked into.
fn tags(frame: &Frame<'_>) -> usize {
    (usize::from(frame.layout().link_len) - HEADER_LEN) / TAG_LEN
}
