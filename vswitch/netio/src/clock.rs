//! The time, for code that is told it: `CLOCK_MONOTONIC` as a [`Moment`].

use std::time::Duration;

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

/// How long the calling thread has run on a processor, the kernel's part included. A system call.
#[must_use]
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::from_nanos(moment(time).as_nanos())
}

/// These clocks count up from zero, so neither part is negative.
fn moment(time: Timespec) -> Moment {
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Moment::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_thread_that_sleeps_does_not_run() {
        thread::spawn(|| {
            let before = thread_time();
            thread::sleep(Duration::from_millis(50));
            assert!(thread_time() - before < Duration::from_millis(40));
            let begun = thread_time();
            while thread_time() == begun {}
        })
        .join()
        .unwrap();
    }

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
