//! Who has sent what comes by the wire: it may bring back what stations of ours have sent.

use std::net::{IpAddr, Ipv4Addr};

use vswitch_packet::{Frame, Network};

use super::index::Segment;
use super::station::Member;
use crate::topology::Topology;

/// The sender of a frame that came by the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sender<'t> {
    /// Somebody behind the wire, or the host.
    Foreign,
    /// A station of ours.
    Station(Member<'t>),
    /// A station of ours or the host: the frame does not tell.
    Unclear,
}

impl Segment {
    /// Who has sent `frame`, which came by the wire.
    pub(super) fn sender<'t>(&self, topology: &'t Topology, frame: &Frame<'_>) -> Sender<'t> {
        if let Some(station) = self.seen_by_wire(topology, frame.source()) {
            return Sender::Station(station);
        }
        if !self.is_shared(frame.source()) {
            return Sender::Foreign;
        }
        match source_address(frame) {
            Some(address) if !address.is_unspecified() => {
                let station = self.at_address(topology, address);
                station.map_or(Sender::Foreign, Sender::Station)
            }
            _ => Sender::Unclear,
        }
    }
}

/// The IP address that a frame is from; unspecified if its sender has none yet.
fn source_address(frame: &Frame<'_>) -> Option<IpAddr> {
    match frame.network() {
        Network::Ip(ip) => Some(ip.source(frame.bytes())),
        Network::Arp { start } => {
            // The sender's protocol address, RFC 826.
            let octets = frame.bytes().get(usize::from(start) + 14..)?;
            Some(Ipv4Addr::from(*octets.first_chunk()?).into())
        }
        Network::Malformed | Network::Opaque => None,
    }
}
