//! Where a session is to be found, and what it holds: from its beginning to its end.

use super::Pool;
use super::conversation::Worth;
use super::entry::{Mapping, Session};
use super::list::{List, links};
use super::record::Saved;
use super::shard::Shard;
use super::slab::Slab;
use super::track::Track;
use crate::endpoint::Endpoint;

impl Shard {
    /// Puts a new session where it is to be found.
    pub(super) fn link(&mut self, pool: &Pool, id: u32, hash: u64) {
        let mapping = self.sessions[id].mapping;
        let track = self.track(pool, id);
        let (deadline, owner, remote) = (track.deadline(), track.owner, track.remote);
        let worth = track.conversation.phase.worth();
        drop(track);

        self.wheel.insert(&mut self.sessions, id, deadline);
        self.mappings[mapping].sessions.push(&mut self.sessions, id);
        if let Some(holding) = self.owners.get_mut(&owner) {
            holding.by_worth[worth as usize].push(&mut self.sessions, id);
            holding.quota.enter(worth);
        }

        let sessions = &self.sessions;
        let key = pool.keys.session(hash, remote);
        self.by_tuple.insert_unique(key, id, |&id| {
            let track = pool.tracks.lock(sessions[id].seat);
            let hash = pool.keys.inside(track.protocol, track.inside);
            pool.keys.session(hash, track.remote)
        });
        self.note(pool, id);

        let hash_of_peer = pool.keys.peer(mapping, remote.address());
        let known = self.peers.find_mut(hash_of_peer, |list| {
            is_peer(pool, &self.sessions, list, mapping, remote)
        });
        if let Some(list) = known {
            list.push(&mut self.sessions, id);
        } else {
            let mut list = List::EMPTY;
            list.push(&mut self.sessions, id);
            let sessions = &self.sessions;
            self.peers.insert_unique(hash_of_peer, list, |list| {
                list.first().map_or(0, |id| {
                    let session = &sessions[id];
                    let remote = pool.tracks.lock(session.seat).remote;
                    pool.keys.peer(session.mapping, remote.address())
                })
            });
        }
    }

    /// Takes a session out of everything but the wheel, where it is no more, and gives back what it
    /// held.
    pub(super) fn unlink(&mut self, pool: &Pool, id: u32) {
        let track = {
            let mut track = self.track(pool, id);
            track.is_live = false;
            track.clone()
        };
        let (mapping, remote) = (self.sessions[id].mapping, track.remote);
        let worth = track.conversation.phase.worth();
        let entry = &self.mappings[mapping];
        let hash = pool.keys.inside(track.protocol, track.inside);

        let hash_of_peer = pool.keys.peer(mapping, remote.address());
        if let Ok(mut found) = self.peers.find_entry(hash_of_peer, |list| {
            is_peer(pool, &self.sessions, list, mapping, remote)
        }) {
            found.get_mut().remove(&mut self.sessions, id);
            if found.get().first().is_none() {
                found.remove();
            }
        }
        if let Ok(found) = self
            .by_tuple
            .find_entry(pool.keys.session(hash, remote), |&other| other == id)
        {
            found.remove();
        }
        for key in keys_of(pool, entry, &track) {
            pool.index.forget(key, self.sessions[id].seat);
        }
        if let Some(holding) = self.owners.get_mut(&track.owner) {
            holding.by_worth[worth as usize].remove(&mut self.sessions, id);
            holding.quota.leave(worth);
            holding.quota.give_back();
        }
        let list = &mut self.mappings[mapping].sessions;
        list.remove(&mut self.sessions, id);
        if list.first().is_none() {
            self.unmap(pool, mapping, &track, hash);
        }
        if let Some(session) = self.sessions.remove(id) {
            // The seat is the ledger's slot: it is given back when it is empty.
            if let Some(ledger) = &pool.config.ledger {
                ledger.write(session.seat, &[0; 8]);
            }
            pool.seats.give_back(session.seat);
        }
    }

    /// Notes where its packets find a session without the shard.
    pub(super) fn note(&self, pool: &Pool, id: u32) {
        let track = self.track(pool, id).clone();
        for key in keys_of(pool, self.mapping_of(id), &track) {
            pool.index.note(key, self.sessions[id].seat);
        }
    }

    /// A session's state has changed: it has another worth, another timeout, and is written anew.
    #[cold]
    pub(super) fn revalue(&mut self, pool: &Pool, id: u32, before: Worth) {
        let (owner, worth, deadline) = {
            let mut track = self.track(pool, id);
            track.set_stay(&pool.config.timeouts);
            let worth = track.conversation.phase.worth();
            (track.owner, worth, track.deadline())
        };
        if worth != before {
            if let Some(holding) = self.owners.get_mut(&owner) {
                holding.by_worth[before as usize].remove(&mut self.sessions, id);
                holding.by_worth[worth as usize].push(&mut self.sessions, id);
                holding.quota.leave(before);
                holding.quota.enter(worth);
            }
            self.wheel.remove(&mut self.sessions, id);
            self.wheel.insert(&mut self.sessions, id, deadline);
        }
        self.write_down(pool, id);
    }

    pub(super) fn write_down(&self, pool: &Pool, id: u32) {
        let Some(ledger) = &pool.config.ledger else {
            return;
        };
        let session = &self.sessions[id];
        let mapping = &self.mappings[session.mapping];
        let track = self.track(pool, id).clone();
        let saved = Saved {
            protocol: track.protocol,
            phase: track.conversation.phase,
            lasting: track.conversation.lasting(),
            kind: mapping.kind,
            filtering: mapping.filtering,
            inside: track.inside,
            external: track.external,
            remote: track.remote,
        };
        ledger.write(session.seat, &saved.pack());
    }
}

/// What a session is found by: as it is seen inside, and as it is seen outside, if packets for that
/// endpoint are its mapping's.
fn keys_of(pool: &Pool, mapping: &Mapping, track: &Track) -> impl Iterator<Item = u64> {
    let external = mapping.space.is_some().then_some(track.external);
    let ends = std::iter::once(track.inside).chain(external);
    ends.map(|end| pool.keys.conversation(track.protocol, end, track.remote))
}

pub(super) fn is_peer(
    pool: &Pool,
    sessions: &Slab<Session>,
    list: &List<{ links::PEER }>,
    mapping: u32,
    remote: Endpoint,
) -> bool {
    list.first().is_some_and(|id| {
        let session = &sessions[id];
        session.mapping == mapping
            && pool.tracks.lock(session.seat).remote.address() == remote.address()
    })
}
