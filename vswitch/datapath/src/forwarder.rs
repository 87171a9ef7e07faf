//! A worker's burst: frames are read into its buffer, and each is on its way out, or waits in a
//! train, before the next is read.

use vswitch_packet::coalesce::Candidate;
use vswitch_packet::{Capabilities, Frame, MAX_FRAME_LEN, VnetHeader};

use crate::burst::{Arena, Burst};
use crate::counters::Lane;
use crate::gateway::Reply;
use crate::pipeline::{Decision, Egress, Pipeline};
use crate::port::{Port, PortId};
use crate::trains::{Boarding, Trains};
use crate::transmit::{FRAME_START, Transmit, Wires};
use crate::verdict::{DropReason, Reach, Verdict};
use crate::vlan::{TagAction, Vlan};

/// The state of one worker between reading frames and writing them. Nothing in here is allocated
/// per frame.
#[derive(Debug)]
pub struct Forwarder {
    burst: Burst,
    trains: Trains,
    reply: Reply,
    scratch: Box<[u8]>,
}

impl Default for Forwarder {
    fn default() -> Self {
        Self {
            burst: Burst::new(),
            trains: Trains::default(),
            reply: [0; 96],
            scratch: vec![0; MAX_FRAME_LEN].into_boxed_slice(),
        }
    }
}

impl Forwarder {
    /// Where to read the next frame to, virtio header first: [`crate::burst::MAX_READ`] octets, or
    /// `None` when the burst has to be flushed before.
    #[inline]
    pub fn room(&mut self) -> Option<&mut [u8]> {
        self.burst.room()
    }

    /// Takes the `len` octets that were read into [`Forwarder::room`] from `ingress`.
    ///
    /// When this returns, the frame was written, or dropped and counted, or it waits for
    /// [`Forwarder::flush`].
    pub fn receive<W: Wires>(
        &mut self,
        len: usize,
        ingress: &Port,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        let lane = ingress.counters.lane(pipeline.worker());
        let (mut arena, last) = self.burst.split(len);
        let Some((header, bytes)) = last.split_first_chunk_mut::<FRAME_START>() else {
            lane.received_frames.add(1);
            lane.dropped(DropReason::Runt);
            return;
        };
        let mut frame = match Frame::parse(bytes, VnetHeader::read(header)) {
            Ok(frame) => frame,
            Err(error) => {
                lane.received_frames.add(1);
                lane.received_bytes.add((len - FRAME_START) as u64);
                lane.dropped(error.into());
                return;
            }
        };
        let mut way = Way {
            trains: &mut self.trains,
            scratch: &mut self.scratch,
            pipeline,
            wires,
        };
        let Decision { verdict, vlan } = pipeline.receive(ingress, &mut frame, &mut self.reply);
        let boarded = match verdict {
            Verdict::Drop(_) => None,
            Verdict::Reply(len) => {
                let tag = TagAction::at_egress(ingress, vlan, None);
                let reply = self.reply.get(..len).unwrap_or_default();
                way.transmit(ingress).plain(reply, tag);
                None
            }
            Verdict::Flood(reach) => {
                way.flood(ingress, vlan, reach, &frame, &mut arena);
                None
            }
            Verdict::Out(egress) => match pipeline.topology().port(egress) {
                Some(egress) => way.out(egress, vlan, &frame, &mut arena),
                None => {
                    lane.dropped(DropReason::PortGone);
                    None
                }
            },
        };
        if let Some(Boarded {
            egress,
            candidate,
            boarding,
        }) = boarded
        {
            let kept = self.burst.keep(len);
            if let Some(place) = self.trains.take(egress, boarding, kept, &candidate) {
                self.trains
                    .depart(place, &mut self.burst.arena(), pipeline, wires);
            }
            if self.trains.is_empty() {
                self.burst.clear();
            }
        }
    }

    /// Sends what waits. To be called at the end of each burst, before the worker looks elsewhere.
    #[inline]
    pub fn flush<W: Wires>(&mut self, pipeline: &Pipeline<'_>, wires: &mut W) {
        if !self.trains.is_empty() {
            self.trains.flush(&mut self.burst.arena(), pipeline, wires);
        }
        self.burst.clear();
    }
}

/// A frame that stays in the buffer as a part of a train.
struct Boarded {
    egress: PortId,
    candidate: Candidate,
    boarding: Boarding,
}

/// What a frame needs on its way out.
struct Way<'a, 't, W> {
    trains: &'a mut Trains,
    scratch: &'a mut [u8],
    pipeline: &'a Pipeline<'t>,
    wires: &'a mut W,
}

impl<W: Wires> Way<'_, '_, W> {
    fn out(
        &mut self,
        egress: &Port,
        vlan: Vlan,
        frame: &Frame<'_>,
        arena: &mut Arena<'_>,
    ) -> Option<Boarded> {
        let how = match self.pipeline.egress(egress, vlan, frame) {
            Ok(how) => how,
            Err(reason) => {
                self.lane(egress).dropped(reason);
                return None;
            }
        };
        // A train may become any kind of super-frame, with a checksum to complete.
        if how == Egress::AS_IT_IS
            && egress.capabilities == Capabilities::ALL
            && let Some(candidate) = Candidate::of(frame)
            && let Some(flow) = frame.flow()
        {
            let boarding = self.trains.board(
                egress.id,
                flow,
                &candidate,
                arena,
                self.pipeline,
                self.wires,
            );
            if let Some(boarding) = boarding {
                return Some(Boarded {
                    egress: egress.id,
                    candidate,
                    boarding,
                });
            }
        } else if !self.trains.is_empty() {
            self.trains
                .make_way(egress.id, frame, arena, self.pipeline, self.wires);
        }
        self.transmit(egress).frame(frame, how);
        None
    }

    fn flood(
        &mut self,
        ingress: &Port,
        vlan: Vlan,
        reach: Reach,
        frame: &Frame<'_>,
        arena: &mut Arena<'_>,
    ) {
        if !self.trains.is_empty() {
            self.trains.flush(arena, self.pipeline, self.wires);
        }
        for egress in self.pipeline.audience(ingress, vlan, reach) {
            match self.pipeline.egress(egress, vlan, frame) {
                Ok(how) => self.transmit(egress).frame(frame, how),
                Err(reason) => self.lane(egress).dropped(reason),
            }
        }
    }

    fn lane<'p>(&self, port: &'p Port) -> &'p Lane {
        port.counters.lane(self.pipeline.worker())
    }

    fn transmit<'p>(&'p mut self, port: &'p Port) -> Transmit<'p, W> {
        Transmit {
            lane: port.counters.lane(self.pipeline.worker()),
            port,
            wires: self.wires,
            scratch: self.scratch,
        }
    }
}
