//! From a sandbox's key to its namespace.

use std::path::Path;

use vswitch_cnm::SandboxKey;
use vswitch_netio::netns::{NamedNetns, Netns, NetnsError, NetnsId, processes_in};

/// Why a sandbox's namespace cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no such namespace.
    #[error("no sandbox {key}: {source}")]
    NotFound {
        /// What was asked for.
        key: SandboxKey,
        /// What is missing.
        source: NetnsError,
    },
    /// It is there, and cannot be opened.
    #[error(transparent)]
    Netns(#[from] NetnsError),
}

/// Opens the namespace that a key stands for now.
///
/// # Errors
/// [`SandboxError`].
pub fn open(key: &SandboxKey) -> Result<Netns, SandboxError> {
    let opened = match key {
        SandboxKey::Host => Netns::of_current_thread(),
        SandboxKey::Pid(pid) => Netns::of_pid(*pid),
        SandboxKey::Path(path) => Netns::open(path),
        SandboxKey::Name(name) => match name.parse() {
            Ok(name) => NamedNetns::open(name).map(|named| named.netns),
            // No model accepts such a name; the file that it would be is not there.
            Err(_) => Netns::open(Path::new("/run/netns").join(name)),
        },
    };
    opened.map_err(|source| match source {
        NetnsError::NoProcess { .. }
        | NetnsError::NotANamespace { .. }
        | NetnsError::NotFound { .. } => SandboxError::NotFound {
            key: key.clone(),
            source,
        },
        NetnsError::Io { source: ref io, .. } if io.kind() == std::io::ErrorKind::NotFound => {
            SandboxError::NotFound {
                key: key.clone(),
                source,
            }
        }
        other => SandboxError::Netns(other),
    })
}

/// The namespace that a sandbox was, if it still lives: by its key, or by a process in it.
///
/// # Errors
/// [`SandboxError::Netns`] if that cannot be found out.
pub fn living(key: &SandboxKey, id: NetnsId) -> Result<Option<Netns>, SandboxError> {
    match open(key) {
        Ok(netns) if netns.id() == id => return Ok(Some(netns)),
        Ok(_) | Err(SandboxError::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let processes = processes_in(id).map_err(|source| NetnsError::Io {
        action: "list processes".to_owned(),
        source,
    })?;
    for pid in processes {
        match Netns::of_pid(pid) {
            Ok(netns) if netns.id() == id => return Ok(Some(netns)),
            // It ended, or went elsewhere.
            Ok(_) | Err(NetnsError::NoProcess { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// Whether the key still stands for that namespace, without opening it.
#[must_use]
pub fn is_there(key: &SandboxKey, id: NetnsId) -> bool {
    let Some(path) = key.namespace_path() else {
        return true;
    };
    let stat = rustix::fs::stat(path);
    stat.is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (id.dev, id.ino))
}
