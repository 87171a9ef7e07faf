//! On which processor each worker runs while containers hold conversations.
//!
//! A message is carried fastest by a worker that runs where the receiver does: it wakes the receiver without an interrupt
//! to another processor, which is dear on a virtual machine, and the sender's processor goes on to look for the answer.
//! Beside the sender it is slowest. The scheduler, left to itself, gets into either, or somewhere between (see
//! RESULTS.md for figures). While anybody streams, it knows better than we do who needs a processor.
//!
//! Where both sides of a conversation run on one processor, both workers go there, too: nobody has to be woken elsewhere,
//! and the scheduler sees a processor with nothing to do, to which it moves one of the containers sooner or later.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vswitch_netio::thread::{self, Thread};
use vswitch_packet::Moment;

use super::occupation::Occupation;

/// The workers of a data plane, and where they are. They tell what they are occupied with, and are moved.
#[derive(Debug)]
pub(super) struct Placement(Mutex<Plan>);

/// Who is where, and should be.
#[derive(Debug)]
struct Plan {
    /// Those that workers may run on, in ascending order.
    processors: Vec<usize>,
    workers: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    /// None before it begins, and once it has ended.
    thread: Option<Thread>,
    occupation: Occupation,
    /// When it said so.
    told: Moment,
    /// Where it ran then, or was moved since.
    at: usize,
    /// It may run there only.
    bound: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Move {
    worker: usize,
    /// None is anywhere.
    to: Option<usize>,
}

/// What a worker told counts for so long.
const FRESH: Duration = Duration::from_millis(10);

impl Placement {
    /// For so many workers, which may run where the calling thread may.
    pub(super) fn new(workers: usize, now: Moment) -> Self {
        let processors = thread::affinity().unwrap_or_default();
        Self(Mutex::new(Plan::new(processors, workers, now)))
    }

    /// A worker begins, on the calling thread.
    pub(super) fn enter(&self, worker: usize) {
        self.set_thread(worker, Some(Thread::current()));
    }

    /// It ends, and is not moved any more.
    pub(super) fn leave(&self, worker: usize) {
        self.set_thread(worker, None);
    }

    fn set_thread(&self, worker: usize, thread: Option<Thread>) {
        if let Some(place) = self.plan().workers.get_mut(worker) {
            place.thread = thread;
        }
    }

    /// The calling worker tells what it is occupied with.
    pub(super) fn tell(&self, worker: usize, occupation: Occupation, now: Moment) {
        // Locked until all are moved, so that none ends meanwhile, and another thread has its number.
        let mut plan = self.plan();
        for Move { worker, to } in plan.tell(worker, occupation, thread::processor(), now) {
            let thread = plan.workers.get(worker).and_then(|place| place.thread);
            let moved = thread.map(|thread| match to {
                Some(processor) => thread.set_affinity(&[processor]),
                None => thread.set_affinity(&plan.processors),
            });
            if let Some(Err(error)) = moved {
                // A control group has fewer processors now than the daemon began with.
                tracing::debug!(worker, ?to, %error, "cannot move the worker");
            }
        }
    }

    /// Whether any worker carries a stream.
    pub(super) fn has_streams(&self, now: Moment) -> bool {
        self.plan().has_streams(now)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn new(processors: Vec<usize>, workers: usize, now: Moment) -> Self {
        let place = Place {
            thread: None,
            occupation: Occupation::Mixed,
            told: now,
            at: 0,
            bound: None,
        };
        Self {
            processors,
            workers: vec![place; workers],
        }
    }

    /// What is to be moved now.
    fn tell(&mut self, worker: usize, occupation: Occupation, at: usize, now: Moment) -> Vec<Move> {
        let Some(own) = self.workers.get_mut(worker) else {
            return Vec::new();
        };
        (own.occupation, own.told, own.at) = (occupation, now, at);
        if self.has_streams(now) {
            let all = 0..self.workers.len();
            return all.filter_map(|worker| self.bind(worker, None)).collect();
        }
        match occupation {
            Occupation::Messages(home) if self.is_ours(home) => self.seat(worker, home, now),
            _ => self.bind(worker, None).into_iter().collect(),
        }
    }

    /// Moves a worker to the processor that its messages are for.
    fn seat(&mut self, worker: usize, home: usize, now: Moment) -> Vec<Move> {
        // Whoever is there goes to where it should be itself, at the same time: one of the two processors would be
        // idle meanwhile, and the scheduler would move a container there.
        let mut fresh = self.fresh(now).filter(|(other, _)| *other != worker);
        let there = fresh.find_map(|(other, place)| match place.occupation {
            Occupation::Messages(to) if place.at == home && self.is_ours(to) => Some((other, to)),
            _ => None,
        });
        drop(fresh);
        let aside = there.and_then(|(other, to)| self.bind(other, Some(to)));
        let moved = self.bind(worker, Some(home));
        aside.into_iter().chain(moved).collect()
    }

    /// Binds a worker to a processor, or to none, unless it is already.
    fn bind(&mut self, worker: usize, to: Option<usize>) -> Option<Move> {
        let place = self.workers.get_mut(worker)?;
        if place.bound == to {
            return None;
        }
        place.bound = to;
        place.at = to.unwrap_or(place.at);
        Some(Move { worker, to })
    }

    fn has_streams(&self, now: Moment) -> bool {
        self.fresh(now)
            .any(|(_, place)| place.occupation == Occupation::Stream)
    }

    fn is_ours(&self, processor: usize) -> bool {
        self.processors.contains(&processor)
    }

    /// The workers that told what they do lately.
    fn fresh(&self, now: Moment) -> impl Iterator<Item = (usize, &Place)> {
        let fresh = move |place: &Place| now.since(place.told) < FRESH;
        self.workers
            .iter()
            .enumerate()
            .filter(move |(_, place)| fresh(place))
    }
}

#[cfg(test)]
mod tests {
    use super::Occupation::{Messages, Mixed, Stream};
    use super::*;

    const fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    /// Two processors and workers, who have told nothing for long.
    fn plan() -> Plan {
        Plan::new(vec![0, 1], 2, at(0))
    }

    const fn to(worker: usize, processor: usize) -> Move {
        Move {
            worker,
            to: Some(processor),
        }
    }

    const fn free(worker: usize) -> Move {
        Move { worker, to: None }
    }

    #[test]
    fn a_worker_goes_to_those_whom_it_has_messages_for() {
        let mut plan = plan();
        assert_eq!(plan.tell(0, Messages(1), 0, at(100)), [to(0, 1)]);
        assert_eq!(plan.tell(0, Messages(1), 1, at(102)), []);
        // They moved.
        assert_eq!(plan.tell(0, Messages(0), 1, at(104)), [to(0, 0)]);
        assert_eq!(plan.tell(0, Mixed, 0, at(106)), [free(0)]);
        assert_eq!(plan.tell(0, Mixed, 0, at(108)), []);
    }

    #[test]
    fn two_that_are_each_where_the_other_should_be_change_places_at_once() {
        let mut plan = plan();
        plan.workers[1].told = at(99);
        plan.workers[1].at = 1;
        plan.workers[1].occupation = Messages(0);
        assert_eq!(plan.tell(0, Messages(1), 0, at(100)), [to(1, 0), to(0, 1)]);
        assert_eq!(plan.tell(1, Messages(0), 0, at(101)), []);
    }

    #[test]
    fn whoever_told_nothing_for_long_is_left_alone() {
        let mut plan = plan();
        assert_eq!(plan.tell(1, Messages(1), 0, at(50)), [to(1, 1)]);
        assert_eq!(plan.tell(0, Messages(1), 0, at(100)), [to(0, 1)]);
    }

    #[test]
    fn a_stream_frees_all_until_it_is_over() {
        let mut plan = plan();
        plan.tell(0, Messages(1), 0, at(100));
        assert_eq!(plan.tell(1, Stream, 0, at(101)), [free(0)]);
        assert_eq!(plan.tell(0, Messages(1), 0, at(110)), []);
        assert_eq!(plan.tell(0, Messages(1), 0, at(112)), [to(0, 1)]);
    }

    #[test]
    fn both_workers_go_where_both_sides_are() {
        let mut plan = plan();
        assert_eq!(plan.tell(0, Messages(1), 1, at(100)), [to(0, 1)]);
        assert_eq!(plan.tell(1, Messages(1), 0, at(101)), [to(1, 1)]);
        // One of the sides moved.
        assert_eq!(plan.tell(1, Messages(0), 1, at(104)), [to(1, 0)]);
    }

    #[test]
    fn processors_that_workers_may_not_have_are_not_for_them() {
        let mut plan = plan();
        assert_eq!(plan.tell(0, Messages(7), 0, at(100)), []);
        assert_eq!(plan.tell(1, Messages(0), 1, at(101)), [to(1, 0)]);
    }
}
