//! What tells one conversation from another.

use std::net::SocketAddr;

/// Whose state it is: the switch port of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(pub u32);

/// What is translated, and how its packets are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// By ports.
    Tcp,
    /// By ports.
    Udp,
    /// By ports.
    Sctp,
    /// ICMP or ICMPv6 echo, by identifier, which stands in the place of the port.
    Echo,
    /// Any other IP protocol: by addresses alone, so it cannot share an address.
    Other(u8),
}

/// One conversation, as seen inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// The protocol.
    pub protocol: Protocol,
    /// The container's address and port.
    pub inside: SocketAddr,
    /// Whom it talks to. The port of an echo is 0.
    pub remote: SocketAddr,
}
