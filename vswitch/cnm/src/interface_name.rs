//! Names of interfaces: what the kernel allows, and `eth0`, `eth1`, … for those nobody named.

/// The longest name the kernel allows, in bytes.
pub(crate) const MAX_LEN: usize = 15;

/// How many interfaces of one prefix a sandbox may hold, so that the number has four digits at most.
const MAX_INDEX: u32 = 9999;

/// Why a text names no interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceNameError {
    /// No text at all.
    #[error("the interface name is empty; give 1 to 15 bytes, such as eth0")]
    Empty,
    /// More than 15 bytes.
    #[error("interface name {name:?} has {} bytes, which is too long; {max} are allowed", name.len())]
    TooLong {
        /// The text.
        name: String,
        /// How many are allowed: 15, or fewer for a prefix.
        max: usize,
    },
    /// A character the kernel refuses, or a name it gave a meaning of its own.
    #[error(
        "invalid interface name {name:?}: '/', ':', '%', white space, '.', '..', 'all', 'default' and \
         'lo' are not allowed"
    )]
    Malformed {
        /// The text.
        name: String,
    },
    /// Each number behind the prefix is taken.
    #[error("no interface name {prefix}0 to {prefix}{MAX_INDEX} is free; detach something first")]
    Exhausted {
        /// What the names begin with.
        prefix: String,
    },
}

/// Checks a whole name (`dev_valid_name` in Linux' net/core/dev.c).
pub(crate) fn check_interface_name(name: &str) -> Result<(), InterfaceNameError> {
    check(name, MAX_LEN)
}

/// Checks what names begin with, leaving room for a number.
pub(crate) fn check_interface_prefix(prefix: &str) -> Result<(), InterfaceNameError> {
    check(prefix, MAX_LEN - MAX_INDEX.to_string().len())
}

/// The name with the lowest number that is not taken, as libnetwork numbers them.
pub(crate) fn lowest_free(
    prefix: &str,
    taken: impl Fn(&str) -> bool,
) -> Result<String, InterfaceNameError> {
    (0..=MAX_INDEX)
        .map(|index| format!("{prefix}{index}"))
        .find(|name| !taken(name))
        .ok_or_else(|| InterfaceNameError::Exhausted {
            prefix: prefix.to_owned(),
        })
}

fn check(name: &str, max: usize) -> Result<(), InterfaceNameError> {
    let owned = || name.to_owned();
    if name.is_empty() {
        return Err(InterfaceNameError::Empty);
    }
    if name.len() > max {
        return Err(InterfaceNameError::TooLong { name: owned(), max });
    }
    // '%' too: the kernel takes eth%d as a pattern when it renames.
    let refused = |c: char| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control();
    if name.chars().any(refused) || matches!(name, "." | ".." | "all" | "default" | "lo") {
        return Err(InterfaceNameError::Malformed { name: owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_taken() {
        let held = ["eth0", "eth2", "net1"];
        let next = |prefix| lowest_free(prefix, |name| held.contains(&name)).unwrap();
        assert_eq!(next("eth"), "eth1");
        assert_eq!(next("net"), "net0");
        assert!(lowest_free("eth", |_| true).is_err());
    }

    #[test]
    fn names_are_those_of_the_kernel() {
        for name in ["eth0", "x", "fifteen-bytes-x", "eth0.100", "lo0"] {
            assert_eq!(check_interface_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "sixteen-bytes-xx",
            "a/b",
            "a:1",
            "a b",
            "a\0",
            ".",
            "..",
            "all",
            "default",
            "lo",
            "eth%d",
        ] {
            assert!(check_interface_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_prefix_leaves_room_for_the_number() {
        assert_eq!(check_interface_prefix("eleven-byte"), Ok(()));
        assert!(check_interface_prefix("twelve-bytes").is_err());
    }
}
