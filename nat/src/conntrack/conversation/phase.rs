//! How far a conversation is, what it is worth, and how long it stays.

use std::time::Duration;

use crate::config::Timeouts;
use crate::session::State;
use crate::tuple::Protocol;

/// How far a conversation is. For TCP the states of RFC 6146 §3.5.2.2, which RFC 7857 §2 takes
/// over, with one more: after both SYNs the RFC has a connection established, so that everybody who
/// forges a SYN to a published port would fill the table for hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// One side was heard (INIT), or TCP in its midst.
    Unreplied,
    /// Both sides' SYN was seen, and not yet that the first has seen the second's.
    Handshake,
    /// ESTABLISHED.
    Established,
    /// C FIN RCV.
    InsideFin,
    /// S FIN RCV.
    OutsideFin,
    /// C FIN + S FIN RCV, or SCTP's shutdown: nothing refreshes it any more.
    Closed,
    /// TRANS: reset, unless it was not (RFC 7857 §2.2).
    Reset,
}

impl Phase {
    pub(crate) const ALL: [Self; 7] = [
        Self::Unreplied,
        Self::Handshake,
        Self::Established,
        Self::InsideFin,
        Self::OutsideFin,
        Self::Closed,
        Self::Reset,
    ];

    pub(crate) const fn state(self) -> State {
        match self {
            Self::Unreplied | Self::Handshake => State::Unreplied,
            Self::Established => State::Established,
            Self::InsideFin | Self::OutsideFin | Self::Closed => State::Closing,
            Self::Reset => State::Transitory,
        }
    }

    pub(crate) const fn worth(self) -> Worth {
        match self {
            Self::Reset => Worth::Reset,
            Self::Closed => Worth::Closed,
            Self::Unreplied | Self::Handshake => Worth::Unreplied,
            // One side has no more to say, but the other may be in the midst of a download.
            Self::Established | Self::InsideFin | Self::OutsideFin => Worth::Established,
        }
    }

    pub(crate) const fn timeout(self, protocol: Protocol, timeouts: &Timeouts) -> Duration {
        let established = matches!(self.worth(), Worth::Established);
        match protocol {
            Protocol::Tcp if established => timeouts.tcp_established,
            Protocol::Tcp => timeouts.tcp_transitory,
            Protocol::Sctp if established => timeouts.sctp_established,
            Protocol::Sctp => timeouts.sctp_transitory,
            Protocol::Udp => timeouts.udp,
            Protocol::Echo => timeouts.echo,
            Protocol::Other(_) => timeouts.other,
        }
    }
}

/// What a session is worth when there is no room. Worthless first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Worth {
    Reset,
    Closed,
    Unreplied,
    Established,
}

impl Worth {
    pub(crate) const COUNT: usize = 4;
}
