//! How many sessions there are, in all and of each owner.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hashbrown::HashMap;

use super::conversation::Worth;
use crate::tuple::Owner;

/// The numbers that sessions have among all shards'. They are dense, because they are the ledger's
/// slots, and there are no more than sessions may be.
#[derive(Debug)]
pub(super) struct Seats {
    limit: u32,
    state: Mutex<Vacancies>,
}

#[derive(Debug)]
struct Vacancies {
    free: Vec<u32>,
    /// Seats ever taken at once.
    high: u32,
}

impl Seats {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            // The last number means none.
            limit: u32::try_from(limit).unwrap_or(u32::MAX).min(u32::MAX - 1),
            state: Mutex::new(Vacancies {
                free: Vec::new(),
                high: 0,
            }),
        }
    }

    /// Below this all are.
    pub(super) const fn limit(&self) -> u32 {
        self.limit
    }

    /// `None` if all are taken.
    pub(super) fn take(&self) -> Option<u32> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = state.free.pop() {
            return Some(seat);
        }
        let seat = state.high;
        (seat < self.limit).then(|| {
            state.high += 1;
            seat
        })
    }

    pub(super) fn give_back(&self, seat: u32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.free.push(seat);
    }
}

/// How many sessions an owner has.
#[derive(Debug, Default)]
pub(super) struct Quota {
    all: AtomicUsize,
    by_worth: [AtomicU32; Worth::COUNT],
}

impl Quota {
    /// Counts one more, which is begun unreplied. False if there are `limit` already.
    pub(super) fn take(&self, limit: usize) -> bool {
        self.all
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
                (all < limit).then_some(all + 1)
            })
            .is_ok()
    }

    pub(super) fn give_back(&self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }

    /// A session is worth so much from now on.
    pub(super) fn enter(&self, worth: Worth) {
        self.by_worth[worth as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// No more.
    pub(super) fn leave(&self, worth: Worth) {
        self.by_worth[worth as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn of(&self, worth: Worth) -> u32 {
        self.by_worth[worth as usize].load(Ordering::Relaxed)
    }
}

/// The owners' quotas. An owner is a switch port, whose numbers are used again, so none is ever
/// taken out.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    by_owner: RwLock<HashMap<Owner, Arc<Quota>, foldhash::fast::RandomState>>,
}

impl Quotas {
    pub(super) fn get(&self, owner: Owner) -> Arc<Quota> {
        let known = |map: &HashMap<_, Arc<Quota>, _>| map.get(&owner).map(Arc::clone);
        let quota = known(&self.by_owner.read().unwrap_or_else(PoisonError::into_inner));
        quota.unwrap_or_else(|| {
            let mut map = self
                .by_owner
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(map.entry(owner).or_default())
        })
    }

    /// The owner with the most sessions worth so much, and how many.
    pub(super) fn richest(&self, worth: Worth) -> Option<(Owner, u32)> {
        let map = self.by_owner.read().unwrap_or_else(PoisonError::into_inner);
        map.iter()
            .map(|(owner, quota)| (*owner, quota.of(worth)))
            .filter(|&(_, count)| count > 0)
            .max_by_key(|&(owner, count)| (count, owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_dense_and_limited() {
        let seats = Seats::new(3);
        assert_eq!(
            [(); 4].map(|()| seats.take()),
            [Some(0), Some(1), Some(2), None]
        );
        seats.give_back(1);
        assert_eq!([seats.take(), seats.take()], [Some(1), None]);
    }

    #[test]
    fn quotas_are_exact() {
        let quotas = Quotas::default();
        let quota = quotas.get(Owner(1));
        assert!(quota.take(2) && quota.take(2) && !quota.take(2));
        quotas.get(Owner(1)).give_back();
        assert!(quota.take(2) && !quota.take(2));
        quota.enter(Worth::Unreplied);
        quotas.get(Owner(2)).enter(Worth::Unreplied);
        quotas.get(Owner(2)).enter(Worth::Unreplied);
        assert_eq!(quotas.richest(Worth::Unreplied), Some((Owner(2), 2)));
        assert_eq!(quotas.richest(Worth::Reset), None);
    }
}
