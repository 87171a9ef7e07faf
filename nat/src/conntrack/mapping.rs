//! Mappings come and go with their sessions.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Pool;
use super::entry::{Goal, Kind, Mapping};
use super::list::List;
use super::ports::{Place, PortSpace, Wish};
use super::shard::{Beginning, Shard};
use super::track::{Held, Track};
use crate::endpoint::{Address, Endpoint};
use crate::refusal::Refusal;
use crate::tuple::Protocol;

impl Shard {
    /// One of a mapping's sessions, of which each has its owner, its protocol and its endpoints. `None`
    /// if there is no such mapping. While it is held no other track may be.
    pub(super) fn any_of<'p>(&self, pool: &'p Pool, mapping: u32) -> Option<Held<'p>> {
        let id = self.mappings.get(mapping)?.sessions.first()?;
        Some(self.track(pool, id))
    }

    /// The mapping for a new session, and its external endpoint: the one that its inside endpoint has
    /// already, whomever it talks to (RFC 4787 REQ-1), else a new one, to which the session is to be
    /// linked at once.
    pub(super) fn map(
        &mut self,
        pool: &Pool,
        new: &Beginning<'_>,
    ) -> Result<(u32, Endpoint), Refusal> {
        let known = self.by_inside.find(new.hash, |&id| {
            self.any_of(pool, id).is_some_and(|track| {
                track.inside == new.flow.inside
                    && track.protocol == new.flow.protocol
                    && new.goal.is_met(self.mappings[id].kind, track.external)
            })
        });
        if let Some(&id) = known
            && let Some(track) = self.any_of(pool, id)
        {
            let other_port = matches!(new.goal, Goal::Keep(port) if port != track.external);
            return if track.owner != new.owner || other_port {
                Err(Refusal::Filtered)
            } else {
                Ok((id, track.external))
            };
        }

        let (kind, external, space) = match new.goal {
            Goal::Own => (Kind::Own, new.flow.inside, None),
            Goal::Published(external) => {
                let space = pool
                    .spaces
                    .get_or_add(new.flow.protocol, external.address());
                // A mapping that is older than the publication may have it.
                let space = space.reserve(external.port()).then_some(space);
                (Kind::Published, external, space)
            }
            Goal::Draw(address) => {
                let ports = pool.config.ports.clone();
                let (external, space) = draw(pool, new, address, new.flow.inside.port(), ports)?;
                (Kind::Drawn, external, Some(space))
            }
            Goal::Keep(external) => {
                let (address, port) = (external.address(), external.port());
                #[allow(clippy::reversed_empty_ranges, reason = "that port or none")]
                let (external, space) = draw(pool, new, address, port, 1..=0)?;
                (Kind::Drawn, external, Some(space))
            }
        };
        let id = self.mappings.insert(Mapping {
            sessions: List::EMPTY,
            kind,
            filtering: new.filtering,
            space: space.clone(),
        });
        let (mappings, sessions) = (&self.mappings, &self.sessions);
        self.by_inside.insert_unique(new.hash, id, |&id| {
            // Of the others: each has a session.
            mappings[id].sessions.first().map_or(0, |id| {
                let track = pool.tracks.lock(sessions[id].seat);
                pool.keys.inside(track.protocol, track.inside)
            })
        });
        if let Some(space) = space {
            let place = Place {
                shard: self.number,
                mapping: id,
            };
            space.settle(external.port(), place);
        }
        Ok((id, external))
    }

    /// Takes out a mapping that has no session left. `last` was one, and `hash` is that of its inside
    /// endpoint.
    pub(super) fn unmap(&mut self, pool: &Pool, id: u32, last: &Track, hash: u64) {
        if let Ok(found) = self.by_inside.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        let Some(mapping) = self.mappings.remove(id) else {
            return;
        };
        let external = last.external;
        if mapping.kind == Kind::Drawn && last.protocol != Protocol::Echo {
            // Before the port is free here: nobody takes it before it was given back.
            pool.config
                .host_ports
                .give_back(last.protocol, external.into());
        }
        if let Some(space) = mapping.space {
            space.release(external.port());
        }
    }
}

/// Finds an external endpoint for a mapping, and where it is held.
fn draw(
    pool: &Pool,
    new: &Beginning<'_>,
    address: Address,
    port: u16,
    ports: RangeInclusive<u16>,
) -> Result<(Endpoint, Arc<PortSpace>), Refusal> {
    let wish = Wish {
        port,
        ports,
        published: new.published,
        host_ports: pool.config.host_ports.as_ref(),
    };
    let space = pool.spaces.get_or_add(new.flow.protocol, address);
    let port = space
        .draw(&wish, || pool.dice.throw())
        .ok_or(Refusal::PortsExhausted)?;
    Ok((Endpoint::new(address, port), space))
}
