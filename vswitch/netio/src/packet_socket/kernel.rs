//! The calls that no safe wrapper has (`linux/if_packet.h`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use socket2::{SockAddr, SockAddrStorage};

use super::{Received, VlanTag};

/// The address that binds a socket to all frames of an interface.
pub(super) fn address(interface: u32) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is a socket address, and valid as zeros.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: the storage holds an address of that length and family.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}

pub(super) fn set_option(
    fd: BorrowedFd<'_>,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set(fd, libc::SOL_PACKET, option, &value)
}

pub(super) fn attach_program(fd: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let program = program.as_raw_fd();
    set(fd, libc::SOL_SOCKET, libc::SO_ATTACH_BPF, &program)
}

/// Joins a group that shares the frames by flow, or begins one if `group` is `None`. Returns its number.
pub(super) fn join_group(
    fd: BorrowedFd<'_>,
    group: Option<u16>,
    ignore_outgoing: bool,
) -> io::Result<u16> {
    // From `linux/if_packet.h`; libc has no name for it.
    const PACKET_FANOUT_FLAG_IGNORE_OUTGOING: u32 = 0x4000;
    let mut argument = libc::PACKET_FANOUT_HASH << 16;
    if ignore_outgoing {
        // The option of the single socket does not count in a group.
        argument |= PACKET_FANOUT_FLAG_IGNORE_OUTGOING << 16;
    }
    argument |= match group {
        Some(group) => group.into(),
        None => libc::PACKET_FANOUT_FLAG_UNIQUEID << 16,
    };
    set(fd, libc::SOL_PACKET, libc::PACKET_FANOUT, &argument)?;
    // The number is in the low half of what the option says now.
    Ok(get(fd, libc::PACKET_FANOUT)? as u16)
}

pub(super) fn join_promiscuous(fd: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: interface.cast_signed(),
        mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set(
        fd,
        libc::SOL_PACKET,
        libc::PACKET_ADD_MEMBERSHIP,
        &membership,
    )
}

pub(super) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut piece = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // Room for one `tpacket_auxdata`, aligned as `cmsghdr` wants it.
    let mut control = [0u64; 8];
    // SAFETY: null pointers and zero lengths are a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the message points at a buffer and a control buffer of the lengths it says, both
    // exclusively borrowed until the end of this function.
    let length = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok(Received {
        length,
        vlan: vlan_tag(&message),
    })
}

/// The tag among the control messages that the kernel wrote.
fn vlan_tag(message: &libc::msghdr) -> Option<VlanTag> {
    // SAFETY: `msg_control` and `msg_controllen` describe the control messages of a finished
    // recvmsg, aligned for `cmsghdr`; the macros stay within them.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: not null, so it points at a whole header within the control buffer.
        let header = unsafe { ptr::read(next) };
        if (header.cmsg_level, header.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
            // SAFETY: the kernel's control message of this type holds a `tpacket_auxdata`, which
            // is plain numbers; it need not be aligned.
            let data: libc::tpacket_auxdata =
                unsafe { ptr::read_unaligned(libc::CMSG_DATA(next).cast()) };
            return (data.tp_status & libc::TP_STATUS_VLAN_VALID != 0).then_some(VlanTag {
                protocol: data.tp_vlan_tpid,
                control: data.tp_vlan_tci,
            });
        }
        // SAFETY: as for CMSG_FIRSTHDR, and `next` came from it or from here.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    None
}

fn set<T>(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from a live reference to that many.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            ptr::from_ref(value).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn get(fd: BorrowedFd<'_>, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to a live number of that length.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}
