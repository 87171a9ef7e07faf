//! Why a netlink request failed.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// Why the kernel's configuration could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket itself failed.
    #[error("netlink socket: {0}")]
    Socket(#[source] io::Error),
    /// `EPERM`, `EACCES`.
    #[error("cannot {}: needs CAP_NET_ADMIN: run as root", .0.request)]
    NotPermitted(Refusal),
    /// `EEXIST`: the address, route or name is there already.
    #[error("cannot {}: it exists already", .0.request)]
    Exists(Refusal),
    /// `ENODEV`, `ENOENT`, `ESRCH`, `EADDRNOTAVAIL`: the interface, route or address is not there.
    #[error("cannot {0}")]
    NotFound(Refusal),
    /// Any other error number.
    #[error("cannot {0}")]
    Refused(Refusal),
    /// The table changed during every attempt to read it.
    #[error("cannot {request}: the table changes too fast, try again")]
    Unstable {
        /// What was asked.
        request: String,
    },
    /// An answer that is not understood.
    #[error("cannot {request}: the kernel's answer is not understood: {cause}")]
    Undecodable {
        /// What was asked.
        request: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// The kernel's answer to a request that it did not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked, such as `set the MTU of interface 3 to 9000`.
    pub request: String,
    /// The error number.
    pub errno: Errno,
    /// The kernel's own explanation, where it has one.
    pub explanation: Option<String>,
}

impl NetlinkError {
    /// The kernel's error number, if it refused the request.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::NotPermitted(refusal)
            | Self::Exists(refusal)
            | Self::NotFound(refusal)
            | Self::Refused(refusal) => Some(refusal.errno),
            Self::Socket(_) | Self::Unstable { .. } | Self::Undecodable { .. } => None,
        }
    }

    /// From the code and the attributes of an `NLMSG_ERROR` or `NLMSG_DONE`. The code is negative.
    pub(super) fn refused(request: fmt::Arguments<'_>, code: i32, attributes: &[u8]) -> Self {
        let errno = Errno::from_raw_os_error(code.saturating_neg());
        let explanation = explanation(attributes);
        let refusal = Refusal {
            request: request.to_string(),
            errno,
            explanation,
        };
        match errno {
            Errno::PERM | Errno::ACCESS => Self::NotPermitted(refusal),
            Errno::EXIST => Self::Exists(refusal),
            Errno::NODEV | Errno::NOENT | Errno::SRCH | Errno::ADDRNOTAVAIL => {
                Self::NotFound(refusal)
            }
            _ => Self::Refused(refusal),
        }
    }

    pub(super) fn undecodable(request: fmt::Arguments<'_>, cause: impl Into<String>) -> Self {
        Self::Undecodable {
            request: request.to_string(),
            cause: cause.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.request, self.errno)?;
        match &self.explanation {
            Some(explanation) => write!(f, ": {explanation}"),
            None => Ok(()),
        }
    }
}

/// The text of `NLMSGERR_ATTR_MSG` among the attributes of an extended acknowledgement.
fn explanation(mut attributes: &[u8]) -> Option<String> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    while let [a, b, c, d, ..] = *attributes {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([c, d]) == NLMSGERR_ATTR_MSG {
            let text = String::from_utf8_lossy(value);
            return Some(text.trim_end_matches('\0').to_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_explanation_is_found_among_other_attributes() {
        let mut bytes = Vec::new();
        bytes.extend(8u16.to_ne_bytes());
        bytes.extend(2u16.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(7u16.to_ne_bytes());
        bytes.extend(1u16.to_ne_bytes());
        bytes.extend(b"no\0");
        assert_eq!(explanation(&bytes).as_deref(), Some("no"));
        assert_eq!(explanation(&bytes[..9]), None);
        assert_eq!(explanation(&[]), None);
        assert_eq!(explanation(&[0; 8]), None);
    }

    #[test]
    fn the_number_decides_the_variant_and_is_kept() {
        let refused =
            |errno: Errno| NetlinkError::refused(format_args!("jump"), -errno.raw_os_error(), &[]);
        assert!(matches!(
            refused(Errno::PERM),
            NetlinkError::NotPermitted(_)
        ));
        assert!(matches!(refused(Errno::NODEV), NetlinkError::NotFound(_)));
        assert_eq!(refused(Errno::BUSY).errno(), Some(Errno::BUSY));
        assert_eq!(
            refused(Errno::BUSY).to_string(),
            "cannot jump: Device or resource busy (os error 16)"
        );
    }
}
