//! Why a call did not succeed.

use std::io;
use std::time::Duration;

use crate::Method;
use crate::discovery::Address;

/// Why a call did not succeed. One line each, for people.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin said no; its own words.
    #[error("plugin {plugin}: {method}: {message}")]
    Refused {
        /// Its name.
        plugin: String,
        /// What was asked.
        method: Method,
        /// What it said.
        message: String,
    },
    /// Nobody listened, all the time. The request was not sent.
    #[error("cannot reach plugin {plugin} at {address}: {source}; is it running?")]
    Unreachable {
        /// Its name.
        plugin: String,
        /// Where it should be.
        address: Address,
        /// What the kernel said last.
        source: io::Error,
    },
    /// No answer in time. The request may or may not have been done.
    #[error("plugin {plugin} did not answer {method} within {} s", timeout.as_secs_f32())]
    TimedOut {
        /// Its name.
        plugin: String,
        /// What was asked.
        method: Method,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The connection broke before the answer was complete. The request may or may not have been done.
    #[error("lost the connection to plugin {plugin} before its answer to {method}: {source}")]
    Broken {
        /// Its name.
        plugin: String,
        /// What was asked.
        method: Method,
        /// What went wrong.
        source: hyper::Error,
    },
    /// It answered something that the protocol does not know.
    #[error("plugin {plugin} did not answer {method} as a plugin does: {detail}")]
    Malformed {
        /// Its name.
        plugin: String,
        /// What was asked.
        method: Method,
        /// What was wrong with it.
        detail: String,
    },
}
