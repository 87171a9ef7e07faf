//! Numbers that differ from one client to the next, from a seed.

use std::time::Duration;

/// SplitMix64. Not for secrets: whoever shares the segment with a client sees its transaction numbers anyway.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A duration of at most `most`, to the millisecond.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(self.number() % (most + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_within_their_bounds_and_not_all_the_same() {
        let mut chance = Chance::new(1);
        let most = Duration::from_millis(3);
        let mut seen = [false; 4];
        for _ in 0..100 {
            seen[chance.up_to(most).as_millis() as usize] = true;
        }
        assert_eq!(seen, [true; 4]);
        assert_eq!(chance.up_to(Duration::ZERO), Duration::ZERO);
    }
}
