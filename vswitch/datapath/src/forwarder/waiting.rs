//! What waits in the router: questions asked again, packets received again, and packets given up.

use vswitch_packet::{Frame, VnetHeader};

use super::{Forwarder, Way};
use crate::gateway::Reply;
use crate::pipeline::Pipeline;
use crate::port::PortId;
use crate::router::{Due, Interface, Notice, Passage, Waiting, question};
use crate::transmit::{FRAME_START, Wires};
use crate::verdict::{DropReason, Verdict};
use crate::vlan::TagAction;

impl Forwarder {
    /// Asks again after neighbours that packets wait for, and gives up those that do not answer.
    /// To be called by any worker, four times a second while [`crate::router::Pending::is_waiting`].
    pub fn tick<W: Wires>(&mut self, pipeline: &Pipeline<'_>, wires: &mut W) {
        let topology = pipeline.topology();
        let pending = &topology.router().pending;
        if !pending.is_waiting() {
            return;
        }
        let on = |link| Interface::on(topology, link);
        let known = |link, address| on(link)?.neighbours.get(address);
        for due in pending.due(pipeline.now(), known) {
            match due {
                Due::Ask(link, address) => {
                    let question = on(link)
                        .and_then(|on| question::write(&on, address, None, &mut self.reply));
                    if let Some(len) = question {
                        let (reply, mut way) = self.way(pipeline, wires);
                        way.ask(link, reply.get(..len).unwrap_or_default());
                    }
                }
                Due::Probe(link, address, neighbour) => {
                    let mac = Some(neighbour.mac);
                    let question =
                        on(link).and_then(|on| question::write(&on, address, mac, &mut self.reply));
                    if let (Some(len), Some(port)) = (question, topology.port(neighbour.port)) {
                        let (reply, mut way) = self.way(pipeline, wires);
                        let question = reply.get(..len).unwrap_or_default();
                        way.transmit(port).plain(question, TagAction::Keep);
                    }
                }
                Due::Forget(link, address, since) => {
                    if let Some(on) = on(link) {
                        on.neighbours.forget(address, since);
                    }
                }
                Due::GiveUp(waiting) => {
                    for waiting in waiting {
                        self.give_up(waiting, pipeline, wires);
                    }
                }
            }
        }
        self.flush(pipeline, wires);
    }

    /// Lets come in again what has waited for a neighbour or for its first fragment.
    #[cold]
    pub(super) fn receive_what_waited<W: Wires>(&mut self, pipeline: &Pipeline<'_>, wires: &mut W) {
        let router = pipeline.topology().router();
        for Waiting { ingress, octets } in router.pending.take_ready() {
            self.receive_again(ingress, &[&octets], pipeline, wires);
        }
        // Last, as what waited for a neighbour may be a first fragment.
        let released = router.nat.as_ref().map(|nat| nat.take_released());
        for held in released.into_iter().flatten() {
            let header = VnetHeader::default().to_bytes();
            self.receive_again(
                PortId(held.ingress),
                &[&header, &held.bytes],
                pipeline,
                wires,
            );
        }
        self.send_trains(pipeline, wires);
    }

    fn receive_again<W: Wires>(
        &mut self,
        ingress: PortId,
        parts: &[&[u8]],
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        let Some(ingress) = pipeline.topology().port(ingress) else {
            return;
        };
        if self.burst.room().is_none() {
            self.send_trains(pipeline, wires);
        }
        let mut len = 0;
        let room = self.burst.room().unwrap_or_default();
        for part in parts {
            if let Some(place) = room.get_mut(len..len + part.len()) {
                place.copy_from_slice(part);
                len += part.len();
            }
        }
        self.carry(len, (ingress, None), pipeline, wires, false);
    }

    /// Drops a packet that has waited for a neighbour in vain, and tells its sender.
    fn give_up<W: Wires>(&mut self, mut waiting: Waiting, pipeline: &Pipeline<'_>, wires: &mut W) {
        let reason = DropReason::NeighbourUnreachable;
        let Some(ingress) = pipeline.topology().port(waiting.ingress) else {
            return;
        };
        ingress.counters.lane(pipeline.worker()).dropped(reason);
        let Some((header, bytes)) = waiting.octets.split_first_chunk_mut::<FRAME_START>() else {
            return;
        };
        let Ok(frame) = Frame::parse(bytes, VnetHeader::read(header)) else {
            return;
        };
        let passage = Passage::resumed(pipeline.topology(), ingress, pipeline.now());
        let told = passage.map(|p| p.reject(reason, Notice::Unreachable, &frame, &mut self.reply));
        if let Some(Verdict::Rejected(_, len)) = told {
            let (reply, mut way) = self.way(pipeline, wires);
            let notice = reply.get(..len).unwrap_or_default();
            way.transmit(ingress).plain(notice, TagAction::Keep);
        }
    }

    /// What waits to be sent, and the way out.
    fn way<'a, 't, W>(
        &'a mut self,
        pipeline: &'a Pipeline<'t>,
        wires: &'a mut W,
    ) -> (&'a Reply, Way<'a, 't, W>) {
        let way = Way {
            trains: &mut self.trains,
            scratch: &mut self.scratch,
            pipeline,
            wires,
        };
        (&self.reply, way)
    }
}
