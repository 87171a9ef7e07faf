//! When a question is put again, and how long answers are waited for.

use std::time::Duration;

use vswitch_packet::Moment;

/// A question that is put several times, and a time to listen after the last.
#[derive(Clone, Debug)]
pub(crate) struct Rounds {
    left: u32,
    due: Moment,
}

impl Rounds {
    /// The first of `count` is due now.
    pub(crate) const fn new(count: u32, now: Moment) -> Self {
        Self {
            left: count,
            due: now,
        }
    }

    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.left > 0 && now >= self.due
    }

    /// One was put; the next one is due `wait` later, or all is over then.
    pub(crate) fn passed(&mut self, now: Moment, wait: Duration) {
        self.left = self.left.saturating_sub(1);
        self.due = now + wait;
    }

    pub(crate) const fn is_last(&self) -> bool {
        self.left <= 1
    }

    pub(crate) const fn deadline(&self) -> Moment {
        self.due
    }

    pub(crate) fn is_over(&self, now: Moment) -> bool {
        self.left == 0 && now >= self.due
    }
}
