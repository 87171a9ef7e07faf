//! What each packet of a session needs, and where workers find it without the shard's lock.
//!
//! A packet that changes nothing but times and numbers takes its own session's lock alone. All else,
//! from the beginning of a session to its end, is done under the shard's lock, and the session's
//! within it.

use std::ops::{Deref, DerefMut};
use std::slice::from_ref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use prefetch_index::prefetch_index;
use vswitch_packet::Moment;

use super::conversation::{Conversation, Side};
use super::step::Step;
use crate::config::Timeouts;
use crate::endpoint::{Address, Endpoint, Flow};
use crate::tuple::{Owner, Protocol};

/// A session as its packets see it.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// Nanoseconds that it stays after that.
    pub(super) stays: u64,
    pub(super) conversation: Conversation,
    pub(super) owner: Owner,
    pub(super) inside: Endpoint,
    pub(super) external: Endpoint,
    pub(super) remote: Endpoint,
    pub(super) protocol: Protocol,
    /// It has begun and not ended.
    pub(super) is_live: bool,
}

/// All tracks, by the seats of their sessions.
pub(super) struct Tracks {
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
}

/// Two cache lines, in each of which there is something that is read without the lock.
#[derive(Debug)]
#[repr(C, align(128))]
struct Slot {
    track: Mutex<Track>,
    /// Nanoseconds since the origin, of the last packet that refreshed it. Changed under the lock.
    seen: AtomicU64,
}

/// A track, and whoever has it is alone with it.
pub(super) struct Held<'a> {
    track: MutexGuard<'a, Track>,
    seen: &'a AtomicU64,
}

/// Tracks a chunk.
const CHUNK: usize = 256;

impl Track {
    /// Notes how long it stays in its phase.
    pub(super) fn set_stay(&mut self, timeouts: &Timeouts) {
        let stays = self.conversation.phase.timeout(self.protocol, timeouts);
        self.stays = u64::try_from(stays.as_nanos()).unwrap_or(u64::MAX);
    }

    /// As it is seen inside.
    #[inline]
    pub(super) const fn flow(&self) -> Flow {
        Flow {
            protocol: self.protocol,
            inside: self.inside,
            remote: self.remote,
        }
    }
}

impl Held<'_> {
    /// When it was refreshed last, in nanoseconds since the origin.
    #[inline]
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// When it ends, in nanoseconds since the origin.
    #[inline]
    pub(super) fn deadline(&self) -> u64 {
        self.seen().saturating_add(self.stays)
    }

    /// Whether its time is not over.
    #[inline]
    pub(super) fn stands(&self, now: Moment) -> bool {
        self.is_live && self.deadline() > now.as_nanos()
    }

    /// Begins with what `track` is.
    pub(super) fn begin(&mut self, track: Track, now: Moment) {
        *self.track = track;
        self.seen.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Takes a packet.
    #[inline]
    pub(super) fn advance(&mut self, step: Step, from: Side, now: Moment) {
        if self.conversation.step(step, from) {
            self.refresh(now);
        }
    }

    /// Takes a packet, if there is time, and if it changes nothing that is noted elsewhere.
    #[inline]
    pub(super) fn pass(&mut self, step: Step, from: Side, now: Moment) -> bool {
        if !self.stands(now) {
            return false;
        }
        let before = self.conversation;
        let refreshes = self.conversation.step(step, from);
        if self.conversation.standing() != before.standing() {
            self.conversation = before;
            return false;
        }
        if refreshes {
            self.refresh(now);
        }
        true
    }

    #[inline]
    fn refresh(&self, now: Moment) {
        // Two threads' clocks may be read in one order and used in another.
        let seen = self.seen().max(now.as_nanos());
        self.seen.store(seen, Ordering::Relaxed);
    }
}

impl Deref for Held<'_> {
    type Target = Track;

    #[inline]
    fn deref(&self) -> &Track {
        &self.track
    }
}

impl DerefMut for Held<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Track {
        &mut self.track
    }
}

impl Tracks {
    pub(super) fn new(limit: u32) -> Self {
        let chunks = (limit as usize).div_ceil(CHUNK);
        Self {
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The track at a seat that was taken.
    pub(super) fn lock(&self, seat: u32) -> Held<'_> {
        let chunk = &self.chunks[seat as usize / CHUNK];
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| Slot::vacant()).collect());
        chunk[seat as usize % CHUNK].lock()
    }

    /// The track at a seat that may have been taken at some time.
    #[inline]
    pub(super) fn try_lock(&self, seat: u32) -> Option<Held<'_>> {
        self.slot(seat).map(Slot::lock)
    }

    /// Has the track at a seat fetched from memory.
    #[inline]
    pub(super) fn fetch(&self, seat: u32) {
        if let Some(slot) = self.slot(seat) {
            prefetch_index(from_ref(&slot.track), 0);
            prefetch_index(from_ref(&slot.seen), 0);
        }
    }

    #[inline]
    fn slot(&self, seat: u32) -> Option<&Slot> {
        let chunk = self.chunks.get(seat as usize / CHUNK)?.get()?;
        chunk.get(seat as usize % CHUNK)
    }
}

impl Slot {
    const fn vacant() -> Self {
        const NOWHERE: Endpoint = Endpoint::new(Address::v4([0; 4]), 0);

        let track = Track {
            stays: 0,
            conversation: Conversation::UNHEARD,
            owner: Owner(0),
            inside: NOWHERE,
            external: NOWHERE,
            remote: NOWHERE,
            protocol: Protocol::Other(0),
            is_live: false,
        };
        Self {
            track: Mutex::new(track),
            seen: AtomicU64::new(0),
        }
    }

    #[inline]
    fn lock(&self) -> Held<'_> {
        Held {
            track: self.track.lock().unwrap_or_else(PoisonError::into_inner),
            seen: &self.seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cache_lines() {
        assert_eq!(size_of::<Slot>(), 128);
    }
}
