//! Sessions, as they are shown.

use std::net::SocketAddr;
use std::time::Duration;

use crate::tuple::{Owner, Tuple};

/// How far a conversation is. TCP's states are those of RFC 7857 §2 (RFC 6146 §3.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody answered yet; TCP: the handshake is not done.
    Unreplied,
    /// Both sides were heard; TCP: the handshake is done.
    Established,
    /// TCP, SCTP: being closed.
    Closing,
    /// TCP: reset, and waiting for what may still come (RFC 7857 §2.2).
    Transitory,
}

impl State {
    /// Its name in `vsctl conntrack`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreplied => "unreplied",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Transitory => "transitory",
        }
    }
}

/// One session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Whose it is.
    pub owner: Owner,
    /// As seen inside.
    pub tuple: Tuple,
    /// What the inside endpoint is translated to; itself if it is not.
    pub external: SocketAddr,
    /// How far it is.
    pub state: State,
    /// Since the last packet that refreshed it.
    pub idle: Duration,
    /// Until it ends, if nothing refreshes it.
    pub left: Duration,
}

/// What happened so far, and how much is there now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions there are.
    pub sessions: u64,
    /// Mappings there are.
    pub mappings: u64,
    /// Fragments that wait.
    pub held_fragments: u64,
    /// Fragments that waited in vain.
    pub lost_fragments: u64,
    /// Sessions ever begun.
    pub created: u64,
    /// Sessions that ended for want of packets.
    pub expired: u64,
    /// Sessions that ended to make room.
    pub evicted: u64,
    /// New sessions refused, for any reason.
    pub refused: u64,
}
