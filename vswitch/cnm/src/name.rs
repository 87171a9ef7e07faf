//! What networks, sandboxes and aliases may be called.

use std::fmt;

/// The longest name, in bytes. A sandbox's name is a file name as well, and a table's column.
pub const MAX_NAME_LEN: usize = 128;

/// What a refused name was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOf {
    /// `add-net NAME`.
    Network,
    /// `add-sandbox NAME`, `attach NET NAME`.
    Sandbox,
    /// `attach --alias NAME`.
    Alias,
}

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No text at all.
    #[error("the {of} name is empty; give one of letters, digits, '_', '.' and '-'")]
    Empty {
        /// What it should name.
        of: NameOf,
    },
    /// More than [`MAX_NAME_LEN`] bytes.
    #[error(
        "{of} name {name:?} has {} bytes, which is too long; {MAX_NAME_LEN} are allowed",
        name.len()
    )]
    TooLong {
        /// What it should name.
        of: NameOf,
        /// The text.
        name: String,
    },
    /// Not Docker's `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
    #[error(
        "invalid {of} name {name:?}: it must begin with a letter or digit, and go on with letters, \
         digits, '_', '.' or '-'"
    )]
    Malformed {
        /// What it should name.
        of: NameOf,
        /// The text.
        name: String,
    },
}

impl fmt::Display for NameOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            Self::Sandbox => "sandbox",
            Self::Alias => "alias",
        })
    }
}

/// Checks a name by Docker's rule, `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
pub(crate) fn check_name(of: NameOf, name: &str) -> Result<(), NameError> {
    let owned = || name.to_owned();
    if name.is_empty() {
        return Err(NameError::Empty { of });
    }
    if name.len() > MAX_NAME_LEN {
        return Err(NameError::TooLong { of, name: owned() });
    }
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if name.as_bytes()[0].is_ascii_alphanumeric() && name.bytes().all(inner) {
        Ok(())
    } else {
        Err(NameError::Malformed { of, name: owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_docker_pass() {
        for name in ["a", "web", "my_app-1.net", "0", &"x".repeat(MAX_NAME_LEN)] {
            assert_eq!(check_name(NameOf::Network, name), Ok(()), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused_for_what_they_are() {
        for name in [
            "-web", ".", "..", "_a", "a/b", "a b", "a:1", "über", "a\n", "a\0",
        ] {
            let result = check_name(NameOf::Sandbox, name);
            assert!(
                matches!(result, Err(NameError::Malformed { .. })),
                "{name:?}: {result:?}"
            );
        }
        assert!(matches!(
            check_name(NameOf::Alias, ""),
            Err(NameError::Empty { .. })
        ));
        assert!(matches!(
            check_name(NameOf::Network, &"x".repeat(MAX_NAME_LEN + 1)),
            Err(NameError::TooLong { .. })
        ));
    }
}
