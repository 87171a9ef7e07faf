//! What a place knows of the way to another.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu, ipv6_mtu, set_ip_mtu_discover,
    set_ipv6_mtu_discover,
};

use crate::{Place, eventually};

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends datagrams that must not be fragmented until the kernel refuses them, and returns the MTU it knows
/// then.
///
/// # Errors
/// If it takes them all.
pub fn discovered_mtu(place: &Place, to: SocketAddr, octets: usize) -> Result<u32> {
    place.inside(|| {
        let from: IpAddr = if to.is_ipv4() {
            [0; 4].into()
        } else {
            [0_u16; 8].into()
        };
        let socket = UdpSocket::bind((from, 0))?;
        if to.is_ipv4() {
            set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO)?;
        } else {
            set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO)?;
        }
        socket.connect(to)?;
        let payload = vec![0x55; octets];
        eventually("a datagram is too long", PATIENCE, || {
            std::thread::sleep(Duration::from_millis(100));
            match socket.send(&payload) {
                Ok(_) => Ok(false),
                // EMSGSIZE has no name in the standard library.
                Err(error) => {
                    let too_long = rustix::io::Errno::MSGSIZE.raw_os_error();
                    ensure!(error.raw_os_error() == Some(too_long), "{error}");
                    Ok(true)
                }
            }
        })?;
        Ok(if to.is_ipv4() {
            ip_mtu(&socket)?
        } else {
            ipv6_mtu(&socket)?
        })
    })
}
