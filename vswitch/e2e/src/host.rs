//! A machine of one's own, as far as networking and mounts go.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{Background, Place, Program};

/// A network and a mount namespace of their own, with an empty `/run` and a folder for files.
/// Everything in it ends with it.
#[derive(Debug)]
pub struct Host {
    holder: Background,
    folder: TempDir,
}

/// Programs of Debian that the harness itself and most tests run.
const TOOLS: [&str; 7] = [
    "curl", "ip", "iperf3", "nsenter", "ping", "python3", "setpriv",
];

/// What the holder does before it sleeps. With an empty `/run`, `/run/netns` is private, and no file of
/// another host is in the way. `/sys` shows the interfaces of the namespace it was mounted in.
const PREPARE: &str = "mount -t tmpfs tmpfs /run && mkdir /run/netns && mount -t sysfs sysfs /sys \
     && ip link set lo up && echo ready && exec sleep infinity";

impl Host {
    /// Makes the namespaces.
    ///
    /// # Errors
    /// If that needs a privilege or a program that is not there: the message says which.
    pub fn new() -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "this makes network namespaces, which needs root: run `make test` as root"
        );
        for tool in TOOLS {
            ensure!(
                in_path(tool),
                "{tool} is not installed: `make test` installs what the tests need"
            );
        }
        let mut wrapper = Command::new("setpriv");
        wrapper.args(["--pdeathsig", "KILL", "unshare"]);
        wrapper.args(["--mount", "--net", "--propagation", "private", "--"]);
        let mut holder = Program::wrapped(wrapper, "sh")
            .args(["-c", PREPARE])
            .spawn()?;
        holder
            .wait_for("ready", Duration::from_secs(10))
            .context("make a private host: network and mount namespaces need CAP_SYS_ADMIN")?;
        Ok(Self {
            holder,
            folder: tempfile::Builder::new().prefix("vswitch-").tempdir()?,
        })
    }

    /// The process whose namespaces they are.
    pub(crate) fn holder(&self) -> u32 {
        self.holder.pid()
    }

    /// A folder for the files of this host; the same path inside and outside.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The host's own namespace.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::host(self.holder.pid())
    }

    /// A named network namespace (`/run/netns/NAME`) of this host.
    #[must_use]
    pub fn sandbox(&self, name: &str) -> Place {
        Place::sandbox(self.holder.pid(), name)
    }

    /// A file or folder of this host as it is seen from outside.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.holder.pid()))
    }

    /// A command in the host's own namespace.
    #[must_use]
    pub fn program(&self, program: &str) -> Program {
        self.place().program(program)
    }

    /// Runs a line of words in the host's own namespace and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn run(&self, line: &str) -> Result<String> {
        run(&self.place(), line)
    }

    /// Runs a line of words in a sandbox and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub fn run_in(&self, sandbox: &str, line: &str) -> Result<String> {
        run(&self.sandbox(sandbox), line)
    }

    /// Names of the interfaces in the host's own namespace.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn interfaces(&self) -> Result<Vec<String>> {
        interfaces(&self.place())
    }

    /// Names of the interfaces in a sandbox.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn interfaces_in(&self, sandbox: &str) -> Result<Vec<String>> {
        interfaces(&self.sandbox(sandbox))
    }
}

fn run(place: &Place, line: &str) -> Result<String> {
    let mut words = line.split_whitespace();
    let program = words.next().context("an empty command line")?;
    place.program(program).args(words).output()
}

fn interfaces(place: &Place) -> Result<Vec<String>> {
    let listed = run(place, "ip -o link show")?;
    let name = |line: &str| -> Option<String> {
        let name = line.split(": ").nth(1)?;
        Some(name.split('@').next()?.to_owned())
    };
    Ok(listed.lines().filter_map(name).collect())
}

fn in_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}
