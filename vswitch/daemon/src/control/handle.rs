//! The way to the control thread: closures go in, their results come back.

use std::pin::pin;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Control;
use crate::panics;

/// What the control thread does next.
pub(super) type Job = Box<dyn FnOnce(&mut Control) + Send>;

/// Sends commands to the control thread, which executes one after another. Clones lead to the same thread.
#[derive(Debug, Clone)]
pub struct Handle {
    jobs: mpsc::UnboundedSender<Job>,
}

/// How long a command that is in a hurry waits for its turn. Twenty containers that start at once on two
/// processors, each with commands that wait for the kernel's lock of its network configuration, need a second.
const TURN: Duration = Duration::from_secs(5);

/// How long a command is waited for that is not withdrawn. All that one does is a matter of milliseconds.
const EXECUTION: Duration = Duration::from_secs(10);

/// Why a command has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The daemon is about to end.
    #[error("vswitchd is about to end: ask again when it is up")]
    Ended,
    /// The commands before it took too long, and it was withdrawn.
    #[error("vswitchd is busy: nothing was done; ask again")]
    Busy,
    /// It was begun, and takes too long to be waited for.
    #[error("vswitchd is slow: it goes on with this, but has not done it yet")]
    Slow,
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
            Self::Busy | Self::Slow => "busy",
            Self::Panicked(_) => "internal",
        }
    }

    /// For HTTP.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Ended | Self::Busy | Self::Slow => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked(_) => StatusCode::INTERNAL_SERVER_ERROR,
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

    /// Executes a command if its turn comes soon, and else never. Whoever asks gets an answer in any case.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn run_promptly<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Control) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (turn, mut turn_came) = oneshot::channel();
        let mut run = pin!(self.run(move |control| {
            let wanted = turn.send(()).is_ok();
            wanted.then(|| command(control))
        }));
        let outcome = match timeout(TURN, &mut run).await {
            Ok(outcome) => outcome,
            Err(_) => {
                turn_came.close();
                if turn_came.try_recv().is_err() {
                    return Err(Stopped::Busy);
                }
                let end = timeout(EXECUTION, run).await;
                end.map_err(|_| Stopped::Slow)?
            }
        };
        outcome?.ok_or(Stopped::Busy)
    }

    /// Executes a command when its turn comes. Whoever asks gets an answer in any case, and it is executed even if
    /// that says that it was not yet.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn run_surely<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Control) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let outcome = timeout(EXECUTION, self.run(command)).await;
        outcome.map_err(|_| Stopped::Slow)?
    }

    /// Has something done without waiting for it.
    ///
    /// # Errors
    /// [`Stopped::Ended`].
    pub fn post(&self, job: impl FnOnce(&mut Control) + Send + 'static) -> Result<(), Stopped> {
        self.jobs.send(Box::new(job)).map_err(|_| Stopped::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_command_whose_turn_does_not_come_is_withdrawn() {
        let (handle, arrivals) = Handle::new();
        let outcome = handle.run_promptly(|_| ()).await;
        assert_eq!(outcome, Err(Stopped::Busy));
        // What takes something back is left there.
        assert_eq!(handle.run_surely(|_| ()).await, Err(Stopped::Slow));
        drop(arrivals);
        assert_eq!(handle.run_promptly(|_| ()).await, Err(Stopped::Ended));
    }
}
