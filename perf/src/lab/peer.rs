//! What is compared. A new peer is a file in `peers/` and its kind in the list there.

use std::any::Any;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::attacher::Attacher;
use super::case::Case;
use super::engine::Engine;
use super::growth::Growth;
use super::path::{End, Ends};
use super::peers;
use super::setting::Setting;
use super::underlay::Underlay;

/// A switch with namespaces connected to it, on private hosts of its own.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The first two namespaces.
    pub(crate) ends: Ends,
    /// The other namespaces of the switch's network.
    pub(crate) others: Vec<End>,
    /// The processes that switch; none if the kernel does.
    pub(crate) processes: Vec<u32>,
    /// What joins the two hosts; none if there is only one.
    pub(crate) underlay: Option<Underlay>,
    /// What attaches namespaces that wait; none if there are none.
    pub(crate) attacher: Option<Attacher>,
    /// What its ports took when it was set up; none if there are only two, or nobody looked.
    pub(crate) growth: Option<Growth>,
    /// What starts containers; none if they are there for the whole lab.
    pub(crate) engine: Option<Engine>,
    /// What it is made of, kept to the end and dropped after all the others.
    pub(super) _parts: Box<dyn Any>,
}

/// One kind of switch.
pub(crate) struct PeerKind {
    /// Its word on the command line and in JSON.
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) help: &'static str,
    /// Programs that it cannot do without, each with the Debian package that has it.
    pub(crate) needs: &'static [(&'static str, &'static str)],
    /// Its name in a setting; none if it is not made for that.
    pub(crate) title: fn(Setting) -> Option<&'static str>,
    /// Whether it can do a case of such a setting.
    pub(crate) takes: fn(&Case) -> bool,
    /// Makes it and its namespaces in a setting that it is made for.
    pub(crate) set_up: fn(Setting) -> Result<Peer>,
}

impl Peer {
    /// A switch with no more than its ends. Its parts are dropped with it, those of a tuple in their order: a
    /// process comes before its host.
    pub(crate) fn new(
        ends: Ends,
        processes: impl IntoIterator<Item = u32>,
        parts: impl Any,
    ) -> Self {
        Self {
            ends,
            others: Vec::new(),
            processes: processes.into_iter().collect(),
            underlay: None,
            attacher: None,
            growth: None,
            engine: None,
            _parts: Box::new(parts),
        }
    }
}

impl PeerKind {
    /// All of them; in each setting, the one that the others are measured by is the first.
    pub(crate) const ALL: &'static [&'static Self] = peers::ALL;

    /// Whether it is this project's: a lab without it is worth nothing.
    pub(crate) fn is_ours(&self) -> bool {
        self.name == "vswitchd"
    }

    /// The first program that it needs and that is not there, with its package.
    ///
    /// # Errors
    /// If the shell cannot be asked.
    pub(crate) fn missing(&self) -> io::Result<Option<(&'static str, &'static str)>> {
        for (program, package) in self.needs {
            if !is_there(program)? {
                return Ok(Some((program, package)));
            }
        }
        Ok(None)
    }
}

/// Whether a program is installed, by name or by path.
///
/// # Errors
/// If the shell cannot be asked.
pub(crate) fn is_there(program: &str) -> io::Result<bool> {
    if program.starts_with('/') {
        return Ok(Path::new(program).exists());
    }
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .stdout(Stdio::null())
        .status()?;
    Ok(found.success())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: HashSet<_> = PeerKind::ALL.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), PeerKind::ALL.len());
    }

    #[test]
    fn programs_are_looked_for() {
        assert!(is_there("sh").unwrap());
        assert!(is_there("/bin/sh").unwrap());
        assert!(!is_there("no-such-program").unwrap());
        assert!(!is_there("/no/such/program").unwrap());
    }
}
