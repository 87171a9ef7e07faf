//! The ports that the sockets of a namespace are bound to.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::TransportProtocol;

/// A socket that is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BoundSocket {
    /// TCP or UDP.
    pub protocol: TransportProtocol,
    /// Where; the unspecified address is all of them. For IPv6 it may serve IPv4, too.
    pub local: SocketAddr,
}

/// TCP connections that no socket belongs to any more (`TCP_TIME_WAIT`, `TCP_NEW_SYN_RECV`,
/// `include/net/tcp_states.h`).
const WITHOUT_SOCKET: [&str; 2] = ["06", "0C"];

/// The TCP and UDP sockets of the calling thread's namespace, IPv4 and IPv6.
///
/// # Errors
/// Of `/proc`. A kernel without IPv6 has none of these.
pub fn bound() -> io::Result<Vec<BoundSocket>> {
    let mut sockets = Vec::new();
    for (table, protocol) in [
        ("tcp", TransportProtocol::Tcp),
        ("tcp6", TransportProtocol::Tcp),
        ("udp", TransportProtocol::Udp),
        ("udp6", TransportProtocol::Udp),
    ] {
        // The thread's, not the process's: these may be in different namespaces.
        match fs::read_to_string(format!("/proc/thread-self/net/{table}")) {
            Ok(text) => sockets.extend(
                text.lines()
                    .skip(1)
                    .filter_map(local)
                    .map(|local| BoundSocket { protocol, local }),
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

/// The local address of a line: `sl local_address rem_address st …`.
fn local(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = fields.next()?;
    let state = fields.nth(1)?;
    if WITHOUT_SOCKET.contains(&state) {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16)
        .ok()
        .filter(|port| *port != 0)?;
    Some(SocketAddr::new(ip(address)?, port))
}

/// Each 32-bit word stands as the processor reads it (`tcp4_seq_show`, `net/ipv4/tcp_ipv4.c`).
fn ip(hexadecimal: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hexadecimal.get(at..at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hexadecimal.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let octets = words.as_flattened().try_into().ok();
            octets.map(|octets: [u8; 16]| IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn listeners_connections_and_datagram_sockets_are_found() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let client = TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        let found = bound().unwrap();
        let has = |protocol, local: io::Result<SocketAddr>| {
            let local = local.unwrap();
            found.contains(&BoundSocket { protocol, local })
        };
        assert!(has(TransportProtocol::Tcp, v4.local_addr()));
        assert!(has(TransportProtocol::Tcp, v6.local_addr()));
        assert!(has(TransportProtocol::Udp, udp.local_addr()));
        assert!(has(TransportProtocol::Tcp, client.local_addr()));
        assert!(!has(TransportProtocol::Udp, v4.local_addr()));
        let gone = udp.local_addr();
        drop(udp);
        let local = gone.unwrap();
        let protocol = TransportProtocol::Udp;
        assert!(!bound().unwrap().contains(&BoundSocket { protocol, local }));
    }

    #[test]
    fn lines_of_the_tables_are_read() {
        let v4 =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1";
        assert_eq!(local(v4), Some("127.0.0.1:8080".parse().unwrap()));
        let v6 = "  12: 00000000000000000000000001000000:0035 0:0 07 0:0 00:0 0 0";
        assert_eq!(local(v6), Some("[::1]:53".parse().unwrap()));
        let time_wait = "  12: 0100007F:1F90 0100007F:0035 06 0:0 00:0 0 0";
        for line in ["", "sl", "0: 0100007F", "0: 01:02 03 0A", time_wait] {
            assert_eq!(local(line), None, "{line}");
        }
    }
}
