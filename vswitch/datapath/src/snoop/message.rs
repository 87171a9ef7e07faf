//! What IGMP and MLD have in common: queries, and reports of joins and leaves.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::net::IpAddr;

use vswitch_packet::Frame;
use vswitch_packet::ip::{IpHeader, Version, protocol};

use super::{igmp, mld};

/// How many records of one report are read: more than the 183 that fit in 1500 octets.
const MAX_RECORDS: usize = 256;

/// Type, length of auxiliary data, number of sources (RFC 3376 §4.2.4, RFC 3810 §5.2.4).
const RECORD_HEADER_LEN: usize = 4;

/// A membership message, its checksum verified.
pub(super) enum Message<'a> {
    /// A router asks.
    Query(Query),
    /// A host tells.
    Report(Changes<'a>),
}

/// A query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// IGMP's or MLD's.
    pub(super) family: Version,
    /// The only group that is asked for.
    pub(super) group: Option<IpAddr>,
    /// Sent by a router: a query from 0.0.0.0 is a switch's own (RFC 4541 §2.1.1 (1) a).
    pub(super) from_router: bool,
    /// Who does not answer is to be forgotten early: about one group, of all its sources, and
    /// without the flag that says that others need not (RFC 3376 §6.6.1, RFC 3810 §7.6.1).
    pub(super) forgets: bool,
    /// Within this time members answer.
    pub(super) max_response: Duration,
}

/// A change of membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Somebody listens to the group.
    Join(IpAddr),
    /// Somebody stopped to listen to the group.
    Leave(IpAddr),
}

/// The changes in one report, in order.
pub(super) enum Changes<'a> {
    /// Of the older versions, which report one group at a time.
    One(Option<Change>),
    /// The records of IGMPv3 and MLDv2.
    Records {
        family: Version,
        left: usize,
        octets: &'a [u8],
    },
}

impl<'a> Message<'a> {
    /// Reads the message in `frame`, if it is one that its receivers would believe.
    pub(super) fn read(frame: &'a Frame<'_>, ip: &IpHeader) -> Option<Self> {
        match (ip.version, ip.protocol) {
            (Version::V4, protocol::IGMP) => igmp::read(frame, ip),
            (Version::V6, protocol::ICMPV6) => mld::read(frame, ip),
            _ => None,
        }
    }
}

impl<'a> Changes<'a> {
    pub(super) const fn join(group: IpAddr) -> Self {
        Self::One(Some(Change::Join(group)))
    }

    pub(super) const fn leave(group: IpAddr) -> Self {
        Self::One(Some(Change::Leave(group)))
    }

    /// The `count` records that `octets` should hold.
    pub(super) fn records(family: Version, count: u16, octets: &'a [u8]) -> Self {
        Self::Records {
            family,
            left: usize::from(count).min(MAX_RECORDS),
            octets,
        }
    }
}

impl Iterator for Changes<'_> {
    type Item = Change;

    /// Ends at the first record that is not whole, whatever the count said.
    fn next(&mut self) -> Option<Change> {
        match self {
            Self::One(change) => change.take(),
            Self::Records {
                family,
                left,
                octets,
            } => loop {
                *left = left.checked_sub(1)?;
                let (change, rest) = read_record(*family, octets)?;
                *octets = rest;
                if change.is_some() {
                    return change;
                }
            },
        }
    }
}

/// The change that the first record in `octets` makes, and what follows it.
fn read_record(family: Version, octets: &[u8]) -> Option<(Option<Change>, &[u8])> {
    let &[kind, auxiliary_words, a, b] = octets.first_chunk::<RECORD_HEADER_LEN>()?;
    let sources = usize::from(u16::from_be_bytes([a, b]));
    let group = octets.get(RECORD_HEADER_LEN..)?;
    let (group, address_len) = match family {
        Version::V4 => (IpAddr::V4(Ipv4Addr::from(*group.first_chunk()?)), 4),
        Version::V6 => (IpAddr::V6(Ipv6Addr::from(*group.first_chunk()?)), 16),
    };
    let len = RECORD_HEADER_LEN + (1 + sources) * address_len + 4 * usize::from(auxiliary_words);
    let rest = octets.get(len..)?;
    // RFC 3376 §4.2.12, RFC 3810 §5.2.12; receivers ignore other types.
    let change = match (kind, sources) {
        // Is or becomes INCLUDE of nobody.
        (1 | 3, 0) => Some(Change::Leave(group)),
        // INCLUDE of some; is or becomes EXCLUDE; allows new sources.
        (1 | 3, _) | (2 | 4, _) | (5, 1..) => Some(Change::Join(group)),
        // Blocking old sources may be the end of a membership: it ends by not being repeated.
        _ => None,
    };
    Some((change.filter(|_| group.is_multicast()), rest))
}
