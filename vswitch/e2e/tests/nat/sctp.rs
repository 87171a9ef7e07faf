//! SCTP by port (RFC 9260), with packets made here: not every kernel speaks it.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use rustix::net::{RecvFlags, recvfrom};
use socket2::{Domain, Protocol, Socket, Type};
use vswitch_e2e::Place;

use crate::fixture::{A, B, Lab, PATIENCE, at, inside};

/// Hears and speaks SCTP at one place, without a kernel's help or hindrance.
struct Station(Socket);

/// A packet that arrived: its sender, its ports, and its chunks.
#[derive(Debug)]
struct Arrived {
    from: IpAddr,
    ports: [u16; 2],
    chunks: Vec<u8>,
}

/// The checksum's place (RFC 9260 §3.1).
const CHECKSUM: std::ops::Range<usize> = 8..12;
const HEADER: usize = 12;

/// INIT, and the answer to it (RFC 9260 §3.3.2 and §3.3.3), as far as a translator looks.
const INIT: [u8; 20] = chunk(1);
const INIT_ACK: [u8; 20] = chunk(2);

const fn chunk(kind: u8) -> [u8; 20] {
    [
        kind, 0, 0, 20, 0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1,
    ]
}

impl Station {
    fn new(place: &Place, family: u8) -> Result<Self> {
        let domain = if family == 4 {
            Domain::IPV4
        } else {
            Domain::IPV6
        };
        place.inside(|| {
            let socket = Socket::new(domain, Type::RAW, Some(Protocol::SCTP))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(Self(socket))
        })
    }

    /// Sends chunks from a port.
    fn send(&self, from: u16, to: SocketAddr, tag: u32, chunks: &[u8]) -> Result<()> {
        let mut packet = Vec::new();
        packet.extend(from.to_be_bytes());
        packet.extend(to.port().to_be_bytes());
        packet.extend(tag.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(chunks);
        let checksum = crc32c::crc32c(&packet).to_le_bytes();
        packet[CHECKSUM].copy_from_slice(&checksum);
        self.0
            .send_to(&packet, &SocketAddr::new(to.ip(), 0).into())?;
        Ok(())
    }

    /// The next packet, whose checksum must be right.
    fn receive(&self) -> Result<Arrived> {
        let mut octets = [0; 2048];
        let (length, _, sender) = recvfrom(&self.0, &mut octets, RecvFlags::empty())?;
        let sender: SocketAddr = sender.context("no sender")?.try_into()?;
        let from = sender.ip();
        // Only the header of IPv4 comes with it.
        let start = if from.is_ipv4() {
            usize::from(octets[0] & 0xf) * 4
        } else {
            0
        };
        let mut packet = octets[start..length].to_vec();
        let checksum: [u8; 4] = packet[CHECKSUM].try_into()?;
        packet[CHECKSUM].fill(0);
        let computed = crc32c::crc32c(&packet);
        ensure!(u32::from_le_bytes(checksum) == computed, "a wrong checksum");
        let port = |place: usize| u16::from_be_bytes([packet[place], packet[place + 1]]);
        Ok(Arrived {
            from,
            ports: [port(0), port(2)],
            chunks: packet[HEADER..].to_vec(),
        })
    }
}

#[test]
fn associations_go_out() -> Result<()> {
    let lab = Lab::new()?;
    for family in [4, 6] {
        let outside = Station::new(lab.outside(), family)?;
        let to = at(lab.outside.address(family), 3868);
        let host = lab.outside.host_address(family);
        let mut seen = Vec::new();
        for (place, last) in [(lab.a(), A), (lab.b(), B)] {
            let station = Station::new(&place, family)?;
            station.send(5000, to, 0, &INIT)?;
            let arrived = outside.receive()?;
            assert_eq!((arrived.from, arrived.ports[1]), (host, 3868));
            assert_eq!(arrived.chunks, INIT);
            outside.send(3868, at(host, arrived.ports[0]), 7, &INIT_ACK)?;
            let answer = station.receive()?;
            assert_eq!((answer.from, answer.ports), (to.ip(), [3868, 5000]));
            assert_eq!(answer.chunks, INIT_ACK);
            let own = at(inside(family, last), 5000).to_string();
            let sessions = lab.sessions("--protocol sctp")?;
            assert!(sessions.iter().any(|row| row["inside"] == own.as_str()));
            seen.push(arrived.ports[0]);
        }
        // Kept for the first, and another one for the second, with the checksum that belongs to it.
        assert_eq!(seen[0], 5000);
        assert_ne!(seen[1], 5000);
    }
    Ok(())
}

#[test]
fn associations_come_in_by_a_published_port() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 3868:38680/sctp")?;
    for family in [4, 6] {
        let (outside, server) = (
            Station::new(lab.outside(), family)?,
            Station::new(&lab.a(), family)?,
        );
        let host = at(lab.outside.host_address(family), 3868);
        outside.send(6000, host, 0, &INIT)?;
        let arrived = server.receive()?;
        assert_eq!(arrived.from, lab.outside.address(family));
        assert_eq!(arrived.ports, [6000, 38680]);
        server.send(38680, at(arrived.from, 6000), 7, &INIT_ACK)?;
        let answer = outside.receive()?;
        assert_eq!((answer.from, answer.ports), (host.ip(), [3868, 6000]));
        assert_eq!(answer.chunks, INIT_ACK);
    }
    Ok(())
}
