//! Which pieces of a datagram have come.

use super::piece::Piece;

/// Enough for 65535 octets in packets of IPv6's least MTU, 1280 octets, which takes 54. A datagram
/// in more pieces than that is made to be costly (CVE-2018-5391).
pub(crate) const MAX: usize = 64;

/// How a piece fits with those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is new.
    New,
    /// It was here before, to the octet.
    Again,
    /// It overlaps another, contradicts the datagram's end, or is one too many.
    Bad,
}

/// The pieces of one datagram, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    octets: u32,
}

impl Pieces {
    pub(crate) fn add(&mut self, piece: Piece) -> Fit {
        let place = self.pieces.partition_point(|p| p.start < piece.start);
        let next = self.pieces.get(place);
        if next == Some(&piece) {
            return Fit::Again;
        }
        let before = place.checked_sub(1).and_then(|i| self.pieces.get(i));
        let apart = before.is_none_or(|p| p.end <= piece.start && !p.last)
            && next.is_none_or(|p| piece.end <= p.start && !piece.last);
        if !apart || self.pieces.len() == MAX {
            return Fit::Bad;
        }
        self.octets += u32::from(piece.end - piece.start);
        self.pieces.insert(place, piece);
        Fit::New
    }

    /// Whether nothing is missing.
    pub(crate) fn complete(&self) -> bool {
        self.pieces
            .last()
            .is_some_and(|piece| piece.last && self.octets == u32::from(piece.end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn piece(start: u16, end: u16, last: bool) -> Piece {
        Piece { start, end, last }
    }

    #[test]
    fn in_any_order() {
        let all = [
            piece(0, 1480, false),
            piece(1480, 2960, false),
            piece(2960, 3000, true),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1]] {
            let mut pieces = Pieces::default();
            for (count, index) in order.into_iter().enumerate() {
                assert!(!pieces.complete(), "{order:?} after {count}");
                assert_eq!(pieces.add(all[index]), Fit::New);
            }
            assert!(pieces.complete());
        }
    }

    #[test]
    fn a_duplicate_is_none_but_an_overlap_is_bad() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.add(piece(800, 1600, false)), Fit::New);
        assert_eq!(pieces.add(piece(800, 1600, false)), Fit::Again);
        for overlap in [
            piece(0, 808, false),
            piece(808, 816, false),
            piece(1592, 1700, true),
            piece(800, 1592, false),
            piece(800, 1608, false),
            piece(800, 1600, true),
            piece(0, 2400, false),
        ] {
            assert_eq!(pieces.add(overlap), Fit::Bad, "{overlap:?}");
        }
        assert_eq!(pieces.add(piece(0, 800, false)), Fit::New);
    }

    #[test]
    fn there_is_one_end() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.add(piece(800, 900, true)), Fit::New);
        assert_eq!(pieces.add(piece(904, 912, false)), Fit::Bad);
        assert_eq!(pieces.add(piece(904, 912, true)), Fit::Bad);
        assert_eq!(pieces.add(piece(0, 80, true)), Fit::Bad);
    }

    #[test]
    fn no_more_than_a_datagram_needs() {
        let mut pieces = Pieces::default();
        for index in 0..MAX as u16 {
            assert_eq!(pieces.add(piece(8 * index, 8 * index + 8, false)), Fit::New);
        }
        assert_eq!(pieces.add(piece(8000, 8008, false)), Fit::Bad);
    }

    proptest! {
        #[test]
        fn what_was_taken_does_not_overlap(
            offered in proptest::collection::vec((0..200u16, 1..30u16, any::<bool>()), 0..80),
        ) {
            let mut pieces = Pieces::default();
            let mut taken = vec![false; 2000];
            for (start, len, last) in offered {
                let piece = piece(8 * start, 8 * (start + len), last);
                let range = usize::from(piece.start)..usize::from(piece.end);
                match pieces.add(piece) {
                    Fit::New => {
                        prop_assert!(taken[range.clone()].iter().all(|taken| !taken));
                        taken[range].fill(true);
                    }
                    Fit::Again => prop_assert!(taken[range].iter().all(|taken| *taken)),
                    Fit::Bad => {}
                }
            }
            let end = taken.iter().rposition(|taken| *taken).map_or(0, |last| last + 1);
            if pieces.complete() {
                prop_assert!(taken[..end].iter().all(|taken| *taken));
            }
        }
    }
}
