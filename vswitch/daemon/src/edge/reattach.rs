//! Interfaces that an earlier run of the daemon left in a namespace: found again, or orphaned.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Instant;

use vswitch_netio::InterfaceName;
use vswitch_netio::netlink::Link;
use vswitch_netio::tap::{Tap, TapError};

use super::interface::delete;
use super::{EdgeError, Namespace};
use crate::daemon_id::DaemonId;
use crate::predecessor;

/// What was found in a namespace.
#[derive(Debug, Default)]
pub struct Survey {
    /// Interfaces that were wanted and are there.
    pub adopted: Vec<Adopted>,
    /// Interfaces of this daemon that nobody wanted, and that are gone now.
    pub orphans: Vec<InterfaceName>,
}

/// An interface that is there.
#[derive(Debug)]
pub struct Adopted {
    /// Its mark.
    pub alias: String,
    /// Its name now.
    pub name: InterfaceName,
    /// Its number in its namespace.
    pub index: u32,
    /// The longest packet it takes, in bytes.
    pub mtu: u32,
    /// Its queues, or why they cannot be had.
    pub tap: Result<Tap, EdgeError>,
}

/// Opens the interfaces whose aliases are wanted, and deletes those that carry this daemon's mark and
/// are neither wanted nor known.
///
/// Interfaces of anybody else are left alone. The queues pin the namespace. One that another process
/// holds is waited for until `deadline`.
///
/// # Errors
/// [`EdgeError`] if the namespace cannot be looked at. That of one interface is in [`Adopted::tap`].
pub fn survey(
    namespace: &mut Namespace,
    daemon: DaemonId,
    wanted: &BTreeSet<String>,
    known: &BTreeSet<String>,
    queues: NonZeroUsize,
    deadline: Instant,
) -> Result<Survey, EdgeError> {
    let links = namespace.netlink.links()?;
    let mut survey = Survey::default();
    let mut present = Vec::new();
    for link in links {
        let Some(alias) = link.alias.clone() else {
            continue;
        };
        if daemon.owned(&alias).is_none() {
            continue;
        }
        if wanted.contains(&alias) {
            present.push((alias, link));
        } else if !known.contains(&alias) && delete(&mut namespace.netlink, link.index)? {
            survey.orphans.push(link.name);
        }
    }
    if present.is_empty() {
        return Ok(survey);
    }
    survey.adopted = namespace.run(|_| {
        let adopt = |(alias, link): (String, Link)| Adopted {
            tap: reopen(&link.name, queues, deadline).map_err(Into::into),
            alias,
            name: link.name,
            index: link.index,
            mtu: link.mtu,
        };
        Ok::<_, EdgeError>(present.into_iter().map(adopt).collect())
    })?;
    Ok(survey)
}

/// Opens an interface of the thread's namespace; waits for a process that is about to end to let go.
fn reopen(name: &InterfaceName, queues: NonZeroUsize, deadline: Instant) -> Result<Tap, TapError> {
    loop {
        match Tap::reopen(name, queues) {
            Err(TapError::Busy { .. }) if Instant::now() < deadline => {
                thread::sleep(predecessor::INTERVAL);
            }
            other => return other,
        }
    }
}
