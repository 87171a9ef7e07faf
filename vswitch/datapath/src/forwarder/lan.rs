//! Frames on a LAN: to stations, and to the wire.

use std::net::IpAddr;

use vswitch_packet::Frame;

use super::{Boarded, Way};
use crate::announcement::announce;
use crate::burst::Arena;
use crate::lan::{Exit, Lan, Member, Onward, Spread};
use crate::port::{Port, PortId, Role};
use crate::transmit::Wires;
use crate::verdict::DropReason;
use crate::vlan::TagAction;

impl<'t, W: Wires> Way<'_, 't, W> {
    /// Carries `frame`, which came in at `ingress`, where its LAN has decided.
    #[inline(never)]
    pub(super) fn onward(
        &mut self,
        ingress: &Port,
        onward: Onward,
        frame: &mut Frame<'_>,
        arena: &mut Arena<'_>,
    ) -> Option<Boarded> {
        match onward {
            Onward::Station(port, tag) => {
                let to = self.find(ingress, port)?;
                match &self.pipeline.egress_to_station(to, tag, frame) {
                    Ok(how) => self.leave(to, how, frame, arena),
                    Err(reason) => {
                        self.lane(to).dropped(*reason);
                        None
                    }
                }
            }
            Onward::Wire(exit) => {
                let parent = self.find(ingress, exit.parent())?;
                match &exit.leave(ingress, parent, frame) {
                    Ok(how) => self.leave(parent, how, frame, arena),
                    Err(reason) => {
                        self.lane(parent).dropped(*reason);
                        None
                    }
                }
            }
            Onward::Spread(spread) => {
                self.spread(ingress, spread, frame, arena);
                None
            }
        }
    }

    /// Stations first: they see the frame as it was sent.
    fn spread(
        &mut self,
        ingress: &Port,
        spread: Spread,
        frame: &mut Frame<'_>,
        arena: &mut Arena<'_>,
    ) {
        if !self.trains.is_empty() {
            self.trains.flush(arena, self.pipeline, self.wires);
        }
        let exit = spread.exit(ingress, frame);
        for to in spread.audience(self.pipeline.topology(), ingress) {
            match &self.pipeline.egress_to_station(to, spread.tag(), frame) {
                Ok(how) => self.transmit(to).frame(frame, how),
                Err(reason) => self.lane(to).dropped(*reason),
            }
        }
        if let Some(exit) = exit
            && let Some(parent) = self.find(ingress, exit.parent())
        {
            match &exit.leave(ingress, parent, frame) {
                Ok(how) => self.transmit(parent).frame(frame, how),
                Err(reason) => self.lane(parent).dropped(*reason),
            }
        }
    }

    /// Announces `station`, with its `addresses`, to the stations of `lan` that hear it, and on the wire
    /// by the MAC address that it has there.
    pub(super) fn announce_on(&mut self, lan: Lan, station: Member<'_>, addresses: &[IpAddr]) {
        let topology = self.pipeline.topology();
        let own = station.port;
        let spread = Spread::of_own(lan);
        announce(addresses, own.mac, |frame| {
            for to in spread.audience(topology, own) {
                self.transmit(to).plain(frame, TagAction::Keep);
            }
        });
        let exit = Exit::of_own(&lan).filter(|_| own.role != Role::Host);
        let parent = exit.and_then(|exit| topology.port(exit.parent()));
        if let (Some(exit), Some(parent)) = (exit, parent) {
            announce(addresses, station.mac_on_wire(parent), |frame| {
                self.transmit(parent).plain(frame, exit.tag());
            });
        }
    }

    /// The port at `id`, or else a frame from `ingress` is lost.
    fn find(&self, ingress: &Port, id: PortId) -> Option<&'t Port> {
        let port = self.pipeline.topology().port(id);
        if port.is_none() {
            self.lane(ingress).dropped(DropReason::PortGone);
        }
        port
    }
}
