//! Packets from outside.

use std::net::SocketAddr;

use vswitch_packet::Moment;

use super::conversation::{Conversation, Side};
use super::entry::{Goal, Kind};
use super::ports::Place;
use super::shard::{Beginning, Shard, Stop};
use super::step::Step;
use super::{Conntrack, Inside, Pool};
use crate::config::Filtering;
use crate::endpoint::{Endpoint, Flow};
use crate::nat::Admit;
use crate::published::Published;
use crate::refusal::Refusal;
use crate::tuple::{Owner, Protocol, Tuple};

/// A packet from outside to one of the host's endpoints.
#[derive(Clone, Copy)]
pub(crate) struct Inbound {
    pub(crate) protocol: Protocol,
    pub(crate) external: Endpoint,
    pub(crate) remote: Endpoint,
    pub(crate) step: Step,
    pub(crate) now: Moment,
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
        let arrival = Inbound {
            protocol,
            external: external.into(),
            remote: remote.into(),
            step,
            now,
        };
        let (owner, endpoint) = self.arrive(&arrival, published)?;
        Ok(Inside {
            owner,
            endpoint: endpoint.into(),
        })
    }

    /// As [`Conntrack::inbound`].
    #[inline(always)]
    pub(crate) fn arrive(
        &self,
        arrival: &Inbound,
        published: &Published,
    ) -> Result<(Owner, Endpoint), Refusal> {
        match self.arrive_again(arrival) {
            Some(inside) => Ok(inside),
            None => self.arrive_anew(arrival, published),
        }
    }

    /// A packet of a session that goes on as it is.
    #[inline(always)]
    fn arrive_again(&self, arrival: &Inbound) -> Option<(Owner, Endpoint)> {
        if arrival.step == Step::Query {
            return None;
        }
        let Inbound {
            protocol,
            external,
            remote,
            ..
        } = *arrival;
        let key = self.pool.keys.conversation(protocol, external, remote);
        self.pool.index.find(key, |seat| {
            let mut track = self.pool.tracks.try_lock(seat)?;
            let passes = track.external == external
                && track.remote == remote
                && track.protocol == protocol
                // Its own address is not one of the host's.
                && track.inside != external
                && track.pass(arrival.step, Side::Outside, arrival.now);
            passes.then_some((track.owner, track.inside))
        })
    }

    /// Where the mapping may be that a packet is for. The host answers echo requests to its addresses
    /// itself.
    #[inline]
    fn place(&self, arrival: &Inbound) -> Option<Place> {
        if arrival.step == Step::Query {
            return None;
        }
        self.pool.spaces.place(arrival.protocol, arrival.external)
    }

    /// A packet that begins or changes a session, or is of none.
    #[cold]
    fn arrive_anew(
        &self,
        arrival: &Inbound,
        published: &Published,
    ) -> Result<(Owner, Endpoint), Refusal> {
        if arrival.step == Step::Query || matches!(arrival.protocol, Protocol::Other(_)) {
            return Err(Refusal::NotOurs);
        }
        self.with_room(arrival.now, || {
            let publication = || published.inside(arrival.protocol, arrival.external.into());
            match self.to_mapping(arrival, || publication().is_none()) {
                Some(result) => result,
                None => match publication() {
                    Some((owner, inside)) => {
                        self.to_published(arrival, owner, inside.into(), published)
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
        let flow = Flow::from(tuple);
        let hash = self.pool.keys.inside(flow.protocol, flow.inside);
        let admitted = match admit {
            Admit::Answers => false,
            Admit::Openings => step == Step::Query || published.opens(flow.protocol, tuple.inside),
            Admit::All => true,
        };
        self.with_room(now, || {
            let mut shard = self.shard_of(hash);
            if let Some(id) = shard.find(&self.pool, hash, &flow, now) {
                let track = shard.track(&self.pool, id);
                let (holder, conversation) = (track.owner, track.conversation);
                drop(track);
                if shard.mapping_of(id).kind == Kind::Own && holder == owner {
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
                    flow,
                    hash,
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
        arrival: &Inbound,
        may_begin: impl FnOnce() -> bool,
    ) -> Option<Result<(Owner, Endpoint), Stop>> {
        let Inbound { step, now, .. } = *arrival;
        let place = self.place(arrival)?;
        let mut shard = self.lock(place.shard);
        let (owner, inside) = shard.held_by(&self.pool, place.mapping, arrival)?;
        let filtering = shard.mappings[place.mapping].filtering;
        let flow = arrival.flow(inside);
        let hash = self.pool.keys.inside(flow.protocol, flow.inside);
        if let Some(id) = shard.find(&self.pool, hash, &flow, now)
            && shard.sessions[id].mapping == place.mapping
        {
            shard.advance(&self.pool, id, step, Side::Outside, now);
            shard.note(&self.pool, id);
            return Some(Ok((owner, flow.inside)));
        }
        if !may_begin() {
            return None;
        }
        if !shard.admits(&self.pool, place.mapping, flow.remote, step, now) {
            return Some(Err(Stop::Refused(Refusal::Filtered)));
        }
        let begun = shard.begin(
            &self.pool,
            &Beginning {
                flow,
                hash,
                owner,
                goal: Goal::Draw(arrival.external.address()),
                filtering,
                conversation: Conversation::begin(step, Side::Outside),
                published: &Published::default(),
                now,
            },
        );
        Some(begun.map(|_| (owner, flow.inside)))
    }

    /// A packet to a published endpoint.
    fn to_published(
        &self,
        arrival: &Inbound,
        owner: Owner,
        inside: Endpoint,
        published: &Published,
    ) -> Result<(Owner, Endpoint), Stop> {
        let Inbound { step, now, .. } = *arrival;
        let flow = arrival.flow(inside);
        let hash = self.pool.keys.inside(flow.protocol, inside);
        let mut shard = self.shard_of(hash);
        if let Some(id) = shard.find(&self.pool, hash, &flow, now) {
            let track = shard.track(&self.pool, id);
            let (holder, external) = (track.owner, track.external);
            drop(track);
            if holder != owner {
                return Err(Stop::Refused(Refusal::Filtered));
            }
            if Goal::Published(arrival.external).is_met(shard.mapping_of(id).kind, external) {
                shard.advance(&self.pool, id, step, Side::Outside, now);
                return Ok((owner, inside));
            }
        }
        if !step.may_begin() {
            return Err(Stop::Refused(Refusal::Filtered));
        }
        let begun = shard.begin(
            &self.pool,
            &Beginning {
                flow,
                hash,
                owner,
                goal: Goal::Published(arrival.external),
                filtering: Filtering::EndpointIndependent,
                conversation: Conversation::begin(step, Side::Outside),
                published,
                now,
            },
        );
        begun.map(|_| (owner, inside))
    }
}

impl Inbound {
    /// The conversation it is of, if it is for `inside`.
    #[inline]
    const fn flow(&self, inside: Endpoint) -> Flow {
        Flow {
            protocol: self.protocol,
            inside,
            remote: self.remote,
        }
    }
}

impl Shard {
    /// Whom and where a mapping leads to, if it holds the endpoint that a packet is for: between looking
    /// and locking another may have come there.
    #[inline]
    fn held_by(&self, pool: &Pool, mapping: u32, arrival: &Inbound) -> Option<(Owner, Endpoint)> {
        let track = self.any_of(pool, mapping)?;
        (track.external == arrival.external && track.protocol == arrival.protocol)
            .then_some((track.owner, track.inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let space = spaces.get_or_add(Protocol::Udp, external.ip().into());
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
