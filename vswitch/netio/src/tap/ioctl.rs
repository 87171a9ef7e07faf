//! The `TUNSET*` calls of `linux/if_tun.h`.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, Updater, ioctl, opcode};

use crate::InterfaceName;

const TUNSETIFF: Opcode = opcode::write::<libc::c_int>(b'T', 202);
const TUNSETPERSIST: Opcode = opcode::write::<libc::c_int>(b'T', 203);
const TUNSETOFFLOAD: Opcode = opcode::write::<libc::c_uint>(b'T', 208);
const TUNSETSTEERINGEBPF: Opcode = opcode::read::<libc::c_int>(b'T', 224);

/// What `TUNSETIFF` does about an interface that exists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Attach {
    /// Refuses with `EBUSY`.
    New,
    /// Adds a queue to it.
    Any,
}

/// `struct ifreq` as far as `TUNSETIFF` looks at it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_ushort,
    unused: [u8; size_of::<libc::ifreq>() - libc::IFNAMSIZ - size_of::<libc::c_ushort>()],
}

const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());

pub(super) fn set_interface(
    fd: BorrowedFd<'_>,
    name: &InterfaceName,
    attach: Attach,
) -> Result<(), Errno> {
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_MULTI_QUEUE;
    if attach == Attach::New {
        flags |= libc::IFF_TUN_EXCL;
    }
    let mut request = InterfaceRequest {
        name: name.to_ifnamsiz(),
        flags: flags as libc::c_ushort,
        unused: [0; _],
    };
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whose size and layout the request
    // has; any bytes written back are valid for its fields.
    unsafe {
        ioctl(
            fd,
            Updater::<TUNSETIFF, InterfaceRequest>::new(&mut request),
        )
    }
}

pub(super) fn set_persistent(fd: BorrowedFd<'_>, persistent: bool) -> Result<(), Errno> {
    // SAFETY: the argument of TUNSETPERSIST is a number, not a pointer.
    unsafe {
        ioctl(
            fd,
            IntegerSetter::<TUNSETPERSIST>::new_usize(usize::from(persistent)),
        )
    }
}

pub(super) fn set_steering(fd: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut program = program.as_raw_fd();
    // SAFETY: TUNSETSTEERINGEBPF reads one `int`, a descriptor, and keeps the program by a reference of its own.
    unsafe {
        ioctl(
            fd,
            Updater::<TUNSETSTEERINGEBPF, libc::c_int>::new(&mut program),
        )
    }
}

pub(super) fn set_offloads(fd: BorrowedFd<'_>, mask: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: the argument of TUNSETOFFLOAD is a number, not a pointer.
    unsafe { ioctl(fd, IntegerSetter::<TUNSETOFFLOAD>::new_usize(mask as usize)) }
}
