//! A frame that came by the wire.

use vswitch_packet::Frame;

use super::Wire;
use super::egress::{Onward, Origin, Spread};
use super::index::{Lans, Segment};
use super::sender::Sender;
use super::tag::{RESERVED, WireTag};
use crate::port::{Port, PortId};
use crate::topology::Topology;
use crate::verdict::DropReason;

/// Decides on `frame`, which came in at `parent` with a tag `beside` it or none. A frame for a station
/// behind a shared MAC address is readdressed.
///
/// # Errors
/// The reason to drop it.
pub(crate) fn arrive(
    topology: &Topology,
    parent: &Port,
    beside: Option<WireTag>,
    frame: &mut Frame<'_>,
) -> Result<Onward, DropReason> {
    if !frame.source().is_valid_source() {
        return Err(DropReason::BadSource);
    }
    let outermost = beside.or_else(|| WireTag::outermost(frame));
    let segment = find(topology.lans(), parent.id, outermost)?;
    let lan = segment.lan();
    let tag = lan.tag_from_wire(beside, frame)?;
    let sender = segment.sender(topology, frame);
    let passthru = segment.passthru(topology);
    if frame.destination().is_multicast() {
        if frame.destination().is_link_local_group() && passthru.is_none() {
            return Err(DropReason::ReservedGroup);
        }
        let origin = match sender {
            Sender::Foreign => Origin::Foreign,
            Sender::Station(from) if from.station.mode.is_heard_back() => {
                Origin::Reflected(from.port.id, from.station.mode)
            }
            Sender::Station(_) | Sender::Unclear => return Err(DropReason::Reflected),
        };
        return Ok(Onward::Spread(Spread { lan, origin, tag }));
    }
    if let Some(to) = passthru {
        return Ok(Onward::Station(to.port.id, tag));
    }
    let to = segment.addressee_from_wire(topology, frame);
    let to = to.ok_or(DropReason::NotOurs)?;
    let may_come = match sender {
        Sender::Foreign => true,
        Sender::Station(from) => {
            from.port.id != to.port.id && from.station.mode.comes_back_to(to.station.mode)
        }
        Sender::Unclear => false,
    };
    if !may_come {
        return Err(DropReason::Reflected);
    }
    to.readdress(frame);
    Ok(Onward::Station(to.port.id, tag))
}

/// The LAN that frames with this tag belong to.
fn find(lans: &Lans, parent: PortId, outermost: Option<WireTag>) -> Result<&Segment, DropReason> {
    let get = |tag| lans.get(Wire::Parent { port: parent, tag });
    let vlan = outermost.and_then(|tag| Some((tag.ethertype, tag.tag.id()?)));
    let untagged = get(None);
    let found = match (vlan, outermost) {
        (Some(vlan), _) => get(Some(vlan)),
        (None, Some(tag)) if tag.vid() == RESERVED => None,
        (None, _) => untagged,
    };
    let takes_all = |segment: &&Segment| segment.lan().transparent;
    let found = found.or_else(|| untagged.filter(takes_all));
    found.ok_or(match (vlan, outermost) {
        (Some(_), _) => DropReason::VlanUnknown,
        (None, Some(tag)) if tag.vid() == RESERVED => DropReason::VlanNotAllowed,
        (None, _) => DropReason::NotOurs,
    })
}
