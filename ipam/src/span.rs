//! A run of consecutive addresses, as numbers.

use ipnet::IpNet;

use crate::family::number;

/// The addresses from `first` to `last`, both included; never empty.
///
/// Inclusive, because the last address of IPv6 has no successor to serve as an open end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) first: u128,
    pub(crate) last: u128,
}

impl Span {
    /// All addresses of `net`, whether or not host bits are set in it.
    pub(crate) fn of(net: IpNet) -> Self {
        Self {
            first: number(net.network()),
            last: number(net.broadcast()),
        }
    }

    /// How many addresses; saturates for the whole of IPv6.
    pub(crate) const fn len(self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    pub(crate) const fn contains(self, number: u128) -> bool {
        self.first <= number && number <= self.last
    }

    /// What both spans hold, if anything.
    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let first = self.first.max(other.first);
        let last = self.last.min(other.last);
        (first <= last).then_some(Self { first, last })
    }

    /// The part of this span behind `number`, if anything is left.
    pub(crate) fn after(self, number: u128) -> Option<Self> {
        let first = number.checked_add(1)?.max(self.first);
        (first <= self.last).then_some(Self { first, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn span(first: u128, last: u128) -> Span {
        Span { first, last }
    }

    #[test]
    fn covers_a_subnet_from_end_to_end() {
        let net = "10.0.0.77/30".parse().unwrap();
        assert_eq!(Span::of(net), span(0x0a00_004c, 0x0a00_004f));
        assert_eq!(Span::of(net).len(), 4);
        assert_eq!(Span::of("::/0".parse().unwrap()).len(), u128::MAX);
    }

    #[test]
    fn intersection_is_what_both_hold() {
        assert_eq!(span(1, 5).intersection(span(5, 9)), Some(span(5, 5)));
        assert_eq!(span(1, 9).intersection(span(3, 4)), Some(span(3, 4)));
        assert_eq!(span(1, 4).intersection(span(5, 9)), None);
    }

    #[test]
    fn after_leaves_the_rest() {
        assert_eq!(span(3, 5).after(1), Some(span(3, 5)));
        assert_eq!(span(3, 5).after(4), Some(span(5, 5)));
        assert_eq!(span(3, 5).after(5), None);
        assert_eq!(span(3, u128::MAX).after(u128::MAX), None);
    }
}
