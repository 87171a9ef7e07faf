//! How far a conversation is: the state machines.

mod phase;
mod segment;

use super::step::{Step, flag};

pub(crate) use phase::{Phase, Worth};

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Inside,
    Outside,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Inside => Self::Outside,
            Self::Outside => Self::Inside,
        }
    }
}

/// How far a conversation is, and what is needed to tell how it goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversation {
    pub(crate) phase: Phase,
    marks: u8,
    /// TCP: the sequence number after each side's SYN.
    after_syn: [u32; 2],
    /// TCP: what each side acknowledged last.
    acknowledged: [u32; 2],
}

/// What of a conversation decides how long it stays and is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    lasting: u8,
}

mod mark {
    /// It was begun from outside.
    pub(super) const OUTSIDE: u8 = 0x01;
    /// It was begun with a SYN or an INIT, not picked up in its midst.
    pub(super) const FRESH: u8 = 0x02;
    /// It was established once.
    pub(super) const PROVEN: u8 = 0x04;
    /// `after_syn` of the inside is known; shifted by one, of the outside.
    pub(super) const AFTER_SYN: u8 = 0x10;
    /// `acknowledged` of the inside is known; shifted by one, of the outside.
    pub(super) const ACKNOWLEDGED: u8 = 0x40;
    /// What is worth writing down.
    pub(super) const LASTING: u8 = OUTSIDE | FRESH | PROVEN;
}

/// SCTP's chunks that change a session's state (RFC 9260 §3.2).
mod chunk {
    pub(super) const INIT: u8 = 1;
    pub(super) const INIT_ACK: u8 = 2;
    pub(super) const ABORT: u8 = 6;
    pub(super) const SHUTDOWN: u8 = 7;
    pub(super) const SHUTDOWN_ACK: u8 = 8;
    pub(super) const COOKIE_ECHO: u8 = 10;
    pub(super) const SHUTDOWN_COMPLETE: u8 = 14;
}

impl Step {
    /// Whether a session may begin with it, in its midst if need be.
    pub(crate) const fn may_begin(self) -> bool {
        match self {
            Self::Plain | Self::Query => true,
            Self::Tcp { flags, .. } => flags & flag::RST == 0,
            Self::Sctp { chunk } => !matches!(chunk, chunk::ABORT | chunk::SHUTDOWN_COMPLETE),
            Self::Reply => false,
        }
    }

    /// Whether it is the first packet of a conversation.
    pub(crate) const fn opens(self) -> bool {
        match self {
            Self::Plain | Self::Query => true,
            Self::Tcp { flags, .. } => {
                flags & (flag::SYN | flag::ACK | flag::RST | flag::FIN) == flag::SYN
            }
            Self::Sctp { chunk } => chunk == chunk::INIT,
            Self::Reply => false,
        }
    }
}

impl Conversation {
    /// Of which nothing was heard.
    pub(crate) const UNHEARD: Self = Self {
        phase: Phase::Unreplied,
        marks: 0,
        after_syn: [0; 2],
        acknowledged: [0; 2],
    };

    /// Begins one with a packet for which [`Step::may_begin`] holds.
    pub(crate) fn begin(step: Step, from: Side) -> Self {
        let mut conversation = Self::UNHEARD;
        conversation.restart(step, from);
        conversation
    }

    /// As it was when [`Self::lasting`] was asked. Sequence numbers are not written down, so a
    /// handshake cannot be followed to its end: it is picked up in its midst.
    pub(crate) const fn restore(phase: Phase, lasting: u8) -> Self {
        let (phase, forget) = match phase {
            Phase::Handshake => (Phase::Unreplied, mark::FRESH),
            phase => (phase, 0),
        };
        Self {
            phase,
            marks: lasting & mark::LASTING & !forget,
            after_syn: [0; 2],
            acknowledged: [0; 2],
        }
    }

    /// What is noted elsewhere of it, and is to be noted anew when it changes.
    #[inline]
    pub(crate) const fn standing(&self) -> Standing {
        Standing {
            phase: self.phase,
            lasting: self.lasting(),
        }
    }

    /// What outlives the process, beside the phase.
    pub(crate) const fn lasting(&self) -> u8 {
        self.marks & mark::LASTING
    }

    pub(crate) const fn begun_by(&self) -> Side {
        if self.has(mark::OUTSIDE) {
            Side::Outside
        } else {
            Side::Inside
        }
    }

    /// Whether a packet begins it anew, after its end.
    pub(crate) fn restarts(&self, step: Step) -> bool {
        matches!(self.phase, Phase::Closed | Phase::Reset) && step.opens()
    }

    /// Takes a packet. True if it refreshes the session.
    #[inline]
    pub(crate) fn step(&mut self, step: Step, from: Side) -> bool {
        if self.restarts(step) {
            self.restart(step, from);
            return true;
        }
        match step {
            Step::Plain | Step::Query | Step::Reply => {
                if from != self.begun_by() && self.phase == Phase::Unreplied {
                    self.establish();
                }
                true
            }
            Step::Tcp {
                flags,
                sequence,
                acknowledgement,
            } => self.segment(flags, sequence, acknowledgement, from),
            Step::Sctp { chunk } => self.chunk(chunk, from),
        }
    }

    fn restart(&mut self, step: Step, from: Side) {
        self.phase = Phase::Unreplied;
        self.marks = match from {
            Side::Inside => 0,
            Side::Outside => mark::OUTSIDE,
        };
        if step.opens() {
            self.marks |= mark::FRESH;
        }
        if let Step::Tcp {
            flags,
            sequence,
            acknowledgement,
        } = step
        {
            self.note(flags, sequence, acknowledgement, from);
        }
    }

    const fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    const fn establish(&mut self) {
        self.phase = Phase::Established;
        self.marks |= mark::PROVEN;
    }

    fn chunk(&mut self, chunk: u8, from: Side) -> bool {
        let answers = from != self.begun_by();
        match (self.phase, chunk) {
            (Phase::Closed | Phase::Reset, chunk::ABORT) => return false,
            (_, chunk::ABORT) => self.phase = Phase::Reset,
            (Phase::Closed, _) => return false,
            (
                Phase::Established,
                chunk::SHUTDOWN | chunk::SHUTDOWN_ACK | chunk::SHUTDOWN_COMPLETE,
            ) => {
                self.phase = Phase::Closed;
            }
            // Anybody can send these; whoever answers anything else has seen the cookie.
            (_, chunk::INIT | chunk::INIT_ACK | chunk::COOKIE_ECHO) => {}
            (Phase::Unreplied, _) if answers => self.establish(),
            (Phase::Reset, _) if self.has(mark::PROVEN) => self.establish(),
            (Phase::Reset, _) => return false,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Side::{Inside, Outside};
    use segment::NEAR;

    const SYN: u8 = flag::SYN;
    const ACK: u8 = flag::ACK;
    const FIN: u8 = flag::FIN;
    const RST: u8 = flag::RST;

    const fn tcp(flags: u8, sequence: u32, acknowledgement: u32) -> Step {
        Step::Tcp {
            flags,
            sequence,
            acknowledgement,
        }
    }

    fn established() -> Conversation {
        let mut c = Conversation::begin(tcp(SYN, 100, 0), Inside);
        assert!(c.step(tcp(SYN | ACK, 900, 101), Outside));
        assert_eq!(c.phase, Phase::Handshake);
        assert!(c.step(tcp(ACK, 101, 901), Inside));
        assert_eq!(c.phase, Phase::Established);
        c
    }

    #[test]
    fn handshake_data_and_orderly_end() {
        let mut c = established();
        assert!(c.step(tcp(ACK, 901, 200), Outside));
        assert!(c.step(tcp(FIN | ACK, 200, 901), Inside));
        assert_eq!(c.phase, Phase::InsideFin);
        assert_eq!(c.phase.worth(), Worth::Established);
        assert!(c.step(tcp(ACK, 901, 201), Outside));
        assert!(c.step(tcp(FIN | ACK, 901, 201), Outside));
        assert_eq!(c.phase, Phase::Closed);
        assert!(!c.step(tcp(ACK, 201, 902), Inside), "refreshes no more");
        assert_eq!(c.phase, Phase::Closed);
    }

    #[test]
    fn simultaneous_open() {
        let mut c = Conversation::begin(tcp(SYN, 100, 0), Inside);
        assert!(c.step(tcp(SYN, 900, 0), Outside));
        assert!(c.step(tcp(SYN | ACK, 900, 101), Outside));
        assert_eq!(c.phase, Phase::Handshake);
        assert!(c.step(tcp(SYN | ACK, 100, 901), Inside));
        assert_eq!(c.phase, Phase::Established);
    }

    #[test]
    fn a_forged_syn_stays_cheap_even_if_answered() {
        let mut c = Conversation::begin(tcp(SYN, 100, 0), Outside);
        c.step(tcp(SYN | ACK, 900, 101), Inside);
        assert_eq!(c.phase.worth(), Worth::Unreplied);
        // Blindly.
        c.step(tcp(ACK, 101, 0x8000_0000), Outside);
        assert_eq!(c.phase, Phase::Handshake);
        c.step(tcp(ACK, 101, 901), Outside);
        assert_eq!(c.phase, Phase::Established);
    }

    #[test]
    fn both_directions_may_close_first() {
        let mut c = established();
        c.step(tcp(FIN | ACK, 901, 101), Outside);
        assert_eq!(c.phase, Phase::OutsideFin);
        c.step(tcp(FIN | ACK, 901, 101), Outside);
        assert_eq!(c.phase, Phase::OutsideFin, "sent again");
        c.step(tcp(FIN | ACK, 101, 902), Inside);
        assert_eq!(c.phase, Phase::Closed);
    }

    #[test]
    fn a_reset_has_to_be_in_the_window() {
        let mut c = established();
        c.step(tcp(ACK, 901, 101), Outside);
        assert!(!c.step(tcp(RST, 900, 0), Outside), "acknowledged already");
        assert!(!c.step(tcp(RST, 901 + NEAR, 0), Outside), "far ahead");
        assert_eq!(c.phase, Phase::Established);
        assert!(c.step(tcp(RST, 901 + 1000, 0), Outside));
        assert_eq!(c.phase, Phase::Reset);
        assert!(!c.step(tcp(RST, 901, 0), Outside), "no refresh");
        assert!(c.step(tcp(ACK, 101, 901), Inside), "it lives");
        assert_eq!(c.phase, Phase::Established);
    }

    #[test]
    fn refused_connection() {
        let mut c = Conversation::begin(tcp(SYN, 100, 0), Inside);
        assert!(!c.step(tcp(RST | ACK, 0, 500_000), Outside), "forged");
        assert!(!c.step(tcp(RST, 0, 0), Outside), "forged");
        assert_eq!(c.phase, Phase::Unreplied);
        assert!(c.step(tcp(RST | ACK, 0, 101), Outside));
        assert_eq!(c.phase, Phase::Reset);
        assert!(!c.step(tcp(ACK, 1, 1), Inside), "was never established");
        assert_eq!(c.phase, Phase::Reset);
        assert!(c.step(tcp(SYN, 7000, 0), Inside), "tries again");
        assert_eq!(c.phase, Phase::Unreplied);
    }

    #[test]
    fn a_port_used_again_after_closing() {
        let mut c = established();
        c.step(tcp(FIN | ACK, 200, 901), Inside);
        c.step(tcp(FIN | ACK, 901, 201), Outside);
        assert!(c.restarts(tcp(SYN, 5000, 0)));
        assert!(c.step(tcp(SYN, 5000, 0), Inside));
        assert_eq!(c.phase, Phase::Unreplied);
        c.step(tcp(SYN | ACK, 70, 5001), Outside);
        c.step(tcp(ACK, 5001, 71), Inside);
        assert_eq!(c.phase, Phase::Established);
    }

    #[test]
    fn picked_up_in_its_midst() {
        let mut c = Conversation::begin(tcp(ACK, 100, 900), Inside);
        assert_eq!(c.phase, Phase::Unreplied);
        c.step(tcp(ACK, 100, 900), Inside);
        assert_eq!(c.phase, Phase::Unreplied, "one side proves nothing");
        c.step(tcp(ACK, 900, 150), Outside);
        assert_eq!(c.phase, Phase::Established);
    }

    #[test]
    fn after_a_restart() {
        let mut c = established();
        c = Conversation::restore(c.phase, c.lasting());
        assert!(!c.step(tcp(RST, 901, 0), Outside), "nothing to tell by");
        assert!(c.step(tcp(ACK, 150, 901), Inside));
        assert!(c.step(tcp(RST, 901, 0), Outside));
        assert_eq!(c.phase, Phase::Reset);

        let mut c = Conversation::begin(tcp(SYN, 100, 0), Inside);
        c.step(tcp(SYN | ACK, 900, 101), Outside);
        c = Conversation::restore(c.phase, c.lasting());
        c.step(tcp(ACK, 101, 901), Inside);
        assert_eq!(c.phase, Phase::Unreplied);
        c.step(tcp(ACK, 901, 101), Outside);
        assert_eq!(c.phase, Phase::Established);
    }

    #[test]
    fn datagrams() {
        let mut c = Conversation::begin(Step::Plain, Inside);
        assert!(c.step(Step::Plain, Inside));
        assert_eq!(c.phase, Phase::Unreplied);
        assert!(c.step(Step::Plain, Outside));
        assert_eq!(c.phase, Phase::Established);
    }

    #[test]
    fn sctp() {
        let step = |chunk| Step::Sctp { chunk };
        let mut c = Conversation::begin(step(chunk::INIT), Inside);
        c.step(step(chunk::INIT_ACK), Outside);
        c.step(step(chunk::COOKIE_ECHO), Inside);
        assert_eq!(c.phase, Phase::Unreplied);
        c.step(step(11), Outside); // COOKIE ACK
        assert_eq!(c.phase, Phase::Established);
        c.step(step(chunk::SHUTDOWN), Inside);
        assert_eq!(c.phase, Phase::Closed);
        assert!(!c.step(step(chunk::SHUTDOWN_ACK), Outside));
        assert!(c.step(step(chunk::INIT), Outside));
        assert_eq!((c.phase, c.begun_by()), (Phase::Unreplied, Outside));
        c.step(step(chunk::ABORT), Inside);
        assert_eq!(c.phase, Phase::Reset);
        assert!(!step(chunk::ABORT).may_begin());
    }
}
