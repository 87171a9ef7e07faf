//! Trains: datagrams of one flow that wait for the end of the burst, to leave as one super-frame.
//!
//! The order within a flow is kept: a frame that cannot join its flow's train leaves after it.

use std::io::IoSlice;
use std::ops::Range;

use vswitch_packet::coalesce::{Answer, Candidate, Train};
use vswitch_packet::ip::Fragment;
use vswitch_packet::{FlowKey, Frame, Network, PartialChecksum, checksum};

use crate::burst::{Arena, Kept};
use crate::pipeline::Pipeline;
use crate::port::Port;
use crate::port::PortId;
use crate::transmit::{Transmit, Wires};
use crate::tunnel::{Outer, Tunnel};

/// Trains open at once; a burst with more flows sends the older ones first.
const MAX_TRAINS: usize = 16;
/// Packets in a train: the head and what follows, as [`Train`] has it at most for UDP. TCP trains
/// end here too.
const MAX_CARS: usize = 64;

/// The trains of one worker.
#[derive(Debug, Default)]
pub(crate) struct Trains {
    waiting: Vec<Waiting>,
    /// Lists of cars of former trains, to be used again.
    spare: Vec<Vec<Car>>,
}

#[derive(Debug)]
struct Waiting {
    egress: PortId,
    flow: FlowKey,
    train: Train,
    /// Of its datagrams, if it leaves by a tunnel.
    outer: Option<Outer>,
    /// The head first.
    cars: Vec<Car>,
}

/// A packet of a train.
#[derive(Debug)]
struct Car {
    /// Where its frame is kept.
    kept: Kept,
    /// Where the payload is in the frame; the packet ends there.
    payload: Range<usize>,
    /// The checksum that its sender left to others.
    checksum: Option<PartialChecksum>,
}

/// How a frame travels with others.
#[derive(Debug)]
pub(crate) enum Boarding {
    /// As part of the train at this place of the list.
    Join(usize),
    /// As the head of a new one.
    Begin(FlowKey, Option<Outer>),
}

impl Trains {
    pub(crate) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Finds a train for `candidate`; `None` if it leaves alone, now. A train of its flow that
    /// cannot take it is sent before this returns.
    pub(crate) fn board<W: Wires>(
        &mut self,
        egress: &Port,
        flow: FlowKey,
        (frame, candidate): (&Frame<'_>, &Candidate),
        arena: &mut Arena<'_>,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) -> Option<Boarding> {
        let same = |w: &Waiting| w.egress == egress.id && w.flow == flow;
        if let Some(place) = self.waiting.iter().position(same) {
            let waiting = &mut self.waiting[place];
            if waiting.cars.len() < MAX_CARS && waiting.train.offer(candidate) == Answer::Accept {
                return Some(Boarding::Join(place));
            }
            self.depart(place, arena, pipeline, wires);
        }
        // What is closed from the start (PSH) gains nothing by waiting.
        let begins = self.waiting.len() < MAX_TRAINS && Train::start(candidate).is_open();
        begins.then(|| {
            let outer = egress.tunnel.as_ref().map(|tunnel| tunnel.outer(frame));
            Boarding::Begin(flow, outer)
        })
    }

    /// Takes a packet as [`Trains::board`] said. The place of its train, if that is complete now.
    pub(crate) fn take(
        &mut self,
        egress: PortId,
        boarding: Boarding,
        kept: Kept,
        candidate: &Candidate,
    ) -> Option<usize> {
        let car = Car {
            kept,
            payload: candidate.payload(),
            checksum: candidate.checksum(),
        };
        match boarding {
            Boarding::Join(place) => {
                let waiting = &mut self.waiting[place];
                waiting.cars.push(car);
                (!waiting.train.is_open()).then_some(place)
            }
            Boarding::Begin(flow, outer) => {
                let mut cars = self
                    .spare
                    .pop()
                    .unwrap_or_else(|| Vec::with_capacity(MAX_CARS));
                cars.push(car);
                self.waiting.push(Waiting {
                    egress,
                    flow,
                    train: Train::start(candidate),
                    outer,
                    cars,
                });
                None
            }
        }
    }

    /// Sends the trains that `frame`, which leaves by `egress` without joining one, must not
    /// overtake: those of its protocol, or all if it is a fragment, which may not tell (RFC 8200
    /// §4.5: an extension header may come between).
    pub(crate) fn make_way<W: Wires>(
        &mut self,
        egress: PortId,
        frame: &Frame<'_>,
        arena: &mut Arena<'_>,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        let Network::Ip(ip) = frame.network() else {
            return;
        };
        let fragment = ip.fragment != Fragment::No;
        self.depart_all(arena, pipeline, wires, |w| {
            w.egress == egress && (fragment || w.flow.protocol == ip.protocol)
        });
    }

    /// Sends all trains, in the order they began.
    pub(crate) fn flush<W: Wires>(
        &mut self,
        arena: &mut Arena<'_>,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        self.depart_all(arena, pipeline, wires, |_| true);
    }

    fn depart_all<W: Wires>(
        &mut self,
        arena: &mut Arena<'_>,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
        which: impl Fn(&Waiting) -> bool,
    ) {
        let mut place = 0;
        while let Some(waiting) = self.waiting.get(place) {
            if which(waiting) {
                self.depart(place, arena, pipeline, wires);
            } else {
                place += 1;
            }
        }
    }

    /// Sends the train at `place`.
    pub(crate) fn depart<W: Wires>(
        &mut self,
        place: usize,
        arena: &mut Arena<'_>,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        let mut waiting = self.waiting.remove(place);
        if let Some(port) = pipeline.topology().port(waiting.egress) {
            let mut transmit = Transmit {
                wires,
                port,
                lane: port.counters.lane(pipeline.worker()),
                scratch: &mut [],
            };
            match (&port.tunnel, waiting.outer) {
                (Some(tunnel), Some(outer)) => {
                    waiting.send_into(tunnel, outer, arena, &mut transmit);
                }
                _ => waiting.send_whole(arena, &mut transmit),
            }
        }
        waiting.cars.clear();
        self.spare.push(waiting.cars);
    }
}

impl Waiting {
    /// As one super-frame: the head with its headers made those of all, and the payloads.
    fn send_whole<W: Wires>(&self, arena: &mut Arena<'_>, transmit: &mut Transmit<'_, W>) {
        let Some((head, cars)) = self.cars.split_first() else {
            return;
        };
        let offload = self.train.seal(arena.get_mut(&head.kept));
        let header = offload.to_header(self.train.headers_len()).to_bytes();
        let mut parts = [IoSlice::new(&[]); MAX_CARS + 1];
        let frame = arena.get(&head.kept);
        let (frame, len) = if cars.is_empty() {
            (frame, frame.len())
        } else {
            // Ethernet padding must not come between two payloads.
            let frame = frame.get(..head.payload.end).unwrap_or_default();
            (frame, self.train.frame_len())
        };
        parts[0] = IoSlice::new(&header);
        parts[1] = IoSlice::new(frame);
        for (part, car) in parts[2..].iter_mut().zip(cars) {
            let payload = arena.get(&car.kept).get(car.payload.clone());
            *part = IoSlice::new(payload.unwrap_or_default());
        }
        let lane = transmit.lane;
        match transmit.send(&parts[..self.cars.len() + 1], len) {
            Ok(()) if !cars.is_empty() => {
                lane.sent_super.add(1);
                lane.coalesced.add(self.train.segments() as u64);
            }
            Ok(()) => {}
            Err(error) => (0..self.train.segments()).for_each(|_| lane.dropped(error.into())),
        }
    }

    /// As the frames they are: a tunnel's datagrams are handed over together.
    fn send_into<W: Wires>(
        &self,
        tunnel: &Tunnel,
        outer: Outer,
        arena: &mut Arena<'_>,
        transmit: &mut Transmit<'_, W>,
    ) {
        for car in &self.cars {
            if let Some(partial) = car.checksum
                && let Some(covered) = arena
                    .get_mut(&car.kept)
                    .get_mut(usize::from(partial.start)..car.payload.end)
            {
                checksum::complete(covered, usize::from(partial.offset));
            }
        }
        let arena = &*arena;
        let frames = self.cars.iter();
        let frames = frames.map(|car| arena.get(&car.kept).get(..car.payload.end));
        transmit.together(tunnel, outer, frames.map(Option::unwrap_or_default));
    }
}
