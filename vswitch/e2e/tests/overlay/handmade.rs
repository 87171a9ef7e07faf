//! A host that speaks VXLAN by hand.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socket2::SockRef;
use vswitch_e2e::{Host, Underlay};

use crate::fixture::PATIENCE;

/// A host without a switch, and its socket.
pub(crate) struct Handmade {
    _host: Host,
    socket: UdpSocket,
    /// Of its address in the underlay.
    pub(crate) address: IpAddr,
}

const PORT: u16 = 4789;

impl Handmade {
    pub(crate) fn new(underlay: &Underlay, number: u8) -> Result<Self> {
        let host = Host::new()?;
        underlay.plug(&host, number)?;
        let address = underlay.address(4, number);
        let socket = host
            .place()
            .inside(|| Ok(UdpSocket::bind((address, PORT))?))?;
        Ok(Self {
            _host: host,
            socket,
            address,
        })
    }

    /// Sends a frame of a segment.
    pub(crate) fn send(&self, to: IpAddr, vni: u32, frame: &[u8]) -> Result<()> {
        self.send_datagram(to, &datagram(vni, frame))
    }

    pub(crate) fn send_datagram(&self, to: IpAddr, datagram: &[u8]) -> Result<()> {
        self.socket.send_to(datagram, (to, PORT))?;
        Ok(())
    }

    /// With these DSCP and ECN bits in the outer header from now on.
    pub(crate) fn mark(&self, tos: u8) -> Result<()> {
        SockRef::from(&self.socket).set_tos_v4(tos.into())?;
        Ok(())
    }

    /// Waits for a frame that begins with these octets.
    pub(crate) fn wait_for(&self, begin: &[u8]) -> Result<()> {
        self.hear_until(begin).map(drop)
    }

    /// Waits for a frame that begins with these octets, and returns all that came before it.
    pub(crate) fn hear_until(&self, begin: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.socket
            .set_read_timeout(Some(Duration::from_millis(100)))?;
        let start = Instant::now();
        let mut heard = Vec::new();
        let mut room = vec![0; 65536];
        while start.elapsed() < PATIENCE {
            let Ok((length, _)) = self.socket.recv_from(&mut room) else {
                continue;
            };
            let frame = room.get(8..length).unwrap_or_default();
            if frame.starts_with(begin) {
                return Ok(heard);
            }
            heard.push(frame.to_vec());
        }
        bail!("{} hears nothing that begins {begin:02x?}", self.address)
    }
}

/// RFC 7348 section 5.
pub(crate) fn datagram(vni: u32, frame: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x08, 0, 0, 0];
    datagram.extend((vni << 8).to_be_bytes());
    datagram.extend(frame);
    datagram
}
