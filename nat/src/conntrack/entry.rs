//! What is kept of a session and of a mapping. A million of each have to fit, so both are packed, and
//! what is in a [`super::track::Track`] is not kept twice.

use std::sync::Arc;

use super::list::{Link, List, links};
use super::ports::PortSpace;
use crate::config::Filtering;
use crate::endpoint::{Address, Endpoint};

/// One conversation of a mapping: what its packets do not need. The rest is its track.
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

/// An inside endpoint and the external one in its place. Both, and whose they are, stand in the track of
/// each of its sessions; see [`super::shard::Shard::any_of`].
pub(super) struct Mapping {
    /// At least one.
    pub(super) sessions: List<{ links::MAPPING }>,
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

impl Goal {
    /// Whether a mapping to `external` is what is wanted.
    #[inline]
    pub(super) fn is_met(self, kind: Kind, external: Endpoint) -> bool {
        match self {
            Self::Own => kind == Kind::Own,
            Self::Published(endpoint) => kind == Kind::Published && external == endpoint,
            Self::Draw(address) => kind == Kind::Drawn && external.address() == address,
            Self::Keep(endpoint) => Self::Draw(endpoint.address()).is_met(kind, external),
        }
    }
}
