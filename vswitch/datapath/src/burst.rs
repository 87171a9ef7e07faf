//! The buffer a worker reads a burst of frames into.

use std::ops::Range;

use vswitch_packet::{MAX_FRAME_LEN, VNET_HEADER_LEN};

/// Octets that a read must have room for: the longest frame behind its virtio header.
pub const MAX_READ: usize = VNET_HEADER_LEN + MAX_FRAME_LEN;

/// Frames lie one behind the other rather than in slots of the longest length, so that a burst of
/// small datagrams stays within the first cache level.
const ARENA: usize = 4 * MAX_READ;

/// A cache line.
const ALIGN: usize = 64;

/// Frames kept until the end of the burst, and behind them room for the next one.
#[derive(Debug)]
pub(crate) struct Burst {
    arena: Box<[u8]>,
    at: usize,
}

/// The part of the buffer that holds kept frames.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Arena<'a>(&'a mut [u8]);

/// Where a kept frame lies.
#[derive(Clone, Debug)]
pub(crate) struct Kept(Range<usize>);

impl Burst {
    pub(crate) fn new() -> Self {
        Self {
            arena: vec![0; ARENA].into_boxed_slice(),
            at: 0,
        }
    }

    /// Room for the next frame, if the burst has not filled the buffer.
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        self.arena.get_mut(self.at..self.at + MAX_READ)
    }

    /// Room for several frames, if there is enough for one.
    pub(crate) fn rooms(&mut self) -> Option<&mut [u8]> {
        let rooms = self.arena.get_mut(self.at..);
        rooms.filter(|rooms| rooms.len() >= MAX_READ)
    }

    /// What was read to a place in [`Burst::rooms`].
    #[inline]
    pub(crate) fn octets(&self, read: &Range<usize>) -> &[u8] {
        let (start, end) = (self.at + read.start, self.at + read.end);
        self.arena.get(start..end).unwrap_or_default()
    }

    /// The `len` octets that were read last.
    pub(crate) fn read(&mut self, len: usize) -> &[u8] {
        self.arena.get(self.at..self.at + len).unwrap_or_default()
    }

    /// The kept frames, and the frame that is at `within` of what was read last.
    #[inline]
    pub(crate) fn split(&mut self, within: &Range<usize>) -> (Arena<'_>, &mut [u8]) {
        let (kept, rest) = self.arena.split_at_mut(self.at + within.start);
        (
            Arena(kept),
            rest.get_mut(..within.len()).unwrap_or_default(),
        )
    }

    /// Keeps the frame that is at `within` of what was read last, until [`Burst::clear`].
    pub(crate) const fn keep(&self, within: &Range<usize>) -> Kept {
        Kept(self.at + within.start..self.at + within.end)
    }

    /// Goes on behind the `len` octets that were read last.
    pub(crate) const fn advance(&mut self, len: usize) {
        self.at = (self.at + len).next_multiple_of(ALIGN);
    }

    /// All that was read since [`Burst::clear`].
    pub(crate) fn arena(&mut self) -> Arena<'_> {
        Arena(&mut self.arena)
    }

    /// Forgets all frames.
    pub(crate) const fn clear(&mut self) {
        self.at = 0;
    }
}

impl Arena<'_> {
    /// A kept frame.
    pub(crate) fn get(&self, kept: &Kept) -> &[u8] {
        self.0.get(kept.0.clone()).unwrap_or_default()
    }

    /// A kept frame, to be changed.
    pub(crate) fn get_mut(&mut self, kept: &Kept) -> &mut [u8] {
        self.0.get_mut(kept.0.clone()).unwrap_or_default()
    }
}
