//! What arrived of a stream at a port.

use super::frame::Stamp;
use super::histogram::Histogram;

/// Frames of one stream at one port.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// For this port.
    pub(super) received: u64,
    /// For another one: somebody flooded them.
    pub(super) flooded: u64,
    /// After one with a higher number.
    pub(super) out_of_order: u64,
    /// From the call that sent it to the arrival at this port's interface.
    pub(super) latency: Histogram,
    /// When the last frame was sent before which one is missing.
    pub(super) last_gap: Option<u64>,
    next: Option<u32>,
}

impl Tally {
    /// Notes a frame that arrived at a time, at a port of that number. `stride` is how far apart the numbers of
    /// frames for this port are.
    #[inline]
    pub(super) fn note(&mut self, stamp: &Stamp, arrived: u64, port: u8, stride: u32) {
        if stamp.to != port && stamp.to != Stamp::EVERYBODY {
            self.flooded += 1;
            return;
        }
        self.received += 1;
        self.latency.note(arrived.saturating_sub(stamp.sent));
        let expected = self.next.unwrap_or(stamp.sequence % stride);
        if stamp.sequence < expected {
            self.out_of_order += 1;
            return;
        }
        if stamp.sequence > expected {
            self.last_gap = Some(stamp.sent);
        }
        self.next = Some(stamp.sequence + stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(frames: &[(u32, u8)], stride: u32) -> Tally {
        let mut tally = Tally::default();
        for &(sequence, to) in frames {
            let stamp = Stamp {
                trial: 0,
                stream: 0,
                to,
                sequence,
                sent: 100 + u64::from(sequence),
            };
            tally.note(&stamp, 1000, 1, stride);
        }
        tally
    }

    #[test]
    fn frames_for_others_are_flooded() {
        let tally = tally(&[(0, 1), (1, 2), (2, Stamp::EVERYBODY)], 1);
        assert_eq!((tally.received, tally.flooded), (2, 1));
    }

    #[test]
    fn gaps_and_disorder_are_seen() {
        let whole = tally(&[(0, 1), (1, 1), (2, 1)], 1);
        assert_eq!((whole.last_gap, whole.out_of_order), (None, 0));
        let gap = tally(&[(0, 1), (2, 1), (3, 1)], 1);
        assert_eq!((gap.last_gap, gap.out_of_order), (Some(102), 0));
        let late = tally(&[(0, 1), (2, 1), (1, 1), (3, 1)], 1);
        assert_eq!(late.out_of_order, 1);
        let first_lost = tally(&[(1, 1)], 1);
        assert_eq!(first_lost.last_gap, Some(101));
    }

    #[test]
    fn every_third_frame_is_whole_if_two_of_three_are_for_others() {
        assert_eq!(tally(&[(1, 1), (4, 1), (7, 1)], 3).last_gap, None);
        assert_eq!(tally(&[(1, 1), (7, 1)], 3).last_gap, Some(107));
    }
}
