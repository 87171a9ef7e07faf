//! Datagrams of tunnels: each holds a frame, which comes in at the port of the host it is from.

use vswitch_packet::VnetHeader;
use vswitch_vxlan::{Datagrams, HEADER_LEN, Vni, decapsulate};

use super::{Entering, Forwarder};
use crate::counters::Lane;
use crate::pipeline::Pipeline;
use crate::port::{Port, PortId};
use crate::transmit::Wires;
use crate::tunnel::{Arrival, Foreign, Stranger};
use crate::verdict::DropReason;

impl Forwarder {
    /// Takes the `len` octets of datagrams that were read into [`Forwarder::room`] from the sockets
    /// of `underlay`.
    ///
    /// When this returns, each frame was written, or dropped and counted, or waits for
    /// [`Forwarder::flush`].
    pub fn receive_datagrams<W: Wires>(
        &mut self,
        len: usize,
        arrival: &Arrival,
        underlay: &Port,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        let mut sorter = Sorter {
            arrival,
            underlay: underlay.id,
            pipeline,
            last: None,
        };
        let how = Entering {
            header: VnetHeader::default(),
            // The outer checksum, if there is one, says what the other host has sent, and nothing of
            // what its container has: who vouches for a frame has to look inside.
            verify: true,
            outer_tos: arrival.tos,
            tag: None,
            first: true,
        };
        let lane = underlay.counters.lane(pipeline.worker());
        let (mut kept, mut heard) = (false, len == 0);
        if heard {
            lane.received_frames.add(1);
            lane.dropped(DropReason::BadVxlan);
        }
        for datagram in Datagrams::new(len, arrival.segment) {
            let octets = self.burst.read(len).get(datagram.clone());
            let found = sorter.port(octets.unwrap_or_default());
            if let Err(Outsider::Ignore) = found {
                continue;
            }
            heard = true;
            lane.received_frames.add(1);
            lane.received_bytes.add(datagram.len() as u64);
            match found {
                Ok(port) => {
                    let within = datagram.start + HEADER_LEN..datagram.end;
                    kept |= self.forward(within, &how, port, pipeline, wires);
                }
                Err(Outsider::Drop(reason)) => lane.dropped(reason),
                Err(Outsider::Stranger(stranger)) => refuse(lane, stranger, wires),
                Err(Outsider::Ignore) => {}
            }
        }
        if heard && arrival.segment.is_some() {
            lane.received_super.add(1);
        }
        self.finish(len, kept);
    }
}

/// A datagram that came by no tunnel.
#[derive(Clone, Copy)]
enum Outsider {
    Drop(DropReason),
    Stranger(Stranger),
    /// Of another segment with the same group, which hears it, too.
    Ignore,
}

/// Finds the tunnel of each datagram; those that were joined are mostly of one.
struct Sorter<'a> {
    arrival: &'a Arrival,
    underlay: PortId,
    pipeline: &'a Pipeline<'a>,
    last: Option<(Vni, &'a Port)>,
}

impl<'a> Sorter<'a> {
    #[inline]
    fn port(&mut self, datagram: &[u8]) -> Result<&'a Port, Outsider> {
        let vni = decapsulate(datagram).map_err(|_| Outsider::Drop(DropReason::BadVxlan))?;
        if let Some((last, port)) = self.last
            && last == vni
        {
            return Ok(port);
        }
        let port = self.find(vni)?;
        self.last = Some((vni, port));
        Ok(port)
    }

    fn find(&self, vni: Vni) -> Result<&'a Port, Outsider> {
        let topology = self.pipeline.topology();
        let from = self.arrival.from;
        if let Some(group) = self.arrival.group {
            let tunnel = topology.port(group).and_then(|port| port.tunnel.as_ref());
            if tunnel.is_none_or(|tunnel| tunnel.vni != vni) {
                return Err(Outsider::Ignore);
            }
        }
        match topology.tunnels().find(self.underlay, vni, from) {
            Ok(port) => topology
                .port(port)
                .ok_or(Outsider::Drop(DropReason::PortGone)),
            Err(_) if topology.host_addresses().contains(&from) => {
                Err(Outsider::Drop(DropReason::Reflected))
            }
            // By the host's own stack, a container can write to its sockets.
            Err(Foreign::Stranger(_)) if topology.bridge_of(from).is_some() => {
                Err(Outsider::Drop(DropReason::Reflected))
            }
            Err(Foreign::Stranger(bridge)) => Err(Outsider::Stranger(Stranger {
                bridge,
                underlay: self.underlay,
                address: from,
            })),
            Err(foreign) => Err(Outsider::Drop(foreign.into())),
        }
    }
}

/// Its next frames will come by a tunnel.
#[cold]
fn refuse<W: Wires>(lane: &Lane, stranger: Stranger, wires: &mut W) {
    lane.dropped(DropReason::UnknownVtep);
    wires.stranger(stranger);
}
