//! Who attaches the namespaces that wait, by [`crate::attach`].

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::{Host, Place};

use super::setting::Attaching;
use crate::attach::Times;

/// A program that attaches the containers of a host, and takes them off again.
#[derive(Debug)]
pub(crate) struct Attacher {
    place: Place,
    arguments: Vec<OsString>,
    /// How many it attaches.
    pub(crate) count: usize,
}

const PATIENCE: Duration = Duration::from_secs(300);

impl Attacher {
    /// For the containers of a host but the first two, in a way that the program knows.
    pub(crate) fn new(host: &Host, what: Attaching, way: &[OsString]) -> Self {
        let mut arguments: Vec<OsString> = ["--first", "2", "--count"].map(OsString::from).into();
        arguments.push(what.count.to_string().into());
        if what.published {
            arguments.push("--publish".into());
        }
        arguments.extend_from_slice(way);
        Self {
            place: host.place(),
            arguments,
            count: what.count,
        }
    }

    /// Attaches all of them and takes them off again.
    ///
    /// # Errors
    /// If one cannot be attached, or reaches nobody then.
    pub(crate) fn run(&self) -> Result<Times> {
        let itself = std::env::current_exe().context("find the running program's path")?;
        // What it leaves behind, such as proxies, ends with it.
        let cage = ["--pid", "--fork", "--kill-child", "--"];
        let program = self.place.program("unshare").args(cage).arg(itself);
        let program = program.arg("attach").args(&self.arguments);
        let printed = program.timeout(PATIENCE).output()?;
        serde_json::from_str(&printed).with_context(|| format!("it printed:\n{printed}"))
    }
}
