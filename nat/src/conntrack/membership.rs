//! Where a session is to be found, and what it holds: from its beginning to its end.

use super::Pool;
use super::conversation::Worth;
use super::entry::Session;
use super::list::{List, links};
use super::record::Saved;
use super::shard::{Found, Shard};
use super::slab::Slab;
use crate::endpoint::Endpoint;

impl Shard {
    /// Puts a new session where it is to be found.
    pub(super) fn link(&mut self, pool: &Pool, id: u32, hash: u64) {
        self.set_stay(pool, id);
        let deadline = self.deadline(id);
        let (mapping, remote) = (self.sessions[id].mapping, self.sessions[id].remote);
        let worth = self.sessions[id].conversation.phase.worth();

        self.wheel.insert(&mut self.sessions, id, deadline);
        self.mappings[mapping].sessions.push(&mut self.sessions, id);
        if let Some(holding) = self.owners.get_mut(&self.mappings[mapping].owner) {
            holding.by_worth[worth as usize].push(&mut self.sessions, id);
            holding.quota.enter(worth);
        }

        let (sessions, mappings) = (&self.sessions, &self.mappings);
        let found = Found {
            session: id,
            mapping,
        };
        self.by_tuple
            .insert_unique(pool.keys.session(hash, remote), found, |found| {
                let session = &sessions[found.session];
                let mapping = &mappings[found.mapping];
                let hash = pool.keys.inside(mapping.protocol, mapping.inside);
                pool.keys.session(hash, session.remote)
            });

        let hash_of_peer = pool.keys.peer(mapping, remote.address());
        let known = self.peers.find_mut(hash_of_peer, |list| {
            is_peer(&self.sessions, list, mapping, remote)
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
                    pool.keys.peer(session.mapping, session.remote.address())
                })
            });
        }
    }

    /// Takes a session out of everything but the wheel, where it is no more, and gives back what it
    /// held.
    pub(super) fn unlink(&mut self, pool: &Pool, id: u32) {
        let (mapping, remote) = (self.sessions[id].mapping, self.sessions[id].remote);
        let worth = self.sessions[id].conversation.phase.worth();
        let entry = &self.mappings[mapping];
        let hash = pool.keys.inside(entry.protocol, entry.inside);

        let hash_of_peer = pool.keys.peer(mapping, remote.address());
        if let Ok(mut found) = self.peers.find_entry(hash_of_peer, |list| {
            is_peer(&self.sessions, list, mapping, remote)
        }) {
            found.get_mut().remove(&mut self.sessions, id);
            if found.get().first().is_none() {
                found.remove();
            }
        }
        if let Ok(found) = self
            .by_tuple
            .find_entry(pool.keys.session(hash, remote), |found| found.session == id)
        {
            found.remove();
        }
        if let Some(holding) = self.owners.get_mut(&entry.owner) {
            holding.by_worth[worth as usize].remove(&mut self.sessions, id);
            holding.quota.leave(worth);
            holding.quota.give_back();
        }
        let list = &mut self.mappings[mapping].sessions;
        list.remove(&mut self.sessions, id);
        if list.first().is_none() {
            self.unmap(pool, mapping, hash);
        }
        if let Some(session) = self.sessions.remove(id) {
            // The seat is the ledger's slot: it is given back when it is empty.
            if let Some(ledger) = &pool.config.ledger {
                ledger.write(session.seat, &[0; 8]);
            }
            pool.seats.give_back(session.seat);
        }
    }

    /// A session's state has changed: it has another worth, another timeout, and is written anew.
    #[cold]
    pub(super) fn revalue(&mut self, pool: &Pool, id: u32, before: Worth) {
        let worth = self.sessions[id].conversation.phase.worth();
        if worth != before {
            let owner = self.mapping_of(id).owner;
            if let Some(holding) = self.owners.get_mut(&owner) {
                holding.by_worth[before as usize].remove(&mut self.sessions, id);
                holding.by_worth[worth as usize].push(&mut self.sessions, id);
                holding.quota.leave(before);
                holding.quota.enter(worth);
            }
            self.set_stay(pool, id);
            let deadline = self.deadline(id);
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
        let saved = Saved {
            protocol: mapping.protocol,
            phase: session.conversation.phase,
            lasting: session.conversation.lasting(),
            kind: mapping.kind,
            filtering: mapping.filtering,
            inside: mapping.inside,
            external: mapping.external,
            remote: session.remote,
        };
        ledger.write(session.seat, &saved.pack());
    }
}

pub(super) fn is_peer(
    sessions: &Slab<Session>,
    list: &List<{ links::PEER }>,
    mapping: u32,
    remote: Endpoint,
) -> bool {
    list.first().is_some_and(|id| {
        let session = &sessions[id];
        session.mapping == mapping && session.remote.address() == remote.address()
    })
}
