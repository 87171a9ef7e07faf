//! Packets that are switched, not routed, and are longer than the way to another host carries: there
//! is no router on their way that would tell their senders.

use vswitch_packet::ip::Version;
use vswitch_packet::{Frame, Moment, Network};

use crate::bridge::Bridge;
use crate::gateway::{GatewayLink, Reply};
use crate::port::Port;
use crate::router::{Interface, Link, Notice, NoticeLimits, may_be_fragmented};
use crate::verdict::{DropReason, Verdict};

/// What every IPv6 link carries (RFC 8200 §5); nobody believes in less (RFC 8201 §4).
const LEAST_V6: u16 = 1280;

/// What becomes of `frame`, which does not fit into the tunnel at `egress`: the sender is told, if
/// nobody may divide the packet, in the name of the one it was for. Linux does the same since 5.8
/// (`skb_tunnel_check_pmtu`). Else the tunnel divides it, or drops it.
#[cold]
pub(crate) fn exceeded(
    bridge: &Bridge,
    (ingress, egress): (&Port, &Port),
    frame: &Frame<'_>,
    limits: &NoticeLimits,
    reply: &mut Reply,
    now: Moment,
) -> Verdict {
    let is_admitted = || limits.admit(ingress.id, now);
    match notice(bridge, frame, egress.mtu(), is_admitted, reply) {
        Some(len) => Verdict::Rejected(DropReason::UnderlayMtu, len),
        None => Verdict::Out(egress.id),
    }
}

/// Writes that `frame` is longer than `mtu`, if the sender may be told and `is_admitted` agrees; gives
/// the length.
fn notice(
    bridge: &Bridge,
    frame: &Frame<'_>,
    mtu: u16,
    is_admitted: impl FnOnce() -> bool,
    reply: &mut Reply,
) -> Option<usize> {
    let Network::Ip(ip) = frame.network() else {
        return None;
    };
    let is_final = match ip.version {
        Version::V4 => !may_be_fragmented(frame, &ip),
        Version::V6 => mtu >= LEAST_V6,
    };
    let mac = frame.destination();
    let interface = Interface {
        link: Link::Bridge(bridge.id),
        mac,
        kind: GatewayLink::Broadcast,
        addresses: bridge.gateway.as_ref().map_or(&[], |g| &g.addresses),
        subnets: &[],
        neighbours: &bridge.neighbours,
    };
    let is_due = is_final
        && frame.layout().tag.is_none()
        && Notice::is_due(frame, &ip, &interface)
        && is_admitted();
    if !is_due {
        return None;
    }
    let speaker = (ip.destination(frame.bytes()), mac);
    Notice::TooBig(mtu).write(frame, &ip, speaker, reply)
}
