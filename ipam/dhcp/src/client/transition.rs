//! What a client does when its time has come, or an answer has.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::DhcpMessageType;
use vswitch_packet::Moment;

use super::{Client, Event, Loss, Outgoing, Phase};
use crate::chance::Chance;
use crate::lease::Lease;
use crate::message::{Answer, Question};

/// How often a server is asked for what it has offered (an example of RFC 2131 §3.1 (5)).
const REQUESTS: u32 = 4;

/// RFC 2131 §4.4.5: between requests for more time.
const SHORTEST_WAIT: Duration = Duration::from_secs(60);

/// The most that a renewal is early, so that who began together does not renew together (RFC 2131 §4.4.5).
const RENEWAL_JITTER: Duration = Duration::from_secs(60);

/// One question, which may be sent several times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// Tells its answers.
    pub(super) xid: u32,
    /// When the client began to ask, whatever it was.
    began: Moment,
    /// `secs` of the message that was sent last.
    secs: u16,
    /// When this was asked first.
    pub(super) asked: Moment,
    /// How often it was sent.
    sent: u32,
    /// When it is sent again, or something else is tried.
    pub(super) next: Moment,
}

impl Exchange {
    const fn new(xid: u32, now: Moment) -> Self {
        Self {
            xid,
            began: now,
            secs: 0,
            asked: now,
            sent: 0,
            next: now,
        }
    }

    pub(super) const fn is_sent(&self) -> bool {
        self.sent > 0
    }

    fn sent(&mut self, now: Moment, wait: Duration) {
        self.sent = self.sent.saturating_add(1);
        self.next = now + wait;
    }

    fn seconds(&self, now: Moment) -> u16 {
        u16::try_from(now.since(self.began).as_secs()).unwrap_or(u16::MAX)
    }
}

impl Client {
    pub(super) const fn xid(&mut self) -> u32 {
        self.chance.number() as u32
    }

    pub(super) const fn question(&self, kind: DhcpMessageType, xid: u32) -> Question<'_> {
        Question {
            kind,
            identity: &self.identity,
            xid,
            secs: 0,
            in_use: None,
            wanted: None,
            server: None,
        }
    }

    /// Does what the phase is about, as its deadline has come.
    pub(super) fn advance(&mut self, now: Moment) -> Option<Outgoing> {
        match std::mem::replace(&mut self.phase, Phase::Released) {
            Phase::Init { .. } => Some(self.discover_anew(now)),
            Phase::Selecting(exchange) => Some(self.discover(exchange, now)),
            Phase::Requesting { exchange, .. } if exchange.sent == REQUESTS => {
                Some(self.discover_anew(now))
            }
            Phase::Requesting { offer, exchange } => Some(self.request(offer, exchange, now)),
            Phase::Rebooting {
                lease,
                exchange: None,
            } => Some(self.reboot(lease, now)),
            // RFC 2131 §3.2 (4) would have it ask again, but a server that does not know the lease is silent
            // as well (§4.3.2), and answers a DHCPDISCOVER that names the address.
            Phase::Rebooting { lease, .. } => {
                self.wanted = Some(lease.address);
                Some(self.discover_anew(now))
            }
            Phase::Bound { lease, .. } => {
                let exchange = Exchange::new(0, now);
                self.extend(lease, exchange, now)
            }
            Phase::Renewing { lease, exchange } | Phase::Rebinding { lease, exchange } => {
                self.extend(lease, exchange, now)
            }
            Phase::Released => None,
        }
    }

    fn discover_anew(&mut self, now: Moment) -> Outgoing {
        let exchange = Exchange::new(self.xid(), now);
        self.discover(exchange, now)
    }

    fn discover(&mut self, mut exchange: Exchange, now: Moment) -> Outgoing {
        exchange.secs = exchange.seconds(now);
        exchange.sent(now, backoff(exchange.sent, &mut self.chance));
        self.phase = Phase::Selecting(exchange);
        broadcast(&Question {
            secs: exchange.secs,
            wanted: self.wanted,
            ..self.question(DhcpMessageType::Discover, exchange.xid)
        })
    }

    /// Chooses the first offer that makes sense: there is nothing to prefer another one for.
    pub(super) fn choose(&mut self, answer: &Answer, mut exchange: Exchange, now: Moment) {
        if let Some(offer) = answer.lease(now) {
            (exchange.sent, exchange.next) = (0, now);
            self.phase = Phase::Requesting { offer, exchange };
        }
    }

    /// With `secs` of the DHCPDISCOVER, so that a relay agent sends it the same way (RFC 2131 §3.1 (3)).
    fn request(&mut self, offer: Lease, mut exchange: Exchange, now: Moment) -> Outgoing {
        if exchange.sent == 0 {
            exchange.asked = now;
        }
        exchange.sent(now, backoff(exchange.sent, &mut self.chance));
        let (wanted, server) = (Some(offer.address), Some(offer.server));
        self.phase = Phase::Requesting { offer, exchange };
        broadcast(&Question {
            secs: exchange.secs,
            wanted,
            server,
            ..self.question(DhcpMessageType::Request, exchange.xid)
        })
    }

    fn reboot(&mut self, lease: Lease, now: Moment) -> Outgoing {
        let mut exchange = Exchange::new(self.xid(), now);
        exchange.sent(now, backoff(0, &mut self.chance));
        let wanted = Some(lease.address);
        self.phase = Phase::Rebooting {
            lease,
            exchange: Some(exchange),
        };
        broadcast(&Question {
            wanted,
            ..self.question(DhcpMessageType::Request, exchange.xid)
        })
    }

    /// Asks for more time: its server, or after T2 all. Each time under a new number, as the time that an answer
    /// gives counts from its own question.
    fn extend(&mut self, lease: Lease, mut exchange: Exchange, now: Moment) -> Option<Outgoing> {
        let (Some(rebinds), Some(expires)) = (lease.rebinds(), lease.expires()) else {
            self.bind(lease);
            return None;
        };
        let rebinding = now >= rebinds;
        let until = if rebinding { expires } else { rebinds };
        exchange.xid = self.xid();
        exchange.asked = now;
        exchange.secs = exchange.seconds(now);
        exchange.sent(now, (until.since(now) / 2).max(SHORTEST_WAIT));
        let question = Question {
            secs: exchange.secs,
            in_use: Some(lease.address),
            ..self.question(DhcpMessageType::Request, exchange.xid)
        };
        let destination = if rebinding {
            Ipv4Addr::BROADCAST
        } else {
            lease.server
        };
        let outgoing = Outgoing {
            payload: question.write(),
            source: lease.address,
            destination,
        };
        self.phase = if rebinding {
            Phase::Rebinding { lease, exchange }
        } else {
            Phase::Renewing { lease, exchange }
        };
        Some(outgoing)
    }

    pub(super) fn confirmed(&mut self, lease: Lease) -> Event {
        let renewed = self.lease().is_some();
        self.refusals = 0;
        self.bind(lease.clone());
        if renewed {
            self.declines = 0;
            Event::Renewed(lease)
        } else {
            Event::Bound(lease)
        }
    }

    pub(super) fn bind(&mut self, lease: Lease) {
        let jitter = (Duration::from_secs(lease.renew_after.into()) / 16).min(RENEWAL_JITTER);
        let early = self.chance.up_to(jitter);
        let renew_at = lease
            .renews()
            .map(|at| Moment::ORIGIN + at.since(Moment::ORIGIN + early));
        self.phase = Phase::Bound { lease, renew_at };
    }

    /// Begins anew: at once after the first time, and then ever more slowly, as server and client may go round
    /// in a loop.
    pub(super) fn refused(&mut self, now: Moment) -> Option<Event> {
        let had = self.lease().is_some();
        let pause = match self.refusals {
            0 => Duration::ZERO,
            refusals => backoff(refusals - 1, &mut self.chance),
        };
        self.refusals = self.refusals.saturating_add(1);
        self.wanted = None;
        self.phase = Phase::Init { at: now + pause };
        had.then_some(Event::Lost(Loss::Refused))
    }

    /// Begins anew if the lease's time is over.
    pub(super) fn expire(&mut self, now: Moment) -> Option<Event> {
        let lease = self.lease()?;
        lease.expires().filter(|&expires| now >= expires)?;
        self.wanted = Some(lease.address);
        self.phase = Phase::Init { at: now };
        Some(Event::Lost(Loss::Expired))
    }
}

/// To all servers, from nobody.
pub(super) fn broadcast(question: &Question<'_>) -> Outgoing {
    Outgoing {
        payload: question.write(),
        source: Ipv4Addr::UNSPECIFIED,
        destination: Ipv4Addr::BROADCAST,
    }
}

pub(super) fn earliest(one: Moment, other: Option<Moment>) -> Option<Moment> {
    Some(other.map_or(one, |other| one.min(other)))
}

/// How long to wait after the message that follows `sent` others: 4, 8, 16, 32, then 64 seconds, each a second
/// more or less (RFC 2131 §4.1).
fn backoff(sent: u32, chance: &mut Chance) -> Duration {
    let seconds = 4 << sent.min(4);
    Duration::from_secs(seconds - 1) + chance.up_to(Duration::from_secs(2))
}
