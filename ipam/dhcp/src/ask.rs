//! Whether an address answers: the gateway, or a server before it is sent to.

use std::net::IpAddr;
use std::time::Duration;

use vswitch_packet::{MacAddr, Moment};

use crate::neighbour::{self, Claim, question};
use crate::rounds::Rounds;

const QUESTIONS: u32 = 3;
/// Between questions, and after the last.
const GAP: Duration = Duration::from_millis(300);

/// Asks who has an address, by ARP or ND.
#[derive(Clone, Debug)]
pub struct Ask {
    mac: MacAddr,
    source: Option<IpAddr>,
    target: IpAddr,
    rounds: Rounds,
}

impl Ask {
    /// For one who sends from `mac`, and has the address `source`. Without one of `target`'s family, it
    /// asks as if it was about to use `target` itself, which is answered as well.
    #[must_use]
    pub const fn new(mac: MacAddr, source: Option<IpAddr>, target: IpAddr, now: Moment) -> Self {
        Self {
            mac,
            source,
            target,
            rounds: Rounds::new(QUESTIONS, now),
        }
    }

    /// A frame to be sent now, without a tag. Call it until there is none.
    #[must_use]
    pub fn poll(&mut self, now: Moment) -> Option<Vec<u8>> {
        if !self.rounds.is_due(now) {
            return None;
        }
        self.rounds.passed(now, GAP);
        Some(question(self.mac, self.source, self.target))
    }

    /// Who has the address, if an untagged frame from the wire says it.
    #[must_use]
    pub fn receive(&self, frame: &[u8]) -> Option<MacAddr> {
        let heard = neighbour::read(frame)?;
        let is_answer = heard.claim == Claim::Has && heard.address == self.target;
        (is_answer && heard.station != self.mac).then_some(heard.station)
    }

    /// When to call [`Ask::poll`] and [`Ask::is_done`] again.
    #[must_use]
    pub const fn deadline(&self) -> Moment {
        self.rounds.deadline()
    }

    /// All was asked, and nobody has answered in time.
    #[must_use]
    pub fn is_done(&self, now: Moment) -> bool {
        self.rounds.is_over(now)
    }
}
