//! Packets from inside.

use std::net::SocketAddr;

use vswitch_packet::Moment;

use super::conversation::{Conversation, Side};
use super::entry::{Endpoint, Goal};
use super::shard::{Beginning, Stop};
use super::step::Step;
use super::{Conntrack, parts};
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
        let (protocol, inside, remote) = parts(tuple);
        let hash = self.pool.keys.inside(protocol, inside);
        self.with_room(now, || {
            let mut shard = self.shard_of(hash);
            if let Some(id) = shard.find(&self.pool, hash, (protocol, inside, remote), now) {
                let mapping = shard.mapping_of(id);
                if mapping.owner != way.owner {
                    return Err(Stop::Refused(Refusal::Filtered));
                }
                let external = mapping.external;
                shard.advance(&self.pool, id, step, Side::Inside, now);
                return Ok(external.into());
            }
            let goal = match way.source {
                None => Goal::Own,
                Some(_) if matches!(protocol, Protocol::Other(_)) => {
                    return Err(Stop::Refused(Refusal::Untranslatable));
                }
                Some(address) => match way.published.external(protocol, tuple.inside, address) {
                    Some(port) => Goal::Published(Endpoint { address, port }),
                    None => Goal::Draw(address),
                },
            };
            if !step.may_begin() {
                return Err(Stop::Refused(Refusal::Filtered));
            }
            let id = shard.begin(
                &self.pool,
                &Beginning {
                    protocol,
                    inside,
                    hash,
                    remote,
                    owner: way.owner,
                    goal,
                    filtering: way.filtering,
                    conversation: Conversation::begin(step, Side::Inside),
                    published: way.published,
                    now,
                },
            )?;
            Ok(shard.mapping_of(id).external.into())
        })
    }
}
