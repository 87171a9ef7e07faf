//! One place of the table.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::port::PortId;

pub(super) const EMPTY: u64 = 0;
/// No address is `ff:ff:ff:ff:ff:ff` in VLAN 0xffff, so this is no key.
const BUSY: u64 = u64::MAX;
/// The time stamp of an entry that was configured and does not age.
pub(super) const STATIC: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) key: AtomicU64,
    pub(super) value: AtomicU64,
}

/// The port in the high half, the second it was last seen in the low half.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Value(pub(super) u64);

impl Value {
    pub(super) const fn new(port: PortId, seen: u32) -> Self {
        Self(((port.0 as u64) << 32) | seen as u64)
    }

    pub(super) const fn port(self) -> PortId {
        PortId((self.0 >> 32) as u32)
    }

    pub(super) const fn seen(self) -> u32 {
        self.0 as u32
    }

    pub(super) const fn is_static(self) -> bool {
        self.seen() == STATIC
    }
}

impl Slot {
    pub(super) fn read(&self) -> (u64, Value) {
        (
            self.key.load(Ordering::Acquire),
            Value(self.value.load(Ordering::Acquire)),
        )
    }

    pub(super) fn write(&self, key: u64, value: Value) {
        self.key.store(BUSY, Ordering::Release);
        self.value.store(value.0, Ordering::Release);
        self.key.store(key, Ordering::Release);
    }
}
