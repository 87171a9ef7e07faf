//! Where a plugin listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::decode::quoted;

/// Where a plugin listens; as text, a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `unix:///run/docker/plugins/name.sock`.
    Unix(PathBuf),
    /// `tcp://host:port`. An IPv6 address is without its brackets here.
    Tcp(String, u16),
}

/// Not an address of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not an address such as unix:///run/plugin.sock or tcp://10.0.0.1:8080", quoted(.0))]
pub struct AddressError(pub String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        if text.contains(char::is_control) {
            return Err(wrong());
        }
        if let Some(path) = text.strip_prefix("unix://") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(wrong()),
            };
        }
        let authority = text.strip_prefix("tcp://").ok_or_else(wrong)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = authority.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        match host.is_empty() || host.contains(['/', '@', '[', ']', ' ']) || port == 0 {
            true => Err(wrong()),
            false => Ok(Self::Tcp(host.to_owned(), port)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
        }
    }
}
