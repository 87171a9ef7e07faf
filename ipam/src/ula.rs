//! The unique local IPv6 prefix of a host.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// The /48 that a host splits into its default IPv6 subnets: fd00::/8 and the low 40 bits of
/// `host_id_hash` (RFC 4193 section 3.1).
///
/// A hash of something that stays the same on a host, and differs between hosts, keeps its
/// networks' addresses across restarts. Docker takes the first 8 bytes of the SHA-256 of its host id,
/// big endian; given those, this is Docker's prefix.
#[must_use]
pub const fn ula_prefix(host_id_hash: u64) -> Ipv6Net {
    let global_id = host_id_hash as u128 & ((1 << 40) - 1);
    Ipv6Net::new_assert(Ipv6Addr::from_bits((0xfd << 120) | (global_id << 80)), 48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_low_forty_bits() {
        let prefix = ula_prefix(0xffff_ff12_3456_789a);
        assert_eq!(prefix.to_string(), "fd12:3456:789a::/48");
    }

    #[test]
    fn every_bit_taken_makes_another_prefix() {
        for bit in 0..40 {
            assert_ne!(ula_prefix(1 << bit), ula_prefix(0));
        }
        for bit in 40..64 {
            assert_eq!(ula_prefix(1 << bit), ula_prefix(0));
        }
    }
}
