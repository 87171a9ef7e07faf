//! The way of a frame through the switch, from the port it came in at to a [`Verdict`].

use vswitch_packet::{Frame, Moment, Network};

use crate::bridge::Bridge;
use crate::counters::Lane;
use crate::fdb::Learned;
use crate::gateway::{GatewayLink, Reply};
use crate::lan::{self, Lan, Onward, WireTag};
use crate::path_mtu;
use crate::port::{Port, Role};
use crate::router;
use crate::suppress;
use crate::topology::Topology;
use crate::verdict::{DropReason, Reach, Verdict};
use crate::vlan::{TagAction, Vlan};

/// One worker's way of looking at the topology, for one burst of frames.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline<'t> {
    topology: &'t Topology,
    worker: usize,
    now: Moment,
}

/// A frame's outcome, and the VLAN it travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the frame.
    pub verdict: Verdict,
    /// Its VLAN.
    pub vlan: Vlan,
}

/// How a frame leaves by a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress {
    /// What happens to its tag.
    pub tag: TagAction,
    /// The port cannot take the frame as it is: segment it, or complete its checksum.
    pub in_software: bool,
    /// The packet, or each segment of it, leaves in fragments of so many octets if it is longer.
    pub fragments: Option<u16>,
}

impl Decision {
    fn refuse(lane: &Lane, reason: DropReason) -> Self {
        lane.dropped(reason);
        Self {
            verdict: Verdict::Drop(reason),
            vlan: Vlan::NONE,
        }
    }
}

impl Egress {
    /// Octet for octet.
    pub const AS_IT_IS: Self = Self {
        tag: TagAction::Keep,
        in_software: false,
        fragments: None,
    };
}

impl<'t> Pipeline<'t> {
    /// For frames that worker number `worker` read at about `now`.
    #[must_use]
    pub const fn new(topology: &'t Topology, worker: usize, now: Moment) -> Self {
        Self {
            topology,
            worker,
            now,
        }
    }

    /// The topology.
    #[must_use]
    pub const fn topology(&self) -> &'t Topology {
        self.topology
    }

    /// The number of the worker.
    #[must_use]
    pub const fn worker(&self) -> usize {
        self.worker
    }

    /// Decides on a frame that came in at `ingress`, and counts it there. Nothing has been sent
    /// when this returns; a frame for the gateway may have been turned into its answer.
    #[inline]
    pub fn receive(&self, ingress: &Port, frame: &mut Frame<'_>, reply: &mut Reply) -> Decision {
        self.count(ingress.counters.lane(self.worker), frame);
        self.receive_again(ingress, frame, reply)
    }

    /// Counts a frame that came in.
    #[inline]
    pub(crate) fn count(&self, lane: &Lane, frame: &Frame<'_>) {
        lane.received_frames.add(1);
        lane.received_bytes.add(frame.len() as u64);
        if frame.offload().gso.is_some() {
            lane.received_super.add(1);
        }
    }

    /// As [`Pipeline::receive`], for a frame that came in before and has waited since.
    #[inline]
    pub(crate) fn receive_again(
        &self,
        ingress: &Port,
        frame: &mut Frame<'_>,
        reply: &mut Reply,
    ) -> Decision {
        let lane = ingress.counters.lane(self.worker);
        match self.decide(ingress, frame, reply) {
            Ok(decision) => {
                match decision.verdict {
                    Verdict::Drop(reason) | Verdict::Rejected(reason, _) => lane.dropped(reason),
                    Verdict::Held | Verdict::Asked(..) => lane.held.add(1),
                    _ => {}
                }
                decision
            }
            Err(reason) => Decision::refuse(lane, reason),
        }
    }

    /// As [`Pipeline::receive_again`], for a frame that came by the wire of LANs with a tag `beside` it.
    #[inline(never)]
    pub(crate) fn receive_tagged(
        &self,
        parent: &Port,
        beside: WireTag,
        frame: &mut Frame<'_>,
    ) -> Decision {
        let lane = parent.counters.lane(self.worker);
        let entered = self.enter_by_wire(parent, Some(beside), frame);
        entered.unwrap_or_else(|reason| Decision::refuse(lane, reason))
    }

    #[inline]
    fn decide(
        &self,
        ingress: &Port,
        frame: &mut Frame<'_>,
        reply: &mut Reply,
    ) -> Result<Decision, DropReason> {
        let Some(bridge) = ingress.bridge else {
            return self.enter_from_outside(ingress, frame, reply);
        };
        let bridge = self.topology.bridge(bridge).ok_or(DropReason::PortGone)?;
        if let Some(lan) = &bridge.lan {
            return self.enter_lan(lan, ingress, frame);
        }
        let (source, destination) = (frame.source(), frame.destination());
        if !source.is_valid_source() {
            return Err(DropReason::BadSource);
        }
        if destination.is_link_local_group() {
            return Err(DropReason::ReservedGroup);
        }
        let vlan = Vlan::of_ingress(ingress, frame)?;
        if let Some(tunnel) = &ingress.tunnel {
            tunnel.admit(frame)?;
        }
        if let Some(identity) = &ingress.identity {
            identity.check(frame)?;
        }
        let decided = |verdict| Ok(Decision { verdict, vlan });
        if let Some(gateway) = &bridge.gateway
            && gateway.link == GatewayLink::PointToPoint
        {
            return decided(gateway.receive_point_to_point(
                self.topology,
                (bridge.id, &bridge.neighbours),
                ingress,
                frame,
                reply,
                self.now,
            ));
        }
        let message = match &bridge.overlay {
            Some(_) if vlan == Vlan::NONE => suppress::admit(bridge, ingress, frame)?,
            _ => None,
        };

        // VLANs have no gateway: its addresses belong to the untagged segment.
        let gateway = bridge.gateway.as_ref().filter(|_| vlan == Vlan::NONE);
        let for_gateway = gateway.is_some_and(|gateway| gateway.mac == destination);
        if gateway.is_some_and(|gateway| gateway.mac == source) {
            // Its address is never learned, and nobody but the host port may send from it, and the
            // same gateway of another host.
            match ingress.role {
                Role::Host => {}
                Role::Tunnel if for_gateway => return Err(DropReason::NotLocal),
                Role::Tunnel => {}
                _ => return Err(DropReason::SpoofedMac),
            }
        } else {
            self.learn(bridge, ingress, vlan, frame)?;
        }

        if for_gateway || (destination.is_multicast() && gateway.is_some()) {
            let answer = gateway.and_then(|gateway| {
                gateway.receive(
                    self.topology,
                    (bridge.id, &bridge.neighbours),
                    ingress,
                    frame,
                    reply,
                    self.now,
                )
            });
            if let Some(verdict) = answer {
                return decided(verdict);
            }
        }
        if let Some(message) = message {
            let place = (self.topology, bridge);
            if let Some(verdict) = message.receive(place, ingress, frame, reply, self.now) {
                return decided(verdict);
            }
        }
        if destination.is_multicast() {
            // Before a look into it: a storm of reports must not hold the table's lock.
            self.admit(ingress)?;
            let reach = match &bridge.groups {
                Some(groups) => groups.observe(ingress.id, vlan, frame, self.now),
                None => Reach::Bridge,
            };
            return decided(Verdict::Flood(reach));
        }
        match bridge
            .fdb
            .lookup(vlan, destination, self.now)
            .and_then(|p| self.topology.port(p))
        {
            Some(egress) => {
                Self::check_way(ingress, egress, vlan)?;
                if egress.tunnel.is_some() && frame.packet_len() > usize::from(egress.mtu()) {
                    let limits = &self.topology.router().notices;
                    let way = (ingress, egress);
                    return decided(path_mtu::exceeded(
                        bridge, way, frame, limits, reply, self.now,
                    ));
                }
                decided(Verdict::Out(egress.id))
            }
            None => {
                self.admit(ingress)?;
                decided(Verdict::Flood(Reach::Bridge))
            }
        }
    }

    /// Kept apart: the way through a bridge must not be longer for it.
    #[inline(never)]
    fn enter_from_outside(
        &self,
        ingress: &Port,
        frame: &mut Frame<'_>,
        reply: &mut Reply,
    ) -> Result<Decision, DropReason> {
        let verdict = match ingress.role {
            Role::Parent => return self.enter_by_wire(ingress, None, frame),
            _ => router::inbound::receive(self.topology, ingress, frame, reply, self.now),
        };
        let vlan = Vlan::NONE;
        Ok(Decision { verdict, vlan })
    }

    /// A frame from the wire of LANs, with a tag `beside` it or none.
    fn enter_by_wire(
        &self,
        parent: &Port,
        beside: Option<WireTag>,
        frame: &mut Frame<'_>,
    ) -> Result<Decision, DropReason> {
        self.go_on(parent, lan::arrive(self.topology, parent, beside, frame)?)
    }

    /// A frame from a station. Kept apart as [`Pipeline::enter_from_outside`].
    #[inline(never)]
    fn enter_lan(
        &self,
        lan: &Lan,
        ingress: &Port,
        frame: &mut Frame<'_>,
    ) -> Result<Decision, DropReason> {
        self.go_on(ingress, lan::depart(self.topology, lan, ingress, frame)?)
    }

    fn go_on(&self, ingress: &Port, onward: Onward) -> Result<Decision, DropReason> {
        if matches!(onward, Onward::Spread(_)) {
            self.admit(ingress)?;
        }
        Ok(Decision {
            verdict: Verdict::Lan(onward),
            vlan: Vlan::NONE,
        })
    }

    #[inline]
    fn learn(
        &self,
        bridge: &Bridge,
        ingress: &Port,
        vlan: Vlan,
        frame: &Frame<'_>,
    ) -> Result<(), DropReason> {
        let (fdb, source) = (&bridge.fdb, frame.source());
        let learned = match &ingress.tunnel {
            None => fdb.learn(vlan, source, ingress.id, self.now),
            Some(tunnel) => tunnel.learn(fdb, vlan, source, ingress.id, self.now)?,
        };
        if learned == Learned::Full {
            ingress.counters.lane(self.worker).fdb_full.add(1);
        }
        Ok(())
    }

    #[inline]
    fn check_way(ingress: &Port, egress: &Port, vlan: Vlan) -> Result<(), DropReason> {
        if egress.id == ingress.id {
            return Err(DropReason::Hairpin);
        }
        if egress.isolated && ingress.isolated {
            return Err(DropReason::Isolated);
        }
        if !vlan.leaves_by(egress) {
            return Err(DropReason::VlanMismatch);
        }
        if egress.tunnel.is_some() {
            match ingress.role {
                Role::Tunnel => return Err(DropReason::SplitHorizon),
                // The answer would go to the other host: its gateway has the same addresses.
                Role::Host => return Err(DropReason::NotLocal),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether `ingress` may have one more frame flooded.
    fn admit(&self, ingress: &Port) -> Result<(), DropReason> {
        match &ingress.storm {
            Some(limit) if !limit.admit(self.now) => Err(DropReason::StormLimit),
            _ => Ok(()),
        }
    }

    /// How `frame` of `vlan` leaves by `egress`.
    ///
    /// # Errors
    /// The reason why it cannot. Not counted here: the caller counts it at `egress`.
    #[inline]
    pub fn egress(
        &self,
        egress: &Port,
        vlan: Vlan,
        frame: &Frame<'_>,
    ) -> Result<Egress, DropReason> {
        if let Some(tunnel) = &egress.tunnel {
            return tunnel.egress(egress, vlan, frame);
        }
        let tag = TagAction::at_egress(egress, vlan, WireTag::outermost(frame));
        self.egress_with(egress, tag, frame)
    }

    /// How `frame` leaves by `egress`, which is no tunnel, with its tag changed so.
    #[inline]
    pub(crate) fn egress_with(
        &self,
        egress: &Port,
        tag: TagAction,
        frame: &Frame<'_>,
    ) -> Result<Egress, DropReason> {
        if egress.role == Role::Host
            && let Network::Ip(ip) = frame.network()
            && self.topology.tunnels().vteps().is_here(frame, &ip)
        {
            return Err(DropReason::Reflected);
        }
        if frame.packet_len() > usize::from(egress.mtu) {
            return Err(DropReason::TooBig);
        }
        Ok(Egress {
            tag,
            in_software: !egress.capabilities.take(frame.offload()),
            fragments: None,
        })
    }

    /// How `frame`, which the router has sent on its way, leaves by `egress` in packets of `mtu`
    /// octets: untagged.
    pub(crate) fn routed(egress: &Port, mtu: u16, frame: &Frame<'_>) -> Egress {
        Egress {
            tag: match frame.layout().tag {
                Some(_) => TagAction::Pop,
                None => TagAction::Keep,
            },
            in_software: !egress.capabilities.take(frame.offload()),
            fragments: (frame.packet_len() > usize::from(mtu)).then_some(mtu),
        }
    }

    /// The time.
    pub(crate) const fn now(&self) -> Moment {
        self.now
    }

    /// The ports a flooded frame goes to.
    pub fn audience<'p>(
        &'p self,
        ingress: &'p Port,
        vlan: Vlan,
        reach: Reach,
    ) -> impl Iterator<Item = &'p Port> {
        self.topology.flood(ingress, vlan, reach, self.now)
    }
}
