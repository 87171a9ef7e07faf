//! The messages of ICMP and ICMPv6, as far as translation tells them apart.

use vswitch_packet::ip::Version;

/// What a message is to a translator (RFC 5508 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Begins a conversation, by its identifier.
    EchoRequest,
    /// Answers one.
    EchoReply,
    /// Is about a packet that it quotes.
    Error,
    /// Anything else: the timestamp and information queries, redirects (which are about the link
    /// they are sent on), source quench (RFC 6633 §3), neighbour discovery.
    Other,
}

impl Message {
    /// By the first octet of its header.
    pub(crate) const fn of(version: Version, kind: u8) -> Self {
        match (version, kind) {
            (Version::V4, 8) | (Version::V6, 128) => Self::EchoRequest,
            (Version::V4, 0) | (Version::V6, 129) => Self::EchoReply,
            // Destination unreachable, time exceeded, parameter problem.
            (Version::V4, 3 | 11 | 12) => Self::Error,
            // The same, and packet too big.
            (Version::V6, 1..=4) => Self::Error,
            _ => Self::Other,
        }
    }
}

/// How much of the message a router quotes, by the length that RFC 4884 §4 puts into the header
/// (§4.1 to §4.5); `None` if everything behind the header is the quote.
pub(crate) fn quoted_len(version: Version, header: [u8; 8]) -> Option<usize> {
    let len = match (version, header[0]) {
        (Version::V4, 3 | 11 | 12) => 4 * usize::from(header[5]),
        (Version::V6, 1 | 3) => 8 * usize::from(header[4]),
        _ => 0,
    };
    (len != 0).then_some(len)
}
