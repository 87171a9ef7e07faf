//! A DHCP server (RFC 2131) of seconds, that can be told to fail. Real ones lease for minutes at least.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use socket2::SockRef;

use crate::Place;

/// A server on `eth0` of a place. Ends when dropped.
#[derive(Debug)]
pub struct DhcpServer {
    script: Arc<Mutex<Script>>,
    stop: Arc<AtomicBool>,
}

/// A message from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// "Who has an address for me?"
    Discover,
    /// "I want this one", or "… still".
    Request,
    /// "Somebody else uses it."
    Decline,
    /// "I do not need it any more."
    Release,
}

#[derive(Debug)]
struct Script {
    server: Ipv4Addr,
    router: Ipv4Addr,
    /// Of the next client.
    next: Ipv4Addr,
    seconds: u32,
    silent: bool,
    refuses: bool,
    /// By hardware address and client identifier.
    leases: BTreeMap<Vec<u8>, Ipv4Addr>,
    heard: Vec<Said>,
}

/// What matters of a client's message.
struct Question<'m> {
    message: &'m [u8],
    said: Said,
    wanted: Option<Ipv4Addr>,
    who: Vec<u8>,
}

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// How often the thread looks whether it should end.
const GLANCE: Duration = Duration::from_millis(50);
/// Up to the options: RFC 2131 §2.
const FIXED: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];

// RFC 2132.
const SUBNET_MASK: u8 = 1;
const ROUTER: u8 = 3;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const SERVER: u8 = 54;
const T1: u8 = 58;
const T2: u8 = 59;
const CLIENT_ID: u8 = 61;
const END: u8 = 255;
const OFFER: u8 = 2;
const ACK: u8 = 5;
const NAK: u8 = 6;

impl DhcpServer {
    /// Starts a server that has an address of its own, and gives that one and those that follow, of a /24, for
    /// so many seconds. Clients are to renew after half of the time.
    ///
    /// # Errors
    /// If somebody has the port.
    pub fn start(
        place: &Place,
        server: Ipv4Addr,
        router: Ipv4Addr,
        first: Ipv4Addr,
        seconds: u32,
    ) -> Result<Self> {
        let socket = place.inside(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER_PORT))?;
            // Else "255.255.255.255" had no interface.
            SockRef::from(&socket).bind_device(Some(b"eth0"))?;
            Ok(socket)
        })?;
        socket.set_broadcast(true)?;
        socket.set_read_timeout(Some(GLANCE))?;
        let script = Arc::new(Mutex::new(Script {
            server,
            router,
            next: first,
            seconds,
            silent: false,
            refuses: false,
            leases: BTreeMap::new(),
            heard: Vec::new(),
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let (its_script, stopped) = (Arc::clone(&script), Arc::clone(&stop));
        thread::spawn(move || serve(&socket, &its_script, &stopped));
        Ok(Self { script, stop })
    }

    /// Hears from now on without answering, or answers again.
    pub fn set_silent(&self, silent: bool) {
        lock(&self.script).silent = silent;
    }

    /// Refuses all that is requested, and forgets what it gave; or gives again.
    pub fn set_refusing(&self, refuses: bool) {
        let mut script = lock(&self.script);
        script.refuses = refuses;
        script.leases.clear();
    }

    /// How often clients said something.
    #[must_use]
    pub fn count(&self, what: Said) -> usize {
        let script = lock(&self.script);
        script.heard.iter().filter(|said| **said == what).count()
    }
}

impl Drop for DhcpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Script {
    /// What is answered: kind and address.
    fn answer(&mut self, question: &Question<'_>) -> Option<(u8, Ipv4Addr)> {
        self.heard.push(question.said);
        if self.silent {
            return None;
        }
        match question.said {
            Said::Discover => {
                let next = self.next;
                let mut is_new = false;
                let given = *self.leases.entry(question.who.clone()).or_insert_with(|| {
                    is_new = true;
                    next
                });
                if is_new {
                    self.next = Ipv4Addr::from_bits(next.to_bits() + 1);
                }
                Some((OFFER, given))
            }
            Said::Request => match self.leases.get(&question.who) {
                Some(&given) if !self.refuses && question.wanted == Some(given) => {
                    Some((ACK, given))
                }
                _ => Some((NAK, Ipv4Addr::UNSPECIFIED)),
            },
            Said::Decline | Said::Release => {
                self.leases.remove(&question.who);
                None
            }
        }
    }

    /// Of RFC 2131 §2, in answer to a message.
    fn message(&self, question: &Question<'_>, kind: u8, given: Ipv4Addr) -> Vec<u8> {
        let mut message = question.message[..FIXED].to_vec();
        message[0] = 2;
        if kind == NAK {
            message[12..16].fill(0);
        }
        message[16..20].copy_from_slice(&given.octets());
        message.extend(MAGIC);
        message.extend([MESSAGE_TYPE, 1, kind]);
        let mut option = |code: u8, value: [u8; 4]| {
            message.extend([code, 4]);
            message.extend(value);
        };
        option(SERVER, self.server.octets());
        if kind != NAK {
            option(SUBNET_MASK, [255, 255, 255, 0]);
            option(ROUTER, self.router.octets());
            option(LEASE_TIME, self.seconds.to_be_bytes());
            option(T1, (self.seconds / 2).to_be_bytes());
            option(T2, (self.seconds * 3 / 4).to_be_bytes());
        }
        message.push(END);
        message
    }
}

impl<'m> Question<'m> {
    fn read(message: &'m [u8]) -> Option<Self> {
        let options = message.get(FIXED..)?.strip_prefix(&MAGIC)?;
        let said = match option(options, MESSAGE_TYPE)?.first()? {
            1 => Said::Discover,
            3 => Said::Request,
            4 => Said::Decline,
            7 => Said::Release,
            _ => return None,
        };
        let requested = option(options, REQUESTED_ADDRESS).unwrap_or(&message[12..16]);
        let requested: Option<[u8; 4]> = requested.try_into().ok();
        let identifier = option(options, CLIENT_ID).unwrap_or_default();
        Some(Self {
            message,
            said,
            wanted: requested.map(Ipv4Addr::from),
            who: [&message[28..34], identifier].concat(),
        })
    }

    fn current_address(&self) -> Ipv4Addr {
        let octets: Option<[u8; 4]> = self.message[12..16].try_into().ok();
        octets.map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from)
    }
}

fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        match options {
            [0, rest @ ..] => options = rest,
            [END, ..] | [] | [_] => return None,
            [code, length, rest @ ..] => {
                let (value, after) = rest.split_at_checked(usize::from(*length))?;
                if *code == wanted {
                    return Some(value);
                }
                options = after;
            }
        }
    }
}

fn serve(socket: &UdpSocket, script: &Mutex<Script>, stop: &AtomicBool) {
    let mut buffer = [0; 1500];
    while !stop.load(Ordering::Relaxed) {
        let length = match socket.recv_from(&mut buffer) {
            Ok((length, _)) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            // An interface that is down for a while, say.
            Err(_) => {
                thread::sleep(GLANCE);
                continue;
            }
        };
        let Some(question) = Question::read(&buffer[..length]) else {
            continue;
        };
        let mut script = lock(script);
        let Some((kind, given)) = script.answer(&question) else {
            continue;
        };
        let current = question.current_address();
        // RFC 2131 §4.1; always by broadcast where a client has no address yet, and to refuse.
        let to = if current.is_unspecified() || kind == NAK {
            Ipv4Addr::BROADCAST
        } else {
            current
        };
        let answer = script.message(&question, kind, given);
        // Clients ask again.
        let _ = socket.send_to(&answer, SocketAddr::from((to, CLIENT_PORT)));
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}
