//! Where a command runs.

use std::ffi::OsStr;
use std::process::Command;

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
        Self {
            holder,
            netns: Some(format!("/proc/{holder}/root/run/netns/{name}")),
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
}
