//! What replacing octets does to an Internet checksum over them (RFC 1624).

/// By how much a one's complement sum grew, with its carries. Zero is zero's other way of writing, so
/// that adding it changes no sum.
///
/// The words are in the processor's byte order, as are the checksums that it is applied to: the sum does
/// not depend on it (RFC 1071 §2 (B)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delta(u64);

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
        let old = field.map(|octet| !octet);
        *field = new;
        Self(sum(&old) + sum(&new))
    }

    /// Both changes.
    #[inline]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The checksum field after the change: RFC 1624 eqn. 3.
    #[inline]
    pub(crate) const fn update(self, field: [u8; 2]) -> [u8; 2] {
        match self {
            Self::NONE => field,
            Self(delta) => {
                let sum = !u16::from_ne_bytes(field);
                (!fold(sum as u64 + delta)).to_ne_bytes()
            }
        }
    }

    /// The same for a partial checksum, whose field holds a sum that is not complemented.
    #[inline]
    pub(crate) const fn update_partial(self, field: [u8; 2]) -> [u8; 2] {
        fold(u16::from_ne_bytes(field) as u64 + self.0).to_ne_bytes()
    }
}

/// Of an even number of octets, few enough to be summed without a loop.
#[inline]
fn sum<const N: usize>(octets: &[u8; N]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    let words = words
        .iter()
        .map(|word| u64::from(u32::from_ne_bytes(*word)));
    let (rest, odd) = rest.as_chunks::<2>();
    let rest = rest.iter().map(|word| u64::from(u16::from_ne_bytes(*word)));
    debug_assert!(odd.is_empty(), "whole words are replaced");
    words.sum::<u64>() + rest.sum::<u64>()
}

/// Adds all carries. Of less than 2^48, as of a few 32-bit words.
const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vswitch_packet::checksum;

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
            let updated = u16::from_be_bytes(delta.update((!before).to_be_bytes()));
            prop_assert!(same(updated, !after));
            let updated = u16::from_be_bytes(delta.update_partial(before.to_be_bytes()));
            prop_assert!(same(updated, after));
        }

        #[test]
        fn the_same_octets_change_no_field(mut bytes: [u8; 8], field: [u8; 2]) {
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
