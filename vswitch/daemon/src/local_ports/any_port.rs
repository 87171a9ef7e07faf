//! Answers from any port: a socket that serves a range of ports is bound to one of them, so it can say
//! nothing in the name of the others.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;

use socket2::{Domain, Protocol, Socket, Type};
use vswitch_packet::checksum;

use super::datagram::{self, Flow};

/// A socket that sends UDP datagrams with headers of ours. It needs CAP_NET_RAW.
#[derive(Debug)]
pub(super) struct AnyPort {
    socket: Socket,
}

/// Length of the UDP header (RFC 768).
const HEADER: u16 = 8;

/// UDP's number in the IP header.
const UDP: u8 = 17;

impl AnyPort {
    /// Of the family of `host`.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub(super) fn open(host: IpAddr) -> io::Result<Self> {
        // An address whose datagrams nobody will miss: a raw socket is given copies of all for its address.
        // They fill the smallest queue there is, and are dropped from then on.
        let deaf: IpAddr = match host {
            IpAddr::V4(_) => Ipv4Addr::new(127, 255, 255, 254).into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let deaf = SocketAddr::new(deaf, 0);
        let kind = Type::RAW.nonblocking();
        let socket = Socket::new(Domain::for_address(deaf), kind, Some(Protocol::UDP))?;
        socket.set_recv_buffer_size(0)?;
        socket.bind(&deaf.into())?;
        Ok(Self { socket })
    }

    /// Answers a flow's client, from the address and port that it turned to.
    ///
    /// # Errors
    /// Whatever keeps the kernel from sending it now.
    pub(super) fn answer(&self, flow: &Flow, payload: &[u8]) -> io::Result<()> {
        let header = header(flow, payload).ok_or(io::ErrorKind::InvalidInput)?;
        let mut client = flow.client;
        // Of a raw IPv6 socket, the kernel takes a port for a protocol (rawv6_sendmsg).
        client.set_port(0);
        let socket = self.socket.as_raw_fd();
        datagram::send(socket, flow.local, client, &[&header, payload])
    }
}

/// The header of an answer; `None` if the payload is too long for one.
fn header(flow: &Flow, payload: &[u8]) -> Option<[u8; HEADER as usize]> {
    let length = u16::try_from(payload.len()).ok()?.checked_add(HEADER)?;
    let addresses = match (flow.local, flow.client) {
        (SocketAddr::V4(local), SocketAddr::V4(client)) => {
            [local.ip().octets(), client.ip().octets()].concat()
        }
        (SocketAddr::V6(local), SocketAddr::V6(client)) => {
            [local.ip().octets(), client.ip().octets()].concat()
        }
        _ => return None,
    };
    let words = [flow.local.port(), flow.client.port(), length];
    let pseudo_header = checksum::pseudo_header(&addresses, UDP, length.into());
    let sum = words
        .into_iter()
        .chain([checksum::sum(payload)])
        .fold(pseudo_header, checksum::add);
    // RFC 768: zero would mean that there is no checksum.
    let sum = if sum == 0xffff { sum } else { !sum };
    let mut header = [0; HEADER as usize];
    let words = words.into_iter().chain([sum]);
    for (field, word) in header.chunks_exact_mut(2).zip(words) {
        field.copy_from_slice(&word.to_be_bytes());
    }
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;

    /// The kernel drops what has a wrong checksum, so what arrives had a right one.
    #[test]
    fn a_client_hears_a_port_that_no_socket_is_bound_to() {
        for loopback in ["127.0.0.1", "::1"] {
            let host: IpAddr = loopback.parse().unwrap();
            let client = UdpSocket::bind((host, 0)).unwrap();
            client
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            let any_port = AnyPort::open(host).unwrap();
            let mut buffer = vec![0; 1 << 16];
            for length in [0, 1, 2, 1001, 65_507] {
                let payload: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
                let flow = Flow {
                    client: client.local_addr().unwrap(),
                    local: SocketAddr::new(host, 7),
                };
                any_port.answer(&flow, &payload).unwrap();
                let (received, from) = client.recv_from(&mut buffer).unwrap();
                assert!(buffer[..received] == payload);
                assert_eq!(from, flow.local);
            }
        }
    }

    #[test]
    fn what_does_not_fit_a_datagram_is_refused() {
        let host: IpAddr = "127.0.0.1".parse().unwrap();
        let flow = Flow {
            client: SocketAddr::new(host, 1),
            local: SocketAddr::new(host, 2),
        };
        assert_eq!(header(&flow, &[0; 65_528]), None);
        assert!(
            AnyPort::open(host)
                .unwrap()
                .answer(&flow, &[0; 65_527])
                .is_err()
        );
    }

    /// A sum of all ones would be sent as zero.
    #[test]
    fn a_checksum_is_never_zero() {
        let flow = Flow {
            client: "0.0.0.0:0".parse().unwrap(),
            local: "0.0.0.0:0".parse().unwrap(),
        };
        for payload in 0..=u16::MAX {
            let header = header(&flow, &payload.to_be_bytes()).unwrap();
            assert_ne!(header[6..], [0, 0], "{payload}");
        }
    }
}
