//! The system call, which neither rustix nor libc wraps.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

/// `enum bpf_cmd` of `linux/bpf.h`.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(super) enum Command {
    MapCreate = 0,
    MapUpdate = 2,
    MapDelete = 3,
    ProgramLoad = 5,
    LinkCreate = 28,
}

/// Calls bpf(), and returns the number that it gives.
///
/// # Safety
/// `A` is the part of `union bpf_attr` that belongs to the command, without padding, and each pointer in it
/// points at what the command says, for as long as the call lasts.
pub(super) unsafe fn bpf<A>(command: Command, attributes: &mut A) -> Result<i32, Errno> {
    // SAFETY: the kernel reads and writes at most `size_of::<A>()` bytes at `attributes`, and takes what
    // lies behind them in the union for zeros; the caller vouches for the pointers within.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_int,
            std::ptr::from_mut(attributes),
            size_of::<A>(),
        )
    };
    i32::try_from(result)
        .ok()
        .filter(|&result| result >= 0)
        .ok_or_else(last_errno)
}

/// As [`bpf`], for commands that make a descriptor.
///
/// Before Linux 5.11 the memory of maps and programs counts against `RLIMIT_MEMLOCK`, which is 64 KiB by
/// default, and `EPERM` is the answer when it is used up; so that limit is lifted when it comes.
///
/// # Safety
/// As [`bpf`], and the command makes a descriptor.
pub(super) unsafe fn bpf_open<A>(command: Command, attributes: &mut A) -> Result<OwnedFd, Errno> {
    // SAFETY: the caller's promise.
    let mut result = unsafe { bpf(command, attributes) };
    if result == Err(Errno::PERM) && lift_memory_limit().is_ok() {
        // SAFETY: the caller's promise.
        result = unsafe { bpf(command, attributes) };
    }
    // SAFETY: the command made the descriptor, and nobody else knows of it. It is close-on-exec.
    result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn lift_memory_limit() -> Result<(), Errno> {
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    setrlimit(Resource::Memlock, unlimited)
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
