//! Whether addresses are in use already: RFC 5227 for IPv4, duplicate address detection (RFC 4862 §5.4) for IPv6.

use std::net::IpAddr;
use std::time::Duration;

use vswitch_packet::{MacAddr, Moment};

use crate::chance::Chance;
use crate::neighbour::{self, question};
use crate::rounds::Rounds;

/// RFC 5227 §1.1 has as many; its seconds between them are too long for who waits for a container.
const PROBES: u32 = 3;
const GAP: Duration = Duration::from_millis(100);
/// How much longer it may be, so that two who began together do not stay so.
const JITTER: Duration = Duration::from_millis(20);
/// After the last probe.
const LISTEN: Duration = Duration::from_millis(150);

/// Probes addresses before they are used.
#[derive(Clone, Debug)]
pub struct Check {
    mac: MacAddr,
    addresses: Vec<IpAddr>,
    /// Which of them is next in this round.
    next: usize,
    rounds: Rounds,
    chance: Chance,
}

/// Somebody else has the address, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// One of the addresses that were to be used.
    pub address: IpAddr,
    /// Who has it.
    pub holder: MacAddr,
}

impl Check {
    /// For one who sends from `mac`; `seed` is any number.
    #[must_use]
    pub fn new(mac: MacAddr, addresses: &[IpAddr], seed: u64, now: Moment) -> Self {
        let probes = if addresses.is_empty() { 0 } else { PROBES };
        Self {
            mac,
            addresses: addresses.to_vec(),
            next: 0,
            rounds: Rounds::new(probes, now),
            chance: Chance::new(seed),
        }
    }

    /// A frame to be sent now, without a tag. Call it until there is none.
    #[must_use]
    pub fn poll(&mut self, now: Moment) -> Option<Vec<u8>> {
        if !self.rounds.is_due(now) {
            return None;
        }
        let address = *self.addresses.get(self.next)?;
        self.next += 1;
        if self.next == self.addresses.len() {
            self.next = 0;
            let wait = if self.rounds.is_last() {
                LISTEN
            } else {
                GAP + self.chance.up_to(JITTER)
            };
            self.rounds.passed(now, wait);
        }
        Some(question(self.mac, None, address))
    }

    /// What an untagged frame from the wire means: anybody's word that it has one of the addresses, or its probe
    /// for one at the same time (RFC 5227 §2.1.1, RFC 4862 §5.4.3). Own frames that a switch reflects mean nothing.
    #[must_use]
    pub fn receive(&self, frame: &[u8]) -> Option<Conflict> {
        let heard = neighbour::read(frame)?;
        let own = [heard.station, heard.sender].contains(&self.mac);
        (!own && self.addresses.contains(&heard.address)).then_some(Conflict {
            address: heard.address,
            holder: heard.station,
        })
    }

    /// When to call [`Check::poll`] and [`Check::is_done`] again.
    #[must_use]
    pub const fn deadline(&self) -> Moment {
        self.rounds.deadline()
    }

    /// All was asked and nobody has answered in time: the addresses may be used.
    #[must_use]
    pub fn is_done(&self, now: Moment) -> bool {
        self.rounds.is_over(now)
    }
}
