//! The claimed ports: one bit each, in memory that the programs read.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use crate::TransportProtocol;
use crate::mapping::SharedWords;

/// Which ports of the host's addresses are ours. Clones share them; any thread may claim.
///
/// A claim is a bit: it is not counted, so a port that was claimed twice is released at once. It costs no
/// system call; a range costs one write for 64 ports.
#[derive(Debug, Clone)]
pub struct DivertClaims(Arc<Claims>);

#[derive(Debug)]
struct Claims {
    bits: SharedWords,
    /// The addresses by slot. Locked for reading while bits are changed, so that no claim of an address
    /// that is just being removed falls to the next one in its slot.
    slots: RwLock<Vec<Option<IpAddr>>>,
}

/// Addresses at most: 24 KiB each, whether they are used or not.
pub(super) const MAX_ADDRESSES: usize = 64;

/// Words of bits of one protocol.
pub(super) const WORDS_PER_PROTOCOL: usize = 65536 / 64;

/// Words of bits of one address.
pub(super) const WORDS_PER_ADDRESS: usize = TransportProtocol::ALL.len() * WORDS_PER_PROTOCOL;

impl DivertClaims {
    pub(super) fn new(bits: SharedWords) -> Self {
        let slots = RwLock::new(vec![None; MAX_ADDRESSES]);
        Self(Arc::new(Claims { bits, slots }))
    }

    /// Claims a port of an address: its packets are ours. False if the address is none of the host's
    /// ([`Divert::add_address`](super::Divert::add_address)).
    pub fn claim(&self, address: IpAddr, protocol: TransportProtocol, port: u16) -> bool {
        self.claim_range(address, protocol, port..=port)
    }

    /// Claims all ports of a range.
    pub fn claim_range(
        &self,
        address: IpAddr,
        protocol: TransportProtocol,
        ports: RangeInclusive<u16>,
    ) -> bool {
        self.change(address, protocol, ports, true)
    }

    /// Releases a port: its packets are the kernel's. False if the address is none of the host's.
    pub fn release(&self, address: IpAddr, protocol: TransportProtocol, port: u16) -> bool {
        self.release_range(address, protocol, port..=port)
    }

    /// Releases all ports of a range.
    pub fn release_range(
        &self,
        address: IpAddr,
        protocol: TransportProtocol,
        ports: RangeInclusive<u16>,
    ) -> bool {
        self.change(address, protocol, ports, false)
    }

    /// Whether packets to a port of an address are ours.
    #[must_use]
    pub fn is_claimed(&self, address: IpAddr, protocol: TransportProtocol, port: u16) -> bool {
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slot_of(&slots, address) else {
            return false;
        };
        let word = first_word(slot, protocol) + usize::from(port / 64);
        self.0.bits[word].load(Ordering::Relaxed) >> (port % 64) & 1 != 0
    }

    fn change(
        &self,
        address: IpAddr,
        protocol: TransportProtocol,
        ports: RangeInclusive<u16>,
        claimed: bool,
    ) -> bool {
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slot_of(&slots, address) else {
            return false;
        };
        let first = first_word(slot, protocol);
        for (word, mask) in masks(ports) {
            let word = &self.0.bits[first + word];
            if claimed {
                word.fetch_or(mask, Ordering::Relaxed);
            } else {
                word.fetch_and(!mask, Ordering::Relaxed);
            }
        }
        true
    }

    /// Whether the address is one of the host's.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        slot_of(&slots, address).is_some()
    }

    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().flatten().copied().collect()
    }

    /// The slot of an address, which it has or is given; `None` if there is none left.
    pub(super) fn take_slot(&self, address: IpAddr) -> Option<u32> {
        let mut slots = self.0.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slot_of(&slots, address).or_else(|| slots.iter().position(Option::is_none))?;
        slots[slot] = Some(address);
        u32::try_from(slot).ok()
    }

    /// Takes the slot of an address back, with its claims.
    pub(super) fn free_slot(&self, address: IpAddr) {
        let mut slots = self.0.slots.write().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slot_of(&slots, address) else {
            return;
        };
        for word in &self.0.bits[slot * WORDS_PER_ADDRESS..][..WORDS_PER_ADDRESS] {
            word.store(0, Ordering::Relaxed);
        }
        slots[slot] = None;
    }
}

fn slot_of(slots: &[Option<IpAddr>], address: IpAddr) -> Option<usize> {
    slots.iter().position(|&slot| slot == Some(address))
}

/// Where the bits of a protocol begin: in the order of [`TransportProtocol::ALL`], as the programs have it.
fn first_word(slot: usize, protocol: TransportProtocol) -> usize {
    slot * WORDS_PER_ADDRESS + protocol as usize * WORDS_PER_PROTOCOL
}

/// A range of ports as words, and the bits in each.
fn masks(ports: RangeInclusive<u16>) -> impl Iterator<Item = (usize, u64)> {
    let (first, last) = (*ports.start(), *ports.end());
    let words = (first / 64..=last / 64).filter(move |_| first <= last);
    words.map(move |word| {
        let from = if word == first / 64 { first % 64 } else { 0 };
        let to = if word == last / 64 { last % 64 } else { 63 };
        (
            usize::from(word),
            (u64::MAX << from) & (u64::MAX >> (63 - to)),
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn masks_have_a_bit_for_each_port(first: u16, last: u16) {
            let mut expected = vec![0u64; WORDS_PER_PROTOCOL];
            for port in first..=last {
                expected[usize::from(port / 64)] |= 1 << (port % 64);
            }
            let mut told = vec![0u64; WORDS_PER_PROTOCOL];
            for (word, mask) in masks(first..=last) {
                prop_assert_eq!(told[word], 0, "a word twice");
                told[word] = mask;
            }
            prop_assert_eq!(told, expected);
        }
    }
}
