//! Why a request did not succeed.

use std::io;
use std::path::PathBuf;

/// Why a request did not succeed. One line each, for people.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon said no; its own words.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// For programs.
        code: String,
        /// What, why, and what to do.
        message: String,
    },
    /// Nobody listens there.
    #[error(
        "cannot reach vswitchd at {}: {}; is it running? start it with `vswitchd`, or point \
         --socket or {} at it", socket.display(), reason(source), crate::SOCKET_VARIABLE
    )]
    NoDaemon {
        /// Where it was looked for.
        socket: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The socket is there, and not for this user.
    #[error(
        "not allowed to open {}: run as root, or as a member of the group that owns the socket",
        socket.display()
    )]
    NotPermitted {
        /// The socket.
        socket: PathBuf,
    },
    /// The connection broke before the answer was complete; the request may or may not have been done.
    #[error(
        "lost the connection to vswitchd at {} before its answer: {source}; did it just end? look at \
         its log", socket.display()
    )]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What went wrong.
        source: hyper::Error,
    },
    /// Something answers that does not speak this API.
    #[error(
        "{} did not answer as vswitchd does: {detail}; is it another program's socket, or another \
         version's? try `vsctl version`", socket.display()
    )]
    Malformed {
        /// The socket.
        socket: PathBuf,
        /// What was wrong with it.
        detail: String,
    },
}

impl ClientError {
    /// The daemon's code for the refusal, if it was one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// The kernel's words for the common reasons, without the number that `io::Error` adds.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => error.to_string(),
    }
}
