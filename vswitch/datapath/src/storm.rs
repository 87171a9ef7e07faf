//! Storm limit: how many flooded frames (broadcast, multicast, unknown unicast) a port may send.

use core::sync::atomic::{AtomicU64, Ordering};

use vswitch_packet::Moment;

/// A token bucket as one number, the generic cell rate algorithm (ITU-T I.371): the moment at
/// which the bucket would be full again. Shared by all workers without a lock.
#[derive(Debug)]
pub struct StormLimit {
    /// Nanoseconds that one frame costs.
    interval: u64,
    /// Nanoseconds that a full bucket is worth.
    burst: u64,
    full_at: AtomicU64,
}

impl StormLimit {
    /// `per_second` frames on average (at least one), a tenth of a second's worth at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.max(1));
        let burst = interval * u64::from(per_second / 10).max(1);
        Self {
            interval,
            burst,
            full_at: AtomicU64::new(0),
        }
    }

    /// Takes a token, or says that there is none.
    pub fn admit(&self, now: Moment) -> bool {
        let now = now.as_nanos();
        let take = |full_at: u64| {
            let next = full_at.max(now) + self.interval;
            (next <= now + self.burst).then_some(next)
        };
        self.full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let limit = StormLimit::new(100);
        let start = Moment::from_secs(5);
        assert_eq!((0..1000).filter(|_| limit.admit(start)).count(), 10);
        let admitted = (0..10_000)
            .filter(|step| limit.admit(start + Duration::from_micros(step * 1000)))
            .count();
        assert!(
            (999..=1001).contains(&admitted),
            "{admitted} in ten seconds at 100 a second"
        );
    }

    #[test]
    fn a_rest_does_not_save_up_more_than_the_burst() {
        let limit = StormLimit::new(1000);
        assert_eq!(
            (0..5000)
                .filter(|_| limit.admit(Moment::from_secs(3600)))
                .count(),
            100
        );
    }
}
