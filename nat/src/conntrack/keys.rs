//! Hashes of what sessions and mappings are found by.

use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use crate::endpoint::{Address, Endpoint};
use crate::tuple::Protocol;

/// Keyed hashes: who chooses addresses and ports cannot choose which of them collide.
pub(super) struct Keys {
    seed: u64,
    shared: SharedSeed,
}

impl Keys {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            // That of `FixedState` is known to all, and there are addresses that cancel it out.
            shared: SharedSeed::from_u64(!seed),
        }
    }

    /// Of an inside endpoint: chooses the shard, so that a mapping and all its sessions are in one.
    #[inline]
    pub(super) fn inside(&self, protocol: Protocol, inside: Endpoint) -> u64 {
        let protocol = match protocol {
            Protocol::Tcp => 0x100,
            Protocol::Udp => 0x200,
            Protocol::Sctp => 0x300,
            Protocol::Echo => 0x400,
            Protocol::Other(number) => u32::from(number),
        };
        self.hash(self.seed, inside, protocol)
    }

    /// Of a session, from the hash of its inside endpoint.
    #[inline]
    pub(super) fn session(&self, inside: u64, remote: Endpoint) -> u64 {
        self.hash(inside, remote, 0)
    }

    /// Of a conversation of the endpoint on our side, which is that inside, or that in its place.
    #[inline]
    pub(super) fn conversation(&self, protocol: Protocol, ours: Endpoint, remote: Endpoint) -> u64 {
        self.session(self.inside(protocol, ours), remote)
    }

    /// Of a mapping's sessions with one remote address.
    #[inline]
    pub(super) fn peer(&self, mapping: u32, remote: Address) -> u64 {
        self.hash(self.seed, Endpoint::new(remote, 0), mapping)
    }

    #[inline]
    fn hash(&self, seed: u64, endpoint: Endpoint, extra: u32) -> u64 {
        let mut hasher = FoldHasher::with_seed(seed, &self.shared);
        let [first, second, rest] = endpoint.words();
        hasher.write_u64(first);
        hasher.write_u64(second);
        hasher.write_u64(rest | u64::from(extra) << 32);
        hasher.finish()
    }
}
