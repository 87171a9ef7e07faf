//! What the daemon may do: checked once, at the start, so that nothing fails half-way for want of it.

use std::fs::{self, File};
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrivilegeError {
    /// Capabilities.
    #[error("vswitchd lacks {} (to make interfaces and to enter network namespaces): run it as root", .0.join(" and "))]
    Capabilities(Vec<&'static str>),
    /// The device node of TAPs.
    #[error("/dev/net/tun is missing: modprobe tun, or create it: mknod /dev/net/tun c 10 200")]
    NoTun,
}

/// What is needed, with the numbers of `linux/capability.h`.
const NEEDED: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")];

/// Checks the process's capabilities and that there are TAPs.
///
/// # Errors
/// [`PrivilegeError`].
pub fn check() -> Result<(), PrivilegeError> {
    // Where /proc does not tell, the first command that needs a capability will.
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let missing = missing(&status);
    if !missing.is_empty() {
        return Err(PrivilegeError::Capabilities(missing));
    }
    match File::open("/dev/net/tun") {
        Err(error) if is_absent(&error) => Err(PrivilegeError::NoTun),
        _ => Ok(()),
    }
}

/// Raises the number of descriptors the process may have to what the system allows: each TAP takes
/// one per worker.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}

/// Which capabilities are not in the `CapEff` of a `/proc/PID/status`.
fn missing(status: &str) -> Vec<&'static str> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let Some(effective) = effective else {
        return Vec::new();
    };
    NEEDED
        .into_iter()
        .filter(|(number, _)| effective & (1 << number) == 0)
        .map(|(_, name)| name)
        .collect()
}

/// `ENODEV` and `ENXIO`: the node is there, and the driver is not.
fn is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error.kind() == io::ErrorKind::NotFound
        || [Errno::NODEV, Errno::NXIO]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        let status = |mask: &str| format!("Name:\tx\nCapPrm:\t0\nCapEff:\t{mask}\n");
        let table: [(String, &[&str]); 5] = [
            (status("000001ffffffffff"), &[]),
            (
                status("0000000000000000"),
                &["CAP_NET_ADMIN", "CAP_SYS_ADMIN"],
            ),
            (status("0000000000001000"), &["CAP_SYS_ADMIN"]),
            (status("0000000000200000"), &["CAP_NET_ADMIN"]),
            (String::new(), &[]),
        ];
        for (status, expected) in table {
            assert_eq!(missing(&status), expected, "{status}");
        }
    }

    #[test]
    fn one_line_says_what_to_do() {
        let error = PrivilegeError::Capabilities(vec!["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
        let text = error.to_string();
        assert!(text.contains("CAP_NET_ADMIN and CAP_SYS_ADMIN"), "{text}");
        assert!(text.ends_with("run it as root"), "{text}");
    }
}
