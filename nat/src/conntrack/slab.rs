//! Entries with small numbers, in chunks: growing never moves what is there.

use std::ops::{Index, IndexMut};

/// Entries a chunk.
const CHUNK: usize = 256;

/// A table of entries by number.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Box<[Option<T>; CHUNK]>>,
    free: Vec<u32>,
    /// Entries ever used at once.
    high: usize,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
            high: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.high - self.free.len()
    }

    /// How far numbers go.
    pub(super) const fn bound(&self) -> usize {
        self.high
    }

    pub(super) fn insert(&mut self, entry: T) -> u32 {
        let id = self.free.pop().unwrap_or_else(|| {
            if self.high == self.chunks.len() * CHUNK {
                self.chunks.push(chunk());
            }
            self.high += 1;
            // There are at most `max_sessions` entries, whose numbers are `u32`s.
            (self.high - 1) as u32
        });
        self.chunks[id as usize / CHUNK][id as usize % CHUNK] = Some(entry);
        id
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let entry = self.chunks[id as usize / CHUNK][id as usize % CHUNK].take();
        if entry.is_some() {
            self.free.push(id);
        }
        entry
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.chunks.get(id as usize / CHUNK)?[id as usize % CHUNK].as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.chunks.get_mut(id as usize / CHUNK)?[id as usize % CHUNK].as_mut()
    }
}

/// An empty one, made where it stays: it may be too long for the stack.
fn chunk<T>() -> Box<[Option<T>; CHUNK]> {
    let entries: Box<[Option<T>]> = (0..CHUNK).map(|_| None).collect();
    match entries.try_into() {
        Ok(chunk) => chunk,
        Err(_) => unreachable!("{CHUNK} entries were collected"),
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        match self.get(id) {
            Some(entry) => entry,
            None => not_there(id),
        }
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        match self.get_mut(id) {
            Some(entry) => entry,
            None => not_there(id),
        }
    }
}

#[cold]
fn not_there(id: u32) -> ! {
    unreachable!("entry {id} is linked and not there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_used_again() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..600).map(|n| slab.insert(n)).collect();
        assert_eq!(ids, (0..600).collect::<Vec<u32>>());
        assert_eq!(slab.remove(77), Some(77));
        assert_eq!(slab.remove(77), None);
        assert_eq!((slab.get(77), slab.len()), (None, 599));
        assert_eq!(slab.insert(1000), 77);
        assert_eq!((slab[77], slab.len(), slab.bound()), (1000, 600, 600));
        assert_eq!(slab.get(100_000), None);
    }
}
