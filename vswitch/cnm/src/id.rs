//! Identities of networks and endpoints: 32 random octets, as Docker's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: an id has 64 hex digits")]
pub struct IdError;

/// How many octets [`NetworkId::short`] shows.
const SHORT_OCTETS: usize = 6;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The id with these octets, which the caller draws at random.
            #[must_use]
            pub const fn from_octets(octets: [u8; 32]) -> Self {
                Self(octets)
            }

            /// The octets, in the order they are shown.
            #[must_use]
            pub const fn octets(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 12 hex digits, as `docker ps` shows them.
            #[must_use]
            pub fn short(&self) -> String {
                hex(&self.0[..SHORT_OCTETS])
            }

            /// Whether both have the same short form.
            pub(crate) fn looks_like(&self, other: Self) -> bool {
                self.0[..SHORT_OCTETS] == other.0[..SHORT_OCTETS]
            }
        }

        /// 64 lower-case hex digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// A network's identity; text and JSON are 64 hex digits.
    NetworkId
}

id! {
    /// An endpoint's identity; text and JSON are 64 hex digits.
    EndpointId
}

/// A layer-2 segment of a network. A bridge network has one; an overlay network may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId {
    /// The network.
    pub network: NetworkId,
    /// Which of its segments, from 0.
    pub index: u8,
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn parse(text: &str) -> Result<[u8; 32], IdError> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(IdError);
    }
    let mut octets = [0; 32];
    for (index, octet) in octets.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| IdError)?;
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_round_trip() {
        let mut octets = [0xab; 32];
        octets[0] = 0x05;
        let id = NetworkId::from_octets(octets);
        assert_eq!(id.short(), "05ababababab");
        assert_eq!(id.to_string().len(), 64);
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<NetworkId>(&json).unwrap(), id);
    }

    #[test]
    fn anything_but_64_hex_digits_is_refused() {
        for text in [
            "",
            "05ab",
            &"g".repeat(64),
            &"é".repeat(32),
            &"a".repeat(65),
        ] {
            assert_eq!(text.parse::<EndpointId>(), Err(IdError), "{text}");
        }
    }
}
