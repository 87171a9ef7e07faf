//! A set of numbers kept as merged intervals.

use std::collections::BTreeMap;

use crate::span::Span;

/// A set whose size in memory follows the number of separate runs in it, not their length.
///
/// No two intervals touch, so the number behind the end of an interval is always absent. Lookups and
/// changes take O(log n) for n intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IntervalSet {
    /// First number of an interval to its last.
    intervals: BTreeMap<u128, u128>,
    len: u128,
}

impl IntervalSet {
    /// Adds `value`; false if it was there already.
    pub(crate) fn insert(&mut self, value: u128) -> bool {
        if self.contains(value) {
            return false;
        }
        let before = value.checked_sub(1).and_then(|left| self.holding(left));
        let behind = value
            .checked_add(1)
            .and_then(|right| self.intervals.remove(&right));
        let first = before.map_or(value, |interval| interval.first);
        self.intervals.insert(first, behind.unwrap_or(value));
        self.len += 1;
        true
    }

    /// Takes `value` out; false if it was not there.
    pub(crate) fn remove(&mut self, value: u128) -> bool {
        let Some(Span { first, last }) = self.holding(value) else {
            return false;
        };
        self.intervals.remove(&first);
        if first < value {
            self.intervals.insert(first, value - 1);
        }
        if value < last {
            self.intervals.insert(value + 1, last);
        }
        self.len -= 1;
        true
    }

    pub(crate) fn contains(&self, value: u128) -> bool {
        self.holding(value).is_some()
    }

    pub(crate) const fn len(&self) -> u128 {
        self.len
    }

    /// The lowest number within `span` that is not in the set.
    pub(crate) fn first_gap(&self, span: Span) -> Option<u128> {
        let gap = match self.holding(span.first) {
            None => span.first,
            Some(interval) => interval.last.checked_add(1)?,
        };
        span.contains(gap).then_some(gap)
    }

    /// Every number in the set, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u128> {
        self.intervals
            .iter()
            .flat_map(|(&first, &last)| first..=last)
    }

    fn holding(&self, value: u128) -> Option<Span> {
        let (&first, &last) = self.intervals.range(..=value).next_back()?;
        (value <= last).then_some(Span { first, last })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A window that touches both ends of the number line, small enough to fill up.
    fn value() -> impl Strategy<Value = u128> {
        prop_oneof![0..24_u128, (u128::MAX - 23)..=u128::MAX]
    }

    fn model_gap(model: &BTreeSet<u128>, span: Span) -> Option<u128> {
        (span.first..=span.last).find(|number| !model.contains(number))
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_and_stays_merged(
            steps in prop::collection::vec((any::<bool>(), value()), 0..200)
        ) {
            let mut set = IntervalSet::default();
            let mut model = BTreeSet::new();
            for (add, value) in steps {
                if add {
                    prop_assert_eq!(set.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.len(), model.len() as u128);
                prop_assert_eq!(set.contains(value), add);
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            let ends: Vec<_> = set.intervals.iter().collect();
            for pair in ends.windows(2) {
                prop_assert!(pair[0].1 + 1 < *pair[1].0, "intervals touch: {pair:?}");
            }
        }

        #[test]
        fn first_gap_is_the_lowest_absent_number(
            model in prop::collection::btree_set(value(), 0..48),
            start in value(),
            length in 0..30_u128,
        ) {
            let mut set = IntervalSet::default();
            for &value in &model {
                set.insert(value);
            }
            let span = Span { first: start, last: start.saturating_add(length) };
            prop_assert_eq!(set.first_gap(span), model_gap(&model, span));
        }
    }

    #[test]
    fn a_long_run_is_one_interval() {
        let mut set = IntervalSet::default();
        for value in (0..1000).rev() {
            set.insert(value);
        }
        assert_eq!(set.intervals, BTreeMap::from([(0, 999)]));
    }
}
