//! Servers that tell their clients who they seem to be, and clients that ask.

use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::Place;

/// What is spoken with an [`Echo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A server on a port, of TCP and UDP. It tells each client the address that it sees, and sends back
/// whatever it hears. Ends when dropped.
#[derive(Debug)]
pub struct Echo {
    stop: Arc<AtomicBool>,
}

/// An open TCP connection to an [`Echo`].
#[derive(Debug)]
pub struct Conversation {
    stream: BufReader<TcpStream>,
    seen: SocketAddr,
    said: u64,
    heard: u64,
    /// The beginning of the next line.
    begun: String,
}

/// How often servers look whether they should end.
const GLANCE: Duration = Duration::from_millis(50);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a datagram is sent again.
const AGAIN: Duration = Duration::from_secs(1);
/// For those whom no answer is expected for: everything here is close by.
const LITTLE_PATIENCE: Duration = Duration::from_millis(1200);
/// More than the largest datagram.
const DATAGRAM: usize = 65536;

impl Echo {
    /// Starts a server on a port of all addresses.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start(place: &Place, port: u16) -> Result<Self> {
        // Linux' wildcard of IPv6 serves both families.
        Self::at(place, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
    }

    /// Starts a server on a port of one address.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn at(place: &Place, address: SocketAddr) -> Result<Self> {
        let (listener, datagrams) = place.inside(|| {
            let listener =
                TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
            let datagrams =
                UdpSocket::bind(address).with_context(|| format!("serve UDP on {address}"))?;
            Ok((listener, datagrams))
        })?;
        listener.set_nonblocking(true)?;
        datagrams.set_read_timeout(Some(GLANCE))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || accept(&listener, &stopped));
        let stopped = Arc::clone(&stop);
        thread::spawn(move || answer_datagrams(&datagrams, &stopped));
        Ok(Self { stop })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Asks an [`Echo`] who asks: the source address and port that it sees.
///
/// # Errors
/// If it does not answer.
pub fn ask(place: &Place, transport: Transport, to: SocketAddr) -> Result<SocketAddr> {
    ask_from(place, transport, any_port(to), to)
}

/// [`ask`], from an address and port of one's own, either of which may be left to the kernel.
///
/// # Errors
/// If it does not answer.
pub fn ask_from(
    place: &Place,
    transport: Transport,
    from: SocketAddr,
    to: SocketAddr,
) -> Result<SocketAddr> {
    match transport {
        Transport::Tcp => Ok(Conversation::start_from(place, from, to)?.seen()),
        Transport::Udp => ask_with(place, from, to, b"hello", PATIENCE),
    }
    .with_context(|| format!("ask {transport} {to}"))
}

/// Sends a datagram of so many octets to an [`Echo`], and compares what comes back with it.
///
/// # Errors
/// If it does not come back, or not as it was.
pub fn ask_large(place: &Place, to: SocketAddr, octets: usize) -> Result<SocketAddr> {
    let payload: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
    ask_with(place, any_port(to), to, &payload, PATIENCE)
}

/// Whether an [`Echo`] can be asked; "no" takes a second.
///
/// # Errors
/// If the question cannot be asked at all, for a reason of the harness.
pub fn reaches(place: &Place, transport: Transport, to: SocketAddr) -> Result<bool> {
    place.inside(|| {
        Ok(match transport {
            Transport::Tcp => TcpStream::connect_timeout(&to, LITTLE_PATIENCE)
                .map_err(anyhow::Error::from)
                .and_then(Conversation::on)
                .is_ok(),
            Transport::Udp => UdpSocket::bind(any_port(to))
                .map_err(anyhow::Error::from)
                .and_then(|socket| exchange(&socket, to, b"hello", LITTLE_PATIENCE))
                .is_ok(),
        })
    })
}

impl Conversation {
    /// Connects.
    ///
    /// # Errors
    /// If there is no such server, or it cannot be reached.
    pub fn start(place: &Place, to: SocketAddr) -> Result<Self> {
        Self::start_from(place, any_port(to), to)
    }

    /// Connects from an address and port.
    ///
    /// # Errors
    /// If there is no such server, or it cannot be reached.
    pub fn start_from(place: &Place, from: SocketAddr, to: SocketAddr) -> Result<Self> {
        place.inside(|| {
            let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
            // A port whose last connection waits in TIME_WAIT may be used again.
            socket.set_reuse_address(true)?;
            socket.bind(&from.into())?;
            socket
                .connect_timeout(&to.into(), PATIENCE)
                .with_context(|| format!("connect to {to}"))?;
            Self::on(socket.into())
        })
    }

    fn on(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        let mut seen = String::new();
        stream.read_line(&mut seen).context("no greeting")?;
        Ok(Self {
            stream,
            seen: seen.trim_end().parse().context("a strange greeting")?,
            said: 0,
            heard: 0,
            begun: String::new(),
        })
    }

    /// The client's address and port as the server sees them.
    #[must_use]
    pub fn seen(&self) -> SocketAddr {
        self.seen
    }

    /// The client's own address and port.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn local(&self) -> Result<SocketAddr> {
        Ok(self.stream.get_ref().local_addr()?)
    }

    /// Says something and waits for its echo, after those of what was said before and not answered yet.
    ///
    /// # Errors
    /// If the connection has ended, or is silent for `patience`.
    pub fn goes_on(&mut self, patience: Duration) -> Result<()> {
        self.said += 1;
        self.stream.get_ref().set_read_timeout(Some(patience))?;
        let line = format!("line {}\n", self.said);
        self.stream.get_mut().write_all(line.as_bytes())?;
        while self.heard < self.said {
            self.stream.read_line(&mut self.begun)?;
            self.heard += 1;
            let line = format!("line {}\n", self.heard);
            ensure!(self.begun == line, "not {line:?} but {:?}", self.begun);
            self.begun.clear();
        }
        Ok(())
    }

    /// Sends so many octets and compares what comes back with them.
    ///
    /// # Errors
    /// If the connection ends, is silent for 5 s, or something else comes back.
    pub fn exchange(&mut self, octets: usize) -> Result<()> {
        let sent: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
        let mut heard = vec![0; octets];
        self.stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        let mut sender = self.stream.get_ref().try_clone()?;
        thread::scope(|scope| {
            let sending = scope.spawn(|| sender.write_all(&sent));
            let received = self.stream.read_exact(&mut heard);
            if received.is_err() {
                // The sender may wait for room.
                let _ = self.stream.get_ref().shutdown(std::net::Shutdown::Both);
            }
            let sending = sending.join();
            received.context("nothing comes back")?;
            match sending {
                Ok(sent) => Ok(sent?),
                Err(_) => bail!("the sender panicked"),
            }
        })?;
        ensure!(heard == sent, "what came back is not what was sent");
        Ok(())
    }
}

/// The family's wildcard and any port.
fn any_port(to: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn ask_with(
    place: &Place,
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
    patience: Duration,
) -> Result<SocketAddr> {
    place.inside(|| {
        let socket = UdpSocket::bind(from).with_context(|| format!("bind to {from}"))?;
        exchange(&socket, to, payload, patience)
    })
}

fn exchange(
    socket: &UdpSocket,
    to: SocketAddr,
    payload: &[u8],
    patience: Duration,
) -> Result<SocketAddr> {
    socket.connect(to)?;
    socket.set_read_timeout(Some(AGAIN.min(patience)))?;
    let start = Instant::now();
    let mut answer = vec![0; DATAGRAM];
    let length = loop {
        socket.send(payload)?;
        match socket.recv(&mut answer) {
            Err(error) if is_timeout(error.kind()) && start.elapsed() < patience => {}
            result => break result.with_context(|| format!("no answer from {to}"))?,
        }
    };
    let answer = answer.get(..length).unwrap_or_default();
    let end = answer.iter().position(|&octet| octet == b'\n');
    let (seen, echo) = answer.split_at(end.context("a strange answer")?);
    ensure!(echo.get(1..) == Some(payload), "something else came back");
    Ok(std::str::from_utf8(seen)?.parse()?)
}

fn accept(listener: &TcpListener, stop: &Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, peer)) => {
                let stop = Arc::clone(stop);
                // What goes wrong with a connection is the client's to notice.
                thread::spawn(move || answer_stream(stream, peer, &stop));
            }
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn answer_stream(
    mut stream: TcpStream,
    peer: SocketAddr,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GLANCE))?;
    writeln!(stream, "{}", canonical(peer))?;
    let mut heard = [0; DATAGRAM];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut heard) {
            Ok(0) => break,
            Ok(length) => stream.write_all(heard.get(..length).unwrap_or_default())?,
            Err(error) if is_timeout(error.kind()) => {}
            // A read with a time limit is interrupted when the whole process was stopped and goes on (signal(7)).
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn answer_datagrams(socket: &UdpSocket, stop: &AtomicBool) {
    let mut heard = [0; DATAGRAM];
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, peer)) = socket.recv_from(&mut heard) {
            let mut answer = format!("{}\n", canonical(peer)).into_bytes();
            answer.extend(heard.get(..length).unwrap_or_default());
            // Errors are those of earlier answers, told by ICMP.
            let _ = socket.send_to(&answer, peer);
        }
    }
}

/// The IPv4 address of a client of a socket of both families.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}
