//! Names that the kernel accepts for a network interface.

use std::fmt;
use std::str::FromStr;

/// A valid interface name: 1 to 15 bytes, no `/`, `:` or white space, not `.`, `..`, `all` or `default`.
///
/// The rules are those of `dev_valid_name` (`net/core/dev.c`); `all` and `default` are refused by
/// `sysctl_dev_name_is_allowed`, because they are the names of the settings of *every* interface
/// below `/proc/sys/net/ipv4/conf`. A value of this type can thus be put in a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The longest name, in bytes: `IFNAMSIZ` less the terminating zero.
    pub const MAX_LEN: usize = libc::IFNAMSIZ - 1;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the kernel's structures hold it, padded with zeros.
    pub(crate) fn to_ifnamsiz(&self) -> [u8; libc::IFNAMSIZ] {
        let mut padded = [0; libc::IFNAMSIZ];
        padded[..self.0.len()].copy_from_slice(self.0.as_bytes());
        padded
    }
}

/// Why a text is no interface name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceNameError {
    /// No byte at all.
    #[error("an interface name must not be empty")]
    Empty,
    /// More than [`InterfaceName::MAX_LEN`] bytes.
    #[error("interface name {name:?} has {} bytes; the kernel allows 15", name.len())]
    TooLong {
        /// The text.
        name: String,
    },
    /// A character that the kernel refuses.
    #[error(
        "interface name {name:?} holds {character:?}; '/', ':' and white space are not allowed"
    )]
    Character {
        /// The text.
        name: String,
        /// The first offender.
        character: char,
    },
    /// A name with a meaning of its own.
    #[error("{name:?} cannot name an interface: the kernel reserves it")]
    Reserved {
        /// The text.
        name: String,
    },
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(name: &str) -> Result<Self, InterfaceNameError> {
        let owned = || name.to_owned();
        if name.is_empty() {
            return Err(InterfaceNameError::Empty);
        }
        if name.len() > Self::MAX_LEN {
            return Err(InterfaceNameError::TooLong { name: owned() });
        }
        let refused = |c: char| matches!(c, '/' | ':' | '\0') || c.is_whitespace();
        if let Some(character) = name.chars().find(|&c| refused(c)) {
            return Err(InterfaceNameError::Character {
                name: owned(),
                character,
            });
        }
        if matches!(name, "." | ".." | "all" | "default") {
            return Err(InterfaceNameError::Reserved { name: owned() });
        }
        Ok(Self(owned()))
    }
}

impl AsRef<str> for InterfaceName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_names_are_accepted() {
        for name in ["eth0", "x", "a.b-c_d", "fifteen-bytes-x", "eth0.100", "…"] {
            assert_eq!(name.parse::<InterfaceName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        for name in [
            "",
            "sixteen-bytes-xx",
            "a/b",
            "a b",
            "a:1",
            "a\n",
            "a\0",
            ".",
            "..",
            "all",
            "default",
        ] {
            assert!(name.parse::<InterfaceName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_padded_form_ends_in_zero() {
        let padded = "fifteen-bytes-x"
            .parse::<InterfaceName>()
            .unwrap()
            .to_ifnamsiz();
        assert_eq!(&padded, b"fifteen-bytes-x\0");
    }
}
