//! SCTP's checksum, which covers the ports but no addresses (RFC 9260 §6.8).

/// More than any packet holds behind its ports.
static ZEROS: [u8; 65535] = [0; 65535];

/// The CRC32c of a packet after its first four octets, the ports, changed from `old` to `new`, with
/// `following` octets behind them.
///
/// CRCs are linear, so what follows need not be there to be summed (it is not, in the quote of an
/// ICMP error), and a packet that was damaged on the way does not become a good one.
pub(crate) fn update(crc: u32, old: [u8; 4], new: [u8; 4], following: usize) -> u32 {
    let difference = (u32::from_ne_bytes(old) ^ u32::from_ne_bytes(new)).to_ne_bytes();
    let zeros = ZEROS.get(..following).unwrap_or(&ZEROS);
    // The complements undo those at both ends of the CRC, which cancel out in a difference.
    let difference = !crc32c::crc32c_append(crc32c::crc32c_append(!0, &difference), zeros);
    crc ^ difference
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_recomputation(
            mut packet in proptest::collection::vec(any::<u8>(), 4..3000),
            new: [u8; 4],
        ) {
            let before = crc32c::crc32c(&packet);
            let old = *packet.first_chunk().unwrap();
            packet[..4].copy_from_slice(&new);
            prop_assert_eq!(update(before, old, new, packet.len() - 4), crc32c::crc32c(&packet));
        }
    }
}
