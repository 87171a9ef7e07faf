//! The host's interfaces, addresses, routes and neighbours, followed as they change.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use vswitch_netio::epoll::{Epoll, Events, Interest, Token};
use vswitch_netio::monitor::{Change, Monitor};
use vswitch_netio::wake::Waker;

use crate::control::{Control, Handle};

/// A thread that has the control thread look at the host again after each change.
#[derive(Debug)]
pub struct HostWatch {
    thread: JoinHandle<()>,
    waker: Waker,
    ending: Arc<AtomicBool>,
}

const NEWS: Token = Token(0);
const WAKE: Token = Token(1);

impl HostWatch {
    /// Starts it. Open the monitor before the addresses are read for the first time.
    ///
    /// # Errors
    /// No thread, or no descriptors, to be had.
    pub fn start(monitor: Monitor, control: Handle) -> io::Result<Self> {
        let waker = Waker::new()?;
        let epoll = Epoll::new()?;
        epoll.add(&waker, WAKE, Interest::Read)?;
        epoll.add(&monitor, NEWS, Interest::Read)?;
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let body = move || {
            if let Err(error) = follow(monitor, &epoll, &control, &told) {
                tracing::error!("the host's network is no longer followed: {error}");
            }
        };
        let thread = thread::Builder::new()
            .name("host-watch".to_owned())
            .spawn(body)?;
        Ok(Self {
            thread,
            waker,
            ending,
        })
    }

    /// Ends it.
    pub fn stop(self) {
        self.ending.store(true, Ordering::Relaxed);
        self.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!("the thread that follows the host's addresses ended by a panic");
        }
    }
}

fn follow(
    mut monitor: Monitor,
    epoll: &Epoll,
    control: &Handle,
    ending: &AtomicBool,
) -> io::Result<()> {
    let mut events = Events::with_capacity(2);
    loop {
        epoll.wait(&mut events, None)?;
        if ending.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut changed = false;
        while let Some(change) = monitor.next()? {
            changed |= matters(&change);
            if let Change::Neighbour(neighbour) = change
                && control
                    .post(move |c| c.learn_neighbour(&neighbour))
                    .is_err()
            {
                return Ok(());
            }
        }
        if changed && control.post(Control::refresh_host).is_err() {
            return Ok(());
        }
    }
}

fn matters(change: &Change) -> bool {
    match change {
        // Containers' interfaces come and go by the hundred. One that leads outside has a route.
        Change::Link(link) => link.kind.as_deref() != Some("tun"),
        Change::LinkGone { .. }
        | Change::Address(_)
        | Change::AddressGone(_)
        | Change::Route(_)
        | Change::RouteGone(_)
        | Change::Lost => true,
        Change::Neighbour(_) | Change::NeighbourGone(_) => false,
    }
}
