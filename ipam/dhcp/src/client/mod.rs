//! A DHCPv4 client (RFC 2131 §4.4) as a state machine.

mod transition;

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::DhcpMessageType;
use vswitch_packet::Moment;

use crate::chance::Chance;
use crate::identity::Identity;
use crate::lease::Lease;
use crate::message::{Answer, AnswerKind, Question};
use transition::{Exchange, broadcast, earliest};

/// RFC 2131 §3.1 (5): after an address was declined, lest client and server go round in a loop.
const PAUSE_AFTER_DECLINE: Duration = Duration::from_secs(10);

/// So often there is no pause, as somebody waits for the address.
const DECLINES_WITHOUT_PAUSE: u32 = 3;

/// Gets an address from a server and keeps it.
///
/// Call [`Client::poll`] until it has nothing more, then wait for a message or for [`Client::deadline`].
/// It asks until it is dropped or [released](Client::release).
#[derive(Clone, Debug)]
pub struct Client {
    identity: Identity,
    phase: Phase,
    chance: Chance,
    /// The address to ask for, if the server has nothing against it.
    wanted: Option<Ipv4Addr>,
    /// A message that goes out before anything else.
    pending: Option<Outgoing>,
    /// Since the last renewal.
    declines: u32,
    /// Since the last lease.
    refusals: u32,
}

/// What a client has to do; the figure of RFC 2131 §4.4.
#[derive(Clone, Debug)]
enum Phase {
    Init {
        at: Moment,
    },
    Selecting(Exchange),
    Requesting {
        offer: Lease,
        exchange: Exchange,
    },
    /// INIT-REBOOT, and REBOOTING once the request is out.
    Rebooting {
        lease: Lease,
        exchange: Option<Exchange>,
    },
    Bound {
        lease: Lease,
        renew_at: Option<Moment>,
    },
    Renewing {
        lease: Lease,
        exchange: Exchange,
    },
    Rebinding {
        lease: Lease,
        exchange: Exchange,
    },
    Released,
}

/// The states of RFC 2131 §4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// About to look for servers.
    Init,
    /// Looking for servers.
    Selecting,
    /// One has made an offer, and was asked for it.
    Requesting,
    /// INIT-REBOOT and REBOOTING: asking for an address that it had.
    Rebooting,
    /// It has an address.
    Bound,
    /// The same, and its server is asked for more time.
    Renewing,
    /// The same, and all servers are asked for more time.
    Rebinding,
    /// The address was given back; nothing is asked for any more.
    Released,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A message to be sent.
    Send(Outgoing),
    /// Something happened.
    Event(Event),
}

/// A message to servers: UDP from port 68 to port 67.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The UDP payload.
    pub payload: Vec<u8>,
    /// The IPv4 source, unspecified where there is no address yet.
    pub source: Ipv4Addr,
    /// A server, or the broadcast address.
    pub destination: Ipv4Addr,
}

/// What happened to the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is one; it may be another one than before. Whoever finds it in use [declines](Client::decline) it.
    Bound(Lease),
    /// It may be used for longer. What belongs to it, such as the router, may have changed.
    Renewed(Lease),
    /// It must not be used any more.
    Lost(Loss),
}

/// Why an address is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// No server renewed it in time.
    Expired,
    /// A server said that it is not to be used (DHCPNAK).
    Refused,
}

impl Client {
    /// One that has no address yet. `seed` is any number, another one for each client.
    ///
    /// It asks at once: the delay of RFC 2131 §4.4.1 is for whole sites that come back to power.
    #[must_use]
    pub const fn new(identity: Identity, seed: u64, now: Moment) -> Self {
        Self::in_phase(identity, seed, Phase::Init { at: now })
    }

    /// One that would like the address it had, whether or not its time is over (INIT-REBOOT).
    #[must_use]
    pub const fn resume(identity: Identity, lease: Lease, seed: u64) -> Self {
        let phase = Phase::Rebooting {
            lease,
            exchange: None,
        };
        Self::in_phase(identity, seed, phase)
    }

    /// One that has an address (BOUND).
    #[must_use]
    pub fn holding(identity: Identity, lease: Lease, seed: u64) -> Self {
        let mut client = Self::in_phase(identity, seed, Phase::Released);
        client.bind(lease);
        client
    }

    const fn in_phase(identity: Identity, seed: u64, phase: Phase) -> Self {
        Self {
            identity,
            phase,
            chance: Chance::new(seed),
            wanted: None,
            pending: None,
            declines: 0,
            refusals: 0,
        }
    }

    /// Which state it is in.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Init { .. } => State::Init,
            Phase::Selecting { .. } => State::Selecting,
            Phase::Requesting { .. } => State::Requesting,
            Phase::Rebooting { .. } => State::Rebooting,
            Phase::Bound { .. } => State::Bound,
            Phase::Renewing { .. } => State::Renewing,
            Phase::Rebinding { .. } => State::Rebinding,
            Phase::Released => State::Released,
        }
    }

    /// Who asks.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The address that may be used.
    #[must_use]
    pub const fn lease(&self) -> Option<&Lease> {
        match &self.phase {
            Phase::Bound { lease, .. }
            | Phase::Renewing { lease, .. }
            | Phase::Rebinding { lease, .. } => Some(lease),
            _ => None,
        }
    }

    /// What a server has offered and not confirmed yet.
    #[must_use]
    pub const fn offer(&self) -> Option<&Lease> {
        match &self.phase {
            Phase::Requesting { offer, .. } => Some(offer),
            _ => None,
        }
    }

    /// What is to be done now, if anything.
    #[must_use]
    pub fn poll(&mut self, now: Moment) -> Option<Output> {
        if let Some(outgoing) = self.pending.take() {
            return Some(Output::Send(outgoing));
        }
        if let Some(event) = self.expire(now) {
            return Some(Output::Event(event));
        }
        let due = self.deadline().is_some_and(|deadline| now >= deadline);
        due.then(|| self.advance(now)).flatten().map(Output::Send)
    }

    /// When to call [`Client::poll`] again; `None` if there will be nothing to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        if self.pending.is_some() {
            return Some(Moment::ORIGIN);
        }
        match &self.phase {
            Phase::Init { at } => Some(*at),
            Phase::Selecting(exchange) | Phase::Requesting { exchange, .. } => Some(exchange.next),
            Phase::Rebooting { exchange, .. } => {
                Some(exchange.map_or(Moment::ORIGIN, |exchange| exchange.next))
            }
            Phase::Bound { renew_at, .. } => *renew_at,
            Phase::Renewing { exchange, lease } => earliest(exchange.next, lease.rebinds()),
            Phase::Rebinding { exchange, lease } => earliest(exchange.next, lease.expires()),
            Phase::Released => None,
        }
    }

    /// Takes a UDP payload that came to port 68. What is malformed, for others, or no answer to what was
    /// asked, changes nothing.
    #[must_use]
    pub fn receive(&mut self, payload: &[u8], now: Moment) -> Option<Event> {
        if let Some(event) = self.expire(now) {
            return Some(event);
        }
        let answer = Answer::read(payload, &self.identity)?;
        // Whose answer counts, and about which address. The one that was chosen alone may confirm or
        // refuse (RFC 2131 §3.1 (4)); where all were asked, any may.
        let (exchange, address, server) = match &self.phase {
            Phase::Selecting(exchange) => {
                if answer.xid == exchange.xid && answer.kind == AnswerKind::Offer {
                    self.choose(&answer, *exchange, now);
                }
                return None;
            }
            Phase::Requesting { offer, exchange } if exchange.is_sent() => {
                (exchange, offer.address, Some(offer.server))
            }
            Phase::Renewing { lease, exchange } => (exchange, lease.address, Some(lease.server)),
            Phase::Rebinding { lease, exchange }
            | Phase::Rebooting {
                lease,
                exchange: Some(exchange),
            } => (exchange, lease.address, None),
            _ => return None,
        };
        if answer.xid != exchange.xid || server.is_some_and(|server| server != answer.server) {
            return None;
        }
        match answer.kind {
            AnswerKind::Ack => {
                let lease = answer.lease(exchange.asked)?;
                (lease.address == address).then(|| self.confirmed(lease))
            }
            AnswerKind::Nak => self.refused(now),
            AnswerKind::Offer => None,
        }
    }

    /// Refuses the address, as somebody else uses it, and looks for another one. The server is told by the next
    /// [`Client::poll`].
    pub fn decline(&mut self, now: Moment) {
        let xid = self.xid();
        let Some(lease) = self.lease() else {
            return;
        };
        let question = Question {
            wanted: Some(lease.address),
            server: Some(lease.server),
            ..self.question(DhcpMessageType::Decline, xid)
        };
        self.pending = Some(broadcast(&question));
        let pause = if self.declines < DECLINES_WITHOUT_PAUSE {
            Duration::ZERO
        } else {
            PAUSE_AFTER_DECLINE
        };
        self.declines = self.declines.saturating_add(1);
        self.wanted = None;
        self.phase = Phase::Init { at: now + pause };
    }

    /// Gives the address back, and stops. The message, if there is an address, is sent once: nobody answers it.
    #[must_use]
    pub fn release(&mut self) -> Option<Outgoing> {
        let xid = self.xid();
        let outgoing = self.lease().map(|lease| {
            let question = Question {
                in_use: Some(lease.address),
                server: Some(lease.server),
                ..self.question(DhcpMessageType::Release, xid)
            };
            Outgoing {
                payload: question.write(),
                source: lease.address,
                destination: lease.server,
            }
        });
        self.pending = None;
        self.phase = Phase::Released;
        outgoing
    }
}
