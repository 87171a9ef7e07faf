//! A part of the table, under one lock: mappings, and all sessions of each.

use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use vswitch_packet::Moment;

use super::Pool;
use super::conversation::{Conversation, Side, Worth};
use super::entry::{Goal, Kind, Mapping, Session};
use super::list::{Link, List, links};
use super::membership::is_peer;
use super::quota::Quota;
use super::slab::Slab;
use super::step::Step;
use super::track::{Held, Track};
use super::wheel::Wheel;
use crate::config::Filtering;
use crate::endpoint::{Address, Endpoint, Flow};
use crate::published::Published;
use crate::refusal::Refusal;
use crate::tuple::{Owner, Protocol};

/// A part of the table.
pub(super) struct Shard {
    pub(super) sessions: Slab<Session>,
    pub(super) mappings: Slab<Mapping>,
    pub(super) by_inside: HashTable<u32>,
    pub(super) by_tuple: HashTable<u32>,
    /// By mapping and remote address: whom a mapping has talked to.
    pub(super) peers: HashTable<List<{ links::PEER }>>,
    pub(super) wheel: Wheel,
    pub(super) owners: HashMap<Owner, Holding, foldhash::fast::FixedState>,
    pub(super) number: usize,
    pub(super) created: u64,
    pub(super) expired: u64,
    pub(super) evicted: u64,
}

/// An owner's sessions in this shard.
pub(super) struct Holding {
    pub(super) quota: Arc<Quota>,
    pub(super) by_worth: [List<{ links::WORTH }>; Worth::COUNT],
}

/// A session to begin.
pub(super) struct Beginning<'b> {
    pub(super) flow: Flow,
    /// [`super::keys::Keys::inside`] of its inside endpoint.
    pub(super) hash: u64,
    pub(super) owner: Owner,
    pub(super) goal: Goal,
    pub(super) filtering: Filtering,
    pub(super) conversation: Conversation,
    pub(super) published: &'b Published,
    pub(super) now: Moment,
}

/// Why a session did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Refused(Refusal),
    /// The owner has as many sessions as it may.
    OwnerFull(Owner),
    /// All seats are taken; the owner wants one.
    TableFull(Owner),
    /// All ports of an address are taken; the owner wants one.
    PortsFull(Owner, Protocol, Address),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Expired,
    Evicted,
    Forgotten,
}

impl Shard {
    pub(super) fn new(number: usize) -> Self {
        Self {
            sessions: Slab::new(),
            mappings: Slab::new(),
            by_inside: HashTable::new(),
            by_tuple: HashTable::new(),
            peers: HashTable::new(),
            wheel: Wheel::new(),
            owners: HashMap::default(),
            number,
            created: 0,
            expired: 0,
            evicted: 0,
        }
    }

    /// The session of a flow, if its time is not over. `hash` is that of the inside endpoint.
    pub(super) fn find(&self, pool: &Pool, hash: u64, flow: &Flow, now: Moment) -> Option<u32> {
        self.locate(pool, hash, flow)
            .filter(|&id| self.track(pool, id).stands(now))
    }

    /// The session of a flow, also if its time is over.
    pub(super) fn locate(&self, pool: &Pool, hash: u64, flow: &Flow) -> Option<u32> {
        let key = pool.keys.session(hash, flow.remote);
        let found = self
            .by_tuple
            .find(key, |&id| self.track(pool, id).flow() == *flow);
        found.copied()
    }

    /// A session as its packets see it.
    pub(super) fn track<'p>(&self, pool: &'p Pool, id: u32) -> Held<'p> {
        pool.tracks.lock(self.sessions[id].seat)
    }

    pub(super) fn mapping_of(&self, session: u32) -> &Mapping {
        &self.mappings[self.sessions[session].mapping]
    }

    /// Begins a session, and its mapping if need be. One of the same tuple that is over gives way.
    pub(super) fn begin(&mut self, pool: &Pool, new: &Beginning<'_>) -> Result<u32, Stop> {
        self.clear(pool, new)?;
        let quota = Arc::clone(&self.holding(pool, new.owner).quota);
        if !quota.take(pool.config.max_sessions_per_owner) {
            return Err(Stop::OwnerFull(new.owner));
        }
        let Some(seat) = pool.seats.take() else {
            quota.give_back();
            return Err(Stop::TableFull(new.owner));
        };
        let mapping = self.map(pool, new).inspect_err(|_| {
            pool.seats.give_back(seat);
            quota.give_back();
        });
        let (mapping, external) = mapping.map_err(|refusal| match (refusal, new.goal) {
            (Refusal::PortsExhausted, Goal::Draw(address)) => {
                Stop::PortsFull(new.owner, new.flow.protocol, address)
            }
            _ => Stop::Refused(refusal),
        })?;
        let id = self.sessions.insert(Session {
            mapping,
            seat,
            links: [Link::NONE; links::COUNT],
            bucket: 0,
        });
        let mut track = Track {
            stays: 0,
            conversation: new.conversation,
            owner: new.owner,
            inside: new.flow.inside,
            external,
            remote: new.flow.remote,
            protocol: new.flow.protocol,
            is_live: true,
        };
        track.set_stay(&pool.config.timeouts);
        self.track(pool, id).begin(track, new.now);
        self.link(pool, id, new.hash);
        self.created += 1;
        self.write_down(pool, id);
        Ok(id)
    }

    /// Takes a packet of a session.
    pub(super) fn advance(&mut self, pool: &Pool, id: u32, step: Step, from: Side, now: Moment) {
        let mut track = self.track(pool, id);
        let before = track.conversation.standing();
        track.advance(step, from, now);
        let changed = track.conversation.standing() != before;
        drop(track);
        if changed {
            self.revalue(pool, id, before.phase.worth());
        }
    }

    /// Ends a session, and its mapping if it was the last.
    pub(super) fn end(&mut self, pool: &Pool, id: u32, cause: Cause) {
        self.wheel.remove(&mut self.sessions, id);
        self.unlink(pool, id);
        match cause {
            Cause::Expired => self.expired += 1,
            Cause::Evicted => self.evicted += 1,
            Cause::Forgotten => {}
        }
    }

    /// Ends what was silent for too long. Looks at `budget` sessions at most; returns how many it
    /// has left.
    pub(super) fn sweep(&mut self, pool: &Pool, now: Moment, budget: usize) -> usize {
        for left in (0..budget).rev() {
            let Some(id) = self.wheel.due(&mut self.sessions, now) else {
                return left + 1;
            };
            let mut track = self.track(pool, id);
            let deadline = track.deadline();
            // Who ends it, and who refreshes it, does so under its lock.
            track.is_live = deadline > now.as_nanos();
            let goes_on = track.is_live;
            drop(track);
            if goes_on {
                self.wheel.put_back(&mut self.sessions, id, deadline);
            } else {
                self.unlink(pool, id);
                self.expired += 1;
            }
        }
        0
    }

    /// Ends an owner's sessions.
    pub(super) fn forget_owner(&mut self, pool: &Pool, owner: Owner) {
        for worth in 0..Worth::COUNT {
            while let Some(id) = self
                .owners
                .get(&owner)
                .and_then(|holding| holding.by_worth[worth].first())
            {
                self.end(pool, id, Cause::Forgotten);
            }
        }
        self.owners.remove(&owner);
    }

    /// Ends a mapping's sessions, and with them the mapping.
    pub(super) fn end_mapping(&mut self, pool: &Pool, mapping: u32, cause: Cause) {
        while let Some(id) = self
            .mappings
            .get(mapping)
            .and_then(|mapping| mapping.sessions.first())
        {
            self.end(pool, id, cause);
        }
    }

    /// Of an owner's sessions worth so much, the one that is so for longest.
    pub(super) fn oldest(&self, owner: Owner, worth: Worth) -> Option<u32> {
        self.owners.get(&owner)?.by_worth[worth as usize].first()
    }

    /// What a mapping is worth: as much as the best of its sessions.
    pub(super) fn worth_of(&self, pool: &Pool, mapping: u32) -> Worth {
        /// One that talks to so many is not looked at closely.
        const FEW: usize = 8;

        let mut sessions = self.mappings[mapping].sessions.iter(&self.sessions);
        let best = sessions
            .by_ref()
            .take(FEW)
            .map(|session| pool.tracks.lock(session.seat).conversation.phase.worth())
            .max();
        match sessions.next() {
            None => best.unwrap_or(Worth::Reset),
            Some(_) => Worth::Established,
        }
    }

    /// Whether a mapping admits a packet that begins a session from outside.
    pub(super) fn admits(
        &mut self,
        pool: &Pool,
        mapping: u32,
        remote: Endpoint,
        step: Step,
        now: Moment,
    ) -> bool {
        let Some(entry) = self.mappings.get(mapping) else {
            return false;
        };
        if entry.kind != Kind::Drawn || !step.opens() {
            return false;
        }
        let filtering = entry.filtering;
        // Sessions whose time is over count no more, even if they are still there.
        loop {
            let known = match filtering {
                Filtering::EndpointIndependent => self
                    .mappings
                    .get(mapping)
                    .and_then(|entry| entry.sessions.first()),
                Filtering::AddressDependent => self
                    .peers
                    .find(pool.keys.peer(mapping, remote.address()), |list| {
                        is_peer(pool, &self.sessions, list, mapping, remote)
                    })
                    .and_then(List::first),
                Filtering::AddressAndPortDependent => None,
            };
            match known {
                Some(id) if !self.track(pool, id).stands(now) => {
                    self.end(pool, id, Cause::Expired);
                }
                known => return known.is_some(),
            }
        }
    }

    /// Makes way for a session of the same inside and remote endpoint, which is there if it ended
    /// unnoticed, or if it has another external endpoint: an answer would not tell which is meant.
    /// Datagrams belong to the conversation that was heard last, connections to the first.
    fn clear(&mut self, pool: &Pool, new: &Beginning<'_>) -> Result<(), Stop> {
        let Some(id) = self.locate(pool, new.hash, &new.flow) else {
            return Ok(());
        };
        let track = self.track(pool, id);
        let (stands, worth) = (track.stands(new.now), track.conversation.phase.worth());
        drop(track);
        let cause = if !stands {
            Cause::Expired
        } else if new.flow.protocol == Protocol::Udp || worth < Worth::Established {
            Cause::Evicted
        } else {
            return Err(Stop::Refused(Refusal::Filtered));
        };
        self.end(pool, id, cause);
        Ok(())
    }

    fn holding(&mut self, pool: &Pool, owner: Owner) -> &mut Holding {
        self.owners.entry(owner).or_insert_with(|| Holding {
            quota: pool.quotas.get(owner),
            by_worth: [List::EMPTY; Worth::COUNT],
        })
    }
}
