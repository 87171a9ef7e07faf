//! The time, for code that is told it: `CLOCK_MONOTONIC` as a [`Moment`].

use rustix::time::{ClockId, Timespec, clock_gettime};
use vswitch_packet::Moment;

/// The time since boot, without time spent in suspend. No system call (vDSO).
#[must_use]
pub fn now() -> Moment {
    moment(clock_gettime(ClockId::Monotonic))
}

/// The time of the last tick, up to 10 ms ago (`CONFIG_HZ`), on the same scale as [`now`] and never ahead of it.
/// Cheaper still: for time-outs of seconds.
#[must_use]
pub fn now_coarse() -> Moment {
    moment(clock_gettime(ClockId::MonotonicCoarse))
}

/// The clock counts up from zero at boot, so neither part is negative.
fn moment(time: Timespec) -> Moment {
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Moment::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_coarse_clock_is_never_ahead() {
        for _ in 0..1000 {
            let coarse = now_coarse();
            let fine = now();
            assert!(coarse <= fine);
            assert!(fine - coarse < Duration::from_secs(5));
        }
    }
}
