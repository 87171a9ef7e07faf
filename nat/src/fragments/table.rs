//! The datagrams of which pieces are under way.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::SeedableRandomState;
use hashlink::LinkedHashMap;
use vswitch_packet::Moment;

use super::piece::{Datagram, Piece};
use super::pieces::{Fit, Pieces};
use super::{Arrival, Verdict};
use crate::nat::Held;
use crate::refusal::Refusal;
use crate::tuple::Owner;

/// How long a datagram is known, and how long its later pieces wait for the first: Linux's
/// `ipfrag_time`, so whoever is to put it together gives up then as well.
const LIFETIME: Duration = Duration::from_secs(30);

/// Datagrams whose first piece has come and others not. Beyond it, the oldest is forgotten: at a
/// million of them a second, one is still known for 4 ms, and pieces that come in order are
/// microseconds apart.
const MAX_DECIDED: usize = 4096;

/// Octets of fragments that wait, or are released and were not yet taken: Linux's
/// `ipfrag_high_thresh`. Beyond it, the datagram that has waited longest is dropped.
const MAX_HELD: usize = 4 << 20;

/// The same for one source, which is four of the longest datagrams: one that floods does not drive
/// out what the others wait for.
const MAX_HELD_OF_SOURCE: usize = 256 << 10;

/// What a fragment costs besides its octets, so that small ones are bounded as well.
const OVERHEAD: usize = 256;

/// The datagrams of which pieces are under way, those that came first in front.
#[derive(Debug)]
pub(super) struct Table {
    decided: LinkedHashMap<Datagram, Decided, SeedableRandomState>,
    waiting: LinkedHashMap<Datagram, Waiting, SeedableRandomState>,
    held: Charges,
    released: Vec<(Owned, Held)>,
    lost: u64,
}

/// Of which container a waiting fragment is known to be before its first one has come.
type Owned = Option<Owner>;

/// A datagram whose first piece has come, or that will not go through.
#[derive(Debug)]
struct Decided {
    verdict: Result<Verdict, Refusal>,
    pieces: Pieces,
    deadline: Moment,
}

/// A datagram whose first piece has not come.
#[derive(Debug)]
struct Waiting {
    owner: Owned,
    pieces: Pieces,
    frames: Vec<Held>,
    deadline: Moment,
}

/// What the fragments that are held cost.
#[derive(Debug)]
struct Charges {
    total: usize,
    by_source: HashMap<IpAddr, usize, SeedableRandomState>,
}

impl Charges {
    fn of_source(&self, source: IpAddr) -> usize {
        self.by_source.get(&source).copied().unwrap_or(0)
    }

    fn charge(&mut self, source: IpAddr, cost: usize) {
        self.total += cost;
        *self.by_source.entry(source).or_default() += cost;
    }

    /// What is released is no longer its source's doing.
    fn discharge_source(&mut self, source: IpAddr, cost: usize) {
        if let Some(charged) = self.by_source.get_mut(&source) {
            *charged = charged.saturating_sub(cost);
            if *charged == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    fn discharge_total(&mut self, cost: usize) {
        self.total = self.total.saturating_sub(cost);
    }
}

impl Waiting {
    fn cost(&self) -> usize {
        self.frames.iter().map(cost).sum()
    }
}

fn cost(frame: &Held) -> usize {
    frame.bytes.len() + OVERHEAD
}

impl Table {
    pub(super) fn new(hasher: &SeedableRandomState) -> Self {
        Self {
            decided: LinkedHashMap::with_hasher(hasher.clone()),
            waiting: LinkedHashMap::with_hasher(hasher.clone()),
            held: Charges {
                total: 0,
                by_source: HashMap::with_hasher(hasher.clone()),
            },
            released: Vec::new(),
            lost: 0,
        }
    }

    /// A first piece has come, and `verdict` is what becomes of it.
    pub(super) fn first(
        &mut self,
        datagram: Datagram,
        piece: Piece,
        verdict: Result<Verdict, Refusal>,
        now: Moment,
    ) -> Result<(), Refusal> {
        self.expire(now);
        if let Some(decided) = self.decided.get_mut(&datagram) {
            if decided.verdict == Err(Refusal::BadFragment) {
                return Err(Refusal::BadFragment);
            }
            return match decided.pieces.add(piece) {
                // The same again, or another datagram that follows one of which a piece was lost
                // and has the same identification (RFC 4963).
                Fit::Again | Fit::New => {
                    decided.verdict = verdict;
                    Ok(())
                }
                Fit::Bad => {
                    self.condemn(datagram, now);
                    Err(Refusal::BadFragment)
                }
            };
        }
        let waiting = self.stop_waiting(datagram);
        let overlaps = waiting
            .as_ref()
            .is_some_and(|waiting| waiting.pieces.clone().add(piece) != Fit::New);
        if overlaps {
            self.drop_waiting(waiting);
            self.condemn(datagram, now);
            return Err(Refusal::BadFragment);
        }
        match (verdict, waiting) {
            (Ok(_), Some(waiting)) => {
                let owner = waiting.owner;
                let frames = waiting.frames.into_iter().map(|frame| (owner, frame));
                self.released.extend(frames);
            }
            (_, waiting) => self.drop_waiting(waiting),
        }
        // Those that waited come in again, and are added then.
        let mut pieces = Pieces::default();
        let _ = pieces.add(piece);
        self.decide(datagram, verdict, pieces, now);
        Ok(())
    }

    /// A later piece has come.
    pub(super) fn later(
        &mut self,
        datagram: Datagram,
        piece: Piece,
        arrival: Arrival<'_>,
        now: Moment,
    ) -> Result<Verdict, Refusal> {
        self.expire(now);
        let Some(decided) = self.decided.get_mut(&datagram) else {
            return Err(self.hold(datagram, piece, arrival, now));
        };
        let verdict = decided.verdict;
        if verdict == Err(Refusal::BadFragment) {
            return verdict;
        }
        if decided.pieces.add(piece) == Fit::Bad {
            self.condemn(datagram, now);
            return Err(Refusal::BadFragment);
        }
        if decided.pieces.complete() {
            self.decided.remove(&datagram);
        }
        verdict
    }

    /// What became of the first piece, if it has come.
    pub(super) fn verdict(&self, datagram: &Datagram) -> Option<Result<Verdict, Refusal>> {
        self.decided.get(datagram).map(|decided| decided.verdict)
    }

    fn hold(
        &mut self,
        datagram: Datagram,
        piece: Piece,
        arrival: Arrival<'_>,
        now: Moment,
    ) -> Refusal {
        let cost = arrival.bytes.len() + OVERHEAD;
        let source = datagram.source;
        if self.held.of_source(source) + cost > MAX_HELD_OF_SOURCE {
            return Refusal::BadFragment;
        }
        let waiting = self.waiting.entry(datagram).or_insert_with(|| Waiting {
            owner: arrival.owner,
            pieces: Pieces::default(),
            frames: Vec::new(),
            deadline: now + LIFETIME,
        });
        match waiting.pieces.add(piece) {
            Fit::New => {}
            Fit::Again => return Refusal::BadFragment,
            Fit::Bad => {
                let waiting = self.stop_waiting(datagram);
                self.drop_waiting(waiting);
                self.condemn(datagram, now);
                return Refusal::BadFragment;
            }
        }
        waiting.frames.push(Held {
            ingress: arrival.ingress,
            bytes: arrival.bytes.into(),
        });
        self.held.charge(source, cost);
        while self.held.total > MAX_HELD && self.drop_oldest() {}
        Refusal::Held
    }

    /// From now on nothing of the datagram goes through (RFC 5722 §4, RFC 8200 §4.5).
    fn condemn(&mut self, datagram: Datagram, now: Moment) {
        self.decide(datagram, Err(Refusal::BadFragment), Pieces::default(), now);
    }

    fn decide(
        &mut self,
        datagram: Datagram,
        verdict: Result<Verdict, Refusal>,
        pieces: Pieces,
        now: Moment,
    ) {
        let decided = Decided {
            verdict,
            pieces,
            deadline: now + LIFETIME,
        };
        self.decided.insert(datagram, decided);
        if self.decided.len() > MAX_DECIDED {
            self.decided.pop_front();
        }
    }

    /// Takes a datagram's fragments out; their octets are still charged, but not to their source.
    fn stop_waiting(&mut self, datagram: Datagram) -> Option<Waiting> {
        let waiting = self.waiting.remove(&datagram)?;
        self.held.discharge_source(datagram.source, waiting.cost());
        Some(waiting)
    }

    fn drop_waiting(&mut self, waiting: Option<Waiting>) {
        if let Some(waiting) = waiting {
            self.held.discharge_total(waiting.cost());
            self.lost += waiting.frames.len() as u64;
        }
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((&datagram, _)) = self.waiting.front() else {
            return false;
        };
        let waiting = self.stop_waiting(datagram);
        self.drop_waiting(waiting);
        true
    }

    /// Forgets what is too old. All live equally long, so the oldest are in front.
    pub(super) fn expire(&mut self, now: Moment) {
        while (self.decided.front()).is_some_and(|(_, decided)| decided.deadline <= now) {
            self.decided.pop_front();
        }
        while (self.waiting.front()).is_some_and(|(_, waiting)| waiting.deadline <= now) {
            self.drop_oldest();
        }
    }

    pub(super) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    pub(super) fn take_released(&mut self) -> Vec<Held> {
        let released = std::mem::take(&mut self.released);
        let cost = released.iter().map(|(_, frame)| cost(frame)).sum();
        self.held.discharge_total(cost);
        released.into_iter().map(|(_, frame)| frame).collect()
    }

    /// Forgets the datagrams of `owner`, and those to and from `external`.
    pub(super) fn forget(&mut self, owner: Option<Owner>, external: Option<IpAddr>) {
        let affected = |datagram: &Datagram, translated: Option<IpAddr>, of: Owned| {
            (owner.is_some() && of == owner)
                || external.is_some_and(|external| {
                    datagram.destination == external || translated == Some(external)
                })
        };
        self.decided.retain(|datagram, decided| {
            let verdict = decided.verdict.ok();
            !affected(
                datagram,
                verdict.map(|verdict| verdict.address),
                verdict.map(|verdict| verdict.owner),
            )
        });
        let waiting: Vec<Datagram> = self
            .waiting
            .iter()
            .filter(|(datagram, waiting)| affected(datagram, None, waiting.owner))
            .map(|(datagram, _)| *datagram)
            .collect();
        for datagram in waiting {
            let waiting = self.stop_waiting(datagram);
            self.drop_waiting(waiting);
        }
        if owner.is_some() {
            let (gone, kept) = std::mem::take(&mut self.released)
                .into_iter()
                .partition(|(of, _)| *of == owner);
            self.released = kept;
            let gone: Vec<(Owned, Held)> = gone;
            let cost = gone.iter().map(|(_, frame)| cost(frame)).sum();
            self.held.discharge_total(cost);
        }
    }

    /// Fragments that wait for their first one.
    pub(super) fn waiting(&self) -> u64 {
        let fragments = self.waiting.values().map(|waiting| waiting.frames.len());
        fragments.sum::<usize>() as u64
    }

    /// Fragments that waited in vain.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }
}
