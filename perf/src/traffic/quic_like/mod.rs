//! Datagrams as QUIC sends them: many a system call by `UDP_SEGMENT`, read with `UDP_GRO`, and no more of
//! them on their way than acknowledgements and a congestion window allow (RFC 9000, RFC 9002).
//!
//! Nothing is encrypted, as that would measure the processor's AES and not the switch. What is lost is not
//! sent again as it was: like QUIC's, every datagram has a number of its own, so whatever arrives is new.

mod receiver;
mod sender;
mod window;

pub(crate) use receiver::serve;
pub(crate) use sender::{Goodput, send};

/// Octets of a datagram: QUIC's 1200 and more (RFC 9000 §14.1), as browsers begin with over IPv4.
pub(crate) const DATAGRAM: usize = 1252;

/// What the receiver tells with every read; 16 octets, two numbers in network order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Acknowledgement {
    /// Datagrams that have arrived.
    arrived: u64,
    /// One more than the highest number among them.
    next: u64,
}

impl Acknowledgement {
    const LENGTH: usize = 16;

    fn write(self) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        octets[..8].copy_from_slice(&self.arrived.to_be_bytes());
        octets[8..].copy_from_slice(&self.next.to_be_bytes());
        octets
    }

    fn read(octets: &[u8]) -> Option<Self> {
        let (arrived, rest) = octets.split_first_chunk()?;
        let (next, rest) = rest.split_first_chunk()?;
        rest.is_empty().then(|| Self {
            arrived: u64::from_be_bytes(*arrived),
            next: u64::from_be_bytes(*next),
        })
    }
}

/// The number that a datagram begins with.
fn number(datagram: &[u8]) -> Option<u64> {
    datagram.first_chunk().map(|n| u64::from_be_bytes(*n))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn acknowledgements_are_read_as_written() {
        let acknowledgement = Acknowledgement {
            arrived: 7,
            next: u64::MAX,
        };
        let octets = acknowledgement.write();
        assert_eq!(Acknowledgement::read(&octets), Some(acknowledgement));
        assert_eq!(Acknowledgement::read(&octets[1..]), None);
        assert_eq!(Acknowledgement::read(&[0; 17]), None);
    }

    #[test]
    fn datagrams_arrive_and_are_acknowledged() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        thread::spawn(move || receiver::answer(&socket));
        let goodput = send(server, Duration::from_millis(50)).unwrap();
        assert!(goodput.arrived > 0, "{goodput:?}");
        assert!(goodput.sent >= goodput.arrived, "{goodput:?}");
        assert!(goodput.bits_per_second > 0.0, "{goodput:?}");
    }

    #[test]
    fn nobody_there_is_an_error() {
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = closed.local_addr().unwrap();
        drop(closed);
        assert!(send(server, Duration::from_millis(10)).is_err());
    }
}
