//! The one buffer of the thread. What a reader cannot pass on at once it has to copy out, so thousands of
//! idle connections take no memory for buffers.

use std::cell::RefCell;

/// The largest datagram fits.
const SIZE: usize = 1 << 16;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SIZE].into_boxed_slice());
}

/// Lends the buffer, with whatever was left in it. Not to be nested.
pub(super) fn lend<T>(borrower: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| borrower(scratch))
}
