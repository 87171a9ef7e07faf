//! A session, packed for the ledger.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_packet::ip::Version;

use super::conversation::Phase;
use super::entry::Kind;
use crate::config::Filtering;
use crate::endpoint::Endpoint;
use crate::ledger::Record;
use crate::tuple::Protocol;

/// What of a session outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) protocol: Protocol,
    pub(super) phase: Phase,
    pub(super) lasting: u8,
    pub(super) kind: Kind,
    pub(super) filtering: Filtering,
    pub(super) inside: Endpoint,
    pub(super) external: Endpoint,
    pub(super) remote: Endpoint,
}

/// Counts up when the layout changes, so that an older record is taken for a damaged one.
const LAYOUT: u8 = 1;

const KINDS: [Kind; 3] = [Kind::Own, Kind::Published, Kind::Drawn];
const FILTERINGS: [Filtering; 3] = [
    Filtering::EndpointIndependent,
    Filtering::AddressDependent,
    Filtering::AddressAndPortDependent,
];

/// In octets: the three addresses (0 to 47), their ports (48), protocol and number (54), phase and
/// lasting marks (56), family, kind and filtering (57), layout (58), and the check (60).
impl Saved {
    pub(super) fn pack(&self) -> Record {
        let mut bytes = [0; 64];
        for (n, endpoint) in [self.inside, self.external, self.remote].iter().enumerate() {
            let address = match endpoint.address().into() {
                IpAddr::V4(v4) => u128::from(v4.to_bits()),
                IpAddr::V6(v6) => v6.to_bits(),
            };
            bytes[16 * n..16 * (n + 1)].copy_from_slice(&address.to_le_bytes());
            bytes[48 + 2 * n..50 + 2 * n].copy_from_slice(&endpoint.port().to_le_bytes());
        }
        (bytes[54], bytes[55]) = match self.protocol {
            Protocol::Tcp => (1, 0),
            Protocol::Udp => (2, 0),
            Protocol::Sctp => (3, 0),
            Protocol::Echo => (4, 0),
            Protocol::Other(number) => (5, number),
        };
        bytes[56] = (self.phase as u8) << 4 | self.lasting;
        let filtering = FILTERINGS.iter().position(|&f| f == self.filtering);
        bytes[57] = u8::from(self.inside.address().version() == Version::V6)
            | (self.kind as u8) << 1
            | (filtering.unwrap_or_default() as u8) << 3;
        bytes[58] = LAYOUT;
        let check = check(&bytes);
        bytes[60..].copy_from_slice(&check);

        let mut record = Record::default();
        for (word, bytes) in record.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        record
    }

    /// `None` if the record is empty, damaged, or makes no sense.
    pub(super) fn unpack(record: &Record) -> Option<Self> {
        let mut bytes = [0; 64];
        for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(record) {
            *bytes = word.to_le_bytes();
        }
        if bytes[58] != LAYOUT || bytes[60..] != check(&bytes) {
            return None;
        }
        let endpoint = |n: usize| {
            let address = u128::from_le_bytes(*bytes[16 * n..].first_chunk()?);
            let address = if bytes[57] & 1 != 0 {
                IpAddr::V6(Ipv6Addr::from_bits(address))
            } else {
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(address).ok()?))
            };
            let port = u16::from_le_bytes(*bytes[48 + 2 * n..].first_chunk()?);
            Some(Endpoint::new(address.into(), port))
        };
        let saved = Self {
            protocol: match bytes[54] {
                1 => Protocol::Tcp,
                2 => Protocol::Udp,
                3 => Protocol::Sctp,
                4 => Protocol::Echo,
                5 => Protocol::Other(bytes[55]),
                _ => return None,
            },
            phase: *Phase::ALL.get(usize::from(bytes[56] >> 4))?,
            lasting: bytes[56] & 0xf,
            kind: *KINDS.get(usize::from(bytes[57] >> 1 & 3))?,
            filtering: *FILTERINGS.get(usize::from(bytes[57] >> 3))?,
            inside: endpoint(0)?,
            external: endpoint(1)?,
            remote: endpoint(2)?,
        };
        let sound = match (saved.kind, saved.protocol) {
            (Kind::Own, _) => saved.external == saved.inside,
            (Kind::Published, Protocol::Echo) | (_, Protocol::Other(_)) => false,
            _ => true,
        };
        sound.then_some(saved)
    }
}

/// Of the octets before the check. Not 0 for a record of zeros, because of the layout.
fn check(bytes: &[u8; 64]) -> [u8; 4] {
    crc32c::crc32c(&bytes[..60]).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn endpoint(v6: bool)(address: u128, port: u16) -> Endpoint {
            let address = if v6 {
                IpAddr::V6(Ipv6Addr::from_bits(address))
            } else {
                IpAddr::V4(Ipv4Addr::from_bits(address as u32))
            };
            Endpoint::new(address.into(), port)
        }
    }

    fn saved() -> impl Strategy<Value = Saved> {
        (
            any::<bool>(),
            0..5usize,
            0..7usize,
            0..8u8,
            0..3usize,
            0..3usize,
        )
            .prop_flat_map(|(v6, protocol, phase, lasting, kind, filtering)| {
                let protocol = [
                    Protocol::Tcp,
                    Protocol::Udp,
                    Protocol::Sctp,
                    Protocol::Echo,
                    Protocol::Other(47),
                ][protocol];
                let kind = match protocol {
                    Protocol::Other(_) => Kind::Own,
                    Protocol::Echo if kind == 1 => Kind::Drawn,
                    _ => KINDS[kind],
                };
                (endpoint(v6), endpoint(v6), endpoint(v6)).prop_map(
                    move |(inside, external, remote)| Saved {
                        protocol,
                        phase: Phase::ALL[phase],
                        lasting,
                        kind,
                        filtering: FILTERINGS[filtering],
                        inside,
                        external: if kind == Kind::Own { inside } else { external },
                        remote,
                    },
                )
            })
    }

    proptest! {
        #[test]
        fn comes_back_as_it_went(saved in saved()) {
            prop_assert_eq!(Saved::unpack(&saved.pack()), Some(saved));
        }

        /// Words of two records, as a crash between two writes leaves them.
        #[test]
        fn a_torn_record_is_found_out(old in saved(), new in saved(), words in 1..8usize) {
            let (old, new) = (old.pack(), new.pack());
            let mut torn = old;
            torn[..words].copy_from_slice(&new[..words]);
            prop_assume!(torn != old && torn != new);
            prop_assert_eq!(Saved::unpack(&torn), None);
        }

        #[test]
        fn a_torn_end_is_found_out(old in saved(), words in 1..8usize) {
            let mut torn = old.pack();
            torn[..words].fill(0);
            prop_assume!(torn != old.pack());
            prop_assert_eq!(Saved::unpack(&torn), None);
        }

        #[test]
        fn a_flipped_bit_is_found_out(saved in saved(), bit in 0..512usize) {
            let mut record = saved.pack();
            record[bit / 64] ^= 1 << (bit % 64);
            prop_assert_eq!(Saved::unpack(&record), None);
        }
    }

    #[test]
    fn zeros_mean_none() {
        assert_eq!(Saved::unpack(&[0; 8]), None);
    }
}
