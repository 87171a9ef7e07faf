//! The far end: counts and acknowledges.

use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context, Result};
use nix::sys::socket::{setsockopt, sockopt};

use super::{Acknowledgement, DATAGRAM, number};
use crate::stdout;

/// The most that `UDP_GRO` joins, and more.
const READ: usize = 1 << 16;
/// What is asked for; `net.core.rmem_max` may grant less.
const BUFFER: usize = 4 << 20;

/// Acknowledges the datagrams of one sender after the other until the process is killed.
///
/// # Errors
/// If the address cannot be used, or the kernel knows no `UDP_GRO` (before Linux 5.0).
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind(address).with_context(|| format!("listen at {address}"))?;
    stdout::ready();
    answer(&socket)
}

pub(super) fn answer(socket: &UdpSocket) -> Result<()> {
    setsockopt(socket, sockopt::UdpGroSegment, &true).context("ask for UDP_GRO")?;
    setsockopt(socket, sockopt::RcvBuf, &BUFFER).context("ask for a buffer")?;
    let mut read = vec![0; READ];
    let mut sender = None;
    let mut so_far = Acknowledgement {
        arrived: 0,
        next: 0,
    };
    loop {
        let (length, from) = socket.recv_from(&mut read).context("read datagrams")?;
        if sender != Some(from) {
            sender = Some(from);
            so_far = Acknowledgement {
                arrived: 0,
                next: 0,
            };
        }
        // The kernel joins datagrams of one length, and all of ours have the same.
        for datagram in read[..length].chunks_exact(DATAGRAM) {
            let next = number(datagram).map_or(0, |number| number.saturating_add(1));
            so_far.arrived += 1;
            so_far.next = so_far.next.max(next);
        }
        // An acknowledgement may be lost as any datagram; the next one says it again.
        let _ = socket.send_to(&so_far.write(), from);
    }
}
