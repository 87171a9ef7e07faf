//! A worker's burst: frames are read into its buffer, one or several at once, and each is on its way out,
//! or waits in a train, before the next is looked at.

mod announce;
mod arrival;
mod lan;
mod together;
mod waiting;

use std::ops::Range;

use vswitch_nat::Expected;
use vswitch_packet::coalesce::Candidate;
use vswitch_packet::{Capabilities, Frame, MAX_FRAME_LEN, VnetHeader};
use vswitch_vxlan::ecn;

use crate::burst::{Arena, Burst};
use crate::counters::Lane;
use crate::gateway::{REPLY_LEN, Reply};
use crate::lan::WireTag;
use crate::pipeline::{Decision, Egress, Pipeline};
use crate::port::{Port, PortId, Role};
use crate::router::Link;
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
    /// Of frames that were read together.
    expected: Expected,
}

impl Default for Forwarder {
    fn default() -> Self {
        Self {
            burst: Burst::new(),
            trains: Trains::default(),
            reply: [0; REPLY_LEN],
            scratch: vec![0; MAX_FRAME_LEN].into_boxed_slice(),
            expected: Expected::default(),
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
    #[inline]
    pub fn receive<W: Wires>(
        &mut self,
        len: usize,
        ingress: &Port,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        self.carry(len, (ingress, None), pipeline, wires, true);
    }

    /// As [`Forwarder::receive`], from a port of [`Role::Parent`], for a frame that the kernel took the
    /// outermost tag off.
    #[inline]
    pub fn receive_tagged<W: Wires>(
        &mut self,
        len: usize,
        tag: Option<WireTag>,
        ingress: &Port,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        self.carry(len, (ingress, tag), pipeline, wires, true);
    }

    /// Takes what is in the buffer; `first` if it comes in for the first time, and is counted.
    #[inline]
    fn carry<W: Wires>(
        &mut self,
        len: usize,
        (ingress, tag): (&Port, Option<WireTag>),
        pipeline: &Pipeline<'_>,
        wires: &mut W,
        first: bool,
    ) {
        let Some(header) = self.burst.read(len).first_chunk::<FRAME_START>() else {
            let lane = ingress.counters.lane(pipeline.worker());
            lane.received_frames.add(1);
            lane.dropped(DropReason::Runt);
            return;
        };
        let how = Entering {
            header: VnetHeader::read(header),
            verify: false,
            outer_tos: 0,
            tag,
            first,
        };
        let kept = self.forward(FRAME_START..len, &how, ingress, pipeline, wires);
        self.finish(len, kept);
    }

    /// Makes room for the next read, after all frames of the last one.
    #[inline]
    fn finish(&mut self, len: usize, kept: bool) {
        if self.trains.is_empty() {
            self.burst.clear();
        } else if kept {
            self.burst.advance(len);
        }
    }

    /// Takes the frame that is at `within` of what was read last. True if it is kept there.
    #[inline]
    fn forward<W: Wires>(
        &mut self,
        within: Range<usize>,
        how: &Entering,
        ingress: &Port,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) -> bool {
        let lane = ingress.counters.lane(pipeline.worker());
        let (mut arena, bytes) = self.burst.split(&within);
        let mut frame = match Frame::parse(bytes, how.header) {
            Ok(frame) => frame,
            Err(error) => {
                lane.received_frames.add(1);
                lane.received_bytes.add(within.len() as u64);
                lane.dropped(error.into());
                return false;
            }
        };
        let mut way = Way {
            trains: &mut self.trains,
            scratch: &mut self.scratch,
            pipeline,
            wires,
        };
        if how.first {
            pipeline.count(lane, &frame);
        }
        if how.outer_tos & 0b11 != 0 && ecn::apply(&mut frame, how.outer_tos).is_err() {
            lane.dropped(DropReason::CongestionMarked);
            return false;
        }
        if how.verify {
            frame.verify_checksum();
            frame.restore_super_frame(ingress.mtu());
        }
        let Decision { verdict, vlan } = match how.tag {
            None => pipeline.receive_again(ingress, &mut frame, &mut self.reply),
            Some(tag) => pipeline.receive_tagged(ingress, tag, &mut frame),
        };
        let boarded = match verdict {
            Verdict::Drop(_) | Verdict::Held | Verdict::Taken => None,
            Verdict::Reply(len) | Verdict::Rejected(_, len) => {
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
            Verdict::Routed(exit) => match pipeline.topology().port(exit.port) {
                Some(egress) => {
                    let how = Pipeline::routed(egress, exit.mtu, &frame);
                    way.leave(egress, &how, &frame, &mut arena)
                }
                None => {
                    lane.dropped(DropReason::PortGone);
                    None
                }
            },
            Verdict::Lan(onward) => way.onward(ingress, onward, &mut frame, &mut arena),
            Verdict::Asked(link, len) => {
                way.ask(link, self.reply.get(..len).unwrap_or_default());
                None
            }
        };
        let Some(boarded) = boarded else {
            return false;
        };
        let Boarded {
            egress,
            candidate,
            boarding,
        } = boarded;
        let kept = self.burst.keep(&within);
        if let Some(place) = self.trains.take(egress, boarding, kept, &candidate) {
            self.trains
                .depart(place, &mut self.burst.arena(), pipeline, wires);
        }
        true
    }

    /// Sends what waits. To be called at the end of each burst, before the worker looks elsewhere.
    #[inline]
    pub fn flush<W: Wires>(&mut self, pipeline: &Pipeline<'_>, wires: &mut W) {
        self.send_trains(pipeline, wires);
        let router = pipeline.topology().router();
        if router.pending.has_ready() || router.nat.as_ref().is_some_and(|nat| nat.has_released()) {
            self.receive_what_waited(pipeline, wires);
        }
    }

    fn send_trains<W: Wires>(&mut self, pipeline: &Pipeline<'_>, wires: &mut W) {
        if !self.trains.is_empty() {
            self.trains.flush(&mut self.burst.arena(), pipeline, wires);
        }
        self.burst.clear();
    }
}

/// What is known of a frame beside its octets.
struct Entering {
    header: VnetHeader,
    /// Nobody knows whether its checksum is right, and it may be worth to look.
    verify: bool,
    /// Of the packet it was in; zero if there was none.
    outer_tos: u8,
    /// The outermost tag, if it was taken off.
    tag: Option<WireTag>,
    /// It comes in for the first time, and is counted.
    first: bool,
}

impl Entering {
    /// A frame as a port's interface has sent it.
    const fn first(header: VnetHeader) -> Self {
        Self {
            header,
            verify: false,
            outer_tos: 0,
            tag: None,
            first: true,
        }
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
        match &self.pipeline.egress(egress, vlan, frame) {
            Ok(how) => self.leave(egress, how, frame, arena),
            Err(reason) => {
                self.lane(egress).dropped(*reason);
                None
            }
        }
    }

    #[inline]
    fn leave(
        &mut self,
        egress: &Port,
        how: &Egress,
        frame: &Frame<'_>,
        arena: &mut Arena<'_>,
    ) -> Option<Boarded> {
        // A train may become any kind of super-frame, with a checksum to complete.
        if *how == Egress::AS_IT_IS
            && egress.capabilities == Capabilities::ALL
            && let Some(candidate) = Candidate::of(frame)
            && let Some(flow) = frame.flow()
        {
            let boarding = self.trains.board(
                egress,
                flow,
                (frame, &candidate),
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

    /// Asks everybody on `link` that is reached untagged. The host's interface has the router's
    /// own address, and of two tunnels to the same hosts one is enough.
    fn ask(&mut self, link: Link, question: &[u8]) {
        let topology = self.pipeline.topology();
        let one;
        let ports = match link {
            Link::Uplink(port) => {
                one = [port];
                &one[..]
            }
            Link::Bridge(bridge) => topology.bridge(bridge).map_or(&[][..], |b| &b.ports),
        };
        for port in ports.iter().filter_map(|&port| topology.port(port)) {
            let is_reached = port.tunnel.as_ref().is_none_or(|tunnel| tunnel.is_flooded);
            if port.role != Role::Host && is_reached && Vlan::NONE.leaves_by(port) {
                self.transmit(port).plain(question, TagAction::Keep);
            }
        }
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
            match &self.pipeline.egress(egress, vlan, frame) {
                Ok(how) => self.transmit(egress).frame(frame, how),
                Err(reason) => self.lane(egress).dropped(*reason),
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
