//! IGMP and MLD snooping (RFC 4541): multicast goes only where somebody listens.
//!
//! Memberships last only while a querier asks for them again and again, so multicast is held back
//! only while one is known, as by Linux's bridge: without a querier everything is flooded. Also
//! flooded are groups nobody joined (the default that RFC 4541 §2.1.2 (3) allows), groups of the
//! link's own scope, which not everybody reports, and multicast that is not IP. Whatever is wrong
//! or too much errs towards flooding.
//!
//! Members are counted by group and port, not by source: an IGMPv3 or MLDv2 report of any source
//! is a join, which RFC 4541 §2.1.1 asks for as the least.

mod deadlines;
mod igmp;
mod message;
mod mld;
mod table;
#[cfg(test)]
mod tests;

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vswitch_packet::ip::{IpHeader, Version};
use vswitch_packet::{Frame, Moment, Network};

use self::message::{Change, Message};
use self::table::{Found, Table};
use crate::port::PortId;
use crate::verdict::Reach;
use crate::vlan::Vlan;

/// How many groups a bridge keeps members of before it refuses.
pub const DEFAULT_LIMIT: usize = 1024;

/// How long a member is one after its last report: two query intervals of 125 s and a response
/// interval of 10 s (RFC 3376 §8.4, RFC 3810 §9.4).
pub const MEMBERSHIP: Duration = Duration::from_secs(260);

/// How long a querier, and the port towards it, is known after its last query: two query
/// intervals and half a response interval (RFC 3376 §8.5, RFC 3810 §9.5). Less than
/// [`MEMBERSHIP`]: no member expires while there is a querier that it answered.
pub const QUERIER: Duration = Duration::from_secs(255);

/// How long a member stays that left, so that another one behind the same port can object: two
/// queries, a second apart (RFC 3376 §8.10, RFC 3810 §9.10).
pub const LAST_MEMBER: Duration = Duration::from_secs(2);

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

/// One listener, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Where it listens.
    pub vlan: Vlan,
    /// To what; `None` for a port towards a multicast router, which listens to everything.
    pub group: Option<Group>,
    /// The port.
    pub port: PortId,
    /// How long it stays without being heard again.
    pub remaining: Duration,
}

/// Who listens to which group on one bridge, shared by all workers.
#[derive(Debug)]
pub struct Groups {
    table: RwLock<Table>,
    limit: usize,
    refused: AtomicU64,
}

impl Default for Groups {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl Groups {
    /// Nobody listens yet; `limit` groups at most are kept. What is beyond is flooded.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            table: RwLock::default(),
            limit,
            refused: AtomicU64::new(0),
        }
    }

    /// Looks at a multicast frame: learns from reports, leaves and queries, and says how far the
    /// frame goes.
    pub fn observe(&self, ingress: PortId, vlan: Vlan, frame: &Frame<'_>, now: Moment) -> Reach {
        let Network::Ip(ip) = frame.network() else {
            return Reach::Bridge;
        };
        match Message::read(frame, &ip) {
            Some(Message::Query(query)) => {
                self.write().query(vlan, ingress, &query, now);
                Reach::Bridge
            }
            Some(Message::Report(changes)) => {
                let mut table = self.write();
                let mut refused = 0;
                for change in changes {
                    match change {
                        Change::Join(group) if is_tracked(group) => {
                            if !table.join(vlan, group, ingress, now, self.limit) {
                                refused += 1;
                            }
                        }
                        Change::Leave(group) => table.leave(vlan, group, ingress, now),
                        Change::Join(_) => {}
                    }
                }
                let routers = table.has_routers(vlan, now);
                drop(table);
                self.refused.fetch_add(refused, Ordering::Relaxed);
                // To hosts a report is not only useless: it would make them suppress their own
                // (RFC 4541 §2.1.1 (1)).
                if routers {
                    Reach::Routers
                } else {
                    Reach::Bridge
                }
            }
            None => reach_of(frame.bytes(), &ip),
        }
    }

    /// The ports that `reach` covers.
    #[must_use]
    pub fn audience(&self, vlan: Vlan, reach: Reach, now: Moment) -> Audience {
        let found = match reach {
            Reach::Bridge => return Audience::Everyone,
            Reach::Group(group) => self.read().listeners(vlan, group.0, now),
            Reach::Routers => self.read().routers(vlan, now),
        };
        match found {
            Found::Audience(audience) => audience,
            // Once for each deadline that passes.
            Found::Outdated => {
                let mut table = self.write();
                table.sweep(now);
                match reach {
                    Reach::Bridge => Audience::Everyone,
                    Reach::Group(group) => table.listeners(vlan, group.0, now).current(),
                    Reach::Routers => table.routers(vlan, now).current(),
                }
            }
        }
    }

    /// Forgets everything about `port`.
    pub fn forget_port(&self, port: PortId) {
        self.write().forget_port(port);
    }

    /// Forgets what was not heard again in time.
    pub fn sweep(&self, now: Moment) {
        self.write().sweep(now);
    }

    /// All listeners, by VLAN, routers first, then by group and port.
    #[must_use]
    pub fn rows(&self, now: Moment) -> Vec<GroupRow> {
        self.read().rows(now)
    }

    /// How many joins were refused because the table was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far a packet goes that says nothing of membership.
fn reach_of(bytes: &[u8], ip: &IpHeader) -> Reach {
    match ip.destination(bytes) {
        group if is_tracked(group) => Reach::Group(Group(group)),
        _ => Reach::Bridge,
    }
}

/// Whether members of `group` are kept: not of 224.0.0.0/24, which RFC 4541 §2.1.2 (2) wants
/// flooded, and not of IPv6 groups of link scope or less (RFC 4291 §2.7). RFC 4541 §3 wants all
/// nodes (ff02::1) flooded; the others are too, because ND depends on them, and because the
/// solicited-node groups of every endpoint would fill the table.
fn is_tracked(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group.is_multicast() && group.octets()[..3] != [224, 0, 0],
        IpAddr::V6(group) => group.is_multicast() && group.octets()[1] & 0x0f > 2,
    }
}

/// The family of a group's address.
const fn family(group: IpAddr) -> Version {
    match group {
        IpAddr::V4(_) => Version::V4,
        IpAddr::V6(_) => Version::V6,
    }
}
