//! What a packet means for the state of its session.

/// What a packet means for the state of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// UDP, or a protocol that is not understood: a packet, no more.
    Plain,
    /// A TCP segment. Of one that was coalesced, the flags of all of it.
    Tcp {
        /// The flags, as in octet 13 of the header; see [`flag`].
        flags: u8,
        /// The sequence number.
        sequence: u32,
        /// The acknowledgement number; read only with [`flag::ACK`].
        acknowledgement: u32,
    },
    /// An SCTP packet.
    Sctp {
        /// The type of its first chunk.
        chunk: u8,
    },
    /// An echo request.
    Query,
    /// An echo reply.
    Reply,
}

/// TCP's flags that change a session's state.
pub mod flag {
    /// No more from the sender.
    pub const FIN: u8 = 0x01;
    /// Begins a connection.
    pub const SYN: u8 = 0x02;
    /// Ends it.
    pub const RST: u8 = 0x04;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}
