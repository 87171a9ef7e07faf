//! A `vswitchd` on a private host, and the `vsctl` that talks to it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use crate::{Background, Finished, Host, Place, ProcessFigures, Program, binary, eventually};

/// How a daemon is started.
#[derive(Debug, Clone, Default)]
pub struct DaemonOptions {
    /// Its socket and state folder are named after it; of use where a host has several.
    pub name: String,
    /// Further flags.
    pub flags: Vec<String>,
    /// A command that replaces itself by the daemon, such as one that takes privileges away.
    pub under: Vec<String>,
    /// Print the log at the end: a test runner shows that of a failed test only.
    pub show_log: bool,
}

/// A daemon that is running or was.
#[derive(Debug)]
pub struct Daemon {
    place: Place,
    folder: PathBuf,
    options: DaemonOptions,
    running: Option<Background>,
    log: String,
}

/// What `vsctl` said when it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its exit status.
    pub code: i32,
    /// Its standard error.
    pub message: String,
}

/// How long a start or a clean end may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl Daemon {
    /// Starts a daemon for a test, and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with its log.
    pub fn start(host: &Host) -> Result<Self> {
        let options = DaemonOptions {
            show_log: true,
            ..DaemonOptions::default()
        };
        Self::start_with(host, options)
    }

    /// Starts a daemon and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with its log.
    pub fn start_with(host: &Host, options: DaemonOptions) -> Result<Self> {
        let mut daemon = Self::new(host, options);
        daemon.start_again()?;
        Ok(daemon)
    }

    /// A daemon that is not running yet.
    #[must_use]
    pub fn new(host: &Host, options: DaemonOptions) -> Self {
        Self {
            place: host.place(),
            folder: host.folder().to_owned(),
            options,
            running: None,
            log: String::new(),
        }
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.label()))
    }

    /// Its state folder.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.folder.join(format!("{}-state", self.label()))
    }

    /// The command line that starts it.
    ///
    /// # Errors
    /// If it was not built.
    pub fn program(&self) -> Result<Program> {
        let vswitchd = binary("vswitchd")?;
        let program = match self.options.under.split_first() {
            Some((command, args)) => self.place.program(command).args(args).arg(vswitchd),
            None => self.place.program(vswitchd),
        };
        Ok(program
            .arg("--socket")
            .arg(self.socket())
            .arg("--state-dir")
            .arg(self.state_dir())
            .args(&self.options.flags))
    }

    /// Starts it, after an end of whatever kind, with the same state.
    ///
    /// # Errors
    /// If it does not answer, with its log.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "the daemon is running already");
        let mut started = self.program()?.spawn()?;
        let socket = self.socket();
        let answered = eventually("the daemon answers", PATIENCE, || {
            if !started.is_running()? {
                bail!("the daemon ended");
            }
            Ok(answers(&socket).is_ok())
        });
        if let Err(error) = answered {
            let (stdout, stderr) = started.written()?;
            return Err(error.context(format!("vswitchd wrote:\n{stdout}{stderr}")));
        }
        self.running = Some(started);
        Ok(())
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// If it is not running.
    pub fn kill(&mut self) -> Result<()> {
        let ended = self.take()?.kill()?;
        self.keep_log(&ended);
        Ok(())
    }

    /// Ends it as systemd does, and waits until it has ended.
    ///
    /// # Errors
    /// If it is not running, or does not end with status 0.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_by(Signal::TERM)
    }

    /// Ends it by a signal, and waits until it has ended.
    ///
    /// # Errors
    /// If it is not running, or does not end with status 0.
    pub fn stop_by(&mut self, signal: Signal) -> Result<()> {
        let running = self.take()?;
        running.signal(signal)?;
        let ended = running.finish(PATIENCE)?;
        self.keep_log(&ended);
        ensure!(
            ended.status.success(),
            "vswitchd ended with {} after {signal:?}:\n{}",
            ended.status,
            ended.stderr
        );
        Ok(())
    }

    /// Its process id, while it is running.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Background::pid)
    }

    /// Whether it is running.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn is_running(&mut self) -> Result<bool> {
        match &mut self.running {
            Some(running) => running.is_running(),
            None => Ok(false),
        }
    }

    /// What it uses of the machine.
    ///
    /// # Errors
    /// If it is not running.
    pub fn figures(&self) -> Result<ProcessFigures> {
        let running = self.running.as_ref().context("the daemon is not running")?;
        ProcessFigures::of(running.pid())
    }

    /// All that it has logged, over all its lives.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn log(&self) -> Result<String> {
        let mut log = self.log.clone();
        if let Some(running) = &self.running {
            log.push_str(&running.written()?.1);
        }
        Ok(log)
    }

    /// A `vsctl` command line.
    ///
    /// # Errors
    /// If `vsctl` was not built.
    pub fn vsctl_program(&self, args: &[&str]) -> Result<Program> {
        let vsctl = self.place.program(binary("vsctl")?);
        Ok(vsctl.arg("--socket").arg(self.socket()).args(args))
    }

    /// Runs `vsctl` with arguments and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn vsctl(&self, args: &[&str]) -> Result<String> {
        self.vsctl_program(args)?.output()
    }

    /// Runs `vsctl` with the words of a line and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn ctl(&self, line: &str) -> Result<String> {
        self.vsctl(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `vsctl --json` with the words of a line.
    ///
    /// # Errors
    /// If it fails or prints no JSON.
    pub fn json(&self, line: &str) -> Result<Value> {
        let text = self.ctl(&format!("--json {line}"))?;
        serde_json::from_str(&text).with_context(|| format!("`vsctl --json {line}` wrote:\n{text}"))
    }

    /// Runs `vsctl` with the words of a line, which it must refuse.
    ///
    /// # Errors
    /// If it does not.
    pub fn refused(&self, line: &str) -> Result<Refusal> {
        let words: Vec<_> = line.split_whitespace().collect();
        let finished = self.vsctl_program(&words)?.run()?;
        let code = finished.status.code().context("vsctl died of a signal")?;
        ensure!(
            code != 0,
            "`vsctl {line}` should fail, and wrote:\n{}",
            finished.stdout
        );
        Ok(Refusal {
            code,
            message: finished.stderr.trim_end().to_owned(),
        })
    }

    /// Makes sandboxes and attaches each to a network.
    ///
    /// # Errors
    /// If `vsctl` fails.
    pub fn populate(&self, network: &str, sandboxes: &[&str]) -> Result<()> {
        for sandbox in sandboxes {
            self.vsctl(&["add-sandbox", sandbox])?;
            self.vsctl(&["attach", network, sandbox])?;
        }
        Ok(())
    }

    /// How many frames were dropped for a reason, at all ports that `of` names.
    ///
    /// # Errors
    /// If `vsctl stats` fails.
    pub fn drops(&self, of: &str, reason: &str) -> Result<u64> {
        self.sum_stats(of, &format!("/drops/{reason}"))
    }

    /// The sum of one number of `vsctl --json stats` (a JSON pointer) over all ports that `of` names.
    ///
    /// # Errors
    /// If `vsctl stats` fails.
    pub fn sum_stats(&self, of: &str, pointer: &str) -> Result<u64> {
        let stats = self.json(&format!("stats {of}"))?;
        let ports = stats.as_array().context("stats is not a list")?;
        Ok(ports
            .iter()
            .filter_map(|port| port.pointer(pointer)?.as_u64())
            .sum())
    }

    fn label(&self) -> &str {
        match self.options.name.as_str() {
            "" => "vswitchd",
            name => name,
        }
    }

    fn take(&mut self) -> Result<Background> {
        self.running.take().context("the daemon is not running")
    }

    fn keep_log(&mut self, ended: &Finished) {
        self.log.push_str(&ended.stderr);
        self.log
            .push_str(&format!("-- vswitchd ended: {}\n", ended.status));
    }
}

impl Drop for Daemon {
    #[expect(
        clippy::print_stdout,
        reason = "test runners show it if the test fails"
    )]
    fn drop(&mut self) {
        if self.options.show_log {
            let log = self.log().unwrap_or_default();
            println!("-- log of {}:\n{log}", self.label());
        }
    }
}

/// Connecting is not enough: the socket is there before everything is reconciled.
fn answers(socket: &Path) -> Result<()> {
    let mut connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.write_all(b"GET /v1/version HTTP/1.1\r\nHost: vswitch\r\n\r\n")?;
    let mut status = [0; 12];
    connection.read_exact(&mut status)?;
    ensure!(
        &status == b"HTTP/1.1 200",
        "the daemon answers with an error"
    );
    Ok(())
}

/// The bytes of the files in a state folder, with their names; without the record of sessions, which is
/// of use to the next process only.
///
/// # Errors
/// If they cannot be read.
pub fn state_files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.file_name().is_none_or(|name| name != "sessions") {
            let bytes = fs::read(&path)?;
            files.push((path, bytes));
        }
    }
    Ok(files)
}
