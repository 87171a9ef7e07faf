//! Packets that wait for a neighbour's address, and the questions after it.
//!
//! A packet waits as it came, and comes in again at its port once the neighbour is known: what the
//! router changes, it changes only in what leaves.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use vswitch_packet::{Frame, Moment};

use super::Link;
use crate::neighbour::Neighbour;
use crate::port::PortId;

/// Questions after one neighbour, and how long to wait for each answer (RFC 4861 §10; Linux's
/// `mcast_solicit`, `ucast_solicit` and `retrans_time`).
const TRIES: u8 = 3;
const RETRY: Duration = Duration::from_secs(1);
/// How long nobody asks again after a neighbour that did not answer.
const SILENCE: Duration = Duration::from_secs(2);

/// What may wait for one neighbour, and for all.
const MAX_FRAMES: usize = 16;
const MAX_OCTETS: usize = 64 << 10;
const MAX_OCTETS_IN_ALL: usize = 1 << 20;
/// Neighbours that are asked for, by all ports and by one: who scans a subnet hinders nobody else.
const MAX_QUESTIONS: usize = 1024;
const MAX_QUESTIONS_OF_ONE: usize = 128;

/// What waits, shared by all workers. The lock is taken only where something waits.
#[derive(Debug, Default)]
pub struct Pending {
    /// There are questions.
    waiting: AtomicBool,
    /// There are packets whose neighbour is known.
    ready: AtomicBool,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    questions: HashMap<(Link, IpAddr), Question>,
    /// How many of them there are by the port whose packet began them.
    askers: HashMap<PortId, usize>,
    /// Of all packets that wait for an answer.
    octets: usize,
    ready: Vec<Waiting>,
}

#[derive(Debug)]
struct Question {
    stage: Stage,
    begun: Moment,
    asked: u8,
    /// When the stage ends.
    due: Moment,
    /// Whose packet began it; none for one about a neighbour that is in use.
    asker: Option<PortId>,
    frames: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody knows the neighbour.
    Asking,
    /// It is known, and used meanwhile, but was not heard for long.
    Probing,
    /// It did not answer.
    Silent,
}

/// A packet that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// The port it came in at.
    pub(crate) ingress: PortId,
    /// The virtio header, and the frame as it came.
    pub(crate) octets: Box<[u8]>,
}

/// What becomes of a packet whose neighbour is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It waits, and the question is to be asked.
    Ask,
    /// It waits for an answer to a question that was asked.
    Wait,
    /// Too much waits already.
    Full,
    /// The neighbour was asked for in vain.
    Unreachable,
}

/// What is to be done about a question.
#[derive(Debug)]
pub(crate) enum Due {
    /// Ask everybody on the link.
    Ask(Link, IpAddr),
    /// Ask the neighbour itself.
    Probe(Link, IpAddr, Neighbour),
    /// It has not been there since.
    Forget(Link, IpAddr, Moment),
    /// These cannot be delivered.
    GiveUp(Vec<Waiting>),
}

impl Pending {
    /// Whether there is anything that [`crate::Forwarder::tick`] has to look after.
    #[inline]
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Forgets what came in at `port`, and what waits for somebody on it. To be called when a port
    /// is taken away.
    pub fn forget_port(&self, port: PortId) {
        if !self.is_waiting() && !self.has_ready() {
            return;
        }
        let mut table = self.lock();
        table.ready.retain(|waiting| waiting.ingress != port);
        table.retain(|&(link, _), question, freed| {
            let before = octets(&question.frames);
            question.frames.retain(|waiting| waiting.ingress != port);
            *freed += before - octets(&question.frames);
            link != Link::Uplink(port)
        });
        self.settle(&table);
    }

    /// Whether there is anything for [`Pending::take_ready`].
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Packets whose neighbour is known now.
    pub(crate) fn take_ready(&self) -> Vec<Waiting> {
        let mut table = self.lock();
        let ready = std::mem::take(&mut table.ready);
        self.settle(&table);
        ready
    }

    /// Lets `frame`, which came in at `ingress`, wait for a neighbour.
    pub(crate) fn hold(
        &self,
        link: Link,
        address: IpAddr,
        ingress: PortId,
        frame: &Frame<'_>,
        now: Moment,
    ) -> Hold {
        let mut table = self.lock();
        let held = table.hold((link, address), ingress, frame, now);
        self.settle(&table);
        held
    }

    /// Begins to ask a neighbour that is in use whether it is still there.
    pub(crate) fn probe(&self, link: Link, address: IpAddr, now: Moment) {
        let mut table = self.lock();
        if table.questions.len() < MAX_QUESTIONS {
            table.questions.entry((link, address)).or_insert(Question {
                stage: Stage::Probing,
                begun: now,
                asked: 0,
                due: now,
                asker: None,
                frames: Vec::new(),
            });
        }
        self.settle(&table);
    }

    /// Whether somebody waits for the neighbour.
    pub(crate) fn wants(&self, link: Link, address: IpAddr) -> bool {
        let asked = |table: &Table| {
            let question = table.questions.get(&(link, address));
            question.is_some_and(|question| question.stage != Stage::Silent)
        };
        self.is_waiting() && asked(&self.lock())
    }

    /// The neighbour is known: what waited for it is ready.
    pub(crate) fn resolved(&self, link: Link, address: IpAddr) {
        if !self.is_waiting() {
            return;
        }
        let mut table = self.lock();
        if let Some(question) = table.remove(&(link, address)) {
            table.ready.extend(question.frames);
        }
        self.settle(&table);
    }

    /// What is to be done now. `known` says what is known of a neighbour.
    pub(crate) fn due(
        &self,
        now: Moment,
        known: impl Fn(Link, IpAddr) -> Option<Neighbour>,
    ) -> Vec<Due> {
        let mut due = Vec::new();
        let mut ready = Vec::new();
        let mut table = self.lock();
        table.retain(|&(link, address), question, freed| {
            let answer = known(link, address);
            let out_of_time = now >= question.due;
            let step = question.step(answer, out_of_time, now);
            match step {
                Step::Wait => return true,
                Step::End => {}
                Step::Answered => {
                    *freed += octets(&question.frames);
                    ready.append(&mut question.frames);
                }
                Step::Ask => due.push(Due::Ask(link, address)),
                Step::Probe(neighbour) => due.push(Due::Probe(link, address, neighbour)),
                Step::Forget => due.push(Due::Forget(link, address, question.begun)),
                Step::GiveUp => {
                    *freed += octets(&question.frames);
                    due.push(Due::GiveUp(std::mem::take(&mut question.frames)));
                }
            }
            !matches!(step, Step::End | Step::Answered | Step::Forget)
        });
        table.ready.append(&mut ready);
        self.settle(&table);
        due
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, table: &Table) {
        self.waiting
            .store(!table.questions.is_empty(), Ordering::Relaxed);
        self.ready.store(!table.ready.is_empty(), Ordering::Relaxed);
    }
}

/// What becomes of a question at some moment.
#[derive(Clone, Copy)]
enum Step {
    Wait,
    End,
    Answered,
    Ask,
    Probe(Neighbour),
    Forget,
    GiveUp,
}

impl Question {
    fn step(&mut self, answer: Option<Neighbour>, out_of_time: bool, now: Moment) -> Step {
        match (self.stage, answer) {
            (Stage::Asking, Some(_)) => return Step::Answered,
            (Stage::Probing, None) => return Step::End,
            (Stage::Probing, Some(neighbour)) if neighbour.confirmed > self.begun => {
                return Step::End;
            }
            _ if !out_of_time => return Step::Wait,
            _ => {}
        }
        let again = self.asked < TRIES;
        match (self.stage, answer) {
            (Stage::Asking, _) if !again => {
                (self.stage, self.due) = (Stage::Silent, now + SILENCE);
                return Step::GiveUp;
            }
            (Stage::Probing, _) if !again => return Step::Forget,
            (Stage::Silent, _) => return Step::End,
            _ => {}
        }
        (self.asked, self.due) = (self.asked + 1, now + RETRY);
        answer.map_or(Step::Ask, Step::Probe)
    }
}

impl Table {
    fn hold(
        &mut self,
        key: (Link, IpAddr),
        ingress: PortId,
        frame: &Frame<'_>,
        now: Moment,
    ) -> Hold {
        let header = frame.offload().to_header(frame.headers_len()).to_bytes();
        let len = header.len() + frame.len();
        if self.octets + len > MAX_OCTETS_IN_ALL {
            return Hold::Full;
        }
        let held = match self.questions.get(&key) {
            Some(question) if question.stage == Stage::Silent && now < question.due => {
                return Hold::Unreachable;
            }
            Some(question) if question.stage == Stage::Asking => {
                let first = question.frames.is_empty();
                if question.frames.len() >= MAX_FRAMES
                    || (!first && octets(&question.frames) + len > MAX_OCTETS)
                {
                    return Hold::Full;
                }
                Hold::Wait
            }
            _ => {
                self.remove(&key);
                if !self.begin(key, ingress, now) {
                    return Hold::Full;
                }
                Hold::Ask
            }
        };
        if let Some(question) = self.questions.get_mut(&key) {
            let octets = [&header[..], frame.bytes()].concat().into_boxed_slice();
            question.frames.push(Waiting { ingress, octets });
            self.octets += len;
        }
        held
    }

    fn begin(&mut self, key: (Link, IpAddr), ingress: PortId, now: Moment) -> bool {
        let of_one = self.askers.get(&ingress).copied().unwrap_or(0);
        if self.questions.len() >= MAX_QUESTIONS || of_one >= MAX_QUESTIONS_OF_ONE {
            return false;
        }
        let question = Question {
            stage: Stage::Asking,
            begun: now,
            asked: 1,
            due: now + RETRY,
            asker: Some(ingress),
            frames: Vec::new(),
        };
        self.questions.insert(key, question);
        self.askers.insert(ingress, of_one + 1);
        true
    }

    fn remove(&mut self, key: &(Link, IpAddr)) -> Option<Question> {
        let question = self.questions.remove(key)?;
        self.octets -= octets(&question.frames);
        release(&mut self.askers, question.asker);
        Some(question)
    }

    /// Keeps the questions that `keep` says, which adds to its third argument the octets that it
    /// takes out of a question.
    fn retain(&mut self, mut keep: impl FnMut(&(Link, IpAddr), &mut Question, &mut usize) -> bool) {
        let mut freed = 0;
        let askers = &mut self.askers;
        self.questions.retain(|key, question| {
            let keep = keep(key, question, &mut freed);
            if !keep {
                freed += octets(&question.frames);
                release(askers, question.asker);
            }
            keep
        });
        self.octets -= freed;
    }
}

fn release(askers: &mut HashMap<PortId, usize>, asker: Option<PortId>) {
    let Some(asker) = asker else {
        return;
    };
    if let Some(count) = askers.get_mut(&asker) {
        *count -= 1;
        if *count == 0 {
            askers.remove(&asker);
        }
    }
}

fn octets(frames: &[Waiting]) -> usize {
    frames.iter().map(|waiting| waiting.octets.len()).sum()
}
