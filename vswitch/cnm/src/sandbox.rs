//! A sandbox: a network namespace that endpoints are put into.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::{NameError, NameOf, check_name};

/// Which namespace is meant, as typed: what `attach` takes for SANDBOX.
///
/// Text and JSON are `NAME`, an absolute path, `pid:N` or `host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SandboxKey {
    /// The namespace `/run/netns/NAME`, which `ip netns` sees.
    Name(String),
    /// A namespace by the absolute path of a file that stands for it.
    Path(PathBuf),
    /// The namespace of the process with this id.
    Pid(u32),
    /// The host's own namespace: the one the daemon runs in.
    Host,
}

/// Why a text means no sandbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxKeyError {
    /// Neither path nor process, and no name either.
    #[error(transparent)]
    Name(#[from] NameError),
    /// `pid:` and something that is not the id of a process.
    #[error("{text:?} means no process; write pid: and a number from 1, such as pid:4242")]
    Pid {
        /// The text.
        text: String,
    },
    /// A path that depends on where the daemon runs, or that names no file.
    #[error("{text:?} is not an absolute path without '..'; write it from the root")]
    Path {
        /// The text.
        text: String,
    },
}

/// A sandbox, as it is persisted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// What it is called.
    pub key: SandboxKey,
    /// Whether `add-sandbox` made it: then it stays without endpoints, and `rm-sandbox` removes it.
    #[serde(default)]
    pub owned: bool,
    /// The namespace it was when last looked at.
    #[serde(default)]
    pub netns: Option<NetnsId>,
}

/// A namespace's identity: the device and inode of its file.
///
/// The kernel gives the inode of a namespace that is gone to a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NetnsId {
    /// The device of nsfs.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
}

/// Where `ip netns` keeps the files that stand for named namespaces; the second is a link to the first.
const NAMED: [&str; 2] = ["/run/netns", "/var/run/netns"];

const PID_PREFIX: &str = "pid:";

impl SandboxKey {
    /// The file that stands for the namespace; `None` for the host's own.
    #[must_use]
    pub fn namespace_path(&self) -> Option<PathBuf> {
        match self {
            Self::Name(name) => Some(Path::new(NAMED[0]).join(name)),
            Self::Path(path) => Some(path.clone()),
            Self::Pid(pid) => Some(PathBuf::from(format!("/proc/{pid}/ns/net"))),
            Self::Host => None,
        }
    }

    /// Whether it is the host's own namespace.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        matches!(self, Self::Host)
    }

    /// The key as typed would have been parsed: however it was made, one namespace file has one key.
    pub(crate) fn normalised(&self) -> Result<Self, SandboxKeyError> {
        self.to_string().parse()
    }

    fn from_path(text: &str) -> Result<Self, SandboxKeyError> {
        let path = Path::new(text);
        let up = path.components().any(|part| part == Component::ParentDir);
        if !path.is_absolute() || up || path.file_name().is_none() || text.contains('\0') {
            let text = text.to_owned();
            return Err(SandboxKeyError::Path { text });
        }
        // As components, so that "//run/./netns/x/" is /run/netns/x.
        let path: PathBuf = path.components().collect();
        Ok(named(&path)
            .or_else(|| process(&path))
            .unwrap_or(Self::Path(path)))
    }
}

impl FromStr for SandboxKey {
    type Err = SandboxKeyError;

    fn from_str(text: &str) -> Result<Self, SandboxKeyError> {
        if text.contains('/') {
            return Self::from_path(text);
        }
        if let Some(pid) = text.strip_prefix(PID_PREFIX) {
            return parse_pid(pid).map(Self::Pid).ok_or_else(|| {
                let text = text.to_owned();
                SandboxKeyError::Pid { text }
            });
        }
        if text == "host" {
            return Ok(Self::Host);
        }
        check_name(NameOf::Sandbox, text)?;
        Ok(Self::Name(text.to_owned()))
    }
}

impl fmt::Display for SandboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Path(path) => path.display().fmt(f),
            Self::Pid(pid) => write!(f, "{PID_PREFIX}{pid}"),
            Self::Host => f.write_str("host"),
        }
    }
}

impl Serialize for SandboxKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SandboxKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A file of `ip netns`, which has a shorter key.
fn named(path: &Path) -> Option<SandboxKey> {
    let name = path.file_name()?.to_str()?;
    let is_named = NAMED
        .iter()
        .any(|folder| path.parent() == Some(Path::new(folder)));
    // A namespace called "host" in that folder keeps its path: the key `host` has another meaning.
    let typable = check_name(NameOf::Sandbox, name).is_ok() && name != "host";
    (is_named && typable).then(|| SandboxKey::Name(name.to_owned()))
}

/// `/proc/N/ns/net`.
fn process(path: &Path) -> Option<SandboxKey> {
    let pid = path
        .to_str()?
        .strip_prefix("/proc/")?
        .strip_suffix("/ns/net")?;
    parse_pid(pid).map(SandboxKey::Pid)
}

fn parse_pid(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let pid: u32 = text.parse().ok().filter(|_| digits)?;
    // pid_t is signed.
    (1..=i32::MAX as u32).contains(&pid).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SandboxKey {
        text.parse().unwrap()
    }

    #[test]
    fn the_forms_users_type_are_told_apart() {
        for (text, expected, path) in [
            ("web", SandboxKey::Name("web".into()), "/run/netns/web"),
            ("pid:42", SandboxKey::Pid(42), "/proc/42/ns/net"),
            (
                "/var/run/docker/netns/1a2b",
                SandboxKey::Path("/var/run/docker/netns/1a2b".into()),
                "/var/run/docker/netns/1a2b",
            ),
        ] {
            assert_eq!(key(text), expected);
            assert_eq!(expected.to_string(), text);
            assert_eq!(expected.namespace_path(), Some(path.into()));
        }
        assert_eq!(key("host"), SandboxKey::Host);
        assert_eq!(SandboxKey::Host.namespace_path(), None);
    }

    #[test]
    fn one_file_has_one_key() {
        for path in ["/run/netns/web", "/var/run/netns/web", "//run/./netns/web/"] {
            assert_eq!(key(path), key("web"), "{path}");
        }
        assert_eq!(key("/proc/42/ns/net"), key("pid:42"));
        assert_eq!(key("pid:042"), key("pid:42"));
        assert_eq!(
            SandboxKey::Path("/run/netns/web".into()).normalised(),
            Ok(key("web"))
        );
    }

    #[test]
    fn a_namespace_called_host_is_not_the_hosts() {
        let named_host = key("/run/netns/host");
        assert!(!named_host.is_host());
        assert_eq!(key(&named_host.to_string()), named_host);
        assert_eq!(
            key("/proc/self/ns/net"),
            SandboxKey::Path("/proc/self/ns/net".into())
        );
    }

    #[test]
    fn what_means_no_sandbox_is_refused() {
        for text in [
            "pid:",
            "pid:0",
            "pid:-1",
            "pid:+1",
            "pid:x",
            "pid:2147483648",
        ] {
            assert!(matches!(
                text.parse::<SandboxKey>(),
                Err(SandboxKeyError::Pid { .. })
            ));
        }
        for text in ["./ns", "a/b", "/", "/run/../x", "/a\0"] {
            assert!(
                matches!(
                    text.parse::<SandboxKey>(),
                    Err(SandboxKeyError::Path { .. })
                ),
                "{text}"
            );
        }
        for text in ["", ".hidden", "a b"] {
            assert!(matches!(
                text.parse::<SandboxKey>(),
                Err(SandboxKeyError::Name(_))
            ));
        }
    }

    #[test]
    fn a_record_of_an_older_version_is_read() {
        let sandbox: Sandbox = serde_json::from_str(r#"{"key":"pid:7"}"#).unwrap();
        assert_eq!(
            sandbox,
            Sandbox {
                key: SandboxKey::Pid(7),
                owned: false,
                netns: None,
            }
        );
    }
}
