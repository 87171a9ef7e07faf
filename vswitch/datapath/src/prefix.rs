//! Values by IP prefix, of which the longest that contains an address is found.

use core::hash::Hash;
use core::ops::BitAnd;
use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::FixedState;
use ipnet::IpNet;

/// A table for each length of prefix that occurs, so that a search costs as many steps as there are
/// lengths, whatever the number of prefixes. The hash has no secret: prefixes are configured.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes<T> {
    v4: Family<u32, T>,
    v6: Family<u128, T>,
}

#[derive(Clone, Debug)]
struct Family<A, T> {
    /// The longest prefixes first.
    lengths: Vec<Length<A, T>>,
}

#[derive(Clone, Debug)]
struct Length<A, T> {
    mask: A,
    values: HashMap<A, T, FixedState>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        let (v4, v6) = (Family { lengths: vec![] }, Family { lengths: vec![] });
        Self { v4, v6 }
    }
}

impl<T> Prefixes<T> {
    /// Enters `value`, unless `prefix` has one already.
    pub(crate) fn insert_new(&mut self, prefix: IpNet, value: T) {
        match prefix {
            IpNet::V4(net) => {
                let (mask, first) = (net.netmask().to_bits(), net.network().to_bits());
                self.v4.insert_new(mask, first, value);
            }
            IpNet::V6(net) => {
                let (mask, first) = (net.netmask().to_bits(), net.network().to_bits());
                self.v6.insert_new(mask, first, value);
            }
        }
    }

    /// The value of the longest prefix that contains `address`.
    #[inline]
    pub(crate) fn get(&self, address: IpAddr) -> Option<&T> {
        match address {
            IpAddr::V4(address) => self.v4.get(address.to_bits()),
            IpAddr::V6(address) => self.v6.get(address.to_bits()),
        }
    }
}

impl<A: Copy + Ord + Hash + BitAnd<Output = A>, T> Family<A, T> {
    fn insert_new(&mut self, mask: A, first: A, value: T) {
        // A longer mask is a greater number.
        let place = self.lengths.partition_point(|length| length.mask > mask);
        if self
            .lengths
            .get(place)
            .is_none_or(|length| length.mask != mask)
        {
            let values = HashMap::default();
            self.lengths.insert(place, Length { mask, values });
        }
        self.lengths[place].values.entry(first).or_insert(value);
    }

    fn get(&self, address: A) -> Option<&T> {
        let mut lengths = self.lengths.iter();
        lengths.find_map(|length| length.values.get(&(address & length.mask)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// Prefixes and addresses that are often near each other.
    fn address() -> impl Strategy<Value = IpAddr> {
        let near = |bits: u32| bits & 0x0f00_0f0f;
        prop_oneof![
            any::<u32>().prop_map(move |bits| Ipv4Addr::from(near(bits)).into()),
            any::<u32>().prop_map(move |bits| {
                Ipv6Addr::from(u128::from(near(bits)) << 96 | u128::from(bits & 3)).into()
            }),
        ]
    }

    fn prefix() -> impl Strategy<Value = IpNet> {
        (address(), 0..=128u8).prop_map(|(address, len)| {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            IpNet::new(address, len % (longest + 1)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn finds_what_a_search_of_all_finds(
            entries in proptest::collection::vec(prefix(), 0..60),
            asked in proptest::collection::vec(address(), 1..60),
        ) {
            let mut prefixes = Prefixes::default();
            for (value, prefix) in entries.iter().enumerate() {
                prefixes.insert_new(*prefix, value);
            }
            for address in asked {
                let matching = entries.iter().enumerate().filter(|(_, p)| p.contains(&address));
                // Of equal ones the first.
                let best = matching.rev().max_by_key(|(_, p)| p.prefix_len());
                prop_assert_eq!(prefixes.get(address).copied(), best.map(|(value, _)| value));
            }
        }
    }

    #[test]
    fn the_default_route_contains_everything() {
        let mut prefixes = Prefixes::default();
        prefixes.insert_new("0.0.0.0/0".parse().unwrap(), 4);
        prefixes.insert_new("::/0".parse().unwrap(), 6);
        assert_eq!(prefixes.get("203.0.113.9".parse().unwrap()), Some(&4));
        assert_eq!(prefixes.get("2001:db8::9".parse().unwrap()), Some(&6));
    }
}
