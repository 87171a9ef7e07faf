//! A frame that a station has sent.

use std::net::IpAddr;

use vswitch_packet::{Frame, Network};

use super::egress::{Exit, Onward, Origin, Spread};
use super::mode::Way;
use super::station::Member;
use super::{Lan, Mode, translate};
use crate::port::{Port, Role};
use crate::topology::Topology;
use crate::verdict::DropReason;
use crate::vlan::TagAction;

/// Decides on `frame`, which came in at `ingress`, a port of a bridge on `lan`. A frame for a station
/// that is behind a shared MAC address is readdressed.
///
/// # Errors
/// The reason to drop it.
pub(crate) fn depart(
    topology: &Topology,
    lan: &Lan,
    ingress: &Port,
    frame: &mut Frame<'_>,
) -> Result<Onward, DropReason> {
    let from = Member::of(ingress).ok_or(DropReason::Isolated)?;
    let tag = admit(lan, &from, frame)?;
    if from.station.managed_dhcp && translate::is_dhcp_request(frame) {
        return Err(DropReason::ManagedDhcp);
    }
    if frame.destination().is_multicast() {
        return Ok(Onward::Spread(Spread {
            lan: *lan,
            origin: Origin::Station,
            tag,
        }));
    }
    let found = match (from.station.mode, topology.lans().get(lan.wire)) {
        (Mode::Passthru, _) | (_, None) => None,
        (_, Some(segment)) => segment.addressee(topology, frame),
    };
    match found {
        Some(to) if to.port.id == ingress.id => Err(DropReason::Hairpin),
        Some(to) => match way(&from, &to) {
            Way::Here => {
                check_host(topology, &from, &to, frame)?;
                to.readdress(frame);
                Ok(Onward::Station(to.port.id, tag))
            }
            Way::ByWire => by_wire(lan, ingress, frame)?.ok_or(DropReason::Isolated),
            Way::Never => Err(DropReason::Isolated),
        },
        None => by_wire(lan, ingress, frame)?.ok_or(DropReason::NoStation),
    }
}

/// Whether a station may send `frame`, and how it goes on to others.
fn admit(lan: &Lan, from: &Member<'_>, frame: &Frame<'_>) -> Result<TagAction, DropReason> {
    if !frame.source().is_valid_source() {
        return Err(DropReason::BadSource);
    }
    let is_passthru = from.station.mode == Mode::Passthru;
    if frame.destination().is_link_local_group() && !is_passthru {
        return Err(DropReason::ReservedGroup);
    }
    let tag = lan.tag_to_stations(frame)?;
    match &from.port.identity {
        _ if is_passthru => {}
        Some(identity) => {
            identity.check(frame)?;
            identity.check_probe(frame)?;
        }
        None if frame.source() == from.port.mac => {}
        None => return Err(DropReason::SpoofedMac),
    }
    Ok(tag)
}

/// The host's port and the stations of its bridge are what the wire does not know of each other.
fn way(from: &Member<'_>, to: &Member<'_>) -> Way {
    let is_host = from.port.role == Role::Host || to.port.role == Role::Host;
    match (is_host, from.port.bridge == to.port.bridge) {
        (true, true) => Way::Here,
        (true, false) => Way::Never,
        (false, _) => from.station.mode.way_to(to.station.mode),
    }
}

/// The host's port is for the host itself. Its kernel may be a router for others: between stations that do not
/// reach each other, it is none.
fn check_host(
    topology: &Topology,
    from: &Member<'_>,
    to: &Member<'_>,
    frame: &Frame<'_>,
) -> Result<(), DropReason> {
    let Network::Ip(ip) = frame.network() else {
        return Ok(());
    };
    let address = match (from.port.role, to.port.role) {
        (_, Role::Host) => ip.destination(frame.bytes()),
        (Role::Host, _) => ip.source(frame.bytes()),
        _ => return Ok(()),
    };
    let is_own = topology.host_addresses().contains(&address) || is_link_local(address);
    if is_own {
        Ok(())
    } else {
        Err(DropReason::Isolated)
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// `None` if there is no wire, or not for this port.
fn by_wire(lan: &Lan, ingress: &Port, frame: &Frame<'_>) -> Result<Option<Onward>, DropReason> {
    if ingress.role == Role::Host {
        return Ok(None);
    }
    Ok(Exit::of(lan, frame)?.map(Onward::Wire))
}
