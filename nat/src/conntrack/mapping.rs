//! Mappings come and go with their sessions.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Pool;
use super::entry::{Goal, Kind, Mapping};
use super::list::List;
use super::ports::{Place, PortSpace, Wish};
use super::shard::{Beginning, Shard};
use crate::endpoint::{Address, Endpoint};
use crate::refusal::Refusal;
use crate::tuple::Protocol;

impl Shard {
    /// The mapping for a new session: the one that its inside endpoint has already, whomever it
    /// talks to (RFC 4787 REQ-1), else a new one.
    pub(super) fn map(&mut self, pool: &Pool, new: &Beginning<'_>) -> Result<u32, Refusal> {
        let known = self.by_inside.find(new.hash, |&id| {
            let mapping = &self.mappings[id];
            mapping.inside == new.flow.inside
                && mapping.protocol == new.flow.protocol
                && mapping.serves(new.goal)
        });
        if let Some(&id) = known {
            let mapping = &self.mappings[id];
            let other_port = matches!(new.goal, Goal::Keep(port) if port != mapping.external);
            return if mapping.owner != new.owner || other_port {
                Err(Refusal::Filtered)
            } else {
                Ok(id)
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
            owner: new.owner,
            sessions: List::EMPTY,
            inside: new.flow.inside,
            external,
            protocol: new.flow.protocol,
            kind,
            filtering: new.filtering,
            space: space.clone(),
        });
        let mappings = &self.mappings;
        self.by_inside.insert_unique(new.hash, id, |&id| {
            let mapping = &mappings[id];
            pool.keys.inside(mapping.protocol, mapping.inside)
        });
        if let Some(space) = space {
            let place = Place {
                shard: self.number,
                mapping: id,
            };
            space.settle(external.port(), place);
        }
        Ok(id)
    }

    /// Takes out a mapping that has no session left. `hash` is that of its inside endpoint.
    pub(super) fn unmap(&mut self, pool: &Pool, id: u32, hash: u64) {
        if let Ok(found) = self.by_inside.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        let Some(mapping) = self.mappings.remove(id) else {
            return;
        };
        let external = mapping.external;
        if mapping.kind == Kind::Drawn && mapping.protocol != Protocol::Echo {
            // Before the port is free here: nobody takes it before it was given back.
            pool.config
                .host_ports
                .give_back(mapping.protocol, external.into());
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
