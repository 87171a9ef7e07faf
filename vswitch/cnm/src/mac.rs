//! MAC addresses of endpoints and gateways, and their form in records.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serializer};
use vswitch_packet::MacAddr;

/// Docker's `02:42` plus the first IPv4 address there is, else an address made of `seed`.
pub(crate) fn mac_for(addresses: impl IntoIterator<Item = IpAddr>, seed: &[u8; 32]) -> MacAddr {
    addresses
        .into_iter()
        .find_map(|address| match address {
            IpAddr::V4(address) => Some(MacAddr::from_ipv4(address)),
            IpAddr::V6(_) => None,
        })
        .unwrap_or_else(|| mac_from_seed(seed))
}

/// [`mac_for`], or the next address made of `seed` that `taken` does not hold.
pub(crate) fn free_mac_for(
    addresses: impl IntoIterator<Item = IpAddr>,
    seed: &[u8; 32],
    taken: impl Fn(MacAddr) -> bool,
) -> MacAddr {
    let mut mac = mac_for(addresses, seed);
    let mut next = mac_from_seed(seed);
    // Ends, as a network has far fewer endpoints than there are addresses.
    while taken(mac) {
        mac = next;
        next = local_unicast(MacAddr::from_u64(next.to_u64() + 1));
    }
    mac
}

/// Serde for a [`MacAddr`] as text: `#[serde(with = "crate::mac::text")]`.
pub(crate) mod text {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(mac: &MacAddr, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(mac)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<MacAddr, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

fn mac_from_seed(seed: &[u8; 32]) -> MacAddr {
    let [a, b, c, d, e, f, ..] = *seed;
    local_unicast(MacAddr([a, b, c, d, e, f]))
}

/// Sets the locally administered bit and clears the group bit (IEEE 802, section 8.4).
const fn local_unicast(mac: MacAddr) -> MacAddr {
    let [first, b, c, d, e, f] = mac.0;
    MacAddr([(first & 0xfc) | 0x02, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn ipv4_makes_dockers_address_wherever_it_stands() {
        assert_eq!(
            mac_for(ips(&["fd00::2", "172.18.0.2"]), &[0xff; 32]).to_string(),
            "02:42:ac:12:00:02"
        );
    }

    #[test]
    fn without_ipv4_the_seed_makes_a_local_unicast_address() {
        let mac = mac_for(ips(&["fd00::2"]), &[0xff; 32]);
        assert_eq!(mac.to_string(), "fe:ff:ff:ff:ff:ff");
        assert!(mac.is_valid_source());
    }

    #[test]
    fn a_taken_address_is_stepped_over() {
        let wanted = mac_for(ips(&["10.0.0.2"]), &[0xff; 32]);
        let seeded = mac_from_seed(&[0xff; 32]);
        let free = free_mac_for(ips(&["10.0.0.2"]), &[0xff; 32], |mac| {
            mac == wanted || mac == seeded
        });
        // The carry into the first octet would have set the group bit.
        assert_eq!(free.to_string(), "fe:00:00:00:00:00");
    }
}
