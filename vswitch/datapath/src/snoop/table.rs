//! Members, queriers and ports towards routers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use vswitch_packet::Moment;
use vswitch_packet::ip::Version;

use super::deadlines::Deadlines;
use super::message::Query;
use super::{Audience, Group, GroupRow, LAST_MEMBER, MEMBERSHIP, QUERIER, family};
use crate::port::PortId;
use crate::vlan::Vlan;

/// What is known on one bridge.
#[derive(Debug, Default)]
pub(super) struct Table {
    groups: HashMap<(Vlan, IpAddr), Listeners>,
    /// At most one for each of the 4095 VLANs.
    segments: HashMap<Vlan, Segment>,
}

/// The answer to a question for an audience.
pub(super) enum Found {
    /// This one.
    Audience(Audience),
    /// Not before a sweep: a deadline has passed.
    Outdated,
}

/// The members of one group.
#[derive(Debug, Default)]
struct Listeners {
    members: Deadlines,
    audience: Cached,
}

/// What one VLAN has of multicast routers.
#[derive(Debug, Default)]
struct Segment {
    routers: Deadlines,
    audience: Cached,
    /// Of IGMP and of MLD.
    queriers: [Option<Querier>; 2],
}

/// Who asks for memberships.
#[derive(Clone, Copy, Debug)]
struct Querier {
    port: PortId,
    /// When everybody has had the time to answer its first query. Before, a group may have
    /// members that are not known.
    answered: Moment,
    until: Moment,
}

/// The ports of an audience, ready for the frames, until one of them must go.
#[derive(Debug)]
struct Cached {
    ports: Arc<[PortId]>,
    until: Moment,
}

impl Default for Cached {
    fn default() -> Self {
        Self {
            ports: Arc::default(),
            until: Moment::ORIGIN,
        }
    }
}

impl Found {
    /// After a sweep.
    pub(super) fn current(self) -> Audience {
        match self {
            Self::Audience(audience) => audience,
            Self::Outdated => Audience::Everyone,
        }
    }
}

impl Table {
    /// The audience of `group`: its members and the routers, if a querier keeps it up to date.
    pub(super) fn listeners(&self, vlan: Vlan, group: IpAddr, now: Moment) -> Found {
        let everyone = Found::Audience(Audience::Everyone);
        let Some(segment) = self.segments.get(&vlan) else {
            return everyone;
        };
        if !segment.is_queried(family(group), now) {
            return everyone;
        }
        match self.groups.get(&(vlan, group)) {
            Some(listeners) => listeners.audience.at(now),
            None => everyone,
        }
    }

    /// The ports towards routers.
    pub(super) fn routers(&self, vlan: Vlan, now: Moment) -> Found {
        match self.segments.get(&vlan) {
            Some(segment) => segment.audience.at(now),
            None => Found::Audience(Audience::Everyone),
        }
    }

    /// Whether there is a port towards a router.
    pub(super) fn has_routers(&self, vlan: Vlan, now: Moment) -> bool {
        let segment = self.segments.get(&vlan);
        segment.is_some_and(|segment| segment.routers.iter().any(|(_, until)| now < until))
    }

    /// Makes `port` a member of `group`. Says whether there was room: a table of `limit` groups is
    /// full.
    pub(super) fn join(
        &mut self,
        vlan: Vlan,
        group: IpAddr,
        port: PortId,
        now: Moment,
        limit: usize,
    ) -> bool {
        if self.groups.len() >= limit && !self.groups.contains_key(&(vlan, group)) {
            return false;
        }
        let listeners = self.groups.entry((vlan, group)).or_default();
        if listeners.members.set(port, now + MEMBERSHIP) {
            listeners.refresh(self.segments.get(&vlan));
        } else {
            listeners.retime(self.segments.get(&vlan));
        }
        true
    }

    /// `port` may have no more members of `group`; if it still has, they report soon.
    pub(super) fn leave(&mut self, vlan: Vlan, group: IpAddr, port: PortId, now: Moment) {
        self.shorten(vlan, group, Some(port), now + LAST_MEMBER);
    }

    /// Learns from a query that came in at `port`.
    pub(super) fn query(&mut self, vlan: Vlan, port: PortId, query: &Query, now: Moment) {
        if query.from_router {
            self.hear_router(vlan, port, query, now);
        }
        if let Some(group) = query.group.filter(|_| query.forgets) {
            // Queries come in pairs, because one may get lost (RFC 3376 §8.9).
            let deadline = now + (query.max_response * 2).max(LAST_MEMBER);
            self.shorten(vlan, group, None, deadline);
        }
    }

    fn hear_router(&mut self, vlan: Vlan, port: PortId, query: &Query, now: Moment) {
        let segment = self.segments.entry(vlan).or_default();
        let until = now + QUERIER;
        if query.group.is_none() {
            let querier = &mut segment.queriers[index(query.family)];
            let first = now + query.max_response.min(QUERIER);
            let known = querier.filter(|known| now < known.until);
            let answered = known.map_or(first, |known| known.answered.min(first));
            *querier = Some(Querier {
                port,
                answered,
                until,
            });
        }
        if segment.routers.set(port, until) {
            self.refresh_segment(vlan);
        } else {
            segment.audience.until = segment.routers.earliest().unwrap_or(Moment::ORIGIN);
            self.retime_segment(vlan);
        }
    }

    fn shorten(&mut self, vlan: Vlan, group: IpAddr, port: Option<PortId>, deadline: Moment) {
        if let Some(listeners) = self.groups.get_mut(&(vlan, group)) {
            listeners.members.shorten(port, deadline);
            listeners.retime(self.segments.get(&vlan));
        }
    }

    /// Forgets `port`.
    pub(super) fn forget_port(&mut self, port: PortId) {
        self.prune(|ports| ports.remove(port), |querier| querier.port != port);
    }

    /// Forgets what is past its deadline.
    pub(super) fn sweep(&mut self, now: Moment) {
        self.prune(|ports| ports.expire(now), |querier| now < querier.until);
    }

    /// Removes ports by `remove`, which says whether it did, and queriers that are not to keep.
    fn prune(&mut self, remove: impl Fn(&mut Deadlines) -> bool, keep: impl Fn(&Querier) -> bool) {
        let mut changed = Vec::new();
        self.segments.retain(|&vlan, segment| {
            for querier in &mut segment.queriers {
                *querier = querier.filter(|querier| keep(querier));
            }
            if remove(&mut segment.routers) {
                changed.push(vlan);
            }
            !segment.routers.is_empty()
        });
        let segments = &self.segments;
        self.groups.retain(|&(vlan, _), listeners| {
            if remove(&mut listeners.members) {
                listeners.refresh(segments.get(&vlan));
            }
            !listeners.members.is_empty()
        });
        for vlan in changed {
            self.refresh_segment(vlan);
        }
    }

    /// Rebuilds the audiences of `vlan` after its routers have changed.
    fn refresh_segment(&mut self, vlan: Vlan) {
        if let Some(segment) = self.segments.get_mut(&vlan) {
            segment.audience = Cached::of([&segment.routers]);
        }
        let segment = self.segments.get(&vlan);
        for ((_, _), listeners) in self.groups.iter_mut().filter(|((at, _), _)| *at == vlan) {
            listeners.refresh(segment);
        }
    }

    /// Moves the deadlines of the audiences of `vlan` after those of its routers have moved.
    fn retime_segment(&mut self, vlan: Vlan) {
        let segment = self.segments.get(&vlan);
        for ((_, _), listeners) in self.groups.iter_mut().filter(|((at, _), _)| *at == vlan) {
            listeners.retime(segment);
        }
    }

    /// Everything, for display.
    pub(super) fn rows(&self, now: Moment) -> Vec<GroupRow> {
        let row = |vlan, group, (port, until): (PortId, Moment)| GroupRow {
            vlan,
            group,
            port,
            remaining: until.since(now),
        };
        let routers = self.segments.iter().flat_map(|(&vlan, segment)| {
            segment
                .routers
                .iter()
                .map(move |entry| row(vlan, None, entry))
        });
        let members = self.groups.iter().flat_map(|(&(vlan, group), listeners)| {
            listeners
                .members
                .iter()
                .map(move |entry| row(vlan, Some(Group(group)), entry))
        });
        let mut rows: Vec<_> = routers
            .chain(members)
            .filter(|row| !row.remaining.is_zero())
            .collect();
        rows.sort_unstable_by_key(|row| (row.vlan, row.group.map(|group| group.0), row.port));
        rows
    }
}

impl Listeners {
    fn refresh(&mut self, segment: Option<&Segment>) {
        self.audience = match segment {
            Some(segment) => Cached::of([&self.members, &segment.routers]),
            None => Cached::of([&self.members]),
        };
    }

    fn retime(&mut self, segment: Option<&Segment>) {
        let routers = segment.and_then(|segment| segment.routers.earliest());
        let earliest = self.members.earliest().into_iter().chain(routers).min();
        self.audience.until = earliest.unwrap_or(Moment::ORIGIN);
    }
}

impl Segment {
    /// Whether a querier keeps memberships of `family` alive, and everybody has answered it.
    fn is_queried(&self, family: Version, now: Moment) -> bool {
        let querier = self.queriers[index(family)];
        querier.is_some_and(|querier| querier.answered <= now && now < querier.until)
    }
}

impl Cached {
    fn of<const N: usize>(sets: [&Deadlines; N]) -> Self {
        let mut ports: Vec<_> = sets
            .iter()
            .flat_map(|set| set.iter())
            .map(|(p, _)| p)
            .collect();
        ports.sort_unstable();
        ports.dedup();
        let until = sets.iter().filter_map(|set| set.earliest()).min();
        Self {
            ports: ports.into(),
            until: until.unwrap_or(Moment::ORIGIN),
        }
    }

    fn at(&self, now: Moment) -> Found {
        if now < self.until {
            Found::Audience(Audience::Ports(Arc::clone(&self.ports)))
        } else {
            Found::Outdated
        }
    }
}

const fn index(family: Version) -> usize {
    match family {
        Version::V4 => 0,
        Version::V6 => 1,
    }
}
