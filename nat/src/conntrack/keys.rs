//! Hashes of what sessions and mappings are found by.

use std::hash::Hasher;
use std::net::IpAddr;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use super::entry::Endpoint;
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
        let ports = protocol << 16 | u32::from(inside.port);
        self.endpoint(self.seed, inside.address, ports)
    }

    /// Of a session, from the hash of its inside endpoint.
    #[inline]
    pub(super) fn session(&self, inside: u64, remote: Endpoint) -> u64 {
        self.endpoint(inside, remote.address, u32::from(remote.port))
    }

    /// Of a mapping's sessions with one remote address.
    #[inline]
    pub(super) fn peer(&self, mapping: u32, remote: IpAddr) -> u64 {
        self.endpoint(self.seed, remote, mapping)
    }

    #[inline]
    fn endpoint(&self, seed: u64, address: IpAddr, extra: u32) -> u64 {
        let mut hasher = FoldHasher::with_seed(seed, &self.shared);
        match address {
            IpAddr::V4(v4) => hasher.write_u64(u64::from(v4.to_bits())),
            IpAddr::V6(v6) => hasher.write_u128(v6.to_bits()),
        }
        hasher.write_u32(extra);
        hasher.finish()
    }
}
