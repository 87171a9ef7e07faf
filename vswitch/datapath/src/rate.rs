//! Rates, as the generic cell rate algorithm holds them (ITU-T I.371): a token bucket as one
//! number.

use core::sync::atomic::{AtomicU64, Ordering};

use vswitch_packet::Moment;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Nanoseconds that one token costs.
    interval: u64,
    /// Nanoseconds that a full bucket is worth.
    burst: u64,
}

/// A bucket of tokens, shared by all workers without a lock: the moment at which it would be full
/// again.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: AtomicU64,
}

impl Rate {
    /// `per_second` on average and `burst` at once, each at least one.
    pub(crate) const fn new(per_second: u32, burst: u32) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second };
        let burst = if burst == 0 { 1 } else { burst };
        let interval = 1_000_000_000 / per_second as u64;
        Self {
            interval,
            burst: interval * burst as u64,
        }
    }
}

impl Bucket {
    /// Takes a token, or says that there is none.
    pub(crate) fn admit(&self, rate: Rate, now: Moment) -> bool {
        let now = now.as_nanos();
        let take = |full_at: u64| {
            let next = full_at.max(now) + rate.interval;
            (next <= now + rate.burst).then_some(next)
        };
        self.full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}
