//! TCP: what a segment means.

use super::super::step::flag;
use super::{Conversation, Phase, Side, Worth, mark};

/// How far from what was acknowledged a number may be. The scale of windows is not tracked.
pub(super) const NEAR: u32 = 1 << 20;

impl Conversation {
    #[inline]
    pub(super) fn segment(
        &mut self,
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
        from: Side,
    ) -> bool {
        if flags & flag::RST != 0 {
            return self.reset(flags, sequence, acknowledgement, from);
        }
        self.note(flags, sequence, acknowledgement, from);
        let answers = from != self.begun_by();
        match self.phase {
            Phase::Unreplied if !answers => {}
            Phase::Unreplied if !self.has(mark::FRESH) => self.establish(),
            Phase::Unreplied => {
                if flags & flag::SYN != 0 {
                    self.phase = Phase::Handshake;
                }
            }
            Phase::Handshake => {
                if !answers && self.acknowledges_syn(flags, acknowledgement, from) {
                    self.establish();
                }
            }
            Phase::Closed => return false,
            // RFC 6146 §3.5.2.2: it was not the end, then.
            Phase::Reset if self.has(mark::PROVEN) => self.establish(),
            Phase::Reset => return false,
            Phase::Established | Phase::InsideFin | Phase::OutsideFin => {}
        }
        if flags & flag::FIN != 0 {
            self.phase = match (self.phase, from) {
                (Phase::Established, Side::Inside) => Phase::InsideFin,
                (Phase::Established, Side::Outside) => Phase::OutsideFin,
                (Phase::InsideFin, Side::Outside) | (Phase::OutsideFin, Side::Inside) => {
                    Phase::Closed
                }
                (phase, _) => phase,
            };
        }
        true
    }

    /// Takes a RST. True if it is believed: the four minutes of RFC 7857 §2.2 begin now; no other RST
    /// refreshes anything.
    #[cold]
    fn reset(&mut self, flags: u8, sequence: u32, acknowledgement: u32, from: Side) -> bool {
        let reset = !matches!(self.phase, Phase::Closed | Phase::Reset)
            && self.believes(flags, sequence, acknowledgement, from);
        if reset {
            self.phase = Phase::Reset;
        }
        reset
    }

    #[inline]
    pub(super) const fn note(
        &mut self,
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
        from: Side,
    ) {
        if flags & flag::SYN != 0 && !matches!(self.phase.worth(), Worth::Established) {
            self.after_syn[from as usize] = sequence.wrapping_add(1);
            self.marks |= mark::AFTER_SYN << from as u8;
        }
        if flags & flag::ACK != 0 {
            self.acknowledged[from as usize] = acknowledgement;
            self.marks |= mark::ACKNOWLEDGED << from as u8;
        }
    }

    /// Whether a RST belongs to the connection (RFC 7857 §2.2): near to what its receiver
    /// acknowledged last (RFC 9293 §3.10.7.4), or, where that has heard nothing yet, an answer to
    /// its SYN (§3.10.7.3).
    fn believes(&self, flags: u8, sequence: u32, acknowledgement: u32, from: Side) -> bool {
        let receiver = from.other();
        if self.has(mark::ACKNOWLEDGED << receiver as u8) {
            sequence.wrapping_sub(self.acknowledged[receiver as usize]) < NEAR
        } else if self.has(mark::AFTER_SYN << receiver as u8) {
            self.acknowledges_syn(flags, acknowledgement, from)
        } else {
            self.has(mark::AFTER_SYN << from as u8)
                && sequence.wrapping_sub(self.after_syn[from as usize]) < NEAR
        }
    }

    /// Whether a segment shows that its sender has seen the other side's SYN.
    fn acknowledges_syn(&self, flags: u8, acknowledgement: u32, from: Side) -> bool {
        let other = from.other();
        // Data may have come with it (RFC 7413).
        flags & flag::ACK != 0
            && self.has(mark::AFTER_SYN << other as u8)
            && acknowledgement.wrapping_sub(self.after_syn[other as usize]) < u32::from(u16::MAX)
    }
}
