//! Packets from outside.

use std::net::SocketAddr;

use vswitch_packet::Moment;

use super::conversation::{Conversation, Side};
use super::entry::{Endpoint, Goal, Kind};
use super::shard::{Beginning, Stop};
use super::step::Step;
use super::{Conntrack, Inside, parts};
use crate::config::Filtering;
use crate::nat::Admit;
use crate::published::Published;
use crate::refusal::Refusal;
use crate::tuple::{Owner, Protocol, Tuple};

/// A packet from outside to one of the host's endpoints.
#[derive(Clone, Copy)]
struct Arrival {
    protocol: Protocol,
    external: Endpoint,
    remote: Endpoint,
    step: Step,
    now: Moment,
}

impl Conntrack {
    /// A packet from outside to one of the host's endpoints: of a session, else to a published
    /// port, else to a mapping whose filtering admits it.
    ///
    /// # Errors
    /// [`Refusal::NotOurs`] if there is neither publication nor mapping; otherwise [`Refusal`].
    pub fn inbound(
        &self,
        protocol: Protocol,
        external: SocketAddr,
        remote: SocketAddr,
        step: Step,
        published: &Published,
        now: Moment,
    ) -> Result<Inside, Refusal> {
        // The host answers echo requests to its addresses itself.
        if step == Step::Query || matches!(protocol, Protocol::Other(_)) {
            return Err(Refusal::NotOurs);
        }
        let arrival = Arrival {
            protocol,
            external: external.into(),
            remote: remote.into(),
            step,
            now,
        };
        self.with_room(now, || {
            let publication = || published.inside(protocol, external);
            match self.to_mapping(&arrival, || publication().is_none()) {
                Some(result) => result,
                None => match publication() {
                    Some((owner, inside)) => {
                        self.to_published(&arrival, owner, inside.into(), published)
                    }
                    None => Err(Stop::Refused(Refusal::NotOurs)),
                },
            }
        })
    }

    /// A packet from outside to a container's own address.
    ///
    /// # Errors
    /// [`Refusal`]; the packet is not to be delivered.
    pub fn direct(
        &self,
        tuple: &Tuple,
        step: Step,
        owner: Owner,
        admit: Admit,
        published: &Published,
        now: Moment,
    ) -> Result<(), Refusal> {
        let (protocol, inside, remote) = parts(tuple);
        let hash = self.pool.keys.inside(protocol, inside);
        let admitted = match admit {
            Admit::Answers => false,
            Admit::Openings => step == Step::Query || published.opens(protocol, tuple.inside),
            Admit::All => true,
        };
        self.with_room(now, || {
            let mut shard = self.shard_of(hash);
            if let Some(id) = shard.find(&self.pool, hash, (protocol, inside, remote), now) {
                let mapping = shard.mapping_of(id);
                if mapping.kind == Kind::Own && mapping.owner == owner {
                    let conversation = &shard.sessions[id].conversation;
                    let begins = conversation.restarts(step)
                        || step == Step::Query && conversation.begun_by() == Side::Inside;
                    if begins && !admitted {
                        return Err(Stop::Refused(Refusal::Filtered));
                    }
                    shard.advance(&self.pool, id, step, Side::Outside, now);
                    return Ok(());
                }
            }
            if !admitted || !step.may_begin() {
                return Err(Stop::Refused(Refusal::Filtered));
            }
            let begun = shard.begin(
                &self.pool,
                &Beginning {
                    protocol,
                    inside,
                    hash,
                    remote,
                    owner,
                    goal: Goal::Own,
                    filtering: Filtering::default(),
                    conversation: Conversation::begin(step, Side::Outside),
                    published,
                    now,
                },
            );
            begun.map(|_| ())
        })
    }

    /// A packet to an endpoint that a mapping holds. `None` if there is no such mapping, or if no
    /// session of it is meant and another (`may_begin`) is to be asked.
    fn to_mapping(
        &self,
        arrival: &Arrival,
        may_begin: impl FnOnce() -> bool,
    ) -> Option<Result<Inside, Stop>> {
        let Arrival {
            protocol,
            external,
            remote,
            step,
            now,
        } = *arrival;
        let place = self.pool.spaces.with(protocol, external.address, |space| {
            space.place(external.port)
        })?;
        let mut shard = self.lock(place.shard);
        // Between looking and locking another may have come there.
        let mapping = shard.mappings.get(place.mapping)?;
        if mapping.external != external || mapping.protocol != protocol {
            return None;
        }
        let inside = mapping.inside;
        let answer = Inside {
            owner: mapping.owner,
            endpoint: inside.into(),
        };
        let filtering = mapping.filtering;
        let hash = self.pool.keys.inside(protocol, inside);
        if let Some(id) = shard.find(&self.pool, hash, (protocol, inside, remote), now)
            && shard.sessions[id].mapping == place.mapping
        {
            shard.advance(&self.pool, id, step, Side::Outside, now);
            return Some(Ok(answer));
        }
        if !may_begin() {
            return None;
        }
        if !shard.admits(&self.pool, place.mapping, remote, step, now) {
            return Some(Err(Stop::Refused(Refusal::Filtered)));
        }
        let begun = shard.begin(
            &self.pool,
            &Beginning {
                protocol,
                inside,
                hash,
                remote,
                owner: answer.owner,
                goal: Goal::Draw(external.address),
                filtering,
                conversation: Conversation::begin(step, Side::Outside),
                published: &Published::default(),
                now,
            },
        );
        Some(begun.map(|_| answer))
    }

    /// A packet to a published endpoint.
    fn to_published(
        &self,
        arrival: &Arrival,
        owner: Owner,
        inside: Endpoint,
        published: &Published,
    ) -> Result<Inside, Stop> {
        let Arrival {
            protocol,
            external,
            remote,
            step,
            now,
        } = *arrival;
        let answer = Inside {
            owner,
            endpoint: inside.into(),
        };
        let hash = self.pool.keys.inside(protocol, inside);
        let mut shard = self.shard_of(hash);
        if let Some(id) = shard.find(&self.pool, hash, (protocol, inside, remote), now) {
            let mapping = shard.mapping_of(id);
            if mapping.owner != owner {
                return Err(Stop::Refused(Refusal::Filtered));
            }
            if mapping.serves(Goal::Published(external)) {
                shard.advance(&self.pool, id, step, Side::Outside, now);
                return Ok(answer);
            }
        }
        if !step.may_begin() {
            return Err(Stop::Refused(Refusal::Filtered));
        }
        let begun = shard.begin(
            &self.pool,
            &Beginning {
                protocol,
                inside,
                hash,
                remote,
                owner,
                goal: Goal::Published(external),
                filtering: Filtering::EndpointIndependent,
                conversation: Conversation::begin(step, Side::Outside),
                published,
                now,
            },
        );
        begun.map(|_| answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::ports::Place;
    use crate::host_ports::AllFree;
    use crate::{Config, Outbound, Timeouts};

    /// A thread that has looked a port up, and finds another mapping in its place.
    #[test]
    fn a_place_that_is_another_mappings_now() {
        let table = Conntrack::new(Config {
            max_sessions: 10,
            max_sessions_per_owner: 10,
            timeouts: Timeouts::default(),
            ports: 40_000..=50_000,
            host_ports: Box::new(AllFree),
            ledger: None,
            seed: 1,
        });
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let published = Published::default();
        let now = Moment::from_secs(1);
        let tuple = Tuple {
            protocol: Protocol::Udp,
            inside: at("10.0.0.2:5000"),
            remote: at("198.51.100.1:53"),
        };
        let way = Outbound {
            owner: Owner(2),
            source: Some(at("192.0.2.1:0").ip()),
            filtering: Filtering::EndpointIndependent,
            published: &published,
            ingress: 0,
        };
        let external = table.outbound(&tuple, Step::Plain, &way, now).unwrap();
        let other = at("192.0.2.1:6000");
        let spaces = &table.pool.spaces;
        let space = spaces.get_or_add(Protocol::Udp, external.ip());
        let Place { shard, mapping } = space.place(external.port()).unwrap();
        for mapping in [mapping, mapping + 1, u32::MAX] {
            space.settle(other.port(), Place { shard, mapping });
            let (protocol, step) = (Protocol::Udp, Step::Plain);
            let came = table.inbound(protocol, other, tuple.remote, step, &published, now);
            assert_eq!(came, Err(Refusal::NotOurs));
            let leads = table.inside_of(protocol, other, tuple.remote, &published, now);
            assert_eq!(leads, None);
            assert!(!table.forget_mapping(protocol, other));
        }
        assert_eq!(table.counts().sessions, 1);
    }
}
