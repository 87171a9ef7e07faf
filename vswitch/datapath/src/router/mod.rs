//! The router between bridges, the host and the uplinks.
//!
//! A packet that a container sends to its gateway's address on the link enters by
//! [`crate::Gateway`]; a frame from an uplink by [`inbound`]. Until a packet leaves it stays as it
//! came, or is made so again, so that an error quotes what the sender sent, and what has to wait can
//! simply come in again.

mod container;
mod header;
pub(crate) mod inbound;
mod interface;
mod martian;
mod notice;
mod outbound;
mod passage;
mod pending;
mod policy;
pub(crate) mod question;
mod route;
mod uplink;

use std::sync::Arc;

use vswitch_nat::{Nat, Published};
use vswitch_packet::Moment;

pub use interface::Link;
pub use notice::NoticeLimits;
pub use passage::Exit;
pub use pending::Pending;
pub use policy::{FamilyPolicy, Mode, Policy};
pub use route::{Hop, Route, RouteKind, Routes};
pub use uplink::Uplink;

pub(crate) use header::may_be_fragmented;
pub(crate) use interface::Interface;
pub(crate) use martian::{is_link_scoped, is_source_nowhere};
pub(crate) use notice::{MAX_V6 as MAX_NOTICE, Notice};
pub(crate) use passage::Passage;
pub(crate) use pending::{Due, Waiting};

use crate::port::PortId;

/// The router's configuration, and handles to what it has learned. Replaced as a whole, but for the
/// handles: who makes a new one takes over `pending` and `notices` from the old.
#[derive(Clone, Debug, Default)]
pub struct Router {
    /// The host's NICs that lead outside.
    pub uplinks: Vec<Uplink>,
    /// The host's routes.
    pub routes: Arc<Routes>,
    /// Published ports.
    pub published: Arc<Published>,
    /// Translation; without it, nothing goes to or comes from the outside.
    pub nat: Option<Arc<Nat>>,
    /// What waits for neighbours.
    pub pending: Arc<Pending>,
    /// How often senders are told of errors.
    pub notices: Arc<NoticeLimits>,
}

impl Router {
    /// The uplink behind `port`.
    #[inline]
    #[must_use]
    pub fn uplink(&self, port: PortId) -> Option<&Uplink> {
        self.uplinks.iter().find(|uplink| uplink.port == port)
    }

    /// Forgets neighbours on uplinks that were not heard for long.
    pub fn sweep(&self, now: Moment) {
        for uplink in &self.uplinks {
            uplink.neighbours.sweep(now);
        }
    }
}
