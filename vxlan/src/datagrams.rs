//! Datagrams that were received as one.

use std::ops::Range;

/// Where each datagram is in what one read gave: all have the same length but the last, which may
/// be shorter (`UDP_GRO`, Linux' udp(7)).
#[derive(Clone, Debug)]
pub struct Datagrams {
    at: usize,
    end: usize,
    segment: usize,
}

impl Datagrams {
    /// Those in `len` octets, each of `segment` octets; one, if nothing was joined. A segment of
    /// none says the same.
    #[must_use]
    pub fn new(len: usize, segment: Option<u16>) -> Self {
        Self {
            at: 0,
            end: len,
            segment: match segment {
                None | Some(0) => len,
                Some(segment) => usize::from(segment),
            },
        }
    }
}

impl Iterator for Datagrams {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if self.at >= self.end {
            return None;
        }
        let start = self.at;
        self.at = self.end.min(start + self.segment);
        Some(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_last_is_shorter() {
        let ranges: Vec<_> = Datagrams::new(3000, Some(1458)).collect();
        assert_eq!(ranges, [0..1458, 1458..2916, 2916..3000]);
        let ranges: Vec<_> = Datagrams::new(2916, Some(1458)).collect();
        assert_eq!(ranges, [0..1458, 1458..2916]);
    }

    #[test]
    fn nothing_joined_is_one() {
        for segment in [None, Some(0), Some(100), Some(u16::MAX)] {
            let mut datagrams = Datagrams::new(100, segment);
            assert_eq!((datagrams.next(), datagrams.next()), (Some(0..100), None));
        }
    }

    #[test]
    fn an_empty_one_is_none() {
        for segment in [None, Some(0), Some(100)] {
            assert_eq!(Datagrams::new(0, segment).next(), None);
        }
    }

    proptest! {
        #[test]
        fn every_octet_is_in_one(len in 0..=65535usize, segment: Option<u16>) {
            let mut covered = 0;
            for range in Datagrams::new(len, segment) {
                prop_assert_eq!(range.start, covered);
                prop_assert!(range.end > range.start);
                let whole = segment.is_some_and(|segment| range.len() == usize::from(segment));
                prop_assert!(whole || range.end == len);
                covered = range.end;
            }
            prop_assert_eq!(covered, len);
        }
    }
}
