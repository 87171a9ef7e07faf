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

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use vswitch_packet::{MacAddr, Moment};

use crate::port::PortId;
use crate::vlan::Vlan;

/// Default limit of learned addresses of a bridge, that of Open vSwitch (`mac-table-size`).
pub const DEFAULT_LIMIT: usize = 8192;
/// Default ageing time in seconds (IEEE 802.1D table 7-5).
pub const DEFAULT_AGEING: u32 = 300;

const EMPTY: u64 = 0;
/// No address is `ff:ff:ff:ff:ff:ff` in VLAN 0xffff, so this is no key.
const BUSY: u64 = u64::MAX;
/// The time stamp of an entry that was configured and does not age.
const STATIC: u32 = u32::MAX;
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
    /// The address was known at this port, or is configured.
    Known,
    /// The address is new.
    New,
    /// The address was behind another port until now.
    Moved,
    /// The table is full: the address stays unknown, and frames to it are flooded.
    Full,
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
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Slot {
    key: AtomicU64,
    value: AtomicU64,
}

/// The port in the high half, the second it was last seen in the low half.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Value(u64);

impl Value {
    const fn new(port: PortId, seen: u32) -> Self {
        Self(((port.0 as u64) << 32) | seen as u64)
    }

    const fn port(self) -> PortId {
        PortId((self.0 >> 32) as u32)
    }

    const fn seen(self) -> u32 {
        self.0 as u32
    }

    const fn is_static(self) -> bool {
        self.seen() == STATIC
    }
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
            writing: Mutex::new(()),
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
        let key = key(vlan, mac);
        let now = seconds(now);
        if let Some((slot, value)) = self.find(key)
            && (value.is_static() || value.port() == port)
        {
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
        self.learn_slowly(key, port, now)
    }

    #[cold]
    fn learn_slowly(&self, key: u64, port: PortId, now: u32) -> Learned {
        let guard = self.lock();
        if let Some((slot, value)) = self.find(key) {
            if value.is_static() || value.port() == port {
                return Learned::Known;
            }
            let expired = !self.is_live(value, now);
            slot.value.store(Value::new(port, now).0, Ordering::Release);
            return if expired {
                Learned::New
            } else {
                Learned::Moved
            };
        }
        if self.learned.load(Ordering::Relaxed) >= self.limit {
            return Learned::Full;
        }
        match self.insert(&guard, key, Value::new(port, now)) {
            true => {
                self.learned.fetch_add(1, Ordering::Relaxed);
                Learned::New
            }
            false => Learned::Full,
        }
    }

    /// Puts a configured address in: it does not age, does not move, and does not count against
    /// the limit. False if the table has no room.
    pub fn set_static(&self, vlan: Vlan, mac: MacAddr, port: PortId) -> bool {
        let guard = self.lock();
        let (key, value) = (key(vlan, mac), Value::new(port, STATIC));
        if let Some((slot, old)) = self.find(key) {
            slot.value.store(value.0, Ordering::Release);
            if !old.is_static() {
                self.learned.fetch_sub(1, Ordering::Relaxed);
            }
            return true;
        }
        self.insert(&guard, key, value)
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

    fn insert(&self, _guard: &MutexGuard<'_, ()>, key: u64, value: Value) -> bool {
        let mask = self.slots.len() - 1;
        let home = self.home(key);
        for step in 0..MAX_PROBES {
            let slot = &self.slots[(home + step) & mask];
            if slot.key.load(Ordering::Relaxed) == EMPTY {
                slot.write(key, value);
                return true;
            }
        }
        false
    }

    /// Keeps what `keep` says, and closes the gaps in the probe runs by moving entries back
    /// towards their homes. A reader that meets a moving entry may miss it once, which costs one
    /// flooded frame.
    fn retain(&self, keep: impl Fn(Value) -> bool) {
        let _guard = self.lock();
        let mut place = 0;
        while place < self.slots.len() {
            let (key, value) = self.slots[place].read();
            if key == EMPTY || keep(value) {
                place += 1;
            } else {
                self.remove(place);
                if !value.is_static() {
                    self.learned.fetch_sub(1, Ordering::Relaxed);
                }
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

    fn lock(&self) -> MutexGuard<'_, ()> {
        // The table is consistent between any two stores, so a panic elsewhere does no harm.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn read(&self) -> (u64, Value) {
        (
            self.key.load(Ordering::Acquire),
            Value(self.value.load(Ordering::Acquire)),
        )
    }

    fn write(&self, key: u64, value: Value) {
        self.key.store(BUSY, Ordering::Release);
        self.value.store(value.0, Ordering::Release);
        self.key.store(key, Ordering::Release);
    }
}

const fn key(vlan: Vlan, mac: MacAddr) -> u64 {
    ((vlan.get() as u64) << 48) | mac.to_u64()
}

fn seconds(now: Moment) -> u32 {
    // 136 years of uptime, and never the mark of a configured entry.
    u32::try_from(now.as_secs())
        .unwrap_or(STATIC)
        .min(STATIC - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::sync::Arc;

    const VLAN: Vlan = Vlan::NONE;

    fn mac(n: u64) -> MacAddr {
        MacAddr::from_u64(0x0242_0000_0000 | n)
    }

    fn at(secs: u64) -> Moment {
        Moment::from_secs(secs)
    }

    #[test]
    fn an_address_is_found_until_it_ages() {
        let fdb = Fdb::new(16, 300, 1);
        assert_eq!(fdb.learn(VLAN, mac(1), PortId(3), at(0)), Learned::New);
        assert_eq!(fdb.lookup(VLAN, mac(1), at(299)), Some(PortId(3)));
        assert_eq!(fdb.lookup(VLAN, mac(1), at(300)), None);
        assert_eq!(fdb.learn(VLAN, mac(1), PortId(3), at(200)), Learned::Known);
        assert_eq!(fdb.lookup(VLAN, mac(1), at(499)), Some(PortId(3)));
        fdb.sweep(at(500));
        assert_eq!((fdb.learned(), fdb.entries(at(500))), (0, vec![]));
    }

    #[test]
    fn a_moved_address_is_followed_at_once() {
        let fdb = Fdb::new(16, 300, 1);
        fdb.learn(VLAN, mac(1), PortId(3), at(0));
        assert_eq!(fdb.learn(VLAN, mac(1), PortId(4), at(0)), Learned::Moved);
        assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), Some(PortId(4)));
    }

    #[test]
    fn a_configured_address_neither_ages_nor_moves() {
        let fdb = Fdb::new(16, 300, 1);
        assert!(fdb.set_static(VLAN, mac(1), PortId(3)));
        assert_eq!(fdb.learn(VLAN, mac(1), PortId(4), at(0)), Learned::Known);
        fdb.flush();
        assert_eq!(fdb.lookup(VLAN, mac(1), at(100_000)), Some(PortId(3)));
        fdb.forget_port(PortId(3));
        assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), None);
    }

    #[test]
    fn the_limit_holds_and_makes_room_when_addresses_age() {
        let fdb = Fdb::new(100, 300, 1);
        for n in 0..100 {
            assert_eq!(fdb.learn(VLAN, mac(n), PortId(0), at(0)), Learned::New);
        }
        assert_eq!(fdb.learn(VLAN, mac(100), PortId(0), at(0)), Learned::Full);
        assert_eq!(fdb.learn(VLAN, mac(5), PortId(1), at(0)), Learned::Moved);
        fdb.sweep(at(301));
        assert_eq!(fdb.learn(VLAN, mac(100), PortId(0), at(301)), Learned::New);
    }

    #[test]
    fn one_address_may_be_in_two_vlans() {
        let fdb = Fdb::new(16, 300, 1);
        let tagged = Vlan::from_bits(100);
        fdb.learn(VLAN, mac(1), PortId(3), at(0));
        fdb.learn(tagged, mac(1), PortId(4), at(0));
        assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), Some(PortId(3)));
        assert_eq!(fdb.lookup(tagged, mac(1), at(0)), Some(PortId(4)));
    }

    #[test]
    fn readers_never_see_one_address_behind_another_s_port() {
        // Address n lives only ever behind port n, while addresses come and go in a small table.
        let fdb = Arc::new(Fdb::new(64, 300, 7));
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 0..2000u32 {
                    for n in 0..64 {
                        fdb.learn(VLAN, mac(n), PortId(n as u32), at(0));
                    }
                    fdb.forget_port(PortId(round % 64));
                    fdb.forget_port(PortId((round * 7 + 3) % 64));
                }
            });
            while !writer.is_finished() {
                for n in 0..64 {
                    let port = fdb.lookup(VLAN, mac(n), at(0));
                    assert!(
                        port.is_none_or(|port| port == PortId(n as u32)),
                        "{n} at {port:?}"
                    );
                }
            }
        });
    }

    #[derive(Clone, Debug)]
    enum Step {
        Learn(u64, u32),
        Static(u64, u32),
        Forget(u32),
        Wait(u64),
        Sweep,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..40u64, 0..4u32).prop_map(|(mac, port)| Step::Learn(mac, port)),
            1 => (0..40u64, 0..4u32).prop_map(|(mac, port)| Step::Static(mac, port)),
            1 => (0..4u32).prop_map(Step::Forget),
            2 => (0..200u64).prop_map(Step::Wait),
            1 => Just(Step::Sweep),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_map_with_ages(steps in proptest::collection::vec(step(), 1..200), seed: u64) {
            let fdb = Fdb::new(1000, 300, seed);
            let mut model: HashMap<u64, (u32, Option<u64>)> = HashMap::new();
            let mut now = 1000;
            for step in steps {
                match step {
                    Step::Learn(n, port) => {
                        fdb.learn(VLAN, mac(n), PortId(port), at(now));
                        let entry = model.entry(n).or_insert((port, Some(now)));
                        if entry.1.is_some() {
                            *entry = (port, Some(now));
                        }
                    }
                    Step::Static(n, port) => {
                        fdb.set_static(VLAN, mac(n), PortId(port));
                        model.insert(n, (port, None));
                    }
                    Step::Forget(port) => {
                        fdb.forget_port(PortId(port));
                        model.retain(|_, (at, _)| *at != port);
                    }
                    Step::Wait(secs) => now += secs,
                    Step::Sweep => {
                        fdb.sweep(at(now));
                        model.retain(|_, (_, seen)| seen.is_none_or(|seen| now - seen < 300));
                        let learned = model.values().filter(|(_, seen)| seen.is_some()).count();
                        prop_assert_eq!(fdb.learned(), learned);
                    }
                }
                for n in 0..40 {
                    let live = model.get(&n).filter(|(_, seen)| seen.is_none_or(|seen| now - seen < 300));
                    prop_assert_eq!(fdb.lookup(VLAN, mac(n), at(now)), live.map(|(port, _)| PortId(*port)));
                }
            }
        }
    }
}
