//! The way to the control thread: closures go in, their results come back.

use tokio::sync::{mpsc, oneshot};

use super::Control;
use crate::panics;

/// What the control thread does next.
pub(super) type Job = Box<dyn FnOnce(&mut Control) + Send>;

/// Sends commands to the control thread, which executes one after another. Clones lead to the same thread.
#[derive(Debug, Clone)]
pub struct Handle {
    jobs: mpsc::UnboundedSender<Job>,
}

/// Why a command has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The daemon is about to end.
    #[error("vswitchd is about to end: ask again when it is up")]
    Ended,
    /// The command met a bug.
    #[error("internal error: {0}: please report it with the log")]
    Panicked(String),
}

impl Stopped {
    /// For programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ended => "shutting_down",
            Self::Panicked(_) => "internal",
        }
    }
}

impl Handle {
    /// A handle, and where its jobs arrive.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Job>) {
        let (jobs, arrivals) = mpsc::unbounded_channel();
        (Self { jobs }, arrivals)
    }

    /// Executes a command when those before it are done. It is executed even if nobody waits for it
    /// any more.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn run<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Control) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, result) = oneshot::channel();
        self.post(move |control| {
            let outcome = panics::contain(|| command(control));
            if let Err(panic) = &outcome {
                tracing::error!("internal error: {panic}");
            }
            // The asker may have gone.
            let _ = answer.send(outcome.map_err(Stopped::Panicked));
        })?;
        result.await.unwrap_or(Err(Stopped::Ended))
    }

    /// Has something done without waiting for it.
    ///
    /// # Errors
    /// [`Stopped::Ended`].
    pub fn post(&self, job: impl FnOnce(&mut Control) + Send + 'static) -> Result<(), Stopped> {
        self.jobs.send(Box::new(job)).map_err(|_| Stopped::Ended)
    }
}
