//! Which addresses are in use, and which one is given out next.

use crate::interval_set::IntervalSet;
use crate::span::Span;

/// How the next address is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AllocationOrder {
    /// The lowest free address: Docker's default.
    #[default]
    LowestFree,
    /// The next free address behind the last one given out, wrapping at the end, so that a released
    /// address rests before it is used again and stale neighbour entries of its peers die out
    /// (`com.docker.network.ipam.serial`).
    Serial,
}

/// The addresses in use, as numbers, and where serial order has got to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allocations {
    in_use: IntervalSet,
    last_given: Option<u128>,
}

impl Allocations {
    /// Gives out an address within `span` that is free here and in all of `others`; `None` if there is
    /// none.
    pub(crate) fn allocate(
        &mut self,
        order: AllocationOrder,
        span: Span,
        others: &[&Self],
    ) -> Option<u128> {
        let free = match order {
            AllocationOrder::LowestFree => self.first_gap(span, others),
            AllocationOrder::Serial => self.next_free(span, others),
        }?;
        self.in_use.insert(free);
        self.last_given = Some(free);
        Some(free)
    }

    /// Marks one address as in use; false if it was already.
    pub(crate) fn reserve(&mut self, number: u128) -> bool {
        self.in_use.insert(number)
    }

    /// Frees one address; false if it was not in use.
    pub(crate) fn release(&mut self, number: u128) -> bool {
        self.in_use.remove(number)
    }

    pub(crate) const fn in_use(&self) -> &IntervalSet {
        &self.in_use
    }

    fn next_free(&self, span: Span, others: &[&Self]) -> Option<u128> {
        self.last_given
            .and_then(|last| span.after(last))
            .and_then(|rest| self.first_gap(rest, others))
            .or_else(|| self.first_gap(span, others))
    }

    /// Where one set has a gap, the next may have none; each time round at least one run is passed over.
    fn first_gap(&self, mut span: Span, others: &[&Self]) -> Option<u128> {
        loop {
            let first = self.in_use.first_gap(span)?;
            span.first = first;
            for other in others {
                span.first = other.in_use.first_gap(span)?;
            }
            if span.first == first {
                return Some(first);
            }
        }
    }
}

/// Equal when the same addresses are in use. Where serial order has got to is a hint that does not
/// survive a restart, so it does not count.
impl PartialEq for Allocations {
    fn eq(&self, other: &Self) -> bool {
        self.in_use == other.in_use
    }
}

impl Eq for Allocations {}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { first: 1, last: 4 };

    #[test]
    fn lowest_free_reuses_at_once() {
        let mut allocations = Allocations::default();
        let mut next = || allocations.allocate(AllocationOrder::LowestFree, SPAN, &[]);
        assert_eq!((next(), next(), next()), (Some(1), Some(2), Some(3)));
        allocations.release(2);
        assert_eq!(
            allocations.allocate(AllocationOrder::LowestFree, SPAN, &[]),
            Some(2)
        );
    }

    #[test]
    fn serial_moves_on_and_wraps() {
        let mut allocations = Allocations::default();
        allocations.reserve(3);
        for expected in [1, 2, 4, 1, 2, 4] {
            let given = allocations.allocate(AllocationOrder::Serial, SPAN, &[]);
            assert_eq!(given, Some(expected));
            allocations.release(expected);
        }
    }

    #[test]
    fn serial_follows_an_address_given_as_lowest_free() {
        let mut allocations = Allocations::default();
        allocations.allocate(AllocationOrder::LowestFree, SPAN, &[]);
        allocations.release(1);
        assert_eq!(
            allocations.allocate(AllocationOrder::Serial, SPAN, &[]),
            Some(2)
        );
    }

    #[test]
    fn what_others_have_is_passed_over() {
        let mut allocations = Allocations::default();
        let mut other = Allocations::default();
        for number in [1, 3] {
            other.reserve(number);
        }
        for (order, expected) in [
            (AllocationOrder::LowestFree, Some(2)),
            (AllocationOrder::Serial, Some(4)),
            (AllocationOrder::LowestFree, None),
            (AllocationOrder::Serial, None),
        ] {
            assert_eq!(allocations.allocate(order, SPAN, &[&other]), expected);
        }
    }

    #[test]
    fn full_is_none_in_either_order() {
        let mut allocations = Allocations::default();
        for number in 1..=4 {
            assert!(allocations.reserve(number));
        }
        for order in [AllocationOrder::LowestFree, AllocationOrder::Serial] {
            assert_eq!(allocations.allocate(order, SPAN, &[]), None);
        }
    }
}
