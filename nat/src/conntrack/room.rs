//! Who gives way when there is no room.

use vswitch_packet::Moment;

use super::conversation::Worth;
use super::entry::Kind;
use super::shard::{Cause, Stop};
use super::{Conntrack, SHARDS};
use crate::endpoint::{Address, Endpoint};
use crate::tuple::{Owner, Protocol};

impl Conntrack {
    /// Ends one session in favour of a new one, which is unreplied. Sessions that are established
    /// never give way: no flood, from wherever it comes, interrupts what works.
    ///
    /// An owner at its own limit pays with what it has closed. In a full table the owner who has
    /// the most of what is worth least pays, with the oldest; and for what is unreplied, only if
    /// that is more than the newcomer's owner has, so that a flood fills no more than the others
    /// leave. The ports of an address are shared out in the same way.
    pub(super) fn make_room(&self, stop: Stop, now: Moment) -> bool {
        match stop {
            Stop::Refused(_) => false,
            Stop::OwnerFull(owner) => [Worth::Reset, Worth::Closed]
                .into_iter()
                .filter(|&worth| self.pool.quotas.get(owner).of(worth) > 0)
                .any(|worth| self.evict(owner, worth, now)),
            Stop::TableFull(newcomer) => [Worth::Reset, Worth::Closed, Worth::Unreplied]
                .into_iter()
                .any(|worth| {
                    let richest = self.pool.quotas.richest(worth);
                    richest.is_some_and(|(owner, _)| {
                        self.gives_way(owner, worth, newcomer) && self.evict(owner, worth, now)
                    })
                }),
            Stop::PortsFull(newcomer, protocol, address) => {
                self.free_port(newcomer, protocol, address)
            }
        }
    }

    /// Whether what an owner has, and is worth so much, gives way to a newcomer.
    fn gives_way(&self, owner: Owner, worth: Worth, newcomer: Owner) -> bool {
        let quotas = &self.pool.quotas;
        match worth {
            Worth::Reset | Worth::Closed => true,
            Worth::Unreplied => {
                quotas.get(owner).of(worth) > quotas.get(newcomer).of(worth).saturating_add(1)
            }
            Worth::Established => false,
        }
    }

    /// Ends a mapping that holds one of an address's ports, the least valuable of a few at random:
    /// if one owner has taken all, it is one of its.
    fn free_port(&self, newcomer: Owner, protocol: Protocol, address: Address) -> bool {
        const LOOKS: usize = 16;

        let space = self.pool.spaces.get_or_add(protocol, address);
        let candidate = |_| {
            let port = space.any_taken(&self.pool.config.ports, self.pool.dice.throw())?;
            let place = space.place(port)?;
            let shard = self.lock(place.shard);
            let kind = shard.mappings.get(place.mapping)?.kind;
            let worth = shard.worth_of(&self.pool, place.mapping);
            let external = Endpoint::new(address, port);
            let track = shard.any_of(&self.pool, place.mapping)?;
            // A published port is of no use to a newcomer.
            let fits = kind == Kind::Drawn
                && track.external == external
                && track.protocol == protocol
                && self.gives_way(track.owner, worth, newcomer);
            fits.then_some((worth, place, external))
        };
        let least = (0..LOOKS)
            .filter_map(candidate)
            .min_by_key(|&(worth, ..)| worth);
        let Some((worth, place, external)) = least else {
            return false;
        };
        let mut shard = self.lock(place.shard);
        // Meanwhile it may have ended, or been answered.
        let there = shard
            .any_of(&self.pool, place.mapping)
            .is_some_and(|track| track.external == external && track.protocol == protocol);
        if there && shard.worth_of(&self.pool, place.mapping) <= worth {
            shard.end_mapping(&self.pool, place.mapping, Cause::Evicted);
        }
        true
    }

    /// Ends the one of an owner's sessions worth so much that was silent for longest, of those that
    /// are worth so little for longest in each shard.
    fn evict(&self, owner: Owner, worth: Worth, now: Moment) -> bool {
        let oldest = (0..SHARDS)
            .filter_map(|number| {
                let shard = self.lock(number);
                let id = shard.oldest(owner, worth)?;
                Some((shard.track(&self.pool, id).seen(), number))
            })
            .min();
        let Some((_, number)) = oldest else {
            return false;
        };
        let mut shard = self.lock(number);
        // Another thread may have ended it: then there is room.
        if let Some(id) = shard.oldest(owner, worth) {
            let expired = !shard.track(&self.pool, id).stands(now);
            let cause = if expired {
                Cause::Expired
            } else {
                Cause::Evicted
            };
            shard.end(&self.pool, id, cause);
        }
        true
    }
}
