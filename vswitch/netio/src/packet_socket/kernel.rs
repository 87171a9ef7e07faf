//! The calls that no safe wrapper has (`linux/if_packet.h`).

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{SockAddr, SockAddrStorage, Socket};
use vswitch_packet::MacAddr;

use super::{Received, VlanTag};
use crate::message::{self, Control, ControlMessage, Message};
use crate::socket_option::{get, set};

/// What an interface is to receive beside its own frames.
#[derive(Clone, Copy)]
pub(super) enum Joined {
    /// Frames to an address.
    Station(MacAddr),
    /// Frames to any address.
    Everything,
    /// To all groups.
    Groups,
}

/// The address that binds a socket to the frames of an interface of that Ethertype; `ETH_P_ALL` for all, 0 for none.
pub(super) fn address(interface: u32, ethertype: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is a socket address, and valid as zeros.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = ethertype.to_be();
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
    Ok(get(fd, libc::SOL_PACKET, libc::PACKET_FANOUT)? as u16)
}

pub(super) fn join(fd: BorrowedFd<'_>, interface: u32, joined: Joined) -> io::Result<()> {
    let request = joined.request(interface);
    set(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
}

pub(super) fn leave(fd: BorrowedFd<'_>, interface: u32, joined: Joined) -> io::Result<()> {
    let request = joined.request(interface);
    set(fd, libc::SOL_PACKET, libc::PACKET_DROP_MEMBERSHIP, &request)
}

impl Joined {
    fn request(self, interface: u32) -> libc::packet_mreq {
        let mut request = libc::packet_mreq {
            mr_ifindex: interface.cast_signed(),
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        match self {
            Self::Everything => {}
            Self::Groups => request.mr_type = libc::PACKET_MR_ALLMULTI as libc::c_ushort,
            Self::Station(MacAddr(octets)) => {
                request.mr_type = libc::PACKET_MR_UNICAST as libc::c_ushort;
                request.mr_alen = octets.len() as libc::c_ushort;
                request.mr_address[..octets.len()].copy_from_slice(&octets);
            }
        }
        request
    }
}

/// Frames that passed the filter since this was last asked, and those of them that found no room.
pub(super) fn take_statistics(fd: BorrowedFd<'_>) -> io::Result<libc::tpacket_stats> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to a live structure of that length, and any
    // numbers are valid in it.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(statistics)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[inline]
pub(super) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = Control::new();
    let Message { length, .. } = message::receive(socket, buffer, None, &mut control)?;
    let vlan = control.messages().find_map(vlan_tag);
    Ok(Received { length, vlan })
}

/// Of a `tpacket_auxdata`, if the message is that and there is a tag.
fn vlan_tag(message: ControlMessage<'_>) -> Option<VlanTag> {
    if (message.level, message.kind) != (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
        return None;
    }
    let number = |at: usize| Some(u16::from_ne_bytes(*message.data.get(at..)?.first_chunk()?));
    let status = u32::from_ne_bytes(*message.data.first_chunk()?);
    if status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    Some(VlanTag {
        protocol: number(offset_of!(libc::tpacket_auxdata, tp_vlan_tpid))?,
        control: number(offset_of!(libc::tpacket_auxdata, tp_vlan_tci))?,
    })
}
