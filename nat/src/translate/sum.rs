//! What replacing octets does to an Internet checksum over them (RFC 1624).

use vswitch_packet::checksum;

/// By how much a one's complement sum grew. Zero is zero's other way of writing, so that adding it
/// changes no sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delta(u16);

impl Delta {
    pub(crate) const NONE: Self = Self(0);

    /// Writes `new` at `at`, which is an even number of octets into what is summed.
    ///
    /// Positions come from a parse of the same octets; one outside changes nothing.
    #[inline]
    pub(crate) fn replace<const N: usize>(bytes: &mut [u8], at: usize, new: [u8; N]) -> Self {
        let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<N>) else {
            return Self::NONE;
        };
        if *field == new {
            return Self::NONE;
        }
        let delta = checksum::add(!sum(field), sum(&new));
        *field = new;
        Self(delta)
    }

    /// Both changes.
    #[inline]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(checksum::add(self.0, other.0))
    }

    /// The checksum field after the change: RFC 1624 eqn. 3.
    #[inline]
    pub(crate) fn update(self, field: u16) -> u16 {
        match self {
            Self::NONE => field,
            Self(delta) => !checksum::add(!field, delta),
        }
    }

    /// The same for a partial checksum, whose field holds a sum that is not complemented.
    #[inline]
    pub(crate) fn update_partial(self, field: u16) -> u16 {
        match self {
            Self::NONE => field,
            Self(delta) => checksum::add(field, delta),
        }
    }
}

/// As [`checksum::sum`], of few octets: without a loop.
#[inline]
fn sum<const N: usize>(octets: &[u8; N]) -> u16 {
    let (words, rest) = octets.as_chunks::<2>();
    let sum: u32 = words
        .iter()
        .map(|word| u32::from(u16::from_be_bytes(*word)))
        .sum();
    debug_assert!(rest.is_empty(), "whole words are replaced");
    checksum::add((sum >> 16) as u16, sum as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 0 and 0xffff are the same number in one's complement.
    fn same(a: u16, b: u16) -> bool {
        a == b || (a.is_multiple_of(0xffff) && b.is_multiple_of(0xffff))
    }

    proptest! {
        #[test]
        fn is_recomputation(
            mut bytes in proptest::collection::vec(any::<u8>(), 40..100),
            address: [u8; 16],
            port: [u8; 2],
            at in 0..10usize,
        ) {
            let before = checksum::sum(&bytes);
            let delta = Delta::replace(&mut bytes, 2 * at, address)
                .and(Delta::replace(&mut bytes, 38, port));
            let after = checksum::sum(&bytes);
            prop_assert_eq!(&bytes[2 * at..2 * at + 16], &address);
            prop_assert!(same(delta.update(!before), !after));
            prop_assert!(same(delta.update_partial(before), after));
        }

        #[test]
        fn the_same_octets_change_no_field(mut bytes: [u8; 8], field: u16) {
            let same = [bytes[2], bytes[3], bytes[4], bytes[5]];
            let delta = Delta::replace(&mut bytes, 2, same);
            prop_assert_eq!(delta.update(field), field);
            prop_assert_eq!(delta.update_partial(field), field);
        }
    }

    #[test]
    fn outside_is_left_alone() {
        let mut bytes = [1, 2, 3];
        assert_eq!(Delta::replace(&mut bytes, 2, [9, 9]), Delta::NONE);
        assert_eq!(bytes, [1, 2, 3]);
    }
}
