//! The highest number that passes.

use anyhow::Result;

/// Halves what is between a number that passes and one that does not, until that is at most `tolerance` (a
/// share) of the higher, or one. `limit` is tried first. Returns the highest that passed; 0 is taken to.
///
/// One that fails is tried once more, as a machine that others use too may fail for them (binary search with
/// loss verification, ETSI GS NFV-TST 009 §12.3).
///
/// # Errors
/// Those of the trials.
pub(in crate::lab) fn highest(
    limit: u64,
    tolerance: f64,
    mut passes: impl FnMut(u64) -> Result<bool>,
) -> Result<u64> {
    let mut passes_once = |number| Ok::<_, anyhow::Error>(passes(number)? || passes(number)?);
    if limit == 0 || passes_once(limit)? {
        return Ok(limit);
    }
    let (mut low, mut high) = (0, limit);
    while high - low > 1 && (high - low) as f64 > tolerance * high as f64 {
        let middle = low.midpoint(high);
        if passes_once(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_that_passes_is_found() {
        for threshold in [1, 2, 777, 999, 1000] {
            let found = highest(1000, 0.0, |number| Ok(number <= threshold)).unwrap();
            assert_eq!(found, threshold);
        }
        assert_eq!(highest(1000, 0.0, |_| Ok(false)).unwrap(), 0);
        assert_eq!(highest(0, 0.0, |_| Ok(false)).unwrap(), 0);
    }

    #[test]
    fn the_search_ends_when_it_is_near_enough() {
        let mut trials = 0;
        let found = highest(1_000_000, 0.02, |number| {
            trials += 1;
            Ok(number <= 600_000)
        });
        let found = found.unwrap();
        assert!((588_000..=600_000).contains(&found), "{found}");
        // The limit and seven halves, each at most twice.
        assert!(trials <= 2 * 8, "{trials}");
    }

    #[test]
    fn a_single_failure_is_forgiven() {
        let mut failed = false;
        let found = highest(100, 0.0, |_| Ok(std::mem::replace(&mut failed, true)));
        assert_eq!(found.unwrap(), 100);
    }
}
