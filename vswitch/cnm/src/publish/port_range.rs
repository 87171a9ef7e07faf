//! Ports in a row.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One port or several in a row; none of them is 0. Text and JSON are `8080` and `8000-8010`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is no port and no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortRangeError {
    /// Not a number from 1 to 65535.
    #[error("{text:?} is no port; ports are 1 to 65535")]
    NoPort {
        /// What stands in the place of a port.
        text: String,
    },
    /// The end lies before the start.
    #[error("port range {first}-{last} ends before it starts; write {last}-{first}")]
    Backwards {
        /// The start.
        first: u16,
        /// The end.
        last: u16,
    },
}

impl PortRange {
    /// Where Docker takes ports from when the kernel does not say: the dynamic ports (RFC 6335 section 6)
    /// but for the first.
    pub const EPHEMERAL: Self = Self {
        first: 49153,
        last: u16::MAX,
    };

    /// The ports from `first` to `last`; `None` if there are none, or 0 is among them.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first == 0 || first > last {
            return None;
        }
        Some(Self { first, last })
    }

    /// The lowest port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// How many ports, 1 to 65535.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.last - self.first + 1
    }

    /// The ports as numbers.
    #[must_use]
    pub const fn ports(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// Whether a port is in both.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The ports in both.
    #[must_use]
    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// As many ports as `count`, from `first` on; `None` if they end beyond the last there is.
    #[must_use]
    pub(crate) const fn starting_at(first: u16, count: u16) -> Option<Self> {
        match first.checked_add(count.saturating_sub(1)) {
            Some(last) => Self::new(first, last),
            None => None,
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(f)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (port(first)?, port(last)?);
        Self::new(first, last).ok_or(PortRangeError::Backwards { first, last })
    }
}

impl TryFrom<String> for PortRange {
    type Error = PortRangeError;

    fn try_from(text: String) -> Result<Self, PortRangeError> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

fn port(text: &str) -> Result<u16, PortRangeError> {
    // Without this, "+80" would be a port.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| PortRangeError::NoPort {
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_round_trip() {
        for (text, count) in [("80", 1), ("8000-8010", 11), ("1-65535", 65_535)] {
            let range: PortRange = text.parse().unwrap();
            assert_eq!((range.to_string().as_str(), range.count()), (text, count));
            let json = serde_json::to_string(&range).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<PortRange>(&json).unwrap(), range);
        }
        assert_eq!("080-080".parse::<PortRange>().unwrap().to_string(), "80");
    }

    #[test]
    fn what_is_no_range_says_why() {
        for (text, message) in [
            ("0", "\"0\" is no port; ports are 1 to 65535"),
            ("65536", "\"65536\" is no port; ports are 1 to 65535"),
            ("+80", "\"+80\" is no port; ports are 1 to 65535"),
            ("http", "\"http\" is no port; ports are 1 to 65535"),
            ("80-", "\"\" is no port; ports are 1 to 65535"),
            ("1-2-3", "\"2-3\" is no port; ports are 1 to 65535"),
            (
                "90-80",
                "port range 90-80 ends before it starts; write 80-90",
            ),
        ] {
            let error = text.parse::<PortRange>().unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn ranges_end_where_ports_do() {
        let range = |first, last| PortRange::new(first, last);
        assert_eq!(
            PortRange::starting_at(65_535, 1).map(PortRange::last),
            Some(65_535)
        );
        assert_eq!(PortRange::starting_at(65_535, 2), None);
        let (low, high) = (range(80, 90).unwrap(), range(90, 99).unwrap());
        assert_eq!(low.intersection(high), range(90, 90));
        assert_eq!(low.intersection(range(91, 99).unwrap()), None);
        assert!(low.overlaps(high) && !low.overlaps(range(91, 91).unwrap()));
    }
}
