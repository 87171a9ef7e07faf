//! Commands that have to ask elsewhere. The control thread does not wait for answers, so such a command comes
//! in pieces: what it does here, what it asks, and what it does here with the answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::{Control, ControlError, Handle, Stopped};

/// How far a command came.
#[derive(Debug)]
pub enum Begun<T> {
    /// To its end.
    Done(T),
    /// As far as it can without an answer.
    Asking(Errand<T>),
}

/// The rest of a command, which waits for others, and comes back to the control thread with what they say.
///
/// It has to be run to its end: what was begun is finished there, or undone.
#[must_use]
pub struct Errand<T>(Box<dyn FnOnce(Handle) -> Running<T> + Send>);

type Running<T> = Pin<Box<dyn Future<Output = Result<T, ControlError>> + Send>>;

impl<T> Errand<T> {
    /// What is to be done, away from the control thread.
    pub fn new<F>(errand: impl FnOnce(Handle) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, ControlError>> + Send + 'static,
    {
        Self(Box::new(|control| Box::pin(errand(control))))
    }

    /// Does it.
    ///
    /// # Errors
    /// [`ControlError`]; what was begun is undone then.
    pub async fn run(self, control: Handle) -> Result<T, ControlError> {
        (self.0)(control).await
    }
}

impl<T> fmt::Debug for Errand<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Errand")
    }
}

impl<T> Begun<T> {
    /// Comes to the end.
    ///
    /// # Errors
    /// As [`Errand::run`].
    pub async fn finish(self, control: &Handle) -> Result<T, ControlError> {
        match self {
            Self::Done(result) => Ok(result),
            Self::Asking(errand) => errand.run(control.clone()).await,
        }
    }
}

impl Handle {
    /// Executes a command to its end, whatever it has to wait for, and even if nobody waits for it any more.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn complete<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Control) -> Result<Begun<T>, ControlError> + Send + 'static,
    ) -> Result<T, ControlError> {
        let control = self.clone();
        let whole =
            tokio::spawn(async move { control.run(command).await??.finish(&control).await });
        whole.await.map_err(|_| Stopped::Ended)?
    }
}

/// Runs errands that nobody waits for, until there can be none any more.
pub async fn run_errands(mut errands: UnboundedReceiver<Errand<()>>, control: Handle) {
    let mut running = JoinSet::new();
    while let Some(errand) = errands.recv().await {
        // What has ended needs no room.
        while running.try_join_next().is_some() {}
        let control = control.clone();
        running.spawn(async move {
            if let Err(error) = errand.run(control).await {
                tracing::error!("cannot finish what was begun: {error}");
            }
        });
    }
}
