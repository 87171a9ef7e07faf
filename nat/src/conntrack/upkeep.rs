//! What the control side does with the table.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use vswitch_packet::Moment;

use super::conversation::Conversation;
use super::entry::{Goal, Kind};
use super::record::Saved;
use super::shard::{Beginning, Cause};
use super::{Conntrack, SHARDS};
use crate::endpoint::{Address, Endpoint, Flow};
use crate::ledger::Record;
use crate::published::Published;
use crate::session::{Counts, SessionRow};
use crate::tuple::{Owner, Protocol};

/// Sessions that are looked at while a shard is locked: workers wait for it.
const BATCH: usize = 512;
/// Batches a shard and sweep.
const BATCHES: usize = 8;

impl Conntrack {
    /// Ends what was silent for too long, a bounded part of the table at a time. No packet finds a
    /// session whose time is over, even before it is swept up.
    pub fn sweep(&self, now: Moment) {
        for number in 0..SHARDS {
            for _ in 0..BATCHES {
                if self.lock(number).sweep(&self.pool, now, BATCH) > 0 {
                    break;
                }
            }
        }
    }

    /// Ends everything of an owner. Its packets must come no more: one that does begins anew.
    pub fn forget_owner(&self, owner: Owner) {
        for number in 0..SHARDS {
            self.lock(number).forget_owner(&self.pool, owner);
        }
    }

    /// Ends everything that is translated to an address. Until it returns, nothing new begins there.
    pub fn forget_external(&self, address: IpAddr) {
        let address = Address::from(address);
        self.pool.spaces.close(address);
        for number in 0..SHARDS {
            let mut next = 0;
            loop {
                let mut shard = self.lock(number);
                let bound = shard.mappings.bound();
                let end = bound.min(next + BATCH);
                for id in next..end {
                    let id = id as u32;
                    let is_there = shard
                        .any_of(&self.pool, id)
                        .is_some_and(|track| track.external.address() == address);
                    if is_there && shard.mappings[id].kind != Kind::Own {
                        shard.end_mapping(&self.pool, id, Cause::Forgotten);
                    }
                }
                next = end;
                if next == bound {
                    break;
                }
            }
        }
        self.pool.spaces.remove_closed(address);
    }

    /// Ends the mapping that holds an external endpoint. True if there was one.
    pub fn forget_mapping(&self, protocol: Protocol, external: SocketAddr) -> bool {
        let external = Endpoint::from(external);
        let Some(place) = self.pool.spaces.place(protocol, external) else {
            return false;
        };
        let mut shard = self.lock(place.shard);
        let there = shard
            .any_of(&self.pool, place.mapping)
            .is_some_and(|track| track.external == external && track.protocol == protocol);
        if there {
            shard.end_mapping(&self.pool, place.mapping, Cause::Forgotten);
        }
        there
    }

    /// All sessions, in no order.
    #[must_use]
    pub fn sessions(&self, now: Moment) -> Vec<SessionRow> {
        let mut rows = Vec::new();
        for number in 0..SHARDS {
            let shard = self.lock(number);
            rows.reserve(shard.sessions.len());
            for id in 0..shard.sessions.bound() as u32 {
                let Some(session) = shard.sessions.get(id) else {
                    continue;
                };
                let track = self.pool.tracks.lock(session.seat);
                let left = track.deadline().saturating_sub(now.as_nanos());
                if left == 0 {
                    continue;
                }
                rows.push(SessionRow {
                    owner: track.owner,
                    tuple: track.flow().into(),
                    external: track.external.into(),
                    state: track.conversation.phase.state(),
                    idle: now.since(Moment::from_nanos(track.seen())),
                    left: Duration::from_nanos(left),
                });
            }
        }
        rows
    }

    /// What happened so far, and how much is there now; of fragments nothing.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            refused: self.pool.refused.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for number in 0..SHARDS {
            let shard = self.lock(number);
            counts.sessions += shard.sessions.len() as u64;
            counts.mappings += shard.mappings.len() as u64;
            counts.created += shard.created;
            counts.expired += shard.expired;
            counts.evicted += shard.evicted;
        }
        counts
    }

    /// Takes up what a former process wrote down; see [`crate::Nat::restore`]. A mapping keeps its
    /// port, or is not taken up. Timeouts begin anew. What is taken up is written to the ledger,
    /// which is to be empty before.
    pub fn restore(
        &self,
        records: impl Iterator<Item = Record>,
        owner: impl Fn(IpAddr) -> Option<Owner>,
        now: Moment,
    ) -> usize {
        let published = Published::default();
        records
            .filter_map(|record| Saved::unpack(&record))
            .filter(|saved| {
                let Some(owner) = owner(saved.inside.address().into()) else {
                    return false;
                };
                let flow = Flow {
                    protocol: saved.protocol,
                    inside: saved.inside,
                    remote: saved.remote,
                };
                let hash = self.pool.keys.inside(flow.protocol, flow.inside);
                let mut shard = self.shard_of(hash);
                if shard.find(&self.pool, hash, &flow, now).is_some() {
                    return false;
                }
                let begun = shard.begin(
                    &self.pool,
                    &Beginning {
                        flow,
                        hash,
                        owner,
                        goal: match saved.kind {
                            Kind::Own => Goal::Own,
                            Kind::Published => Goal::Published(saved.external),
                            Kind::Drawn => Goal::Keep(saved.external),
                        },
                        filtering: saved.filtering,
                        conversation: Conversation::restore(saved.phase, saved.lasting),
                        published: &published,
                        now,
                    },
                );
                begun.is_ok()
            })
            .count()
    }
}
