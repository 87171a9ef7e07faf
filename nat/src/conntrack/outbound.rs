//! Packets from inside.

use std::net::SocketAddr;

use vswitch_packet::Moment;

use super::Conntrack;
use super::conversation::{Conversation, Side};
use super::entry::Goal;
use super::shard::{Beginning, Stop};
use super::step::Step;
use crate::endpoint::{Endpoint, Flow};
use crate::nat::Outbound;
use crate::refusal::Refusal;
use crate::tuple::{Protocol, Tuple};

impl Conntrack {
    /// A packet from inside: finds or begins its session. Returns what its source is translated
    /// to: itself, if `way.source` is `None`. A session that began otherwise, say through a
    /// published port of another address, keeps the external endpoint it began with.
    ///
    /// # Errors
    /// [`Refusal`]; the packet is not to be sent.
    pub fn outbound(
        &self,
        tuple: &Tuple,
        step: Step,
        way: &Outbound<'_>,
        now: Moment,
    ) -> Result<SocketAddr, Refusal> {
        let external = self.leave(&tuple.into(), step, way, now);
        external.map(SocketAddr::from)
    }

    /// As [`Conntrack::outbound`].
    #[inline(always)]
    pub(crate) fn leave(
        &self,
        flow: &Flow,
        step: Step,
        way: &Outbound<'_>,
        now: Moment,
    ) -> Result<Endpoint, Refusal> {
        let hash = self.pool.keys.inside(flow.protocol, flow.inside);
        let key = self.pool.keys.session(hash, flow.remote);
        let passed = self.pool.index.find(key, |seat| {
            let mut track = self.pool.tracks.try_lock(seat)?;
            let passes = track.flow() == *flow
                && track.owner == way.owner
                && track.pass(step, Side::Inside, now);
            passes.then_some(track.external)
        });
        match passed {
            Some(external) => Ok(external),
            None => self.leave_anew(flow, hash, step, way, now),
        }
    }

    /// A packet that begins or changes a session, or is of none.
    #[cold]
    fn leave_anew(
        &self,
        flow: &Flow,
        hash: u64,
        step: Step,
        way: &Outbound<'_>,
        now: Moment,
    ) -> Result<Endpoint, Refusal> {
        self.with_room(now, || {
            let mut shard = self.shard_of(hash);
            if let Some(id) = shard.find(&self.pool, hash, flow, now) {
                let track = shard.track(&self.pool, id);
                let (owner, external) = (track.owner, track.external);
                drop(track);
                if owner != way.owner {
                    return Err(Stop::Refused(Refusal::Filtered));
                }
                shard.advance(&self.pool, id, step, Side::Inside, now);
                shard.note(&self.pool, id);
                return Ok(external);
            }
            let goal = match way.source {
                None => Goal::Own,
                Some(_) if matches!(flow.protocol, Protocol::Other(_)) => {
                    return Err(Stop::Refused(Refusal::Untranslatable));
                }
                Some(address) => {
                    let inside = flow.inside.into();
                    match way.published.external(flow.protocol, inside, address) {
                        Some(port) => Goal::Published(Endpoint::new(address.into(), port)),
                        None => Goal::Draw(address.into()),
                    }
                }
            };
            if !step.may_begin() {
                return Err(Stop::Refused(Refusal::Filtered));
            }
            let id = shard.begin(
                &self.pool,
                &Beginning {
                    flow: *flow,
                    hash,
                    owner: way.owner,
                    goal,
                    filtering: way.filtering,
                    conversation: Conversation::begin(step, Side::Inside),
                    published: way.published,
                    now,
                },
            )?;
            Ok(shard.track(&self.pool, id).external)
        })
    }
}
