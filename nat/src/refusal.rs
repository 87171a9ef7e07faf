//! Why a packet was not translated.

/// Why a packet was not translated. It is unchanged, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// To one of the host's addresses, and nothing of ours: the host's affair.
    #[error("not ours")]
    NotOurs,
    /// There is a mapping, but not for this remote endpoint; or nothing admits it.
    #[error("filtered")]
    Filtered,
    /// An ICMP error about no session.
    #[error("no session")]
    NoSession,
    /// All ports of the address are taken.
    #[error("ports exhausted")]
    PortsExhausted,
    /// The owner has as many sessions as it may have.
    #[error("session limit")]
    SessionLimit,
    /// The table is full of sessions worth more than this one.
    #[error("table full")]
    TableFull,
    /// Protocols without ports cannot share an address.
    #[error("untranslatable protocol")]
    Untranslatable,
    /// A transport header that is cut short or contradicts itself, an ICMP message whose checksum
    /// is wrong, or one about a packet that it cannot be about.
    #[error("malformed")]
    Malformed,
    /// A fragment that overlaps another, or more fragments than may wait.
    #[error("bad fragment")]
    BadFragment,
    /// A fragment that came before its first one: a copy waits, see
    /// [`crate::Nat::take_released`].
    #[error("held")]
    Held,
}
