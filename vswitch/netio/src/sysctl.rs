//! The kernel's network settings below `/proc/sys/net`, of the calling thread's namespace.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::InterfaceName;

/// Why a setting could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// A part of the path that leaves the folder.
    #[error("{component:?} cannot be part of a setting's name")]
    Component {
        /// The part.
        component: String,
    },
    /// There is no such setting: a kernel without the protocol, or an interface that is gone.
    #[error("no setting {}", path.display())]
    NotFound {
        /// Its file.
        path: PathBuf,
    },
    /// No privilege, or `/proc/sys` is mounted read-only, as in a container.
    #[error("cannot write {}: needs CAP_NET_ADMIN and a writable /proc/sys: run as root", path.display())]
    NotPermitted {
        /// Its file.
        path: PathBuf,
    },
    /// Anything else, such as `EINVAL` for a value that the setting cannot have.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Its file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Bytes of a setting at most: a list of every other port, each with a comma.
const LONGEST: usize = 6 << 15;

/// Writes the setting below `/proc/sys/net` that these path components name.
///
/// `/proc/sys/net` shows each thread its own namespace, so this works inside
/// [`Netns::run`](crate::netns::Netns::run).
///
/// # Errors
/// [`SysctlError::Component`] for `..` and the like, [`SysctlError::NotFound`], [`SysctlError::NotPermitted`].
pub fn write(components: &[&str], value: &str) -> Result<(), SysctlError> {
    let path = path(components)?;
    fs::write(&path, value).map_err(|source| SysctlError::new(path, source))
}

/// Reads a setting, without the line's end.
///
/// # Errors
/// As [`write()`].
pub fn read(components: &[&str]) -> Result<String, SysctlError> {
    let path = path(components)?;
    let text = read_whole(&path).map_err(|source| SysctlError::new(path, source))?;
    Ok(text.trim_end().to_owned())
}

/// Reads a setting in one call: of a list, the kernel gives what there is room for and then says that it was
/// the end (`proc_do_large_bitmap`, `kernel/sysctl.c`), and `fs::read` begins with room for 32 bytes.
fn read_whole(path: &Path) -> io::Result<String> {
    let mut text = vec![0; LONGEST];
    let length = File::open(path)?.read(&mut text)?;
    text.truncate(length);
    String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Takes IPv6 away from an interface, with its addresses, or gives it back.
///
/// # Errors
/// [`SysctlError::NotFound`] also if the kernel has no IPv6.
pub fn set_ipv6_disabled(interface: &InterfaceName, disabled: bool) -> Result<(), SysctlError> {
    let components = ["ipv6", "conf", interface.as_str(), "disable_ipv6"];
    write(&components, if disabled { "1" } else { "0" })
}

fn path(components: &[&str]) -> Result<PathBuf, SysctlError> {
    let mut path = PathBuf::from("/proc/sys/net");
    for &component in components {
        // A dot within is right: it is in the names of VLAN interfaces, such as eth0.100.
        if matches!(component, "" | "." | "..") || component.contains(['/', '\0']) {
            return Err(SysctlError::Component {
                component: component.to_owned(),
            });
        }
        path.push(component);
    }
    Ok(path)
}

impl SysctlError {
    fn new(path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotPermitted { path }
            }
            _ => Self::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_stays_below_the_folder() {
        for component in ["", ".", "..", "../kernel", "a/b", "a\0"] {
            let result = read(&["ipv4", component]);
            assert!(
                matches!(result, Err(SysctlError::Component { .. })),
                "{component:?}"
            );
        }
    }

    #[test]
    fn a_setting_is_read() {
        assert!(matches!(
            read(&["ipv4", "ip_forward"]).unwrap().as_str(),
            "0" | "1"
        ));
        assert!(matches!(
            read(&["ipv4", "no_such"]),
            Err(SysctlError::NotFound { .. })
        ));
    }
}
