//! Why there is no address, or none that may be used.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use vswitch_netio::packet_socket::PacketSocketError;
use vswitch_packet::MacAddr;

/// Why a NIC cannot be asked by.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// No socket.
    #[error("cannot listen on {wire}: {source}")]
    Open {
        /// The NIC and its VLAN.
        wire: String,
        /// Why not.
        source: PacketSocketError,
    },
    /// The NIC's filter, or the runtime, would not have it.
    #[error("cannot listen on {wire}: {source}")]
    Listen {
        /// The NIC and its VLAN.
        wire: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The link is down, or the NIC is gone.
    #[error("cannot send on {wire}: {source}; is the link up?")]
    Send {
        /// The NIC and its VLAN.
        wire: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The thread of leases, or what it did for this caller, is at an end.
    #[error("the thread that asks for addresses has ended")]
    Ended,
}

/// Why no address was had from a DHCP server.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Nobody made an offer that makes sense.
    #[error(
        "no DHCP server answered on {wire} within {seconds} s: see that there is one in this network and VLAN, \
         and that the switch lets the address {mac} in"
    )]
    NoAnswer {
        /// The NIC and its VLAN.
        wire: String,
        /// How long was waited.
        seconds: u64,
        /// The client's.
        mac: MacAddr,
    },
    /// A server made an offer, and no more was heard from it.
    #[error(
        "the DHCP server {server} on {wire} offered {address} and did not confirm it within {seconds} s: \
         see its log"
    )]
    NotConfirmed {
        /// The NIC and its VLAN.
        wire: String,
        /// Who made the offer.
        server: Ipv4Addr,
        /// What was offered.
        address: Ipv4Addr,
        /// How long was waited.
        seconds: u64,
    },
    /// What the server gives out is in use by others.
    #[error(
        "{address}, from the DHCP server {server} on {wire}, is used by {holder} already, as were those before: \
         see who has addresses of the server's range without having asked it"
    )]
    Conflict {
        /// The NIC and its VLAN.
        wire: String,
        /// Who gave it.
        server: Ipv4Addr,
        /// The last address that was tried.
        address: Ipv4Addr,
        /// Who has it.
        holder: MacAddr,
    },
    /// Addresses that were chosen here cannot be used.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The NIC cannot be used.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Why addresses are not known to be free.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Somebody has one, or is about to.
    #[error("{address} is used by {holder} on {wire} already: choose another address")]
    Conflict {
        /// The NIC and its VLAN.
        wire: String,
        /// One of the addresses.
        address: IpAddr,
        /// Who has it.
        holder: MacAddr,
    },
    /// Nobody could be asked.
    #[error(transparent)]
    Wire(#[from] WireError),
}
