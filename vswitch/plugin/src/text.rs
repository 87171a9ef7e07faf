//! Addresses as text, parsed where they come in.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use vswitch_packet::MacAddr;

use crate::decode::quoted;
use crate::network_driver::Scope;

/// What is text on the wire and something better here.
pub(crate) trait Textual: Display + FromStr {
    /// Ends a sentence that begins with what was found instead.
    const WHAT: &'static str;
}

impl Textual for IpAddr {
    const WHAT: &'static str = "an IP address";
}

impl Textual for IpNet {
    const WHAT: &'static str = "an address with its prefix length, such as 10.1.0.2/16";
}

impl Textual for MacAddr {
    const WHAT: &'static str = "a MAC address, such as 02:42:0a:01:00:02";
}

impl Textual for Scope {
    const WHAT: &'static str = "a scope (local or global)";
}

impl Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Global => "global",
        })
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "local" => Ok(Self::Local),
            "global" => Ok(Self::Global),
            _ => Err(format!("{} is not {}", quoted(text), Self::WHAT)),
        }
    }
}

/// For `with`.
pub(crate) fn serialize<T: Textual, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// For `with`: never absent.
pub(crate) fn deserialize<'de, T: Textual, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// For `deserialize_with`: text that is not empty.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    match id.is_empty() {
        true => Err(D::Error::custom("\"\" is not an id")),
        false => Ok(id),
    }
}

/// For `with`: an empty string, or `null`, is nothing.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Serializer, Textual, parse};
    use serde::de::Error as _;

    pub(crate) fn serialize<T: Textual, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            None => serializer.serialize_str(""),
            Some(value) => serializer.collect_str(value),
        }
    }

    pub(crate) fn deserialize<'de, T: Textual, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        match text.as_str() {
            "" => Ok(None),
            text => parse(text).map(Some).map_err(D::Error::custom),
        }
    }
}

/// For `with`: an object whose values are text.
pub(crate) mod by_name {
    use std::collections::BTreeMap;

    use super::{Deserialize, Deserializer, Serializer, Textual};

    pub(crate) fn serialize<T: Textual, S: Serializer>(
        values: &BTreeMap<String, T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(name, value)| (name, value.to_string())))
    }

    pub(crate) fn deserialize<'de, T: Textual, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, T>, D::Error> {
        let values = BTreeMap::<String, Parsed<T>>::deserialize(deserializer)?;
        Ok(values
            .into_iter()
            .map(|(name, value)| (name, value.0))
            .collect())
    }

    /// A value of its own, so that an error knows its name.
    struct Parsed<T>(T);

    impl<'de, T: Textual> Deserialize<'de> for Parsed<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            super::deserialize(deserializer).map(Self)
        }
    }
}

fn parse<T: Textual>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{} is not {}", quoted(text), T::WHAT))
}
