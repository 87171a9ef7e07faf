//! One run of a command, with a limit to its time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::Background;

/// A command that is about to run.
#[derive(Debug)]
pub struct Program {
    command: Command,
    shown: String,
    timeout: Duration,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The command line, for messages.
    pub shown: String,
    /// How it ended.
    pub status: ExitStatus,
    /// All that it wrote to its standard output.
    pub stdout: String,
    /// All that it wrote to its standard error.
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
}

/// How long a command may take that did not say otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

impl Program {
    /// A command of which messages show only what follows the wrapper.
    pub(crate) fn wrapped(wrapper: Command, program: impl AsRef<OsStr>) -> Self {
        let mut command = wrapper;
        command.arg(program.as_ref()).stdin(Stdio::null());
        Self {
            command,
            shown: program.as_ref().to_string_lossy().into_owned(),
            timeout: PATIENCE,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg.as_ref());
        self.shown.push(' ');
        self.shown.push_str(&arg.as_ref().to_string_lossy());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it a text on its standard input.
    ///
    /// # Errors
    /// If the text cannot be put into a file.
    pub fn input(mut self, text: &str) -> Result<Self> {
        let mut file = tempfile::tempfile().context("make a file for a program's input")?;
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        self.command.stdin(file);
        Ok(self)
    }

    /// Limits its time; 30 s otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it to its end, whatever its exit status.
    ///
    /// # Errors
    /// If it cannot be started or takes too long (it is killed then).
    pub fn run(self) -> Result<Finished> {
        let timeout = self.timeout;
        self.spawn()?.finish(timeout)
    }

    /// Runs it to its end and returns its standard output without the last line's end.
    ///
    /// # Errors
    /// If it cannot be started, takes too long or fails.
    pub fn output(self) -> Result<String> {
        self.run()?.success()
    }

    /// Starts it. It is killed when the handle is dropped.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(mut self) -> Result<Background> {
        // Files, and not pipes: nobody has to read them for the program to go on.
        let stdout = tempfile::tempfile().context("make a file for a program's output")?;
        let stderr = tempfile::tempfile().context("make a file for a program's errors")?;
        self.command
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?);
        let started = Instant::now();
        let child = self
            .command
            .spawn()
            .with_context(|| format!("start {}", self.shown))?;
        Ok(Background::new(child, self.shown, stdout, stderr, started))
    }
}

impl Finished {
    /// The standard output, without the last line's end, of a command that must have succeeded.
    ///
    /// # Errors
    /// Its exit status and all that it printed, if it failed.
    pub fn success(self) -> Result<String> {
        if !self.status.success() {
            bail!(
                "`{}` failed ({}):\n{}{}",
                self.shown,
                self.status,
                self.stdout,
                self.stderr
            );
        }
        Ok(self.stdout.trim_end().to_owned())
    }
}

/// Waits for a child's end.
///
/// # Errors
/// If it takes too long: it is killed then.
pub(crate) fn wait(child: &mut Child, timeout: Duration, shown: &str) -> Result<ExitStatus> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait().context("wait for a program")? {
            return Ok(status);
        }
        if start.elapsed() > timeout {
            child.kill().with_context(|| format!("kill {shown}"))?;
            child.wait().context("wait for a program")?;
            bail!("`{shown}` was killed: it took longer than {timeout:?}");
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// All that was written to a file so far.
pub(crate) fn contents(file: &File) -> Result<String> {
    let length = usize::try_from(file.metadata()?.len())?;
    let mut bytes = vec![0; length];
    // Positioned: the descriptor's own position is shared with the program that is still writing.
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
