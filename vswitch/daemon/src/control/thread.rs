//! The thread that owns [`Control`].

use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::Control;
use super::handle::{Handle, Job};
use crate::panics;

/// The running thread.
#[derive(Debug)]
pub struct ControlThread {
    thread: JoinHandle<()>,
    handle: Handle,
}

impl ControlThread {
    /// Starts it.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn spawn(control: Control) -> anyhow::Result<Self> {
        let (handle, jobs) = Handle::new();
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || serve(control, jobs))
            .context("cannot start the control thread")?;
        Ok(Self { thread, handle })
    }

    /// The way to it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Finishes the commands that are there, stops the workers, and waits for that. Interfaces and
    /// records stay.
    pub fn stop(self) {
        // If it has ended, there is nothing to stop.
        let _ = self.handle.post(Control::end);
        if self.thread.join().is_err() {
            tracing::error!("the control thread ended by a panic");
        }
    }
}

fn serve(mut control: Control, mut jobs: mpsc::UnboundedReceiver<Job>) {
    while !control.ending {
        let Some(job) = jobs.blocking_recv() else {
            break;
        };
        if let Err(panic) = panics::contain(|| job(&mut control)) {
            tracing::error!("internal error: {panic}");
        }
    }
    control.held_ports.stop();
    control.dataplane.stop();
}
