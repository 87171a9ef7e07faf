//! Where a command runs.

use std::ffi::OsStr;
use std::fs::File;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::fd::AsFd as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Program;

/// A host's own namespaces, or a sandbox in it.
#[derive(Debug, Clone)]
pub struct Place {
    holder: u32,
    netns: Option<String>,
}

impl Place {
    pub(crate) const fn host(holder: u32) -> Self {
        Self {
            holder,
            netns: None,
        }
    }

    pub(crate) fn sandbox(holder: u32, name: &str) -> Self {
        Self::host(holder).with_netns(&format!("/run/netns/{name}"))
    }

    /// The network namespace that a file of this host is.
    pub(crate) fn with_netns(&self, file: &str) -> Self {
        Self {
            holder: self.holder,
            netns: Some(format!("/proc/{}/root{file}", self.holder)),
        }
    }

    /// A command that will run here, and that dies with the thread that starts it.
    #[must_use]
    pub fn program(&self, program: impl AsRef<OsStr>) -> Program {
        // Each of these replaces itself by the next: the process id is the command's own.
        let mut wrapper = Command::new("setpriv");
        wrapper.args(["--pdeathsig", "KILL", "nsenter", "--mount", "--target"]);
        wrapper.arg(self.holder.to_string());
        wrapper.arg(match &self.netns {
            Some(path) => format!("--net={path}"),
            None => "--net".to_owned(),
        });
        wrapper.arg("--");
        Program::wrapped(wrapper, program)
    }

    /// Does something on a thread that is in this network namespace. A socket made there belongs to it
    /// for good, wherever it is used.
    ///
    /// # Errors
    /// If the namespace cannot be entered, or what is done fails.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = match &self.netns {
            Some(path) => path.clone(),
            None => format!("/proc/{}/ns/net", self.holder),
        };
        let namespace = File::open(&path).with_context(|| format!("open {path}"))?;
        let on_thread = || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network)
                .with_context(|| format!("enter {path}"))?;
            work()
        };
        thread::scope(|scope| {
            let ended = scope.spawn(on_thread).join();
            ended.map_err(|_| anyhow!("it panicked in {path}"))?
        })
    }
}
