//! Sessions and mappings by tuples, without frames.
//!
//! The table is in shards, each under its own lock. A mapping and all its sessions are in the shard
//! that the hash of its inside endpoint chooses, so two threads that begin one conversation at once
//! find each other. From outside the way leads through the port: an array by port says in which
//! shard its mapping is.
//!
//! Packets of a conversation that goes on as it is do without the shard: an index, which may forget,
//! leads from the hash of the conversation, as it is seen on either side, to the session's track,
//! which has a lock of its own. The shard's lock is taken before a track's, never after.

mod conversation;
mod entry;
mod inbound;
mod index;
mod keys;
mod list;
mod mapping;
mod membership;
mod outbound;
mod ports;
mod quota;
mod record;
mod room;
mod shard;
mod slab;
mod step;
mod track;
mod upkeep;
mod wheel;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam::utils::CachePadded;
use vswitch_packet::Moment;

use crate::config::Config;
use crate::endpoint::{Endpoint, Flow};
use crate::published::Published;
use crate::refusal::Refusal;
use crate::tuple::{Owner, Protocol, Tuple};

use index::Index;
use keys::Keys;
use ports::{Dice, PortSpaces};
use quota::{Quotas, Seats};
use shard::{Shard, Stop};
use track::Tracks;

pub(crate) use inbound::Inbound;
pub use step::{Step, flag};

/// A power of two.
const SHARDS: usize = 64;

/// Sessions and mappings, shared by all workers.
pub struct Conntrack {
    pool: Pool,
    shards: Box<[CachePadded<Mutex<Shard>>]>,
}

/// What all shards draw from.
struct Pool {
    config: Config,
    keys: Keys,
    index: Index,
    tracks: Tracks,
    dice: Dice,
    seats: Seats,
    quotas: Quotas,
    spaces: PortSpaces,
    refused: AtomicU64,
}

/// Where a packet from outside leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Whose it is.
    pub owner: Owner,
    /// The container's address and port.
    pub endpoint: SocketAddr,
}

impl std::fmt::Debug for Conntrack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conntrack")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Conntrack {
    /// An empty table.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let shard = |number| CachePadded::new(Mutex::new(Shard::new(number)));
        let seats = Seats::new(config.max_sessions);
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            pool: Pool {
                keys: Keys::new(config.seed),
                dice: Dice::new(config.seed),
                index: Index::default(),
                tracks: Tracks::new(seats.limit()),
                seats,
                quotas: Quotas::default(),
                spaces: PortSpaces::default(),
                refused: AtomicU64::new(0),
                config,
            },
        }
    }

    /// What the session of `tuple` is translated to. Refreshes nothing: for what ICMP errors are
    /// about (RFC 5508 REQ-6).
    #[must_use]
    pub fn external_of(&self, tuple: &Tuple, now: Moment) -> Option<SocketAddr> {
        let flow = Flow::from(tuple);
        let hash = self.pool.keys.inside(flow.protocol, flow.inside);
        let shard = self.shard_of(hash);
        let id = shard.find(&self.pool, hash, &flow, now)?;
        Some(shard.track(&self.pool, id).external.into())
    }

    /// Where the session of an external and a remote endpoint leads. Refreshes nothing.
    #[must_use]
    pub fn inside_of(
        &self,
        protocol: Protocol,
        external: SocketAddr,
        remote: SocketAddr,
        published: &Published,
        now: Moment,
    ) -> Option<Inside> {
        let leads = |inside: Endpoint| {
            let flow = Flow {
                protocol,
                inside,
                remote: remote.into(),
            };
            let hash = self.pool.keys.inside(protocol, inside);
            let shard = self.shard_of(hash);
            let id = shard.find(&self.pool, hash, &flow, now)?;
            let track = shard.track(&self.pool, id);
            (track.external == external.into()).then(|| Inside {
                owner: track.owner,
                endpoint: inside.into(),
            })
        };
        let mapped = || {
            let place = self.pool.spaces.place(protocol, external.into())?;
            let shard = self.lock(place.shard);
            let inside = shard.any_of(&self.pool, place.mapping)?.inside;
            drop(shard);
            leads(inside)
        };
        mapped().or_else(|| leads(published.inside(protocol, external)?.1.into()))
    }

    /// Whether there is a mapping at an external endpoint. Published ports are not asked.
    #[must_use]
    pub fn maps(&self, protocol: Protocol, external: SocketAddr) -> bool {
        self.pool.spaces.place(protocol, external.into()).is_some()
    }

    /// What a conversation is found by without its shard.
    #[inline]
    pub(crate) fn key(&self, protocol: Protocol, ours: Endpoint, remote: Endpoint) -> u64 {
        self.pool.keys.conversation(protocol, ours, remote)
    }

    /// Whether there are more conversations than the processor's caches keep in any case.
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        self.pool.index.is_large()
    }

    /// Has fetched from memory where a conversation is noted.
    #[inline]
    pub(crate) fn fetch_place(&self, key: u64) {
        self.pool.index.fetch(key);
    }

    /// Has fetched from memory what is noted there. False if nothing is.
    #[inline]
    pub(crate) fn fetch_session(&self, key: u64) -> bool {
        let noted = self.pool.index.find(key, |seat| {
            self.pool.tracks.fetch(seat);
            Some(())
        });
        noted.is_some()
    }

    #[inline]
    fn shard_of(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // Bits that the tables within a shard do not use.
        self.lock((hash >> 32) as usize % SHARDS)
    }

    #[inline]
    fn lock(&self, number: usize) -> MutexGuard<'_, Shard> {
        self.shards[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what `attempt` does, and again after making room if that is what it wants.
    #[inline(never)]
    fn with_room<T>(
        &self,
        now: Moment,
        mut attempt: impl FnMut() -> Result<T, Stop>,
    ) -> Result<T, Refusal> {
        /// Other threads may be quicker to take what one has made free.
        const TRIES: usize = 4;

        let mut result = attempt();
        for _ in 1..TRIES {
            match result {
                Err(stop) if self.make_room(stop, now) => result = attempt(),
                _ => break,
            }
        }
        result.map_err(|stop| {
            let refusal = match stop {
                Stop::Refused(refusal) => refusal,
                Stop::OwnerFull(_) => Refusal::SessionLimit,
                Stop::TableFull(_) => Refusal::TableFull,
                Stop::PortsFull(..) => Refusal::PortsExhausted,
            };
            if refusal != Refusal::NotOurs {
                self.pool.refused.fetch_add(1, Ordering::Relaxed);
            }
            refusal
        })
    }
}
