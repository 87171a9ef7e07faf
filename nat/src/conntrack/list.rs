//! Lists through the sessions of a shard: linked within them, so that taking one out is O(1) and
//! nothing is allocated.

use super::entry::Session;
use super::slab::Slab;

const NONE: u32 = u32::MAX;

/// Which links a list uses.
pub(super) mod links {
    /// Those of a bucket of the wheel.
    pub(crate) const WHEEL: usize = 0;
    /// Those of an owner's sessions of one worth, the oldest first.
    pub(crate) const WORTH: usize = 1;
    /// Those of a mapping.
    pub(crate) const MAPPING: usize = 2;
    /// Those of a mapping's sessions with one remote address.
    pub(crate) const PEER: usize = 3;
    pub(crate) const COUNT: usize = 4;
}

/// A session's place in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    before: u32,
    after: u32,
}

impl Link {
    pub(super) const NONE: Self = Self {
        before: NONE,
        after: NONE,
    };
}

/// A list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List<const LINKS: usize> {
    first: u32,
    last: u32,
}

impl<const LINKS: usize> List<LINKS> {
    pub(super) const EMPTY: Self = Self {
        first: NONE,
        last: NONE,
    };

    #[inline]
    pub(super) fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    pub(super) fn iter<'s>(
        &self,
        sessions: &'s Slab<Session>,
    ) -> impl Iterator<Item = &'s Session> {
        std::iter::successors(sessions.get(self.first), |session| {
            sessions.get(session.links[LINKS].after)
        })
    }

    pub(super) fn push(&mut self, sessions: &mut Slab<Session>, id: u32) {
        sessions[id].links[LINKS] = Link {
            before: self.last,
            after: NONE,
        };
        match self.last {
            NONE => self.first = id,
            last => sessions[last].links[LINKS].after = id,
        }
        self.last = id;
    }

    pub(super) fn remove(&mut self, sessions: &mut Slab<Session>, id: u32) {
        let link = std::mem::replace(&mut sessions[id].links[LINKS], Link::NONE);
        match link.before {
            NONE => self.first = link.after,
            before => sessions[before].links[LINKS].after = link.after,
        }
        match link.after {
            NONE => self.last = link.before,
            after => sessions[after].links[LINKS].before = link.before,
        }
    }
}
