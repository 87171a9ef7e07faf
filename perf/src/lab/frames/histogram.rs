//! Many durations in little room.

/// How often each duration was seen, to 1.6 %. Room and time of a note do not depend on how many there are.
#[derive(Debug, Clone)]
pub(in crate::lab) struct Histogram {
    /// The first two times [`PARTS`] for a nanosecond each, then [`PARTS`] for each doubling.
    buckets: Vec<u64>,
    count: u64,
    /// In nanoseconds, exactly.
    shortest: u64,
}

/// Buckets between one power of two and the next.
const PARTS: u64 = 64;
const PARTS_BITS: u32 = PARTS.trailing_zeros();
const BUCKETS: usize = ((64 - PARTS_BITS as usize) + 1) * PARTS as usize;

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            shortest: u64::MAX,
        }
    }
}

impl Histogram {
    /// Notes a duration in nanoseconds.
    #[inline]
    pub(super) fn note(&mut self, nanoseconds: u64) {
        self.buckets[bucket(nanoseconds)] += 1;
        self.count += 1;
        self.shortest = self.shortest.min(nanoseconds);
    }

    /// Adds all that another one noted.
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, its) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += its;
        }
        self.count += other.count;
        self.shortest = self.shortest.min(other.shortest);
    }

    /// The duration that this share (0 to 1) of all do not exceed, in microseconds; NaN if there are none.
    pub(in crate::lab) fn microseconds(&self, share: f64) -> f64 {
        let Some(last) = self.count.checked_sub(1) else {
            return f64::NAN;
        };
        let rank = (share * last as f64) as u64;
        let mut below = 0;
        let found = self.buckets.iter().position(|count| {
            below += count;
            below > rank
        });
        found.map_or(f64::NAN, |at| middle(at) / 1e3)
    }

    /// By how much this share of all exceed the shortest, in microseconds (RFC 5481 §4.2, with the minimum as
    /// reference): the variation of the delay.
    pub(in crate::lab) fn variation(&self, share: f64) -> f64 {
        (self.microseconds(share) - self.shortest as f64 / 1e3).max(0.0)
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let doublings = (u64::BITS - nanoseconds.leading_zeros()).saturating_sub(PARTS_BITS + 1);
    (u64::from(doublings) * PARTS + (nanoseconds >> doublings)) as usize
}

/// The middle of what a bucket stands for.
fn middle(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    let doublings = (bucket / PARTS).saturating_sub(1);
    let low = (bucket - doublings * PARTS) << doublings;
    low as f64 + ((1_u64 << doublings) - 1) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_exact_where_small_and_near_where_large() {
        for nanoseconds in 0..2 * PARTS {
            assert_eq!(middle(bucket(nanoseconds)), nanoseconds as f64);
        }
        for exponent in 7..63 {
            for nanoseconds in [1 << exponent, (1 << exponent) + (1 << (exponent - 1)) + 1] {
                let exact = nanoseconds as f64;
                assert!((middle(bucket(nanoseconds)) - exact).abs() / exact < 0.016);
            }
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn percentiles_are_those_of_what_was_noted() {
        let mut halves = [Histogram::default(), Histogram::default()];
        for nanoseconds in 1..=1000_u64 {
            halves[usize::from(nanoseconds > 400)].note(nanoseconds * 1000);
        }
        let [mut all, other] = halves;
        all.add(&other);
        for (share, microseconds) in [(0.0, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = all.microseconds(share);
            assert!(
                (found / microseconds - 1.0).abs() < 0.02,
                "{share}: {found}"
            );
        }
        assert!((all.variation(0.5) / 499.0 - 1.0).abs() < 0.02);
    }

    #[test]
    fn nothing_noted_is_no_duration() {
        assert!(Histogram::default().microseconds(0.5).is_nan());
    }
}
