//! Who of many reaches whom, all at once.

use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::Place;

/// Somebody who talks and listens.
#[derive(Debug, Clone)]
pub struct Party {
    /// For messages.
    pub name: String,
    /// Where it is. Its interface on the wire is `eth0`.
    pub place: Place,
    /// Its IPv4 and its IPv6 address.
    pub addresses: [IpAddr; 2],
}

/// How it is tried whether one reaches another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Echo requests of a family (4 or 6) that are answered, either one's: whoever asks first tells the other
    /// its own address, so the two directions cannot be told apart.
    Ping(u8),
    /// One datagram to all of the subnet (family 4) or to all nodes (6).
    Broadcast(u8),
    /// One datagram over IPv4 to the other's address. Nobody has to ask for that, if the neighbours are entered.
    Datagram,
}

/// How often each (first index) was heard by each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard(Vec<Vec<u32>>);

/// Between two echo requests to the same. Rounds are counted, and not time: a machine may stand still for a while.
const ROUND: Duration = Duration::from_millis(100);
/// For what is not expected: everything here is close by.
const FEW_ROUNDS: u32 = 3;
/// For what is.
const MANY_ROUNDS: u32 = 80;
/// Where datagrams are sent to.
const PORT: u16 = 4242;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The first octets of what is sent here, and nowhere else.
const MARK: [u8; 4] = *b"whom";

impl Heard {
    fn nobody(parties: usize) -> Self {
        Self(vec![vec![0; parties]; parties])
    }

    /// How often `from` was heard by `to`.
    #[must_use]
    pub fn count(&self, from: usize, to: usize) -> u32 {
        self.0[from][to]
    }

    fn has(&self, expected: &[(usize, usize)]) -> bool {
        expected.iter().all(|&(from, to)| self.0[from][to] > 0)
    }
}

/// Tries all ways from each to each other, until all that is expected was heard and a while has passed for what
/// is not.
///
/// # Errors
/// If there are no such addresses or sockets.
pub fn who_hears_whom(parties: &[Party], way: Way, expected: &[(usize, usize)]) -> Result<Heard> {
    match way {
        Way::Ping(family) => pings(parties, family, expected),
        Way::Broadcast(_) | Way::Datagram => datagrams(parties, way, expected),
    }
}

fn pings(parties: &[Party], family: u8, expected: &[(usize, usize)]) -> Result<Heard> {
    let (domain, protocol) = match family {
        4 => (Domain::IPV4, Protocol::ICMPV4),
        _ => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = |party: &Party| -> Result<Socket> {
        let socket = party
            .place
            .inside(|| Ok(Socket::new(domain, Type::RAW, Some(protocol))?))
            .with_context(|| format!("a raw socket of {}", party.name))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let sockets = parties.iter().map(socket).collect::<Result<Vec<_>>>()?;
    let mut heard = Heard::nobody(parties.len());
    for round in 0..MANY_ROUNDS {
        if round >= FEW_ROUNDS && heard.has(expected) {
            break;
        }
        for (from, socket) in sockets.iter().enumerate() {
            for (to, party) in parties.iter().enumerate() {
                if from != to && heard.count(from, to) == 0 {
                    let address = SocketAddr::new(address(party, family), 0);
                    // As long as the neighbour is not known the kernel may refuse.
                    let _ = socket.send_to(&echo_request(family, from, to), &address.into());
                }
            }
        }
        let start = Instant::now();
        while start.elapsed() < ROUND {
            for socket in &sockets {
                while let Some(message) = receive(socket)? {
                    if let Some((from, to)) = echo_answer(family, &message)
                        && from.max(to) < parties.len()
                    {
                        heard.0[from][to] = 1;
                        heard.0[to][from] = 1;
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(heard)
}

fn datagrams(parties: &[Party], way: Way, expected: &[(usize, usize)]) -> Result<Heard> {
    let family = if way == Way::Broadcast(6) { 6 } else { 4 };
    let socket = |party: &Party| -> Result<UdpSocket> {
        let socket = party.place.inside(|| listener(family))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let sockets = parties.iter().map(socket).collect::<Result<Vec<_>>>()?;
    for (from, (party, socket)) in parties.iter().zip(&sockets).enumerate() {
        let says = [&MARK[..], &[u8::try_from(from)?]].concat();
        let destinations = match way {
            Way::Broadcast(4) => vec![broadcast(address(party, 4))],
            Way::Broadcast(_) => vec![ALL_NODES.into()],
            Way::Datagram | Way::Ping(_) => parties.iter().map(|to| address(to, 4)).collect(),
        };
        for destination in destinations {
            socket
                .send_to(&says, SocketAddr::new(destination, PORT))
                .with_context(|| format!("{} sends to {destination}", party.name))?;
        }
    }
    let mut heard = Heard::nobody(parties.len());
    for round in 0..MANY_ROUNDS {
        if round >= FEW_ROUNDS && heard.has(expected) {
            break;
        }
        std::thread::sleep(ROUND);
        for (to, socket) in sockets.iter().enumerate() {
            let mut message = [0; 16];
            loop {
                match socket.recv_from(&mut message) {
                    Ok((5, _)) if message[..4] == MARK => {
                        let from = usize::from(message[4]);
                        // One's own comes to oneself, too.
                        if from != to && from < parties.len() {
                            heard.0[from][to] += 1;
                        }
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(heard)
}

fn listener(family: u8) -> Result<UdpSocket> {
    if family == 4 {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
        socket.set_broadcast(true)?;
        return Ok(socket);
    }
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT))?;
    let index = name_to_index(&socket, "eth0")?;
    SockRef::from(&socket).set_multicast_if_v6(index)?;
    Ok(socket)
}

fn address(party: &Party, family: u8) -> IpAddr {
    party.addresses[usize::from(family == 6)]
}

/// Of its /24.
fn broadcast(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 255])
        }
        IpAddr::V6(_) => ALL_NODES.into(),
    }
}

/// RFC 792 and RFC 4443 §4.1. The kernel computes the checksum of the latter.
fn echo_request(family: u8, from: usize, to: usize) -> Vec<u8> {
    let (from, to) = (from as u8, to as u8);
    let kind = if family == 4 { 8 } else { 128 };
    let mut message = vec![kind, 0, 0, 0, 0x56, from, 0, to];
    message.extend(MARK);
    if family == 4 {
        let words = message
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
        let sum: u32 = words.sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        let checksum = !(folded as u16);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    message
}

/// Who asked whom, if it is an answer.
fn echo_answer(family: u8, message: &[u8]) -> Option<(usize, usize)> {
    // Raw sockets of IPv4 see the IP header.
    let message = if family == 4 {
        message.get(20..)?
    } else {
        message
    };
    let kind = if family == 4 { 0 } else { 129 };
    let ours = message.len() == 12 && message.ends_with(&MARK);
    (ours && message[0] == kind).then(|| (usize::from(message[5]), usize::from(message[7])))
}

fn receive(socket: &Socket) -> Result<Option<Vec<u8>>> {
    let mut octets = vec![0; 256];
    match (&mut &*socket).read(&mut octets) {
        Ok(length) => {
            octets.truncate(length);
            Ok(Some(octets))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(family) => write!(f, "ping over IPv{family}"),
            Self::Broadcast(family) => write!(f, "broadcast over IPv{family}"),
            Self::Datagram => write!(f, "datagram to a known neighbour"),
        }
    }
}
