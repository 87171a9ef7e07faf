//! How many addresses are behind each port.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::slot::Value;
use crate::port::PortId;

/// Kept by those who change the table, one at a time.
#[derive(Debug, Default)]
pub(super) struct Shares(HashMap<PortId, Share, RandomState>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    learned: usize,
    configured: usize,
}

impl Shares {
    /// Notes a new entry.
    pub(super) fn enter(&mut self, value: Value) {
        *self.0.entry(value.port()).or_default().count_of(value) += 1;
    }

    /// Notes that an entry is no more.
    pub(super) fn leave(&mut self, value: Value) {
        if let Some(share) = self.0.get_mut(&value.port()) {
            let count = share.count_of(value);
            *count = count.saturating_sub(1);
            if *share == Share::default() {
                self.0.remove(&value.port());
            }
        }
    }

    /// Addresses that were learned behind `port`.
    pub(super) fn learned(&self, port: PortId) -> usize {
        self.0.get(&port).map_or(0, |share| share.learned)
    }

    /// All addresses behind `port`.
    pub(super) fn all(&self, port: PortId) -> usize {
        let share = self.0.get(&port);
        share.map_or(0, |share| share.learned + share.configured)
    }
}

impl Share {
    const fn count_of(&mut self, value: Value) -> &mut usize {
        if value.is_static() {
            &mut self.configured
        } else {
            &mut self.learned
        }
    }
}
