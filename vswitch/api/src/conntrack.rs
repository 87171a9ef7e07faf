//! Connection tracking: the conversations that are translated or watched.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One element of the answer to `GET /v1/conntrack`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The network's name.
    pub network: String,
    /// The sandbox, as the user wrote it.
    pub sandbox: String,
    /// What is spoken.
    pub protocol: SessionProtocol,
    /// How far it is.
    pub state: SessionState,
    /// The container's address and port; the port of an echo is its identifier, and 0 where the protocol
    /// has none.
    pub inside: SocketAddr,
    /// What the container's endpoint is translated to; itself where it is not.
    pub external: SocketAddr,
    /// Whom it talks to.
    pub remote: SocketAddr,
    /// Seconds since the last packet that counted.
    pub idle: u64,
    /// Seconds until it ends, if no packet comes.
    pub left: u64,
}

/// What is spoken: `tcp`, `udp`, `sctp`, `icmp` (echo, of both families), or another protocol's number
/// as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SessionProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// ICMP and ICMPv6 echo.
    Icmp,
    /// Any other, by its number.
    Other(u8),
}

/// A text that names no protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no protocol: use tcp, udp, sctp, icmp or an IP protocol number")]
pub struct ProtocolError(String);

/// How far a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Nobody answered yet.
    Unreplied,
    /// Both sides were heard.
    Established,
    /// TCP, SCTP: being closed.
    Closing,
    /// TCP: reset, and waiting for what may still come.
    Transitory,
}

/// Query of `GET /v1/conntrack`: those sessions that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConntrackQuery {
    /// Name, id or beginning of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// As in [`Attach`](crate::Attach).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// See [`Session::protocol`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<SessionProtocol>,
    /// See [`Session::state`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SessionState>,
}

/// Query of `DELETE /v1/conntrack`: the sessions of a network, of a sandbox, of a sandbox on one
/// network, or all. Refused if nothing is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlushQuery {
    /// Name, id or beginning of an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// As in [`Attach`](crate::Attach).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// All sessions there are; with neither of the others.
    #[serde(default)]
    pub all: bool,
}

/// Answer to `GET /v1/conntrack/stats`. Counted since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatStats {
    /// Sessions there are.
    pub sessions: u64,
    /// Mappings there are: external endpoints in use.
    pub mappings: u64,
    /// Fragments that wait for their first one.
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

impl Session {
    /// Whether protocol and state are those asked for, if any are; network and sandbox are not looked at,
    /// as they go by several names.
    #[must_use]
    pub fn fits(&self, query: &ConntrackQuery) -> bool {
        query.protocol.is_none_or(|wanted| wanted == self.protocol)
            && query.state.is_none_or(|wanted| wanted == self.state)
    }
}

impl SessionState {
    /// The word in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreplied => "unreplied",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Transitory => "transitory",
        }
    }
}

impl fmt::Display for SessionProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("tcp"),
            Self::Udp => f.write_str("udp"),
            Self::Sctp => f.write_str("sctp"),
            Self::Icmp => f.write_str("icmp"),
            Self::Other(number) => number.fmt(f),
        }
    }
}

impl FromStr for SessionProtocol {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            "icmp" | "icmpv6" => Ok(Self::Icmp),
            _ => text
                .parse()
                .map(Self::Other)
                .map_err(|_| ProtocolError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for SessionProtocol {
    type Error = ProtocolError;

    fn try_from(text: String) -> Result<Self, ProtocolError> {
        text.parse()
    }
}

impl From<SessionProtocol> for String {
    fn from(protocol: SessionProtocol) -> Self {
        protocol.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_go_by_name_or_number() {
        for text in ["tcp", "udp", "sctp", "icmp", "47"] {
            assert_eq!(text.parse::<SessionProtocol>().unwrap().to_string(), text);
        }
        assert_eq!("icmpv6".parse(), Ok(SessionProtocol::Icmp));
        for text in ["", "TCP ", "256", "-1", "quic"] {
            assert!(text.parse::<SessionProtocol>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_query_admits_what_fits_all_of_it() {
        let session = Session {
            network: "web".to_owned(),
            sandbox: "blue".to_owned(),
            protocol: SessionProtocol::Udp,
            state: SessionState::Unreplied,
            inside: "10.0.0.2:5000".parse().unwrap(),
            external: "192.0.2.1:5000".parse().unwrap(),
            remote: "198.51.100.1:53".parse().unwrap(),
            idle: 1,
            left: 299,
        };
        let query = |protocol, state| ConntrackQuery {
            protocol,
            state,
            ..ConntrackQuery::default()
        };
        let (udp, tcp) = (Some(SessionProtocol::Udp), Some(SessionProtocol::Tcp));
        assert!(session.fits(&query(None, None)));
        assert!(session.fits(&query(udp, Some(SessionState::Unreplied))));
        assert!(!session.fits(&query(tcp, Some(SessionState::Unreplied))));
        assert!(!session.fits(&query(udp, Some(SessionState::Established))));
    }
}
