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

/// Where a kept frame lies: its virtio header and the frame behind it.
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

    /// The kept frames, and the `len` octets that were read last.
    pub(crate) fn split(&mut self, len: usize) -> (Arena<'_>, &mut [u8]) {
        let (kept, room) = self.arena.split_at_mut(self.at);
        (Arena(kept), room.get_mut(..len).unwrap_or_default())
    }

    /// Keeps the `len` octets that were read last.
    pub(crate) fn keep(&mut self, len: usize) -> Kept {
        let kept = self.at..self.at + len;
        self.at = kept.end.next_multiple_of(ALIGN);
        Kept(kept)
    }

    /// The kept frames.
    pub(crate) fn arena(&mut self) -> Arena<'_> {
        self.split(0).0
    }

    /// Forgets all frames.
    pub(crate) const fn clear(&mut self) {
        self.at = 0;
    }
}

impl Arena<'_> {
    /// A kept frame with its virtio header.
    pub(crate) fn get(&self, kept: &Kept) -> &[u8] {
        self.0.get(kept.0.clone()).unwrap_or_default()
    }

    /// A kept frame with its virtio header, to be changed.
    pub(crate) fn get_mut(&mut self, kept: &Kept) -> &mut [u8] {
        self.0.get_mut(kept.0.clone()).unwrap_or_default()
    }
}
