//! A command that runs beside the test.

use std::fs::File;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::Finished;
use crate::program::{contents, wait};

/// A running command. Dropping it kills it, by its process id.
#[derive(Debug)]
pub struct Background {
    child: Child,
    shown: String,
    stdout: File,
    stderr: File,
    started: Instant,
}

impl Background {
    pub(crate) fn new(
        child: Child,
        shown: String,
        stdout: File,
        stderr: File,
        started: Instant,
    ) -> Self {
        Self {
            child,
            shown,
            stdout,
            stderr,
            started,
        }
    }

    /// Its process id; the same as seen from every host, as these share the process namespace.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it wrote so far to standard output and standard error.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn written(&self) -> Result<(String, String)> {
        Ok((contents(&self.stdout)?, contents(&self.stderr)?))
    }

    /// Waits until it has written a text to standard output or standard error.
    ///
    /// # Errors
    /// If that takes too long, or it ends without.
    pub fn wait_for(&mut self, text: &str, patience: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let ended = !self.is_running()?;
            let (stdout, stderr) = self.written()?;
            if stdout.contains(text) || stderr.contains(text) {
                return Ok(());
            }
            if ended || start.elapsed() > patience {
                let why = if ended { "ended" } else { "took too long" };
                bail!(
                    "`{}` {why} without writing {text:?}:\n{stdout}{stderr}",
                    self.shown
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is not there any more.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a process id out of range")?;
        kill_process(pid, signal).with_context(|| format!("signal `{}`", self.shown))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If that takes too long: it is killed then.
    pub fn finish(mut self, timeout: Duration) -> Result<Finished> {
        let status = wait(&mut self.child, timeout, &self.shown);
        let (stdout, stderr) = self.written()?;
        Ok(Finished {
            status: status.with_context(|| format!("it had written:\n{stdout}{stderr}"))?,
            shown: self.shown.clone(),
            stdout,
            stderr,
            took: self.started.elapsed(),
        })
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it does not end.
    pub fn terminate(self, timeout: Duration) -> Result<Finished> {
        self.signal(Signal::TERM)?;
        self.finish(timeout)
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn kill(self) -> Result<Finished> {
        self.signal(Signal::KILL)?;
        self.finish(Duration::from_secs(10))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // If it has ended before, there is nothing to kill and nothing to report.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
