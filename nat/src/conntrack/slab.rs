//! Entries with small numbers, in chunks: growing never moves what is there.

use std::ops::{Index, IndexMut};

/// Entries a chunk.
const CHUNK: usize = 256;

/// A table of entries by number.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Box<[Place<T>; CHUNK]>>,
    len: usize,
    /// The free place to be taken next, of those that were taken before.
    free: Option<u32>,
    /// Entries ever used at once.
    high: usize,
}

#[derive(Debug)]
enum Place<T> {
    Taken(T),
    /// Before that free one: a list of its own would grow while memory is to become less.
    Free(Option<u32>),
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            free: None,
            high: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How far numbers go.
    pub(super) const fn bound(&self) -> usize {
        self.high
    }

    pub(super) fn insert(&mut self, entry: T) -> u32 {
        let id = self.free.unwrap_or_else(|| {
            if self.high == self.chunks.len() * CHUNK {
                self.chunks.push(chunk());
            }
            self.high += 1;
            // There are at most `max_sessions` entries, whose numbers are `u32`s.
            (self.high - 1) as u32
        });
        let place = &mut self.chunks[id as usize / CHUNK][id as usize % CHUNK];
        if let Place::Free(next) = std::mem::replace(place, Place::Taken(entry)) {
            self.free = next;
        }
        self.len += 1;
        id
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let place = &mut self.chunks[id as usize / CHUNK][id as usize % CHUNK];
        if let Place::Free(_) = place {
            return None;
        }
        match std::mem::replace(place, Place::Free(self.free)) {
            Place::Taken(entry) => {
                self.free = Some(id);
                self.len -= 1;
                Some(entry)
            }
            Place::Free(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        match &self.chunks.get(id as usize / CHUNK)?[id as usize % CHUNK] {
            Place::Taken(entry) => Some(entry),
            Place::Free(_) => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        match &mut self.chunks.get_mut(id as usize / CHUNK)?[id as usize % CHUNK] {
            Place::Taken(entry) => Some(entry),
            Place::Free(_) => None,
        }
    }
}

/// An empty one, made where it stays: it may be too long for the stack.
fn chunk<T>() -> Box<[Place<T>; CHUNK]> {
    let places: Box<[Place<T>]> = (0..CHUNK).map(|_| Place::Free(None)).collect();
    match places.try_into() {
        Ok(chunk) => chunk,
        Err(_) => unreachable!("{CHUNK} places were collected"),
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
    use super::super::entry::{Mapping, Session};
    use super::*;

    #[test]
    fn a_place_takes_no_more_than_its_entry() {
        assert_eq!(size_of::<Place<Session>>(), 48);
        assert_eq!(size_of::<Place<Mapping>>(), 24);
    }

    #[test]
    fn numbers_are_dense_and_used_again() {
        let mut slab = Slab::new();
        let ids: Vec<u32> = (0..600).map(|n| slab.insert(n)).collect();
        assert_eq!(ids, (0..600).collect::<Vec<u32>>());
        assert_eq!(slab.remove(77), Some(77));
        assert_eq!(slab.remove(77), None);
        assert_eq!((slab.get(77), slab.len()), (None, 599));
        assert_eq!((slab.remove(5), slab.remove(599)), (Some(5), Some(599)));
        assert_eq!((slab.insert(599), slab.insert(5)), (599, 5));
        assert_eq!(slab.insert(1000), 77);
        assert_eq!((slab[77], slab.len(), slab.bound()), (1000, 600, 600));
        assert_eq!(slab.get(100_000), None);
        assert_eq!(slab.insert(600), 600);
    }
}
