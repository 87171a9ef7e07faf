//! On which processor each worker runs while containers hold conversations.
//!
//! A message is carried fastest by a worker that runs where the receiver does: it wakes the receiver without an interrupt
//! to another processor, which is dear on a virtual machine, and the sender's processor goes on to look for the answer.
//! Beside the sender it is slowest. The scheduler, left to itself, gets into either, or somewhere between (see
//! RESULTS.md for figures). While anybody streams, it knows better than we do who needs a processor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vswitch_netio::thread::{self, Thread};
use vswitch_packet::Moment;

use super::occupation::Occupation;

/// The workers of a data plane, and where they are. They tell what they are occupied with, and are moved.
#[derive(Debug)]
pub(super) struct Placement {
    plan: Mutex<Plan>,
    threads: Vec<Mutex<Option<Thread>>>,
    /// Until when each is not to look for frames instead of sleeping, in nanoseconds.
    resting: Vec<AtomicU64>,
}

/// Who is where, and should be.
#[derive(Debug)]
struct Plan {
    /// Those that workers may run on, in ascending order.
    processors: Vec<usize>,
    workers: Vec<Place>,
    crowded: Option<Crowd>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    occupation: Occupation,
    /// When it said so.
    told: Moment,
    /// Where it ran then, or was moved since.
    at: usize,
    /// It may run there only.
    bound: Option<usize>,
}

/// Both sides of a conversation are on one processor.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    processor: usize,
    since: Moment,
    tries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Move {
    worker: usize,
    /// None is anywhere.
    to: Option<usize>,
    rest: bool,
}

/// What a worker told counts for so long.
const FRESH: Duration = Duration::from_millis(10);
/// How long a worker rests, for the scheduler to find its processor idle and to move one of two containers there.
const REST: Duration = Duration::from_millis(2);
/// How long until that is tried again, twice as long each time, up to 160 ms: they may have to be on one processor.
const RETRY: Duration = Duration::from_millis(10);
const MOST_TRIES: u32 = 4;

impl Placement {
    /// For so many workers, which run where the calling thread does until they are moved.
    pub(super) fn new(workers: usize, now: Moment) -> Self {
        let processors = thread::affinity().unwrap_or_default();
        Self {
            plan: Mutex::new(Plan::new(processors, workers, now)),
            threads: (0..workers).map(|_| Mutex::default()).collect(),
            resting: (0..workers).map(|_| AtomicU64::new(0)).collect(),
        }
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
        if let Some(place) = self.threads.get(worker) {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = thread;
        }
    }

    /// Whether a worker should sleep at once when there is nothing to do.
    pub(super) fn rests(&self, worker: usize, now: Moment) -> bool {
        let resting = self.resting.get(worker);
        resting.is_some_and(|until| now.as_nanos() < until.load(Ordering::Relaxed))
    }

    /// The calling worker tells what it is occupied with.
    pub(super) fn tell(&self, worker: usize, occupation: Occupation, now: Moment) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let moves = plan.tell(worker, occupation, thread::processor(), now);
        for Move { worker, to, rest } in moves {
            if let (true, Some(until)) = (rest, self.resting.get(worker)) {
                until.store((now + REST).as_nanos(), Ordering::Relaxed);
            }
            let Some(thread) = self.threads.get(worker) else {
                continue;
            };
            // Held while it is moved, so that it does not end meanwhile, and another thread has its number.
            let thread = thread.lock().unwrap_or_else(PoisonError::into_inner);
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
}

impl Plan {
    fn new(processors: Vec<usize>, workers: usize, now: Moment) -> Self {
        let place = Place {
            occupation: Occupation::Mixed,
            told: now,
            at: 0,
            bound: None,
        };
        Self {
            processors,
            workers: vec![place; workers],
            crowded: None,
        }
    }

    /// What is to be moved now.
    fn tell(&mut self, worker: usize, occupation: Occupation, at: usize, now: Moment) -> Vec<Move> {
        let Some(own) = self.workers.get_mut(worker) else {
            return Vec::new();
        };
        (own.occupation, own.told, own.at) = (occupation, now, at);
        let streams = self
            .fresh(now)
            .any(|(_, place)| place.occupation == Occupation::Stream);
        if streams {
            let all = 0..self.workers.len();
            return all.filter_map(|worker| self.bind(worker, None)).collect();
        }
        match occupation {
            Occupation::Messages(home) if self.processors.contains(&home) => {
                self.seat(worker, home, now)
            }
            _ => self.bind(worker, None).into_iter().collect(),
        }
    }

    /// Moves a worker to the processor that its messages are for.
    fn seat(&mut self, worker: usize, home: usize, now: Moment) -> Vec<Move> {
        let same = |place: &Place| place.occupation == Occupation::Messages(home);
        if let Some((other, ())) = self.another(worker, now, |place| same(place).then_some(())) {
            return self.part(worker, other, home, now);
        }
        self.crowded = self.crowded.filter(|crowd| crowd.processor != home);
        // Whoever is there goes to where it should be itself, at the same time: one of the two processors would be
        // idle meanwhile, and the scheduler would move a container there.
        let there = self.another(worker, now, |place| match place.occupation {
            Occupation::Messages(to) if place.at == home => Some(to),
            _ => None,
        });
        let aside = there.and_then(|(other, to)| self.bind(other, Some(to)));
        let moved = self.bind(worker, Some(home));
        aside.into_iter().chain(moved).collect()
    }

    /// Two workers have messages for the same processor, so both sides of a conversation run there, and wait for
    /// each other. One worker stays, the other one leaves a processor idle.
    fn part(&mut self, worker: usize, other: usize, home: usize, now: Moment) -> Vec<Move> {
        let tries = match self.crowded {
            Some(crowd) if crowd.processor != home => 0,
            Some(crowd) if now.since(crowd.since) < RETRY * (1 << crowd.tries) => {
                return Vec::new();
            }
            Some(crowd) => MOST_TRIES.min(crowd.tries + 1),
            None => 0,
        };
        let here = self.workers.get(worker).is_some_and(|own| own.at == home);
        let (stays, goes) = if here {
            (worker, other)
        } else {
            (other, worker)
        };
        let taken = |processor: usize| {
            let wants = Occupation::Messages(processor);
            let takes = |place: &Place| place.at == processor || place.occupation == wants;
            self.another(goes, now, |place| takes(place).then_some(()))
                .is_some()
        };
        let mut free = self.processors.iter().copied();
        let Some(free) = free.find(|&processor| processor != home && !taken(processor)) else {
            return Vec::new();
        };
        self.crowded = Some(Crowd {
            processor: home,
            since: now,
            tries,
        });
        let stays = self.bind(stays, Some(home));
        self.bind(goes, Some(free));
        let goes = Move {
            worker: goes,
            to: Some(free),
            rest: true,
        };
        stays.into_iter().chain([goes]).collect()
    }

    /// Binds a worker to a processor, or to none, unless it is already.
    fn bind(&mut self, worker: usize, to: Option<usize>) -> Option<Move> {
        let place = self.workers.get_mut(worker)?;
        if place.bound == to {
            return None;
        }
        place.bound = to;
        place.at = to.unwrap_or(place.at);
        Some(Move {
            worker,
            to,
            rest: false,
        })
    }

    /// The first but one that something is known of.
    fn another<T>(
        &self,
        but: usize,
        now: Moment,
        known: impl Fn(&Place) -> Option<T>,
    ) -> Option<(usize, T)> {
        let mut others = self.fresh(now).filter(|(worker, _)| *worker != but);
        others.find_map(|(worker, place)| Some((worker, known(place)?)))
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
            rest: false,
        }
    }

    const fn free(worker: usize) -> Move {
        Move {
            worker,
            to: None,
            rest: false,
        }
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
    fn both_sides_on_one_processor_are_parted() {
        let mut plan = plan();
        assert_eq!(plan.tell(0, Messages(1), 1, at(100)), [to(0, 1)]);
        let rests = Move {
            rest: true,
            ..to(0, 0)
        };
        let told = |plan: &mut Plan, millis| plan.tell(1, Messages(1), 1, at(millis));
        assert_eq!(told(&mut plan, 101), [to(1, 1), rests]);
        // Twice as long each time: they may have to be there.
        let mut tries = vec![101];
        for millis in 102..2000 {
            let mut moves = plan.tell(0, Messages(1), 0, at(millis));
            moves.extend(told(&mut plan, millis));
            if !moves.is_empty() {
                assert_eq!(moves, [rests]);
                tries.push(millis);
            }
        }
        let apart: Vec<_> = tries.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(apart[..6], [10, 20, 40, 80, 160, 160]);
        // It worked, and each is where the other should be.
        assert_eq!(plan.tell(1, Messages(0), 1, at(2000)), [to(0, 1), to(1, 0)]);
    }

    #[test]
    fn with_one_processor_nobody_can_part() {
        let mut plan = Plan::new(vec![1], 2, at(0));
        assert_eq!(plan.tell(0, Messages(1), 1, at(100)), [to(0, 1)]);
        assert_eq!(plan.tell(1, Messages(1), 1, at(101)), []);
    }

    #[test]
    fn processors_that_workers_may_not_have_are_not_for_them() {
        let mut plan = Plan::new(vec![0, 1], 2, at(0));
        assert_eq!(plan.tell(0, Messages(7), 0, at(100)), []);
    }
}
