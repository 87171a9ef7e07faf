//! The segment's number.

use std::fmt;
use std::str::FromStr;

/// A VXLAN network identifier: 24 bits (RFC 7348 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vni(u32);

/// What was given is no [`Vni`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no VNI; give a number from 0 to {}", Vni::LAST)]
pub struct InvalidVni {
    /// As it was given.
    pub given: String,
}

impl Vni {
    /// The first that is given out when nobody chooses, as in Docker: small numbers are left to
    /// those who configure by hand.
    pub const FIRST: Self = Self(4096);
    /// The last there is.
    pub const LAST: Self = Self(0x00ff_ffff);

    /// `number`, if it has 24 bits.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::LAST.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_octets([a, b, c]: [u8; 3]) -> Self {
        Self(u32::from_be_bytes([0, a, b, c]))
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for Vni {
    type Error = InvalidVni;

    fn try_from(number: u32) -> Result<Self, InvalidVni> {
        Self::new(number).ok_or_else(|| InvalidVni {
            given: number.to_string(),
        })
    }
}

impl FromStr for Vni {
    type Err = InvalidVni;

    fn from_str(text: &str) -> Result<Self, InvalidVni> {
        let number = text.parse().ok().and_then(Self::new);
        number.ok_or_else(|| InvalidVni {
            given: text.to_owned(),
        })
    }
}

impl From<Vni> for u32 {
    fn from(vni: Vni) -> Self {
        vni.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn has_24_bits() {
        assert_eq!(Vni::new(0).map(Vni::get), Some(0));
        assert_eq!(Vni::new(0x00ff_ffff), Some(Vni::LAST));
        assert_eq!(Vni::new(0x0100_0000), None);
        assert_eq!(Vni::new(u32::MAX), None);
    }

    #[test]
    fn what_is_none_is_refused_with_what_would_be_one() {
        for text in ["", "-1", "1.5", "0x10", " 1", "16777216", "4294967296"] {
            let error = text.parse::<Vni>().unwrap_err().to_string();
            let expected = format!("{text:?} is no VNI; give a number from 0 to 16777215");
            assert_eq!(error, expected);
        }
        let error = Vni::try_from(16_777_216).unwrap_err();
        assert_eq!(Err(error), "16777216".parse::<Vni>());
    }

    proptest! {
        #[test]
        fn is_read_as_it_is_shown(number in 0..=Vni::LAST.get()) {
            let vni = Vni::try_from(number).unwrap();
            prop_assert_eq!(vni.to_string(), number.to_string());
            prop_assert_eq!(vni.to_string().parse(), Ok(vni));
            prop_assert_eq!(u32::from(vni), number);
        }
    }
}
