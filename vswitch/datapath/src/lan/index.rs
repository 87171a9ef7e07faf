//! Which LANs there are, and who is on each.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use vswitch_packet::{Frame, MacAddr};

use super::station::Member;
use super::{Face, Lan, Mode, Wire, translate};
use crate::identity::link_local;
use crate::port::{PortId, Role};
use crate::topology::Topology;

/// All LANs, by what they are known by.
#[derive(Debug, Default)]
pub struct Lans {
    segments: HashMap<Wire, Segment, RandomState>,
}

/// Who is on one LAN.
#[derive(Debug)]
pub(crate) struct Segment {
    lan: Lan,
    /// In the order of their ports.
    members: Vec<PortId>,
    by_mac: HashMap<MacAddr, PortId, RandomState>,
    /// The stations that the wire sees by the parent's address.
    by_address: HashMap<IpAddr, PortId, RandomState>,
    /// The MAC addresses by which one of several stations may be meant: the parent's, as a rule.
    shared: Vec<MacAddr>,
    passthru: Option<PortId>,
}

impl Lans {
    pub(crate) fn new(topology: &Topology) -> Self {
        let mut segments = HashMap::<_, _, RandomState>::default();
        for lan in topology.bridges().filter_map(|bridge| bridge.lan) {
            let segment = segments
                .entry(lan.wire)
                .or_insert_with(|| Segment::new(lan));
            segment.lan.transparent |= lan.transparent;
        }
        for member in topology.ports().filter_map(Member::of) {
            let bridge = member.port.bridge.and_then(|id| topology.bridge(id));
            let lan = bridge.and_then(|bridge| bridge.lan);
            if let Some(segment) = lan.and_then(|lan| segments.get_mut(&lan.wire)) {
                segment.add(topology, &member);
            }
        }
        Self { segments }
    }

    #[inline]
    pub(super) fn get(&self, wire: Wire) -> Option<&Segment> {
        self.segments.get(&wire)
    }
}

impl Segment {
    fn new(lan: Lan) -> Self {
        Self {
            lan,
            members: Vec::new(),
            by_mac: HashMap::default(),
            by_address: HashMap::default(),
            shared: Vec::new(),
            passthru: None,
        }
    }

    /// Of two with the same address, the first is the one that is found.
    fn add(&mut self, topology: &Topology, member: &Member<'_>) {
        let Member { port, station } = *member;
        self.members.push(port.id);
        if station.mode == Mode::Passthru {
            self.passthru = self.passthru.or(Some(port.id));
        }
        if let Some(mac) = member.own_mac() {
            self.by_mac.entry(mac).or_insert(port.id);
        }
        let outside = match self.lan.wire {
            Wire::Parent { port, .. } => topology.port(port).map(|parent| parent.mac),
            Wire::Internal(_) => None,
        };
        let (shared, link_local) = match station.face {
            Face::Own => return,
            Face::Shared => ([outside, Some(port.mac)], None),
            Face::Translated => ([outside, None], Some(link_local(port.mac).into())),
        };
        for mac in shared.into_iter().flatten() {
            if !self.shared.contains(&mac) {
                self.shared.push(mac);
            }
        }
        for address in station.addresses.iter().copied().chain(link_local) {
            self.by_address.entry(address).or_insert(port.id);
        }
    }

    pub(super) const fn lan(&self) -> Lan {
        self.lan
    }

    pub(super) fn members<'t>(
        &'t self,
        topology: &'t Topology,
    ) -> impl Iterator<Item = Member<'t>> {
        self.members
            .iter()
            .filter_map(|&id| Member::of(topology.port(id)?))
    }

    /// The station that gets everything.
    #[inline]
    pub(super) fn passthru<'t>(&self, topology: &'t Topology) -> Option<Member<'t>> {
        Member::of(topology.port(self.passthru?)?)
    }

    /// The station that a frame from a station is for.
    #[inline]
    pub(super) fn addressee<'t>(
        &self,
        topology: &'t Topology,
        frame: &Frame<'_>,
    ) -> Option<Member<'t>> {
        match self.by_mac.get(&frame.destination()) {
            Some(&port) => Member::of(topology.port(port)?),
            None => self.behind_shared(topology, frame),
        }
    }

    /// The station that a frame from the wire is for, which sees no other address than the wire does.
    #[inline]
    pub(super) fn addressee_from_wire<'t>(
        &self,
        topology: &'t Topology,
        frame: &Frame<'_>,
    ) -> Option<Member<'t>> {
        self.seen_by_wire(topology, frame.destination())
            .or_else(|| self.behind_shared(topology, frame))
    }

    /// Whether several stations may be behind `mac`, and the host.
    #[inline]
    pub(super) fn is_shared(&self, mac: MacAddr) -> bool {
        self.shared.contains(&mac)
    }

    /// The station with `address` behind a shared MAC address.
    #[inline]
    pub(super) fn at_address<'t>(
        &self,
        topology: &'t Topology,
        address: IpAddr,
    ) -> Option<Member<'t>> {
        Member::of(topology.port(*self.by_address.get(&address)?)?)
    }

    /// The station that the wire knows by `mac`.
    #[inline]
    pub(super) fn seen_by_wire<'t>(
        &self,
        topology: &'t Topology,
        mac: MacAddr,
    ) -> Option<Member<'t>> {
        let member = Member::of(topology.port(*self.by_mac.get(&mac)?)?)?;
        let is_seen = member.station.face == Face::Own && member.port.role != Role::Host;
        is_seen.then_some(member)
    }

    #[inline]
    fn behind_shared<'t>(&self, topology: &'t Topology, frame: &Frame<'_>) -> Option<Member<'t>> {
        if !self.is_shared(frame.destination()) {
            return None;
        }
        self.at_address(topology, translate::destination_address(frame)?)
    }
}
