//! Waiting for many descriptors at once: a level-triggered epoll.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::Timespec;

/// A set of descriptors to wait for. Level-triggered: what is not read is reported again.
///
/// The kernel drops a descriptor from the set when its last copy is closed.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// What the caller knows a descriptor by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What to wait for. Errors are reported always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    ReadWrite,
}

/// What happened to one descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Which one.
    pub token: Token,
    /// A read will not block.
    pub readable: bool,
    /// A write will not block.
    pub writable: bool,
    /// `EPOLLERR` or `EPOLLHUP`. For a TAP: its interface is gone, remove it from the set, or every
    /// wait returns at once. For a socket: the next call tells the error.
    pub failed: bool,
}

/// Room for the events of one wait; made once, used again by each.
pub struct Events(Vec<epoll::Event>);

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Adds a descriptor.
    ///
    /// # Errors
    /// `EEXIST` if the set has it, `EPERM` if it is an ordinary file.
    pub fn add(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(
            &self.0,
            fd,
            epoll::EventData::new_u64(token.0),
            interest.flags(),
        )?)
    }

    /// Changes the token or the interest of a descriptor.
    ///
    /// # Errors
    /// `ENOENT` if the set does not have it.
    pub fn modify(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            &self.0,
            fd,
            epoll::EventData::new_u64(token.0),
            interest.flags(),
        )?)
    }

    /// Takes a descriptor out.
    ///
    /// # Errors
    /// `ENOENT` if the set does not have it.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.0, fd)?)
    }

    /// Waits until something happens or the time is over, and puts the events in place of the former
    /// ones. `None` waits for ever; a part of a millisecond is waited for as a whole one.
    ///
    /// A signal ends the wait without events.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        events.0.clear();
        match epoll::wait(&self.0, spare_capacity(&mut events.0), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        match self {
            Self::Read => epoll::EventFlags::IN,
            Self::Write => epoll::EventFlags::OUT,
            Self::ReadWrite => epoll::EventFlags::IN | epoll::EventFlags::OUT,
        }
    }
}

impl Events {
    /// Room for `capacity` events, at least one. Those that do not fit are reported by the next wait.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity.max(1)))
    }

    /// The events of the last wait.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Event> {
        self.0.iter().map(|event| {
            let flags = event.flags;
            Event {
                token: Token(event.data.u64()),
                readable: flags.contains(epoll::EventFlags::IN),
                writable: flags.contains(epoll::EventFlags::OUT),
                failed: flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP),
            }
        })
    }

    /// Whether the last wait ended without events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::Waker;

    #[test]
    fn an_event_is_reported_until_it_is_dealt_with() {
        let waker = Waker::new().unwrap();
        let epoll = Epoll::new().unwrap();
        let mut events = Events::with_capacity(4);
        epoll.add(&waker, Token(7), Interest::Read).unwrap();
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());

        waker.wake();
        for _ in 0..2 {
            epoll.wait(&mut events, None).unwrap();
            let expected = Event {
                token: Token(7),
                readable: true,
                writable: false,
                failed: false,
            };
            assert_eq!(events.iter().collect::<Vec<_>>(), [expected]);
        }
        waker.drain();
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    }

    #[test]
    fn interest_and_token_can_be_changed() {
        let waker = Waker::new().unwrap();
        let epoll = Epoll::new().unwrap();
        let mut events = Events::with_capacity(1);
        epoll.add(&waker, Token(1), Interest::Read).unwrap();
        epoll.modify(&waker, Token(2), Interest::Write).unwrap();
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(
            events.iter().next().map(|e| (e.token, e.writable)),
            Some((Token(2), true))
        );
        epoll.remove(&waker).unwrap();
        epoll.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    }

    #[test]
    fn a_wait_never_grows_the_room() {
        let wakers: Vec<_> = (0..3).map(|_| Waker::new().unwrap()).collect();
        let epoll = Epoll::new().unwrap();
        let mut events = Events::with_capacity(2);
        for (waker, token) in wakers.iter().zip(0..) {
            epoll.add(waker, Token(token), Interest::Read).unwrap();
            waker.wake();
        }
        epoll.wait(&mut events, None).unwrap();
        assert_eq!(events.iter().len(), 2);
    }
}
