//! What tells the interfaces of one daemon from those of another.

use std::fmt;
use std::str::FromStr;

/// Drawn once, when the state file is made, and kept in it: 8 octets, shown as 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DaemonId(u64);

/// The text is not 16 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no daemon id: 16 hex digits")]
pub struct DaemonIdError(String);

/// Begins the alias of every interface that any daemon made.
const PREFIX: &str = "vswitch:";

impl DaemonId {
    /// From 8 random octets.
    #[must_use]
    pub const fn new(random: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(random))
    }

    /// As a number, to derive other things from.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The alias (`ip link show`) of an interface: `vswitch:<daemon id>:<id>`, where `id` is that of
    /// the endpoint, or of the network for its host port.
    #[must_use]
    pub fn alias(self, id: &impl fmt::Display) -> String {
        format!("{PREFIX}{self}:{id}")
    }

    /// What follows the daemon's id in an alias; `None` if another daemon, or none, made the interface.
    #[must_use]
    pub fn owned(self, alias: &str) -> Option<&str> {
        let (daemon, id) = alias.strip_prefix(PREFIX)?.split_once(':')?;
        (daemon.parse() == Ok(self)).then_some(id)
    }
}

impl fmt::Display for DaemonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for DaemonId {
    type Err = DaemonIdError;

    fn from_str(text: &str) -> Result<Self, DaemonIdError> {
        let digits = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let valid = text.len() == 16 && text.bytes().all(digits);
        valid
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| DaemonIdError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_reads_back() {
        let id = DaemonId::new([0, 1, 2, 3, 4, 5, 6, 255]);
        assert_eq!(id.to_string(), "00010203040506ff");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "00010203040506f",
            "00010203040506FF",
            "+001020304050607",
        ] {
            assert!(bad.parse::<DaemonId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_its_own_aliases_are_owned() {
        let (ours, theirs) = (DaemonId::new([1; 8]), DaemonId::new([2; 8]));
        let alias = ours.alias(&"abc");
        assert_eq!(alias, "vswitch:0101010101010101:abc");
        assert_eq!(ours.owned(&alias), Some("abc"));
        assert_eq!(theirs.owned(&alias), None);
        for foreign in [
            "",
            "vswitch:",
            "vswitch:0101010101010101",
            "uplink to switch 4",
        ] {
            assert_eq!(ours.owned(foreign), None, "{foreign}");
        }
    }
}
