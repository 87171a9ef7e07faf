//! The last step to a container: which port it is behind, and by which address.

use std::net::IpAddr;

use vswitch_nat::{Admit, Owner};
use vswitch_packet::Frame;
use vswitch_packet::ip::IpHeader;

use super::interface::Interface;
use super::notice::Notice;
use super::passage::{Exit, Passage, Stop};
use super::policy::{Mode, Policy};
use super::{header, notice};
use crate::bridge::{Bridge, BridgeId};
use crate::gateway::Gateway;
use crate::neighbour::Neighbour;
use crate::port::{Port, PortId, Role};
use crate::verdict::DropReason;
use crate::vlan::Vlan;

/// A network as the router sees it.
#[derive(Clone, Copy)]
pub(super) struct Network<'a> {
    bridge: &'a Bridge,
    gateway: &'a Gateway,
}

impl<'a> Network<'a> {
    pub(super) const fn policy(&self) -> &'a Policy {
        &self.gateway.policy
    }

    pub(super) fn interface(&self) -> Interface<'a> {
        Interface::of_gateway(self.bridge.id, self.gateway, &self.bridge.neighbours)
    }
}

/// To a container of another host: its answer would leave by that host's router, which knows nothing
/// of what this one forwarded.
pub(super) const REMOTE: Stop = Stop::tell(DropReason::NotLocal, Notice::Unreachable);

/// A container that a packet is for.
#[derive(Clone, Copy)]
pub(super) struct Container<'a> {
    network: Network<'a>,
    port: &'a Port,
    neighbour: Neighbour,
}

impl Container<'_> {
    pub(super) const fn owner(&self) -> Owner {
        Owner(self.port.id.0)
    }

    /// Whether it is on another host.
    pub(super) fn is_remote(&self) -> bool {
        self.port.role == Role::Tunnel
    }
}

impl<'a> Passage<'a> {
    pub(super) fn network(&self, id: BridgeId) -> Result<Network<'a>, DropReason> {
        let bridge = self.topology.bridge(id).ok_or(DropReason::PortGone)?;
        let gateway = bridge.gateway.as_ref().ok_or(DropReason::PortGone)?;
        Ok(Network { bridge, gateway })
    }

    /// The container that has `address` in `network`.
    pub(super) fn resident(
        &self,
        network: Network<'a>,
        address: IpAddr,
    ) -> Result<Container<'a>, Stop> {
        if network.interface().is_broadcast(address) {
            return Err(DropReason::DirectedBroadcast.into());
        }
        let neighbour = self.neighbour(&network.interface(), address)?;
        let port = network.bridge.port_of(&neighbour, self.now);
        self.behind(network, port, neighbour)
    }

    /// The container that owns a session, at its address `inside`.
    fn owner(&self, Owner(port): Owner, inside: IpAddr) -> Result<Container<'a>, Stop> {
        let bridge = self
            .topology
            .port(PortId(port))
            .and_then(|port| port.bridge);
        let network = self.network(bridge.ok_or(DropReason::PortGone)?)?;
        let neighbour = self.neighbour(&network.interface(), inside)?;
        self.behind(network, PortId(port), neighbour)
    }

    /// The gateway's addresses belong to the untagged segment, and so does whom it reaches.
    fn behind(
        &self,
        network: Network<'a>,
        port: PortId,
        neighbour: Neighbour,
    ) -> Result<Container<'a>, Stop> {
        let port = self.topology.port(port).ok_or(DropReason::PortGone)?;
        if port.bridge != Some(network.bridge.id)
            || !matches!(port.role, Role::Endpoint | Role::Tunnel)
        {
            return Err(DropReason::PortGone.into());
        }
        if !Vlan::NONE.leaves_by(port) {
            return Err(DropReason::VlanMismatch.into());
        }
        Ok(Container {
            network,
            port,
            neighbour,
        })
    }

    /// Lets a packet reach `container` at its own address, if `admit` or an earlier conversation
    /// does.
    pub(super) fn admit(
        &self,
        container: &Container<'_>,
        admit: Admit,
        frame: &mut Frame<'_>,
    ) -> Result<(), Stop> {
        let router = self.router();
        let nat = router.nat.as_ref().ok_or(DropReason::NotPublished)?;
        let ingress = self.ingress.id.0;
        nat.direct(
            frame,
            container.owner(),
            ingress,
            admit,
            &router.published,
            self.now,
        )
        .map_err(|refusal| match DropReason::from(refusal) {
            DropReason::Filtered => DropReason::NotPublished.into(),
            _ => refusal.into(),
        })
    }

    /// Whether the packet may go on to `container`.
    pub(super) fn check(
        container: &Container<'_>,
        frame: &Frame<'_>,
        ip: &IpHeader,
    ) -> Result<(), Stop> {
        header::check(frame, ip, container.port.mtu())
    }

    /// Sends the packet on to `container`.
    pub(super) fn deliver(container: &Container<'_>, frame: &mut Frame<'_>, ip: &IpHeader) -> Exit {
        let Container {
            network,
            port,
            neighbour,
        } = container;
        header::step(frame, ip, network.gateway.mac, neighbour.mac);
        Exit {
            port: port.id,
            mtu: port.mtu(),
        }
    }

    /// Translates a packet to one of the host's addresses and sends it on to the container whose
    /// mapping or published port that is. On [`Stop`] the packet is as it was, unless it is an ICMP
    /// error, which is never answered and never waits.
    pub(super) fn to_mapping(&self, frame: &mut Frame<'_>, ip: &IpHeader) -> Result<Exit, Stop> {
        let router = self.router();
        let nat = router.nat.as_ref().ok_or(DropReason::NotOurs)?;
        let before = header::AsItCame::of(frame, ip);
        let owner = nat.inbound(frame, self.ingress.id.0, &router.published, self.now)?;
        self.to_owner(owner, frame, ip).map_err(|stop| {
            before.restore(frame, ip);
            match stop {
                Stop::Unresolved(..) if notice::is_error(frame, ip) => {
                    DropReason::NeighbourUnreachable.into()
                }
                stop => stop,
            }
        })
    }

    fn to_owner(&self, owner: Owner, frame: &mut Frame<'_>, ip: &IpHeader) -> Result<Exit, Stop> {
        let container = self.owner(owner, ip.destination(frame.bytes()))?;
        let policy = container.network.policy();
        if policy.internal {
            return Err(DropReason::Internal.into());
        }
        if policy.family(ip.version).mode == Mode::Isolated {
            return Err(DropReason::Isolated.into());
        }
        Self::check(&container, frame, ip)?;
        Ok(Self::deliver(&container, frame, ip))
    }
}
