//! Why the kernel did not take a map or a program.

use rustix::io::Errno;

/// Why the kernel did not take a map or a program.
#[derive(Debug, thiserror::Error)]
pub enum BpfError {
    /// No privilege, or the process is in a user namespace.
    #[error(
        "cannot {action}: needs CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8) outside of user namespaces: run as root"
    )]
    NotPermitted {
        /// What was tried.
        action: &'static str,
    },
    /// The kernel was built without bpf().
    #[error("cannot {action}: this kernel has no bpf() (CONFIG_BPF_SYSCALL)")]
    Unsupported {
        /// What was tried.
        action: &'static str,
    },
    /// The verifier does not accept the program: the kernel is too old for it.
    #[error("cannot {action}: the kernel does not accept the program: {errno}: {log}")]
    Rejected {
        /// What was tried.
        action: &'static str,
        /// The error number.
        errno: Errno,
        /// The verifier's last words.
        log: String,
    },
    /// A map has as many entries as it was made for.
    #[error("cannot set an entry of a BPF map: it has room for {entries}, and all are taken")]
    Full {
        /// How many there are.
        entries: u32,
    },
    /// Anything else, such as `ENOMEM`, or `EINVAL` for what the kernel does not know.
    #[error("cannot {action}: {errno}")]
    Call {
        /// What was tried.
        action: &'static str,
        /// The error number.
        errno: Errno,
    },
}

impl BpfError {
    /// For `map_err` of a call that failed.
    pub(super) fn call(action: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| match errno {
            Errno::PERM | Errno::ACCESS => Self::NotPermitted { action },
            Errno::NOSYS => Self::Unsupported { action },
            errno => Self::Call { action, errno },
        }
    }
}
