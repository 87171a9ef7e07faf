//! What is kept of a session and of a mapping. A million of each have to fit, so both are packed.

use std::sync::Arc;

use super::list::{Link, List, links};
use super::ports::PortSpace;
use crate::config::Filtering;
use crate::endpoint::{Address, Endpoint};
use crate::tuple::{Owner, Protocol};

/// One conversation of a mapping: what its packets do not need. The rest is its
/// [`super::track::Track`].
#[derive(Debug)]
pub(super) struct Session {
    pub(super) mapping: u32,
    pub(super) links: [Link; links::COUNT],
    /// Its number among all shards' sessions, its slot in the ledger, and the place of its track.
    pub(super) seat: u32,
    /// The bucket of the wheel that it is in.
    pub(super) bucket: u16,
}

/// How a mapping came by its external endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is the inside endpoint itself.
    Own,
    /// It is published.
    Published,
    /// It was drawn from the ports of one of the host's addresses.
    Drawn,
}

/// An inside endpoint and the external one in its place.
pub(super) struct Mapping {
    pub(super) owner: Owner,
    pub(super) sessions: List<{ links::MAPPING }>,
    pub(super) inside: Endpoint,
    pub(super) external: Endpoint,
    pub(super) protocol: Protocol,
    pub(super) kind: Kind,
    pub(super) filtering: Filtering,
    /// Where it holds its external port against others.
    pub(super) space: Option<Arc<PortSpace>>,
}

/// What an inside endpoint is to be translated to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Itself.
    Own,
    /// A published endpoint.
    Published(Endpoint),
    /// A port of this address, to be drawn.
    Draw(Address),
    /// What was drawn before a restart.
    Keep(Endpoint),
}

impl Mapping {
    /// Whether it serves that goal.
    #[inline]
    pub(super) fn serves(&self, goal: Goal) -> bool {
        match goal {
            Goal::Own => self.kind == Kind::Own,
            Goal::Published(external) => self.kind == Kind::Published && self.external == external,
            Goal::Draw(address) => self.kind == Kind::Drawn && self.external.address() == address,
            Goal::Keep(external) => self.serves(Goal::Draw(external.address())),
        }
    }
}
