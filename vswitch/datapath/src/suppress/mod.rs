//! ARP and ND between hosts: questions that the switch can answer do not cross the underlay, and nobody
//! is told lies from beyond it.
//!
//! What is known of the neighbours on both sides of the tunnels is in the bridge's table. A container's
//! question after one on another host is answered from there. So is a question that comes by a
//! tunnel after a container of this host, which matters most for those of the gateway: it has the same
//! addresses on each host, so that the container itself would answer to the wrong one.

mod arp;
mod nd;

use std::net::IpAddr;

use vswitch_packet::ip::{Version, protocol};
use vswitch_packet::{Frame, MacAddr, Moment, Network};

use crate::bridge::Bridge;
use crate::gateway::{self, Gateway, Reply};
use crate::heard::Heard;
use crate::neighbour::Origin;
use crate::port::{Port, Role};
use crate::router::Interface;
use crate::topology::Topology;
use crate::verdict::{DropReason, Verdict};
use crate::vlan::Vlan;

/// What ARP, or a neighbour solicitation or advertisement, says and asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    claim: Option<Claim>,
    question: Option<Question>,
}

/// Somebody has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    address: IpAddr,
    /// Where, if it says so.
    mac: Option<MacAddr>,
    /// It counts against what is known (RFC 4861 §7.2.5).
    overrides: bool,
}

/// Who has an address?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Question {
    target: IpAddr,
    /// The unspecified address if the asker would like to have the target itself.
    asker: IpAddr,
    /// Where the answer is to go.
    mac: MacAddr,
}

/// Looks at a frame of the untagged segment of `bridge`, which has tunnels.
///
/// # Errors
/// [`DropReason`] if it came by a tunnel, and claims what is not so or what does not concern this host.
#[inline]
pub(crate) fn admit(
    bridge: &Bridge,
    ingress: &Port,
    frame: &Frame<'_>,
) -> Result<Option<Message>, DropReason> {
    match frame.network() {
        Network::Arp { .. } => {}
        Network::Ip(ip) if ip.version == Version::V6 && ip.protocol == protocol::ICMPV6 => {}
        _ => return Ok(None),
    }
    admit_message(bridge, ingress, frame)
}

#[cold]
fn admit_message(
    bridge: &Bridge,
    ingress: &Port,
    frame: &Frame<'_>,
) -> Result<Option<Message>, DropReason> {
    let message = match frame.network() {
        Network::Arp { start } => Ok(arp::read(frame, usize::from(start))),
        Network::Ip(ip) => nd::read(frame, &ip),
        Network::Malformed | Network::Opaque => Ok(None),
    };
    if ingress.role != Role::Tunnel {
        return Ok(message.unwrap_or(None));
    }
    let message = message?;
    if let Some(message) = message {
        message.check(bridge, frame.source())?;
    }
    Ok(message)
}

impl Message {
    /// Whether another host may say this, in a frame from `source`.
    fn check(&self, bridge: &Bridge, source: MacAddr) -> Result<(), DropReason> {
        let gateway = bridge.gateway.as_ref();
        if let Some(claim) = self.claim {
            let mac = claim.mac.unwrap_or(source);
            let by_gateway = gateway.is_some_and(|gateway| gateway.mac == mac);
            let of_gateway = gateway.is_some_and(|gateway| gateway.is_own(claim.address));
            let known = bridge.neighbours.get(claim.address);
            let assigned = known.filter(|known| known.origin == Origin::Static);
            if by_gateway != of_gateway || assigned.is_some_and(|known| known.mac != mac) {
                return Err(DropReason::SpoofedAddress);
            }
        }
        // What another host's gateway says of itself is so here, too, and not for the containers of this
        // host; what it asks for may be here.
        let is_asked = |gateway: &Gateway| {
            let question = self.question.as_ref();
            question.is_some_and(|question| !gateway.is_own(question.target))
        };
        match gateway {
            Some(gateway) if gateway.mac == source && !is_asked(gateway) => {
                Err(DropReason::NotLocal)
            }
            _ => Ok(()),
        }
    }

    /// Learns from the message in `frame`, which is not for the gateway, and answers it if that is the
    /// switch's to do.
    pub(crate) fn receive(
        &self,
        (topology, bridge): (&Topology, &Bridge),
        ingress: &Port,
        frame: &Frame<'_>,
        reply: &mut Reply,
        now: Moment,
    ) -> Option<Verdict> {
        let gateway = bridge.gateway.as_ref()?;
        let interface = Interface::of_gateway(bridge.id, gateway, &bridge.neighbours);
        let heard = Heard {
            interface,
            pending: &topology.router().pending,
            port: ingress,
            now,
        };
        if let Some(claim) = self.claim {
            claim.learn(heard, gateway);
        }
        let asks_gateway = ingress.role == Role::Tunnel && frame.source() == gateway.mac;
        let suppress = bridge.overlay.as_ref().is_some_and(|o| o.suppress);
        if !(asks_gateway || suppress && frame.destination().is_multicast()) {
            return None;
        }
        let question = self.question.filter(|q| q.is_sincere(&interface))?;
        let answerer = question.answerer((topology, bridge), ingress, now)?;
        Some(Verdict::Reply(question.answer(answerer, reply)))
    }
}

impl Claim {
    fn learn(&self, heard: Heard<'_>, gateway: &Gateway) {
        let Some(mac) = self.mac else {
            return;
        };
        let known = heard.interface.neighbours.get(self.address);
        let contradicts = known.is_some_and(|known| known.mac != mac);
        let ours = gateway.is_own(self.address) || gateway.mac == mac;
        if !(ours || is_router_like(self.address) || contradicts && !self.overrides) {
            heard.learn(self.address, mac);
        }
    }
}

impl Question {
    fn is_sincere(&self, interface: &Interface<'_>) -> bool {
        let asker = self.asker;
        let on_link = interface.is_on_link(asker) && !interface.is_broadcast(asker);
        self.mac.is_valid_source() && (asker.is_unspecified() || on_link)
    }

    /// The MAC address of the one that is asked for: a container of this host if the question comes
    /// from another, and the other way round.
    fn answerer(
        &self,
        (topology, bridge): (&Topology, &Bridge),
        ingress: &Port,
        now: Moment,
    ) -> Option<MacAddr> {
        let place = match ingress.role {
            Role::Tunnel => Role::Endpoint,
            Role::Endpoint => Role::Tunnel,
            Role::Host | Role::Uplink | Role::Underlay | Role::Parent => return None,
        };
        let known = bridge.neighbours.get(self.target)?;
        let port = topology.port(bridge.port_of(&known, now))?;
        // Who asks for its own address would take the answer for another's.
        let answers = known.is_trusted(now)
            && known.mac != self.mac
            && port.role == place
            && Vlan::NONE.leaves_by(port)
            && !is_router_like(self.target);
        answers.then_some(known.mac)
    }

    /// Writes the answer as the one at `mac` would give it; gives its length.
    fn answer(&self, mac: MacAddr, reply: &mut Reply) -> usize {
        match (self.target, self.asker) {
            (IpAddr::V4(target), IpAddr::V4(asker)) => {
                gateway::arp::answer(mac, target, (asker, self.mac), reply)
            }
            (IpAddr::V6(target), IpAddr::V6(asker)) => {
                gateway::nd::answer(mac, target, false, (asker, self.mac), reply)
            }
            _ => 0,
        }
    }
}

/// Routers are known by their link-local addresses (RFC 4861 §6.1.2), and an answer that does not call
/// one a router ends its use (§7.2.5): only it can say what it is.
const fn is_router_like(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
