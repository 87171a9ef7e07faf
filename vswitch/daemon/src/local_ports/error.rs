//! Why ports cannot be held.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use rustix::io::Errno;
use vswitch_cnm::publish::Protocol;
use vswitch_netio::local_delivery::LocalDeliveryError;

/// Why ports cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// A program of the host has the port.
    #[error("{address}/{protocol} is in use by a program of the host")]
    InUse {
        /// The lowest such port of the binding, and the address to be held.
        address: SocketAddr,
        /// The protocol.
        protocol: Protocol,
    },
    /// The address is none of the host's.
    #[error("{address} is no address of the host")]
    NoSuchAddress {
        /// The address.
        address: IpAddr,
    },
    /// The host has nothing of the address's family.
    #[error("{address} cannot be used: the host has no {}", family(.address))]
    NoSuchFamily {
        /// The address.
        address: IpAddr,
    },
    /// The port is for privileged programs (`ip_unprivileged_port_start`), or a long range of UDP, which needs a
    /// raw socket.
    #[error(
        "{address}/{protocol} cannot be held: vswitchd lacks CAP_NET_BIND_SERVICE or CAP_NET_RAW"
    )]
    NotPermitted {
        /// The first such port.
        address: SocketAddr,
        /// The protocol.
        protocol: Protocol,
    },
    /// Each port takes a descriptor.
    #[error(
        "{address}/{protocol} cannot be held: too many files are open; raise LimitNOFILE of vswitchd"
    )]
    TooManyFiles {
        /// The first port that got none.
        address: SocketAddr,
        /// The protocol.
        protocol: Protocol,
    },
    /// No port at all, or 0.
    #[error("ports {first}-{last} cannot be held: ports are 1 to 65535")]
    NoPorts {
        /// Where they start.
        first: u16,
        /// Where they end.
        last: u16,
    },
    /// The target has fewer ports.
    #[error("ports {first}-{last} cannot lead to as many from {target} on: the last port is 65535")]
    BeyondLastPort {
        /// The first port to be held.
        first: u16,
        /// The last port to be held.
        last: u16,
        /// Where the first one leads.
        target: SocketAddr,
    },
    /// A long range cannot be served by one socket.
    #[error("ports {}-{} cannot be held: {source}", ports.start(), ports.end())]
    Range {
        /// The ports.
        ports: RangeInclusive<u16>,
        /// Why not.
        source: LocalDeliveryError,
    },
    /// Anything else.
    #[error("{address}/{protocol} cannot be held: {source}")]
    Io {
        /// The port.
        address: SocketAddr,
        /// The protocol.
        protocol: Protocol,
        /// What the kernel said.
        source: io::Error,
    },
}

impl HoldError {
    /// What a socket's error means for the port it was to hold.
    pub(super) fn of(source: io::Error, protocol: Protocol, host: IpAddr, port: u16) -> Self {
        let address = SocketAddr::new(host, port);
        match Errno::from_io_error(&source) {
            Some(Errno::ADDRINUSE) => Self::InUse { address, protocol },
            Some(Errno::ADDRNOTAVAIL) => Self::NoSuchAddress { address: host },
            Some(Errno::AFNOSUPPORT) => Self::NoSuchFamily { address: host },
            Some(Errno::ACCESS | Errno::PERM) => Self::NotPermitted { address, protocol },
            Some(Errno::MFILE | Errno::NFILE) => Self::TooManyFiles { address, protocol },
            _ => Self::Io {
                address,
                protocol,
                source,
            },
        }
    }
}

const fn family(address: &IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_is_wrong_with_which_port() {
        let of = |errno: Errno| {
            let host = "::1".parse().unwrap();
            HoldError::of(errno.into(), Protocol::Udp, host, 53).to_string()
        };
        assert_eq!(
            of(Errno::ADDRINUSE),
            "[::1]:53/udp is in use by a program of the host"
        );
        assert_eq!(of(Errno::ADDRNOTAVAIL), "::1 is no address of the host");
        assert_eq!(
            of(Errno::AFNOSUPPORT),
            "::1 cannot be used: the host has no IPv6"
        );
        assert_eq!(
            of(Errno::ACCESS),
            "[::1]:53/udp cannot be held: vswitchd lacks CAP_NET_BIND_SERVICE or CAP_NET_RAW"
        );
        assert_eq!(
            of(Errno::MFILE),
            "[::1]:53/udp cannot be held: too many files are open; raise LimitNOFILE of vswitchd"
        );
        assert!(of(Errno::NOMEM).starts_with("[::1]:53/udp cannot be held: "));
    }
}
