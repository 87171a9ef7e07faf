//! When the next frames are due.

use std::time::Duration;

/// A rate, and how many frames of it have not been sent yet.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Frames a second.
    rate: f64,
    due: f64,
    seen: Duration,
}

/// What is sent at once at most after the sender was kept from its processor. What was due beyond is not sent
/// at all: the rate that counts is that of what was sent.
const BURST: f64 = 256.0;
/// The shortest sleep that a thread wakes from about when it should.
const NAP: Duration = Duration::from_micros(50);

impl Pacer {
    /// Begins at the time 0.
    pub(super) const fn new(frames_a_second: u64) -> Self {
        Self {
            rate: frames_a_second as f64,
            due: 0.0,
            seen: Duration::ZERO,
        }
    }

    /// How many frames are to be sent at a time.
    pub(super) fn due(&mut self, now: Duration) -> usize {
        let passed = now.saturating_sub(self.seen);
        self.seen = now;
        self.due = (self.due + self.rate * passed.as_secs_f64()).min(BURST);
        self.due as usize
    }

    /// Notes that frames were sent.
    pub(super) fn spend(&mut self, frames: usize) {
        self.due -= frames as f64;
    }

    /// How long there is nothing to do.
    pub(super) fn pause(&self) -> Duration {
        let missing = (1.0 - self.due).max(0.0);
        Duration::from_secs_f64(missing / self.rate).max(NAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_due_at_their_rate() {
        let mut pacer = Pacer::new(10_000);
        let mut sent = 0;
        for step in 1..=1000 {
            let due = pacer.due(Duration::from_micros(300 * step));
            pacer.spend(due);
            sent += due;
        }
        assert!((2999..=3000).contains(&sent), "{sent}");
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let mut pacer = Pacer::new(1_000_000);
        assert_eq!(pacer.due(Duration::from_secs(1)), 256);
    }

    #[test]
    fn a_pause_lasts_until_the_next_frame() {
        let mut pacer = Pacer::new(1000);
        assert_eq!(pacer.pause(), Duration::from_millis(1));
        pacer.due(Duration::from_micros(250));
        assert_eq!(pacer.pause(), Duration::from_micros(750));
        assert_eq!(Pacer::new(1_000_000).pause(), NAP);
    }
}
