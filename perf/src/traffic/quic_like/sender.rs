//! The near end: sends as fast as acknowledgements come back.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, Serialize};

use super::window::Window;
use super::{Acknowledgement, DATAGRAM};

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Goodput {
    /// Bits of UDP payload a second, after a while of warming up, as the receiver has acknowledged them.
    pub(crate) bits_per_second: f64,
    /// Datagrams that were sent, warm-up included.
    pub(crate) sent: u64,
    /// Datagrams that have arrived, warm-up included.
    pub(crate) arrived: u64,
}

/// Datagrams of one system call, 25 kB. Implementations choose from ten to as many as fit in 64 KiB.
const BATCH: usize = 20;
/// Slow start is over, and the processors are awake.
const WARM_UP: Duration = Duration::from_millis(400);
/// Without a word for so long, what is on its way is given up: `max_ack_delay` (RFC 9002 §6.2), beside which
/// round trips are nothing here.
const PATIENCE: Duration = Duration::from_millis(25);
/// As often may that happen one after the other, with nothing that has ever arrived.
const TRIES: u32 = 40;

/// Sends for a time.
///
/// # Errors
/// If nobody answers, or the kernel knows no `UDP_SEGMENT` (before Linux 4.18).
pub(crate) fn send(server: SocketAddr, time: Duration) -> Result<Goodput> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("make a socket")?;
    socket.connect(server)?;
    let segment = i32::try_from(DATAGRAM)?;
    setsockopt(&socket, sockopt::UdpGsoSegment, &segment).context("ask for UDP_SEGMENT")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut batch = vec![0x5a; BATCH * DATAGRAM];
    let mut window = Window::new();
    let start = Instant::now();
    // When and what: the first acknowledgement after the warm-up.
    let mut first = None;
    let mut heard = start;
    let mut silences = 0;
    while heard < start + WARM_UP + time {
        while fill(&mut batch, &mut window, &socket)? {}
        if hear(&socket, &mut window).with_context(|| format!("reach {server}"))? {
            silences = 0;
        } else {
            silences += 1;
            ensure!(silences < TRIES, "{server} has fallen silent");
            window.abandon();
        }
        heard = Instant::now();
        if first.is_none() && heard >= start + WARM_UP {
            first = Some((heard, window.arrived()));
        }
    }
    let (since, before) = first.context("the time was over before it began")?;
    let octets = (window.arrived() - before) * DATAGRAM as u64;
    let seconds = (heard - since).as_secs_f64();
    ensure!(seconds > 0.0, "nothing was acknowledged after the warm-up");
    Ok(Goodput {
        bits_per_second: bits(octets) / seconds,
        sent: window.next,
        arrived: window.arrived(),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "octets of a few minutes are far below 2^50"
)]
fn bits(octets: u64) -> f64 {
    octets as f64 * 8.0
}

/// Sends a batch, if the window has room for one.
fn fill(batch: &mut [u8], window: &mut Window, socket: &UdpSocket) -> Result<bool> {
    let count = usize::try_from(window.batch(BATCH as u64))?;
    if count == 0 {
        return Ok(false);
    }
    let datagrams = &mut batch[..count * DATAGRAM];
    for datagram in datagrams.chunks_exact_mut(DATAGRAM) {
        datagram[..8].copy_from_slice(&window.next.to_be_bytes());
        window.next += 1;
    }
    match socket.send(datagrams) {
        Ok(_) => Ok(true),
        // The queue of the interface is full: it is a loss, and is found to be one.
        Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => Ok(false),
        Err(error) => Err(error).context("send datagrams"),
    }
}

/// Takes an acknowledgement, waiting for it for a while; false if none came.
fn hear(socket: &UdpSocket, window: &mut Window) -> Result<bool> {
    // One octet more than there should be, for what is too long to be seen.
    let mut octets = [0; Acknowledgement::LENGTH + 1];
    match socket.recv(&mut octets) {
        Ok(length) => {
            let acknowledgement = Acknowledgement::read(&octets[..length]);
            window.acknowledge(acknowledgement.context("not an acknowledgement")?);
            Ok(true)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
