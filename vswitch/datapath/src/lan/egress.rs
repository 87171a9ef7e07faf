//! How frames leave a LAN's bridge: to stations, and to the wire.

use vswitch_packet::Frame;

use super::station::Member;
use super::{Face, Lan, Mode, Wire, tag, translate};
use crate::pipeline::{Egress, Pipeline};
use crate::port::{Port, PortId, Role};
use crate::topology::Topology;
use crate::verdict::DropReason;
use crate::vlan::TagAction;

/// Where a frame on a LAN goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// To the station at this port.
    Station(PortId, TagAction),
    /// Out by the wire, as the station at the ingress port is seen there.
    Wire(Exit),
    /// To many.
    Spread(Spread),
}

/// The way out by the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    parent: PortId,
    tag: TagAction,
}

/// A frame for a group or for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    pub(super) lan: Lan,
    pub(super) origin: Origin,
    /// On its way to stations.
    pub(super) tag: TagAction,
}

/// Where a frame for many is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The station at the ingress port.
    Station,
    /// Somebody behind the wire.
    Foreign,
    /// A station of ours, in this mode, whose frame the wire brings back.
    Reflected(PortId, Mode),
}

impl Exit {
    /// That of a station's `frame`; `None` if there is no wire.
    ///
    /// # Errors
    /// As [`Lan::tag_to_wire`].
    pub(super) fn of(lan: &Lan, frame: &Frame<'_>) -> Result<Option<Self>, DropReason> {
        let Wire::Parent { port, .. } = lan.wire else {
            return Ok(None);
        };
        let tag = lan.tag_to_wire(frame)?;
        Ok(Some(Self { parent: port, tag }))
    }

    /// That of what the switch says for a station, untagged.
    pub(crate) fn of_own(lan: &Lan) -> Option<Self> {
        let Wire::Parent { port, .. } = lan.wire else {
            return None;
        };
        let tag = lan.own_tag().map_or(TagAction::Keep, TagAction::Push);
        Some(Self { parent: port, tag })
    }

    /// The parent's port.
    pub(crate) const fn parent(&self) -> PortId {
        self.parent
    }

    /// What happens to the tag.
    pub(crate) const fn tag(&self) -> TagAction {
        self.tag
    }

    /// Makes `frame`, which came in at `from`, one that leaves by `parent`, and tells how.
    ///
    /// # Errors
    /// The reason why it cannot.
    #[inline]
    pub(crate) fn leave(
        &self,
        from: &Port,
        parent: &Port,
        frame: &mut Frame<'_>,
    ) -> Result<Egress, DropReason> {
        if let Some(from) = Member::of(from)
            && from.station.face != Face::Own
        {
            translate::outward(frame, from.port.mac, parent.mac)?;
        }
        if tag::packet_len_on_wire(frame, self.tag) > usize::from(parent.mtu) {
            return Err(DropReason::TooBig);
        }
        Ok(Egress {
            tag: self.tag,
            in_software: !parent.capabilities.take(frame.offload()),
            fragments: None,
        })
    }
}

impl Spread {
    /// What the switch says for a station of `lan`, untagged.
    pub(crate) const fn of_own(lan: Lan) -> Self {
        Self {
            lan,
            origin: Origin::Station,
            tag: TagAction::Keep,
        }
    }

    /// What happens to the tag on the way to stations.
    pub(crate) const fn tag(&self) -> TagAction {
        self.tag
    }

    /// The stations that hear it, if it came in at `ingress`.
    pub(crate) fn audience<'t>(
        self,
        topology: &'t Topology,
        ingress: &'t Port,
    ) -> impl Iterator<Item = &'t Port> {
        let segment = topology.lans().get(self.lan.wire);
        let members = segment.into_iter().flat_map(|s| s.members(topology));
        members
            .filter(move |listener| self.reaches(ingress, listener))
            .map(|listener| listener.port)
    }

    /// The way out by the wire, if it goes there and came in at `ingress`.
    pub(crate) fn exit(&self, ingress: &Port, frame: &Frame<'_>) -> Option<Exit> {
        let leaves = self.origin == Origin::Station && ingress.role != Role::Host;
        let exit = leaves.then(|| Exit::of(&self.lan, frame).ok());
        exit.flatten().flatten()
    }

    fn reaches(&self, ingress: &Port, listener: &Member<'_>) -> bool {
        let is_host = listener.port.role == Role::Host;
        let by = listener.station.mode;
        match (self.origin, &ingress.station) {
            (Origin::Foreign, _) => !is_host,
            (Origin::Reflected(sender, mode), _) => {
                !is_host && listener.port.id != sender && mode.is_heard_back_by(by)
            }
            (Origin::Station, _) if listener.port.id == ingress.id => false,
            (Origin::Station, _) if is_host || ingress.role == Role::Host => {
                listener.port.bridge == ingress.bridge
            }
            (Origin::Station, Some(station)) => station.mode.is_heard_by(by),
            (Origin::Station, None) => false,
        }
    }
}

impl Pipeline<'_> {
    /// How `frame` leaves to the station at `to`.
    ///
    /// # Errors
    /// The reason why it cannot. Not counted here: the caller counts it at `to`.
    #[inline]
    pub(crate) fn egress_to_station(
        &self,
        to: &Port,
        tag: TagAction,
        frame: &Frame<'_>,
    ) -> Result<Egress, DropReason> {
        let is_managed = to.station.as_ref().is_some_and(|s| s.managed_dhcp);
        if is_managed && translate::is_dhcp_answer(frame) {
            return Err(DropReason::ManagedDhcp);
        }
        self.egress_with(to, tag, frame)
    }
}
