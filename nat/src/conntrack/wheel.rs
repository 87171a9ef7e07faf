//! When to look at a session again: a timing wheel. A packet only notes when it came; a session
//! moves on when the wheel comes to it, or when its timeout changes. So everything is O(1).

use vswitch_packet::Moment;

use super::entry::Session;
use super::list::{List, links};
use super::slab::Slab;

/// Buckets, of a second each. What ends later is looked at in between and moves on.
const BUCKETS: u64 = 512;
const TICK: u64 = 1_000_000_000;

/// Sessions by the second in which they end, at the earliest.
#[derive(Debug)]
pub(super) struct Wheel {
    buckets: Box<[List<{ links::WHEEL }>]>,
    /// The second whose bucket is looked at.
    second: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            buckets: vec![List::EMPTY; BUCKETS as usize].into(),
            second: 0,
        }
    }

    /// Takes in a session that ends at `deadline`, in nanoseconds since the origin.
    pub(super) fn insert(&mut self, sessions: &mut Slab<Session>, id: u32, deadline: u64) {
        self.insert_from(self.second, sessions, id, deadline);
    }

    /// Takes one that was due back in: it is not due again in the same second.
    pub(super) fn put_back(&mut self, sessions: &mut Slab<Session>, id: u32, deadline: u64) {
        self.insert_from(self.second.saturating_add(1), sessions, id, deadline);
    }

    pub(super) fn remove(&mut self, sessions: &mut Slab<Session>, id: u32) {
        let bucket = sessions[id].bucket;
        self.buckets[usize::from(bucket)].remove(sessions, id);
    }

    /// Takes out a session whose time may be over at `now`. `None` if there is no more.
    pub(super) fn due(&mut self, sessions: &mut Slab<Session>, now: Moment) -> Option<u32> {
        loop {
            let bucket = (self.second % BUCKETS) as usize;
            if let Some(id) = self.buckets[bucket].first() {
                self.buckets[bucket].remove(sessions, id);
                return Some(id);
            }
            if self.second >= now.as_secs() {
                return None;
            }
            // After a long silence each bucket is looked at once, not once a second.
            self.second = (self.second + 1).max(now.as_secs().saturating_sub(BUCKETS - 1));
        }
    }

    fn insert_from(&mut self, first: u64, sessions: &mut Slab<Session>, id: u32, deadline: u64) {
        let last = self.second.saturating_add(BUCKETS - 1);
        let second = (deadline / TICK).clamp(first, last);
        let bucket = (second % BUCKETS) as u16;
        sessions[id].bucket = bucket;
        self.buckets[usize::from(bucket)].push(sessions, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::list::Link;

    fn session() -> Session {
        Session {
            mapping: 0,
            seat: 0,
            links: [Link::NONE; links::COUNT],
            bucket: 0,
        }
    }

    #[test]
    fn due_once_a_second_at_most() {
        let at = |millis: u64| Moment::from_nanos(millis * 1_000_000);
        let mut sessions = Slab::new();
        let mut wheel = Wheel::new();
        let id = sessions.insert(session());
        let deadline = at(1500).as_nanos();
        wheel.insert(&mut sessions, id, deadline);
        assert_eq!(wheel.due(&mut sessions, at(999)), None);
        assert_eq!(wheel.due(&mut sessions, at(1200)), Some(id));
        wheel.put_back(&mut sessions, id, deadline);
        assert_eq!(wheel.due(&mut sessions, at(1900)), None, "a sweep ends");
        assert_eq!(wheel.due(&mut sessions, at(2000)), Some(id));
        assert_eq!(wheel.due(&mut sessions, at(9_000_000)), None);
    }

    #[test]
    fn whoever_is_taken_out_is_not_due() {
        let mut sessions = Slab::new();
        let mut wheel = Wheel::new();
        let ids: Vec<u32> = (0..3).map(|_| sessions.insert(session())).collect();
        for &id in &ids {
            wheel.insert(&mut sessions, id, TICK);
        }
        wheel.remove(&mut sessions, ids[1]);
        let now = Moment::from_secs(1);
        assert_eq!(wheel.due(&mut sessions, now), Some(ids[0]));
        assert_eq!(wheel.due(&mut sessions, now), Some(ids[2]));
        assert_eq!(wheel.due(&mut sessions, now), None);
    }
}
