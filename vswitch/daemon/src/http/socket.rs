//! A unix socket that requests come by: made for those who may use it, never on top of a live one, gone at the end.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;

use crate::predecessor;

/// Who asks by a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Askers {
    /// Users, by the API: those of the file's owner and group.
    Users,
    /// Docker, as of a plugin: root.
    Docker,
}

/// The place of a listening socket. The file goes when this is dropped, unless another took its place.
#[derive(Debug)]
pub struct ListeningSocket {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

/// Why the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon does.
    #[error(
        "another vswitchd answers at {}: stop that one, or choose another socket with {}",
        path.display(),
        askers.flag()
    )]
    Live {
        /// The socket.
        path: PathBuf,
        /// Whom it is for.
        askers: Askers,
    },
    /// Something else is in its place.
    #[error(
        "{} is there and no socket: remove it, or choose another with {}",
        path.display(),
        askers.flag()
    )]
    NoSocket {
        /// The file.
        path: PathBuf,
        /// Whom it is for.
        askers: Askers,
    },
    /// The system refuses.
    #[error("cannot listen at {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Askers {
    /// Who may connect.
    const fn mode(self) -> u32 {
        match self {
            Self::Users => 0o660,
            Self::Docker => 0o600,
        }
    }

    /// What chooses another place.
    const fn flag(self) -> &'static str {
        match self {
            Self::Users => "--socket",
            Self::Docker => "--docker-plugin",
        }
    }
}

impl ListeningSocket {
    /// Begins to listen. The folder is made if it is not there; the socket of a daemon that ended
    /// is replaced.
    ///
    /// # Errors
    /// [`SocketError`].
    pub fn listen(path: &Path, askers: Askers) -> Result<(Self, UnixListener), SocketError> {
        let failed = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o755);
            builder.create(folder).map_err(failed)?;
        }
        predecessor::outlast(
            || refuse_what_is_there(path, askers),
            |error| matches!(error, SocketError::Live { .. }),
            || listener_is_ending(path),
        )?;
        // Under another name until the mode is right, so that nobody meets it before.
        let draft = draft(path);
        let _ = fs::remove_file(&draft);
        let listener = UnixListener::bind(&draft).map_err(failed)?;
        let place = || {
            fs::set_permissions(&draft, Permissions::from_mode(askers.mode()))?;
            let metadata = fs::metadata(&draft)?;
            fs::rename(&draft, path)?;
            listener.set_nonblocking(true)?;
            Ok((metadata.dev(), metadata.ino()))
        };
        match place() {
            Ok(identity) => {
                let path = path.to_owned();
                Ok((Self { path, identity }, listener))
            }
            Err(error) => {
                let _ = fs::remove_file(&draft);
                Err(failed(error))
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ListeningSocket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

fn refuse_what_is_there(path: &Path, askers: Askers) -> Result<(), SocketError> {
    let path_owned = || path.to_owned();
    let live = || SocketError::Live {
        path: path_owned(),
        askers,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SocketError::Io {
            path: path_owned(),
            source,
        }),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(SocketError::NoSocket {
            path: path_owned(),
            askers,
        }),
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(live()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            // A backlog that is full is a live one's.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(live()),
            Err(source) => Err(SocketError::Io {
                path: path_owned(),
                source,
            }),
        },
    }
}

/// Whether the process that listens can do nothing any more but close the socket, or has just done so.
fn listener_is_ending(path: &Path) -> bool {
    let Ok(stream) = UnixStream::connect(path) else {
        return true;
    };
    socket_peercred(&stream)
        .ok()
        .and_then(|peer| u32::try_from(peer.pid.as_raw_nonzero().get()).ok())
        .is_some_and(predecessor::is_ending)
}

fn draft(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_for_owner_and_group_and_goes_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/api.sock");
        let (socket, _listener) = ListeningSocket::listen(&path, Askers::Users).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        UnixStream::connect(&path).unwrap();
        assert_eq!(socket.path(), path);
        drop(socket);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        let (socket, listener) = ListeningSocket::listen(&path, Askers::Users).unwrap();
        let error = ListeningSocket::listen(&path, Askers::Users).unwrap_err();
        assert!(matches!(error, SocketError::Live { .. }), "{error}");
        // As a daemon that was killed leaves it.
        std::mem::forget(socket);
        drop(listener);
        assert!(path.exists());
        ListeningSocket::listen(&path, Askers::Users).unwrap();
    }

    #[test]
    fn another_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        fs::write(&path, "dear diary").unwrap();
        let error = ListeningSocket::listen(&path, Askers::Users).unwrap_err();
        assert!(matches!(error, SocketError::NoSocket { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"dear diary");
    }

    #[test]
    fn the_socket_of_a_successor_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        let (first, listener) = ListeningSocket::listen(&path, Askers::Users).unwrap();
        drop(listener);
        let (_second, _listener) = ListeningSocket::listen(&path, Askers::Users).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_path_that_is_too_long_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(120));
        let error = ListeningSocket::listen(&path, Askers::Users)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("cannot listen at "), "{error}");
    }
}
