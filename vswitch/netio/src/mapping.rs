//! Memory that is shared with the kernel or with the next process: words behind a descriptor.

use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The first words of what a descriptor stands for, for as long as this lives. All access is atomic.
#[derive(Debug)]
pub(crate) struct SharedWords {
    start: NonNull<AtomicU64>,
    words: usize,
}

impl SharedWords {
    /// Maps the first `words` words, at least one, of a file or of a map of words.
    pub(crate) fn map(fd: BorrowedFd<'_>, words: usize) -> Result<Self, Errno> {
        let bytes = words.checked_mul(8).ok_or(Errno::OVERFLOW)?;
        // SAFETY: the kernel chooses a place where nothing is mapped yet.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                fd,
                0,
            )
        }?;
        Ok(Self {
            start: NonNull::new(start.cast()).ok_or(Errno::FAULT)?,
            words,
        })
    }
}

impl Deref for SharedWords {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: `start` begins a mapping of `words` words, aligned to a page, that is unmapped only in
        // `drop`. Any bytes are valid words, and whoever else writes them, the kernel's programs or
        // another process, may do so at any time, as the words are atomic.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping of `map`, which nobody refers to any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.words * 8) };
    }
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for SharedWords {}

// SAFETY: a shared reference gives access to atomics only.
unsafe impl Sync for SharedWords {}
