//! Where sessions are found without a lock: seats by the hash of a conversation, as it is seen inside
//! and as it is seen outside.
//!
//! It may forget, and it may name what has ended: who finds nothing here asks the shard, and who finds
//! something makes sure that it is what he looks for. So nothing in it has to be consistent.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use prefetch_index::prefetch_index;

/// Seats a cache line.
const WAYS: usize = 16;
const EMPTY: u32 = 0;
/// The bits of a word that are the seat, plus one; above it are eight of the hash.
const SEAT: u32 = (1 << 24) - 1;
/// Lines of the first level; each other has [`GROWTH`] times as many as the one before.
const LINES: usize = 256;
const GROWTH: usize = 4;
/// The last has room for all seats there can be, twice.
const LEVELS: usize = 8;

/// Seats by hash.
#[derive(Default)]
pub(super) struct Index {
    /// When one becomes too full, the next takes its place and is filled by those who ask the shards.
    levels: [OnceLock<Level>; LEVELS],
    current: AtomicUsize,
}

struct Level {
    lines: Box<[Line]>,
    words: AtomicUsize,
}

#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU32; WAYS]);

impl Index {
    /// Asks about each seat that a hash may lead to, until there is an answer.
    #[inline(always)]
    pub(super) fn find<T>(&self, hash: u64, mut ask: impl FnMut(u32) -> Option<T>) -> Option<T> {
        for place in self.level()?.places(hash) {
            let word = place.load(Ordering::Relaxed);
            if word == EMPTY {
                break;
            }
            if (word ^ tag(hash)) & !SEAT == 0
                && let Some(answer) = ask((word & SEAT) - 1)
            {
                return Some(answer);
            }
        }
        None
    }

    /// Whether it holds more than the processor's caches keep in any case, and their sessions with it.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.current.load(Ordering::Relaxed) > 0
    }

    /// Has the part for a hash fetched from memory.
    #[inline]
    pub(super) fn fetch(&self, hash: u64) {
        if let Some(level) = self.level() {
            prefetch_index(&level.lines, level.line(hash));
        }
    }

    /// Notes where a hash leads to.
    pub(super) fn note(&self, hash: u64, seat: u32) {
        if seat >= SEAT {
            return;
        }
        let level = self.level_with_room();
        let word = tag(hash) | (seat + 1);
        let mut places = level.places(hash);
        let is_free = |place: &&AtomicU32| {
            let (new, same) = (Ordering::Relaxed, Ordering::Relaxed);
            match place.compare_exchange(EMPTY, word, new, same) {
                Ok(_) => {
                    level.words.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(found) => found == word,
            }
        };
        if places.find(is_free).is_none() {
            // Somebody has to go, and will be found by the shard.
            if let Some(place) = level.places(hash).next() {
                place.store(word, Ordering::Relaxed);
            }
        }
    }

    /// Forgets that a hash leads to a seat.
    pub(super) fn forget(&self, hash: u64, seat: u32) {
        let Some(level) = self.level().filter(|_| seat < SEAT) else {
            return;
        };
        let word = tag(hash) | (seat + 1);
        for place in level.places(hash) {
            let (new, same) = (Ordering::Relaxed, Ordering::Relaxed);
            if place.compare_exchange(word, EMPTY, new, same).is_ok() {
                level.words.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    #[inline]
    fn level(&self) -> Option<&Level> {
        self.levels[self.current.load(Ordering::Relaxed) % LEVELS].get()
    }

    fn level_with_room(&self) -> &Level {
        let current = self.current.load(Ordering::Relaxed) % LEVELS;
        let level = self.levels[current].get_or_init(|| Level::new(current));
        if level.words.load(Ordering::Relaxed) * 2 < level.lines.len() * WAYS
            || current + 1 == LEVELS
        {
            return level;
        }
        let next = self.levels[current + 1].get_or_init(|| Level::new(current + 1));
        self.current.store(current + 1, Ordering::Relaxed);
        next
    }
}

impl Level {
    fn new(number: usize) -> Self {
        let lines = LINES * GROWTH.pow(number as u32);
        Self {
            lines: (0..lines).map(|_| Line::default()).collect(),
            words: AtomicUsize::new(0),
        }
    }

    #[inline]
    fn line(&self, hash: u64) -> usize {
        hash as usize & (self.lines.len() - 1)
    }

    /// Of one line, from somewhere in it on.
    #[inline]
    fn places(&self, hash: u64) -> impl Iterator<Item = &AtomicU32> {
        let line = &self.lines[self.line(hash)].0;
        let first = (hash >> 32) as usize;
        (0..WAYS).map(move |way| &line[(first + way) % WAYS])
    }
}

/// Bits of the hash that choose neither a line nor a place in it.
#[inline]
const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & !SEAT
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads numbers over all bits.
    fn hash(n: u32) -> u64 {
        u64::from(n + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    }

    fn seats(index: &Index, hash: u64) -> Vec<u32> {
        let mut seats = Vec::new();
        index.find(hash, |seat| {
            seats.push(seat);
            None::<()>
        });
        seats
    }

    fn leads(index: &Index, n: u32) -> bool {
        index
            .find(hash(n), |seat| (seat == n).then_some(()))
            .is_some()
    }

    #[test]
    fn nearly_all_are_found_while_it_grows() {
        const COUNT: u32 = 200_000;
        let index = Index::default();
        assert!(!leads(&index, 0));
        (0..COUNT).for_each(|n| index.note(hash(n), n));
        // What was there before it grew is noted by who misses it.
        (0..COUNT).for_each(|n| index.note(hash(n), n));
        let found = (0..COUNT).filter(|&n| leads(&index, n)).count();
        assert!(found > COUNT as usize * 99 / 100, "{found}");
        let wrong: usize = (0..COUNT)
            .map(|n| seats(&index, hash(COUNT + n)).len())
            .sum();
        assert!(wrong < COUNT as usize / 20, "{wrong}");
    }

    #[test]
    fn what_is_forgotten_is_not_found_and_gives_its_place() {
        let index = Index::default();
        for _ in 0..3 {
            (0..3000).for_each(|n| index.note(hash(n), n));
            (0..3000).for_each(|n| index.forget(hash(n), n));
            assert!((0..3000).all(|n| seats(&index, hash(n)).is_empty()));
        }
        let level = index.level().unwrap();
        let left = level.lines.iter().flat_map(|line| &line.0);
        assert!(
            left.into_iter()
                .all(|word| word.load(Ordering::Relaxed) == EMPTY)
        );
        assert_eq!(level.words.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_full_line_forgets() {
        let index = Index::default();
        let same = 5 << 40;
        (0..40).for_each(|seat| index.note(same, seat));
        assert_eq!(seats(&index, same).len(), WAYS);
        assert!(seats(&index, same).contains(&39));
    }
}
