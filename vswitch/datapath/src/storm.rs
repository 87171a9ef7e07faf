//! Storm limit: how many flooded frames (broadcast, multicast, unknown unicast) a port may send.

use vswitch_packet::Moment;

use crate::rate::{Bucket, Rate};

/// A port's limit, shared by all workers.
#[derive(Debug)]
pub struct StormLimit {
    rate: Rate,
    bucket: Bucket,
}

impl StormLimit {
    /// `per_second` frames on average (at least one), a tenth of a second's worth at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            rate: Rate::new(per_second, per_second / 10),
            bucket: Bucket::default(),
        }
    }

    /// Takes a token, or says that there is none.
    pub fn admit(&self, now: Moment) -> bool {
        self.bucket.admit(self.rate, now)
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
