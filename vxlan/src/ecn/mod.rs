//! Congestion marks across the tunnel (RFC 6040).

mod packet;

pub use packet::{Dscp, apply, outer_tos};

/// The two lowest bits of IPv4's TOS and IPv6's traffic class (RFC 3168 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// The transport does not understand marks.
    NotEct,
    /// It does; the second of two equal codes (and of another meaning by RFC 8311).
    Ect1,
    /// It does.
    Ect0,
    /// Congestion was experienced.
    Ce,
}

/// The packet must be dropped: it was marked on the way, and its transport would not hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("congestion was experienced in the tunnel by a transport that does not understand marks")]
pub struct Unheard;

impl Ecn {
    /// That of a TOS or traffic class octet.
    #[must_use]
    #[inline]
    pub const fn of(tos: u8) -> Self {
        match tos & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }
}

/// The outer mark for a packet that is `inner`: the same (normal mode, RFC 6040 §4.1).
#[must_use]
#[inline]
pub const fn encapsulate(inner: Ecn) -> Ecn {
    inner
}

/// The mark of a packet that was `inner` when it entered the tunnel and left it in an `outer`
/// packet (RFC 6040 figure 4).
///
/// # Errors
/// [`Unheard`] for a packet that must be dropped.
#[inline]
pub const fn decapsulate(inner: Ecn, outer: Ecn) -> Result<Ecn, Unheard> {
    match (inner, outer) {
        (Ecn::NotEct, Ecn::Ce) => Err(Unheard),
        (Ecn::Ect0, Ecn::Ect1) => Ok(Ecn::Ect1),
        (Ecn::Ect0 | Ecn::Ect1, Ecn::Ce) => Ok(Ecn::Ce),
        (inner, _) => Ok(inner),
    }
}

/// Whether no tunnel's entrance and no router on the way makes an `outer` packet with an `inner` one
/// in it, so that the event should be logged (RFC 6040 §4.2, marked in figure 4 by exclamation marks):
/// something on the way writes over the mark.
#[must_use]
pub const fn is_anomaly(inner: Ecn, outer: Ecn) -> bool {
    matches!(
        (inner, outer),
        (Ecn::NotEct, Ecn::Ect0 | Ecn::Ect1 | Ecn::Ce)
            | (Ecn::Ect1, Ecn::Ect0)
            | (Ecn::Ce, Ecn::Ect1)
    )
}

#[cfg(test)]
mod tests {
    use super::Ecn::{Ce, Ect0, Ect1, NotEct};
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_3168() {
        for (bits, ecn) in [(0, NotEct), (1, Ect1), (2, Ect0), (3, Ce)] {
            assert_eq!(ecn.bits(), bits);
            for dscp in 0..64 {
                assert_eq!(Ecn::of(dscp << 2 | bits), ecn);
            }
        }
    }
}
