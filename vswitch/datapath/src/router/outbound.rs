//! From a container: to another network, to the outside, or to a published port of the host.

use std::net::IpAddr;

use vswitch_nat::{Admit, Nat, Outbound, Owner};
use vswitch_packet::Frame;
use vswitch_packet::ip::IpHeader;

use super::container::REMOTE;
use super::interface::Interface;
use super::notice::Notice;
use super::passage::{Exit, Passage, Stop};
use super::policy::{Mode, Policy};
use super::route::{Hop, RouteKind};
use super::{header, martian};
use crate::bridge::BridgeId;
use crate::gateway::{GatewayLink, Reply};
use crate::port::Role;
use crate::verdict::{DropReason, Verdict};

/// No way: neither a route, nor an uplink at its end.
const NO_ROUTE: Stop = Stop::tell(DropReason::NoRoute, Notice::NoRoute);

impl Passage<'_> {
    /// A packet from a container of a network with `policy`, neither for the gateway nor for the
    /// host.
    pub(crate) fn forward(
        &self,
        policy: &Policy,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
        reply: &mut Reply,
    ) -> Verdict {
        let outcome = self.outbound(policy, frame, ip);
        self.conclude(outcome, frame, reply)
    }

    /// A packet from a container to one of the host's addresses, where a published port or a mapping
    /// may be. `None` if there is none: the packet is for the host itself.
    ///
    /// The receiver sees an external source, as if the packet had come from outside (RFC 4787
    /// REQ-9), so this works within one network too, and from a container to itself.
    pub(crate) fn hairpin(
        &self,
        policy: &Policy,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
        reply: &mut Reply,
    ) -> Option<Verdict> {
        let router = self.router();
        let nat = router.nat.as_ref()?;
        let open = !policy.internal && policy.family(ip.version).mode != Mode::Isolated;
        if !open || !nat.is_ours(frame, &router.published) {
            return None;
        }
        let outcome = self.turn_back(nat, policy, frame, ip);
        Some(self.conclude(outcome, frame, reply))
    }

    fn turn_back(
        &self,
        nat: &Nat,
        policy: &Policy,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
    ) -> Result<Exit, Stop> {
        self.check_source(frame, ip)?;
        let before = header::AsItCame::of(frame, ip);
        let external = ip.destination(frame.bytes());
        self.translate(nat, policy, Some(external), frame)?;
        self.to_mapping(frame, ip)
            .inspect_err(|_| before.restore(frame, ip))
    }

    fn outbound(
        &self,
        policy: &Policy,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
    ) -> Result<Exit, Stop> {
        let destination = ip.destination(frame.bytes());
        if !martian::crosses_routers(destination) {
            return Err(DropReason::Martian.into());
        }
        let bridge = self.topology.bridge_of(destination);
        if let Some(id) = bridge.filter(|id| policy.siblings.contains(id)) {
            self.check_source(frame, ip)?;
            return self.to_sibling(id, frame, ip);
        }
        if policy.internal {
            return Err(DropReason::Internal.into());
        }
        self.check_source(frame, ip)?;
        match bridge {
            Some(id) if Some(id) == self.ingress.bridge => Err(self.not_back(destination).into()),
            Some(id) => self.to_network(id, policy, frame, ip),
            None => self.to_outside(destination, policy, frame, ip),
        }
    }

    /// Why a packet to `destination` does not go back to the bridge that it came from.
    fn not_back(&self, destination: IpAddr) -> DropReason {
        match self.entrance.kind {
            GatewayLink::PointToPoint => DropReason::Isolated,
            GatewayLink::Broadcast if self.entrance.is_broadcast(destination) => {
                DropReason::DirectedBroadcast
            }
            GatewayLink::Broadcast => DropReason::Hairpin,
        }
    }

    /// What a packet must be to leave its link: from an address that is of that link and can be
    /// answered (RFC 2827), and without a way of its own.
    fn check_source(&self, frame: &Frame<'_>, ip: &IpHeader) -> Result<(), Stop> {
        let source = ip.source(frame.bytes());
        if !self.entrance.is_on_link(source) || self.entrance.is_broadcast(source) {
            return Err(DropReason::Martian.into());
        }
        if !martian::crosses_routers(source) {
            return Err(Stop::tell(DropReason::Martian, Notice::BeyondScope));
        }
        if header::has_source_route(frame, ip) {
            return Err(DropReason::SourceRoute.into());
        }
        Ok(())
    }

    /// To a container of the same network's segment `id`. Nothing is remembered: the answer to what
    /// another host's router forwarded may come by here, and the other way round.
    fn to_sibling(&self, id: BridgeId, frame: &mut Frame<'_>, ip: &IpHeader) -> Result<Exit, Stop> {
        let container = self.resident(self.network(id)?, ip.destination(frame.bytes()))?;
        if container.owner() == Owner(self.ingress.id.0) {
            return Err(DropReason::Hairpin.into());
        }
        Self::check(&container, frame, ip)?;
        Ok(Self::deliver(&container, frame, ip))
    }

    /// To a container of another network, untranslated: if both networks are peers, or the other
    /// admits it, or as an answer.
    fn to_network(
        &self,
        id: BridgeId,
        policy: &Policy,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
    ) -> Result<Exit, Stop> {
        let network = self.network(id)?;
        let other = network.policy();
        let own = self.ingress.bridge;
        if other.internal {
            return Err(DropReason::Internal.into());
        }
        let peers = policy.peers.contains(&id) && own.is_some_and(|own| other.peers.contains(&own));
        let routed = other.family(ip.version).mode == Mode::Routed;
        let nat = self.router().nat.as_ref().filter(|_| !peers);
        if nat.is_none() && !peers {
            return Err(DropReason::Isolated.into());
        }
        let container = self.resident(network, ip.destination(frame.bytes()))?;
        if (peers || routed) && (container.is_remote() || self.ingress.role == Role::Tunnel) {
            return Err(REMOTE);
        }
        Self::check(&container, frame, ip)?;
        if let Some(nat) = nat {
            let admit = if routed {
                Admit::Openings
            } else {
                Admit::Answers
            };
            self.admit(&container, admit, frame)
                .map_err(|stop| match stop {
                    Stop::Rejected(DropReason::NotPublished, _) if !routed => {
                        DropReason::Isolated.into()
                    }
                    stop => stop,
                })?;
            self.translate(nat, policy, None, frame)?;
        }
        Ok(Self::deliver(&container, frame, ip))
    }

    fn to_outside(
        &self,
        destination: IpAddr,
        policy: &Policy,
        frame: &mut Frame<'_>,
        ip: &IpHeader,
    ) -> Result<Exit, Stop> {
        let router = self.router();
        let family = policy.family(ip.version);
        if family.mode == Mode::Isolated {
            return Err(DropReason::Isolated.into());
        }
        let hop = match router.routes.lookup(destination).map(|route| route.kind) {
            Some(RouteKind::Via(hop)) => hop,
            Some(RouteKind::Unreachable | RouteKind::Elsewhere) | None => return Err(NO_ROUTE),
            Some(RouteKind::Blackhole) => return Err(DropReason::Blackhole.into()),
            Some(RouteKind::Prohibited) => {
                return Err(Stop::tell(DropReason::Prohibited, Notice::Prohibited));
            }
        };
        let nat = match family.is_stateless(self.entrance.kind) {
            true => None,
            false => Some(router.nat.as_ref().ok_or(NO_ROUTE)?),
        };
        let uplink = router.uplink(hop.port).ok_or(NO_ROUTE)?;
        let port = self.topology.port(hop.port).ok_or(NO_ROUTE)?;
        let interface = Interface::of_uplink(uplink);
        if self.topology.tunnels().vteps().is_peer(frame, ip) {
            return Err(DropReason::Reflected.into());
        }
        if hop.gateway.is_none() && interface.is_broadcast(destination) {
            return Err(DropReason::DirectedBroadcast.into());
        }
        let exit = Exit {
            port: hop.port,
            mtu: hop.mtu.unwrap_or(port.mtu).min(port.mtu),
        };
        let translates = family.masquerade && family.mode != Mode::Routed;
        let source = match translates {
            true => Some(external_source(
                family.source,
                &hop,
                &interface,
                destination,
            )?),
            false => None,
        };
        header::check(frame, ip, exit.mtu)?;
        let next = self.neighbour(&interface, hop.gateway.unwrap_or(destination))?;
        if let Some(nat) = nat {
            self.translate(nat, policy, source, frame)?;
        }
        header::step(frame, ip, interface.mac, next.mac);
        Ok(exit)
    }

    /// Gives the packet the source it is known by beyond its network, or only notes that it left.
    #[inline]
    fn translate(
        &self,
        nat: &Nat,
        policy: &Policy,
        source: Option<IpAddr>,
        frame: &mut Frame<'_>,
    ) -> Result<(), Stop> {
        let way = Outbound {
            owner: Owner(self.ingress.id.0),
            source,
            filtering: policy.filtering,
            published: &self.router().published,
            ingress: self.ingress.id.0,
        };
        Ok(nat.outbound(frame, &way, self.now)?)
    }
}

/// The address to translate to: what the network wants, what the host's route prefers, or the
/// uplink's first, each if it is of the packet's family.
fn external_source(
    configured: Option<IpAddr>,
    hop: &Hop,
    interface: &Interface<'_>,
    destination: IpAddr,
) -> Result<IpAddr, Stop> {
    let fits = |source: &IpAddr| source.is_ipv4() == destination.is_ipv4();
    configured
        .filter(fits)
        .or_else(|| hop.source.filter(fits))
        .or_else(|| interface.global_address(destination))
        .ok_or(Stop::tell(DropReason::NoSource, Notice::NoRoute))
}
