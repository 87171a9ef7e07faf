//! The time to an answer, and what of it is told.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// Half of a round trip, in microseconds, as sockperf counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Half of the round trips are faster.
    pub(crate) median: f64,
    /// 99 of 100 are faster.
    pub(crate) p99: f64,
    /// 999 of 1000 are faster.
    pub(crate) p999: f64,
    /// Round trips.
    pub(crate) messages: u64,
}

impl Latency {
    /// Percentiles of halves of round trips, in microseconds.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn of(mut halves: Vec<f64>) -> Result<Self> {
        ensure!(!halves.is_empty(), "not one round trip in the time given");
        halves.sort_unstable_by(f64::total_cmp);
        let at = |permille: usize| halves[(halves.len() - 1) * permille / 1000];
        Ok(Self {
            median: at(500),
            p99: at(990),
            p999: at(999),
            messages: u64::try_from(halves.len())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let halves = (1..=1001).rev().map(f64::from).collect();
        let latency = Latency::of(halves).unwrap();
        assert_eq!(
            (latency.median, latency.p99, latency.p999),
            (501.0, 991.0, 1000.0)
        );
        assert_eq!(latency.messages, 1001);
    }

    #[test]
    fn no_round_trip_is_an_error() {
        assert!(Latency::of(Vec::new()).is_err());
    }
}
