//! Waking a thread that waits in epoll, from another one: an eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

/// A doorbell: [`Waker::wake`] makes the descriptor readable until [`Waker::drain`].
///
/// Clones share it. Rings that were not heard yet are one.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// A doorbell that was not rung.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(fd)))
    }

    /// Rings.
    pub fn wake(&self) {
        // The only possible error is EAGAIN, at 2^64 - 2 unheard rings: it is readable then.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Forgets all rings so far. Call it before looking for work, so that none is missed.
    pub fn drain(&self) {
        // EAGAIN: nobody rang.
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
