//! Trains: datagrams of one flow that wait for the end of the burst, to leave as one super-frame.
//!
//! The order within a flow is kept: a frame that cannot join its flow's train leaves after it.

use std::io::IoSlice;
use std::ops::Range;

use vswitch_packet::coalesce::{Answer, Candidate, Train};
use vswitch_packet::ip::Fragment;
use vswitch_packet::{FlowKey, Frame, Network};

use crate::burst::{Arena, Kept};
use crate::pipeline::Pipeline;
use crate::port::PortId;
use crate::transmit::{FRAME_START, Transmit, Wires};

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
    head: Kept,
    cars: Vec<Car>,
}

/// A packet behind the head: where it is kept, and where its payload is in the frame.
#[derive(Debug)]
struct Car {
    kept: Kept,
    payload: Range<usize>,
}

/// How a frame travels with others.
#[derive(Debug)]
pub(crate) enum Boarding {
    /// As part of the train at this place of the list.
    Join(usize),
    /// As the head of a new one.
    Begin(FlowKey),
}

impl Trains {
    pub(crate) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Finds a train for `candidate`; `None` if it leaves alone, now. A train of its flow that
    /// cannot take it is sent before this returns.
    pub(crate) fn board<W: Wires>(
        &mut self,
        egress: PortId,
        flow: FlowKey,
        candidate: &Candidate,
        arena: &mut Arena<'_>,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) -> Option<Boarding> {
        let same = |w: &Waiting| w.egress == egress && w.flow == flow;
        if let Some(place) = self.waiting.iter().position(same) {
            let waiting = &mut self.waiting[place];
            if waiting.cars.len() + 1 < MAX_CARS && waiting.train.offer(candidate) == Answer::Accept
            {
                return Some(Boarding::Join(place));
            }
            self.depart(place, arena, pipeline, wires);
        }
        // What is closed from the start (PSH) gains nothing by waiting.
        let begins = self.waiting.len() < MAX_TRAINS && Train::start(candidate).is_open();
        begins.then_some(Boarding::Begin(flow))
    }

    /// Takes a packet as [`Trains::board`] said. The place of its train, if that is complete now.
    pub(crate) fn take(
        &mut self,
        egress: PortId,
        boarding: Boarding,
        kept: Kept,
        candidate: &Candidate,
    ) -> Option<usize> {
        match boarding {
            Boarding::Join(place) => {
                let waiting = &mut self.waiting[place];
                waiting.cars.push(Car {
                    kept,
                    payload: candidate.payload(),
                });
                (!waiting.train.is_open()).then_some(place)
            }
            Boarding::Begin(flow) => {
                let cars = self
                    .spare
                    .pop()
                    .unwrap_or_else(|| Vec::with_capacity(MAX_CARS));
                let train = Train::start(candidate);
                self.waiting.push(Waiting {
                    egress,
                    flow,
                    train,
                    head: kept,
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
        let Waiting {
            egress,
            train,
            head,
            mut cars,
            ..
        } = self.waiting.remove(place);
        if let Some(port) = pipeline.topology().port(egress) {
            let lane = port.counters.lane(pipeline.worker());
            if let Some((header, frame)) =
                arena.get_mut(&head).split_first_chunk_mut::<FRAME_START>()
            {
                *header = train.seal(frame).to_header(train.headers_len()).to_bytes();
            }
            let mut parts = [IoSlice::new(&[]); MAX_CARS];
            let mut head = arena.get(&head);
            let mut len = head.len() - FRAME_START;
            if !cars.is_empty() {
                // Ethernet padding must not come between two payloads.
                len = train.frame_len();
                let cars_len = cars.iter().map(|car| car.payload.len()).sum::<usize>();
                head = head.get(..FRAME_START + len - cars_len).unwrap_or_default();
            }
            parts[0] = IoSlice::new(head);
            for (part, car) in parts[1..].iter_mut().zip(&cars) {
                let frame = arena.get(&car.kept).get(FRAME_START..).unwrap_or_default();
                *part = IoSlice::new(frame.get(car.payload.clone()).unwrap_or_default());
            }
            let mut transmit = Transmit {
                wires,
                port,
                lane,
                scratch: &mut [],
            };
            match transmit.send(&parts[..=cars.len()], len) {
                Ok(()) if !cars.is_empty() => {
                    lane.sent_super.add(1);
                    lane.coalesced.add(train.segments() as u64);
                }
                Ok(()) => {}
                Err(error) => (0..train.segments()).for_each(|_| lane.dropped(error.into())),
            }
        }
        cars.clear();
        self.spare.push(cars);
    }
}
