//! The forwarding database: which MAC address is behind which port (IEEE 802.1D §7.9).
//!
//! Every frame looks up its destination and refreshes its source here, from all workers at once,
//! while a new or moved address is rare. So reading takes no lock: the table is open addressing
//! over pairs of atomics, and only changes of the set of keys or of a port take a mutex.
//!
//! A slot is read as key, value, key again. Who reuses a slot first marks its key as busy, then
//! stores the value, then the key (each with release order). A reader that saw the new value
//! (acquire) therefore cannot still see the old key, and skips the slot: it never takes one
//! address's port for another's.

mod shares;
mod slot;
#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prefetch_index::prefetch_index;
use vswitch_packet::{MacAddr, Moment};

use self::shares::Shares;
use self::slot::{EMPTY, STATIC, Slot, Value};
use crate::port::PortId;
use crate::vlan::Vlan;

/// Default limit of learned addresses of a bridge, that of Open vSwitch (`mac-table-size`).
pub const DEFAULT_LIMIT: usize = 8192;
/// Default ageing time in seconds (IEEE 802.1D table 7-5).
pub const DEFAULT_AGEING: u32 = 300;

/// Slots looked at before an address counts as absent. With at most three quarters of the slots in
/// use and a keyed hash, no run comes near this; it bounds what colliding addresses could cost.
const MAX_PROBES: usize = 64;

/// What the table says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address.
    pub mac: MacAddr,
    /// The VLAN it was seen in.
    pub vlan: Vlan,
    /// The port it is behind.
    pub port: PortId,
    /// Seconds since it was last seen; `None` if it was configured.
    pub age: Option<u32>,
}

/// What [`Fdb::learn`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The address was known at this port.
    Known,
    /// The address is new.
    New,
    /// The address was behind another port until now.
    Moved,
    /// The table is full, or the port's share of it: the address stays unknown, and frames to it are
    /// flooded.
    Full,
    /// The address is configured, behind another port, and stays there.
    Elsewhere,
}

/// The forwarding database of one bridge.
#[derive(Debug)]
pub struct Fdb {
    slots: Box<[Slot]>,
    /// Learned addresses at most.
    limit: usize,
    /// Seconds.
    ageing: u32,
    seed: u64,
    learned: AtomicUsize,
    /// Held by whoever changes the set of keys, or a port.
    writing: Mutex<Shares>,
}

impl Fdb {
    /// An empty table for `limit` learned addresses (at least one), which ages them after
    /// `ageing` seconds. `seed` keys the hash, so that nobody who chooses addresses can choose
    /// collisions: give it a random number.
    #[must_use]
    pub fn new(limit: usize, ageing: u32, seed: u64) -> Self {
        let limit = limit.clamp(1, 1 << 24);
        // Half as many slots again as learned addresses, and room for configured ones beside them.
        let slots = (limit + limit / 2 + 1024).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            limit,
            ageing,
            seed,
            learned: AtomicUsize::new(0),
            writing: Mutex::default(),
        }
    }

    /// The port `mac` is behind.
    #[inline]
    #[must_use]
    pub fn lookup(&self, vlan: Vlan, mac: MacAddr, now: Moment) -> Option<PortId> {
        let (_, value) = self.find(key(vlan, mac))?;
        self.is_live(value, seconds(now)).then_some(value.port())
    }

    /// Notes that a frame from `mac` came in at `port`.
    ///
    /// Costs a lookup when the address was seen at the same port in the same second, a
    /// compare-and-swap when the second changed, and a lock otherwise.
    #[inline]
    pub fn learn(&self, vlan: Vlan, mac: MacAddr, port: PortId, now: Moment) -> Learned {
        self.learn_within(usize::MAX, vlan, mac, port, now)
    }

    /// As [`Fdb::learn`], as long as no more than `share` addresses are learned behind `port`.
    ///
    /// An address that would move there, and for which there is no room, is forgotten: frames to it
    /// are rather flooded than sent where it has left.
    #[inline]
    pub fn learn_within(
        &self,
        share: usize,
        vlan: Vlan,
        mac: MacAddr,
        port: PortId,
        now: Moment,
    ) -> Learned {
        let key = key(vlan, mac);
        let now = seconds(now);
        if let Some((slot, value)) = self.find(key)
            && (value.is_static() || value.port() == port)
        {
            if value.port() != port {
                return Learned::Elsewhere;
            }
            if !value.is_static() && value.seen() != now {
                // If the slot was reused in between for another address with the very same
                // value, that address is at the same port and only its age is refreshed.
                let _ = slot.value.compare_exchange(
                    value.0,
                    Value::new(port, now).0,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
            }
            return Learned::Known;
        }
        self.learn_slowly(key, Value::new(port, now), share)
    }

    #[cold]
    fn learn_slowly(&self, key: u64, value: Value, share: usize) -> Learned {
        let mut shares = self.lock();
        let has_room = shares.learned(value.port()) < share;
        if let Some((place, old)) = self.place(key) {
            return if old.port() == value.port() {
                Learned::Known
            } else if old.is_static() {
                Learned::Elsewhere
            } else if !has_room {
                self.forget(&mut shares, place, old);
                Learned::Full
            } else {
                self.replace(&mut shares, place, old, value);
                match self.is_live(old, value.seen()) {
                    true => Learned::Moved,
                    false => Learned::New,
                }
            };
        }
        if has_room && self.learned() < self.limit && self.insert(&mut shares, key, value) {
            Learned::New
        } else {
            Learned::Full
        }
    }

    /// Whether it is worth to fetch addresses: there are more than the processor's caches keep in any case.
    #[inline]
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.learned() > 4096
    }

    /// Has fetched from memory what is known of `mac`, which is about to be looked up.
    #[inline]
    pub fn fetch(&self, vlan: Vlan, mac: MacAddr) {
        prefetch_index(&self.slots, self.home(key(vlan, mac)));
    }

    /// The port that `mac` is configured to be behind.
    #[inline]
    #[must_use]
    pub fn configured(&self, vlan: Vlan, mac: MacAddr) -> Option<PortId> {
        let (_, value) = self.find(key(vlan, mac))?;
        value.is_static().then_some(value.port())
    }

    /// Puts a configured address in: it does not age, does not move, and does not count against
    /// the limit. False if the table has no room.
    pub fn set_static(&self, vlan: Vlan, mac: MacAddr, port: PortId) -> bool {
        let mut shares = self.lock();
        let (key, value) = (key(vlan, mac), Value::new(port, STATIC));
        match self.place(key) {
            Some((place, old)) => {
                self.replace(&mut shares, place, old, value);
                true
            }
            None => self.insert(&mut shares, key, value),
        }
    }

    /// Takes a configured address out. False if there is none; one that was learned stays.
    pub fn remove_static(&self, vlan: Vlan, mac: MacAddr) -> bool {
        let mut shares = self.lock();
        match self.place(key(vlan, mac)) {
            Some((place, value)) if value.is_static() => {
                self.forget(&mut shares, place, value);
                true
            }
            _ => false,
        }
    }

    /// Forgets every address behind `port`, configured ones too.
    pub fn forget_port(&self, port: PortId) {
        self.retain(|value| value.port() != port);
    }

    /// Forgets every learned address.
    pub fn flush(&self) {
        self.retain(Value::is_static);
    }

    /// Takes aged addresses out. A lookup never returns one in any case; this makes room.
    pub fn sweep(&self, now: Moment) {
        let now = seconds(now);
        self.retain(|value| self.is_live(value, now));
    }

    /// All addresses that have not aged, in no order.
    #[must_use]
    pub fn entries(&self, now: Moment) -> Vec<Entry> {
        let _guard = self.lock();
        let now = seconds(now);
        let slots = self.slots.iter().map(Slot::read);
        slots
            .filter(|&(key, value)| key != EMPTY && self.is_live(value, now))
            .map(|(key, value)| Entry {
                mac: MacAddr::from_u64(key),
                vlan: Vlan::from_bits((key >> 48) as u16),
                port: value.port(),
                age: (!value.is_static()).then(|| now.saturating_sub(value.seen())),
            })
            .collect()
    }

    /// How many addresses the table holds behind `port`, configured ones, and aged ones that were not
    /// swept yet, included.
    #[must_use]
    pub fn count_behind(&self, port: PortId) -> usize {
        self.lock().all(port)
    }

    /// How many learned addresses the table holds, aged ones that were not swept yet included.
    #[must_use]
    pub fn learned(&self) -> usize {
        self.learned.load(Ordering::Relaxed)
    }

    #[inline]
    const fn is_live(&self, value: Value, now: u32) -> bool {
        value.is_static() || now.saturating_sub(value.seen()) < self.ageing
    }

    #[inline]
    fn home(&self, key: u64) -> usize {
        // Folded multiplication: every bit of the key reaches every bit of the place.
        let product = u128::from(key ^ self.seed) * u128::from(self.seed | 0x9e37_79b9_7f4a_7c15);
        ((product >> 64) as u64 ^ product as u64) as usize & (self.slots.len() - 1)
    }

    /// As a reader, who may be overtaken by changes.
    #[inline]
    fn find(&self, key: u64) -> Option<(&Slot, Value)> {
        let mask = self.slots.len() - 1;
        let home = self.home(key);
        for step in 0..MAX_PROBES {
            let slot = self.slots.get((home + step) & mask)?;
            match slot.key.load(Ordering::Acquire) {
                EMPTY => return None,
                found if found == key => {
                    let value = Value(slot.value.load(Ordering::Acquire));
                    if slot.key.load(Ordering::Relaxed) == key {
                        return Some((slot, value));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// As one who holds the lock.
    fn place(&self, key: u64) -> Option<(usize, Value)> {
        let mask = self.slots.len() - 1;
        let home = self.home(key);
        let places = (0..MAX_PROBES).map(|step| (home + step) & mask);
        for place in places {
            match self.slots[place].read() {
                (EMPTY, _) => return None,
                (found, value) if found == key => return Some((place, value)),
                _ => {}
            }
        }
        None
    }

    fn insert(&self, shares: &mut Shares, key: u64, value: Value) -> bool {
        let mask = self.slots.len() - 1;
        let home = self.home(key);
        for step in 0..MAX_PROBES {
            let slot = &self.slots[(home + step) & mask];
            if slot.key.load(Ordering::Relaxed) == EMPTY {
                slot.write(key, value);
                self.enter(shares, value);
                return true;
            }
        }
        false
    }

    fn replace(&self, shares: &mut Shares, place: usize, old: Value, new: Value) {
        self.slots[place].value.store(new.0, Ordering::Release);
        self.leave(shares, old);
        self.enter(shares, new);
    }

    fn forget(&self, shares: &mut Shares, place: usize, value: Value) {
        self.remove(place);
        self.leave(shares, value);
    }

    fn enter(&self, shares: &mut Shares, value: Value) {
        shares.enter(value);
        if !value.is_static() {
            self.learned.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn leave(&self, shares: &mut Shares, value: Value) {
        shares.leave(value);
        if !value.is_static() {
            self.learned.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Keeps what `keep` says, and closes the gaps in the probe runs by moving entries back
    /// towards their homes. A reader that meets a moving entry may miss it once, which costs one
    /// flooded frame.
    fn retain(&self, keep: impl Fn(Value) -> bool) {
        let mut shares = self.lock();
        let mut place = 0;
        while place < self.slots.len() {
            let (key, value) = self.slots[place].read();
            if key == EMPTY || keep(value) {
                place += 1;
            } else {
                self.forget(&mut shares, place, value);
                // What moved into this place is looked at next.
            }
        }
    }

    fn remove(&self, mut gap: usize) {
        let mask = self.slots.len() - 1;
        let mut next = gap;
        loop {
            next = (next + 1) & mask;
            let (key, value) = self.slots[next].read();
            if key == EMPTY {
                break;
            }
            let from_home = next.wrapping_sub(self.home(key)) & mask;
            let from_gap = next.wrapping_sub(gap) & mask;
            if from_home >= from_gap {
                self.slots[gap].write(key, value);
                gap = next;
            }
        }
        self.slots[gap].key.store(EMPTY, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        // The table is consistent between any two stores, so a panic elsewhere does no harm.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn key(vlan: Vlan, mac: MacAddr) -> u64 {
    ((vlan.get() as u64) << 48) | mac.to_u64()
}

#[inline]
fn seconds(now: Moment) -> u32 {
    // 136 years of uptime, and never the mark of a configured entry.
    u32::try_from(now.as_secs())
        .unwrap_or(STATIC)
        .min(STATIC - 1)
}
