//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

use crate::word;

/// The one's complement sum of `bytes` as big-endian 16-bit words, folded to 16 bits, not
/// complemented. An odd last octet counts as the high half of a word.
///
/// Sums in the processor's byte order and swaps once at the end: the sum is byte-order independent
/// (RFC 1071 §2 (B)). Written so that the compiler does several words at a time, with a shift and
/// two additions each.
#[must_use]
pub fn sum(bytes: &[u8]) -> u16 {
    let (words, rest) = bytes.as_chunks::<8>();
    // The words' high halves, and the words, whose carries are lost: with the high halves taken
    // away, what is left is the low halves. 64 bits have room for those of 16 GiB.
    let (mut high, mut whole) = (0u64, 0u64);
    for &word in words {
        let word = u64::from_ne_bytes(word);
        high += word >> 32;
        whole = whole.wrapping_add(word);
    }
    let low = whole.wrapping_sub(high << 32);
    let mut total = high + low;

    let (words, rest) = rest.as_chunks::<4>();
    if let [word] = words {
        total += u64::from(u32::from_ne_bytes(*word));
    }
    let (words, rest) = rest.as_chunks::<2>();
    if let [word] = words {
        total += u64::from(u16::from_ne_bytes(*word));
    }
    if let [last] = rest {
        total += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    u16::from_be(fold(total))
}

const fn fold(total: u64) -> u16 {
    let sum = (total & 0xffff_ffff) + (total >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// Adds two folded sums with end-around carry.
#[must_use]
pub const fn add(a: u16, b: u16) -> u16 {
    let (value, carry) = a.overflowing_add(b);
    value + carry as u16
}

/// The folded sum of the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 §3.1, RFC 8200 §8.1):
/// both addresses as they stand in the IP header, the protocol and the transport's length.
#[must_use]
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: u32) -> u16 {
    let [a, b, c, d] = length.to_be_bytes();
    let length = add(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    add(add(sum(addresses), length), u16::from(protocol))
}

/// The checksum field after a 16-bit word under it changed from `old` to `new`:
/// `HC' = ~(~HC + ~m + m')` (RFC 1624 eqn. 3).
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !add(add(!checksum, !old), new)
}

/// The same for a partial checksum, whose field holds the pseudo-header's sum *without* the
/// complement: `s' = s + ~m + m'`.
#[must_use]
pub const fn update_partial(partial: u16, old: u16, new: u16) -> u16 {
    add(add(partial, !old), new)
}

/// Completes in place the checksum stored at `field` of `range`: the octets from the first to the
/// last that it covers, with the pseudo-header's sum in the field.
///
/// A field that is not inside the range leaves everything as it is.
pub fn complete(range: &mut [u8], field: usize) {
    complete_with(range, field, 0);
}

/// As [`complete`], where what the checksum covers goes on elsewhere: `rest` is the sum of that. The
/// range has an even length.
pub fn complete_with(range: &mut [u8], field: usize, rest: u16) {
    let value = match !add(sum(range), rest) {
        // RFC 768: a computed zero is sent as all ones. For TCP both mean the same number.
        0 => 0xffff,
        value => value,
    };
    word::write(range, field, value);
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// RFC 1071 §4.1, word by word.
    fn reference(bytes: &[u8]) -> u16 {
        let mut total: u32 = 0;
        for pair in bytes.chunks(2) {
            total += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            total = (total & 0xffff) + (total >> 16);
        }
        total as u16
    }

    /// 0 and 0xffff are the same number in one's complement.
    fn same(a: u16, b: u16) -> bool {
        a == b || (a.is_multiple_of(0xffff) && b.is_multiple_of(0xffff))
    }

    #[test]
    fn example_of_rfc_1071() {
        assert_eq!(
            sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            0xddf2
        );
    }

    /// The most that the halves of words can be, and odd lengths of it.
    #[test]
    fn carries_are_kept() {
        let ones = [0xff; 65543];
        for len in [7, 8, 9, 16, 4096, 65535, 65536, 65543] {
            assert_eq!(sum(&ones[..len]), reference(&ones[..len]), "{len}");
        }
    }

    proptest! {
        #[test]
        fn wide_sum_is_the_plain_sum(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(sum(&bytes), reference(&bytes));
        }

        #[test]
        fn update_is_recomputation(mut words in proptest::collection::vec(any::<u16>(), 2..40), new: u16) {
            let bytes = |words: &[u16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
            let before = sum(&bytes(&words));
            let old = words[1];
            words[1] = new;
            let after = sum(&bytes(&words));
            prop_assert!(same(update(!before, old, new), !after));
            prop_assert!(same(update_partial(before, old, new), after));
        }
    }
}
