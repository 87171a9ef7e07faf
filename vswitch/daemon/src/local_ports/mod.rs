//! Published ports as the host itself reaches them: held by listening sockets, and proxied from there.
//!
//! What arrives on an uplink for a published port is translated by the NAT engine and never comes
//! here. The host's own programs, which turn to one of its addresses or to the loopback, and whatever
//! comes in by an interface that is no uplink (a VPN's tunnel), are served by these sockets: what they
//! send goes on over a second, ordinary socket to the container, through the host's kernel and the host
//! port. The container sees the gateway's address as the source.
//!
//! A socket is bound for each port, so the port is taken for every other program of the host, as theirs
//! are for us. For a long range that would be too many: one socket serves all of it
//! ([`vswitch_netio::local_delivery`]). Such ports are ours from then on in that a socket which another
//! program binds to one of them gets nothing; the program is not told. Ports that are in use when the range
//! is to be held are found and refused.
//!
//! A binding is held as a whole or not at all, with or without a target: without one, connections are
//! reset and datagrams discarded.
//!
//! One thread serves all of it. [`LocalPorts::hold`] and [`Held`] are for any other thread, and wait for
//! nothing but that thread.

mod any_port;
mod binding;
mod datagram;
mod error;
mod held;
mod holder;
mod limits;
mod open;
mod relay;
mod scratch;
mod tcp;
mod udp;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime;
use tokio::sync::oneshot;

pub use binding::Binding;
pub use error::HoldError;
pub use held::Held;
pub use holder::MAX_SINGLE_PORTS;
pub use limits::Limits;

use holder::Holder;

/// The thread that serves held ports.
#[derive(Debug)]
pub struct LocalPorts {
    holder: Arc<Holder>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl LocalPorts {
    /// Starts the thread, in the calling thread's network namespace.
    ///
    /// # Errors
    /// No thread, or no descriptors, to be had.
    pub fn start(limits: Limits) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let holder = Arc::new(Holder::new(runtime.handle().clone(), limits));
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("local-ports".to_owned())
            .spawn(move || {
                // A sender that is gone stops as well.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            holder,
            stop,
            thread,
        })
    }

    /// Takes all ports of the binding, or none, in the calling thread's network namespace, which has to be
    /// the one of [`start`](Self::start).
    ///
    /// SCTP is held only where the kernel has it; without, no program of the host could take the port either.
    ///
    /// # Errors
    /// [`HoldError`]; nothing is held then.
    pub fn hold(&self, binding: &Binding) -> Result<Held, HoldError> {
        binding.check()?;
        Held::new(self.holder.clone(), binding)
    }

    /// Ends the thread. Whatever is still held is let go, and proxied connections are reset.
    pub fn stop(self) {
        // A receiver that is gone has stopped already.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread that serves published ports ended by a panic");
        }
    }
}
