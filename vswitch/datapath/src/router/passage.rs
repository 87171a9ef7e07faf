//! A packet's passage through the router: where it came in, and how it ends.

use core::net::{IpAddr, Ipv4Addr};

use vswitch_nat::Refusal;
use vswitch_packet::{Frame, Moment};

use super::interface::{Interface, Link};
use super::notice::{self, Notice};
use super::pending::Hold;
use super::{Router, question};
use crate::gateway::{GatewayLink, Reply};
use crate::neighbour::Neighbour;
use crate::port::{Port, PortId, Role};
use crate::topology::Topology;
use crate::verdict::{DropReason, Verdict};

/// Who speaks for a router that has no IPv4 address (RFC 7600 §4.8), as in Linux since 5.13
/// (`INADDR_DUMMY`).
const DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// How a packet leaves the router. Its addresses are those of the next step, and it carries no tag
/// that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// By this port.
    pub port: PortId,
    /// In fragments of so many octets of packet, if it is longer.
    pub mtu: u16,
}

/// Why a packet does not leave now. The packet is as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is dropped, and the sender may be told.
    Rejected(DropReason, Option<Notice>),
    /// Its next step is a neighbour whose address is not known.
    Unresolved(Link, IpAddr),
    /// The translator keeps a copy.
    Held,
}

impl Stop {
    pub(super) const fn tell(reason: DropReason, notice: Notice) -> Self {
        Self::Rejected(reason, Some(notice))
    }
}

impl From<DropReason> for Stop {
    fn from(reason: DropReason) -> Self {
        Self::Rejected(reason, None)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        let reason = DropReason::from(refusal);
        match refusal {
            Refusal::Held => Self::Held,
            // RFC 5508 REQ-8.
            Refusal::PortsExhausted
            | Refusal::SessionLimit
            | Refusal::TableFull
            | Refusal::Untranslatable => Self::tell(reason, Notice::Prohibited),
            _ => reason.into(),
        }
    }
}

/// One packet in the router.
pub(crate) struct Passage<'a> {
    pub(super) topology: &'a Topology,
    pub(super) ingress: &'a Port,
    /// The router's interface it came in by.
    pub(super) entrance: Interface<'a>,
    pub(super) now: Moment,
}

impl<'a> Passage<'a> {
    pub(crate) const fn new(
        topology: &'a Topology,
        ingress: &'a Port,
        entrance: Interface<'a>,
        now: Moment,
    ) -> Self {
        Self {
            topology,
            ingress,
            entrance,
            now,
        }
    }

    /// Of a packet that came in at `ingress` before.
    pub(crate) fn resumed(topology: &'a Topology, ingress: &'a Port, now: Moment) -> Option<Self> {
        let link = match ingress.role {
            Role::Uplink => Link::Uplink(ingress.id),
            Role::Endpoint | Role::Host | Role::Tunnel => Link::Bridge(ingress.bridge?),
            Role::Underlay | Role::Parent => return None,
        };
        let entrance = Interface::on(topology, link)?;
        Some(Self::new(topology, ingress, entrance, now))
    }

    /// Where it came in.
    pub(crate) const fn ingress(&self) -> &'a Port {
        self.ingress
    }

    /// Out again where it came in.
    pub(crate) const fn back(&self) -> Verdict {
        Verdict::Out(self.ingress.id)
    }

    /// Whether `address` is one of the host's.
    pub(crate) fn is_host(&self, address: IpAddr) -> bool {
        self.topology.host_addresses().contains(&address)
    }

    pub(super) fn router(&self) -> &'a Router {
        self.topology.router()
    }

    /// Who `address` is on `interface`. One that was not heard for long is asked whether it is still
    /// there, while it is used as it is known. On a point-to-point link there is nobody to ask.
    #[inline]
    pub(super) fn neighbour(
        &self,
        interface: &Interface<'_>,
        address: IpAddr,
    ) -> Result<Neighbour, Stop> {
        let Some(known) = interface.neighbours.get(address) else {
            return Err(match interface.kind {
                GatewayLink::Broadcast => Stop::Unresolved(interface.link, address),
                GatewayLink::PointToPoint => {
                    Stop::tell(DropReason::NeighbourUnreachable, Notice::Unreachable)
                }
            });
        };
        if known.is_stale(self.now) && interface.neighbours.claim_question(address, self.now) {
            self.router()
                .pending
                .probe(interface.link, address, self.now);
        }
        Ok(known)
    }

    /// The verdict on `frame`, which is as it came unless it leaves.
    pub(super) fn conclude(
        &self,
        outcome: Result<Exit, Stop>,
        frame: &Frame<'_>,
        reply: &mut Reply,
    ) -> Verdict {
        match outcome {
            Ok(exit) => Verdict::Routed(exit),
            Err(Stop::Held) => Verdict::Held,
            Err(Stop::Rejected(reason, None)) => Verdict::Drop(reason),
            Err(Stop::Rejected(reason, Some(notice))) => self.reject(reason, notice, frame, reply),
            Err(Stop::Unresolved(link, address)) => self.wait(link, address, frame, reply),
        }
    }

    fn wait(&self, link: Link, address: IpAddr, frame: &Frame<'_>, reply: &mut Reply) -> Verdict {
        let pending = &self.router().pending;
        let held = pending.hold(link, address, self.ingress.id, frame, self.now);
        let interface = Interface::on(self.topology, link);
        // Between the look and the lock, another worker may have heard the answer.
        if interface.is_some_and(|on| on.neighbours.get(address).is_some()) {
            pending.resolved(link, address);
        }
        match held {
            Hold::Wait => Verdict::Held,
            Hold::Ask => interface
                .and_then(|interface| question::write(&interface, address, None, reply))
                .map_or(Verdict::Held, |len| Verdict::Asked(link, len)),
            Hold::Full => Verdict::Drop(DropReason::NeighbourQueueFull),
            Hold::Unreachable => {
                let reason = DropReason::NeighbourUnreachable;
                self.reject(reason, Notice::Unreachable, frame, reply)
            }
        }
    }

    /// Drops `frame`, and tells the sender, if that is due and not too often.
    #[cold]
    pub(crate) fn reject(
        &self,
        reason: DropReason,
        notice: Notice,
        frame: &Frame<'_>,
        reply: &mut Reply,
    ) -> Verdict {
        let len = notice::ip_of(frame)
            .filter(|ip| Notice::is_due(frame, ip, &self.entrance))
            .filter(|_| self.router().notices.admit(self.ingress.id, self.now))
            .and_then(|ip| {
                let sender = ip.source(frame.bytes());
                let own = self.address_towards(sender)?;
                notice.write(frame, &ip, (own, self.entrance.mac), reply)
            });
        len.map_or(Verdict::Drop(reason), |len| Verdict::Rejected(reason, len))
    }

    /// The address by which the router speaks to `peer`, where the packet came in. A point-to-point
    /// link has none of its own, as an unnumbered line (RFC 1812 §2.2.7): there it is that of the
    /// uplink which is the same NIC, whose MAC address the link has, else of another uplink.
    fn address_towards(&self, peer: IpAddr) -> Option<IpAddr> {
        if self.entrance.kind == GatewayLink::Broadcast {
            return self.entrance.address_towards(peer);
        }
        let uplinks = &self.router().uplinks;
        let parent = uplinks
            .iter()
            .filter(|uplink| uplink.mac == self.entrance.mac);
        let addresses = parent
            .chain(uplinks)
            .map(|uplink| Interface::of_uplink(uplink).global_address(peer));
        addresses.flatten().next().or_else(|| match peer {
            IpAddr::V4(_) => Some(DUMMY.into()),
            IpAddr::V6(_) => self.entrance.address_towards(peer),
        })
    }
}
