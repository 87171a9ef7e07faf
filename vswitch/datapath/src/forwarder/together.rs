//! Frames that were read together: each is carried to its end before the next, but what is known of their
//! conversations and addresses, where that is much, is fetched from memory while others have their turn.

use std::ops::Range;

use vswitch_nat::ahead::TOGETHER;
use vswitch_nat::{Direction, Nat};
use vswitch_packet::{MacAddr, VnetHeader};

use super::{Entering, Forwarder};
use crate::fdb::Fdb;
use crate::pipeline::Pipeline;
use crate::port::{Port, Role};
use crate::topology::Topology;
use crate::transmit::{FRAME_START, Wires};
use crate::verdict::DropReason;
use crate::vlan::Vlan;

impl Forwarder {
    /// Where to read several frames to, each with its virtio header first and nothing of another in
    /// between: at least [`crate::burst::MAX_READ`] octets, or `None` when the burst has to be flushed
    /// before.
    #[inline]
    pub fn rooms(&mut self) -> Option<&mut [u8]> {
        self.burst.rooms()
    }

    /// Whether it pays to read several frames from `ingress` before the first of them has its turn: so much is known that
    /// the processor's caches do not keep it.
    #[inline]
    #[must_use]
    pub fn looks_ahead(topology: &Topology, ingress: &Port) -> bool {
        Known::of(topology, ingress).is_some()
    }

    /// Takes frames that were read from `ingress` to these places in [`Forwarder::rooms`], in ascending
    /// order.
    ///
    /// When this returns, each frame was written, or dropped and counted, or waits for
    /// [`Forwarder::flush`].
    pub fn receive_together<W: Wires>(
        &mut self,
        frames: &[Range<usize>],
        ingress: &Port,
        pipeline: &Pipeline<'_>,
        wires: &mut W,
    ) {
        let known = Known::of(pipeline.topology(), ingress);
        let mut kept = false;
        for frames in frames.chunks(TOGETHER) {
            // One alone has nothing to be fetched meanwhile.
            let known = known.as_ref().filter(|_| frames.len() > 1);
            if let Some(known) = known {
                self.expect(frames, known);
            }
            for (turn, read) in frames.iter().enumerate() {
                if let Some(Known { nat: Some(nat), .. }) = known {
                    self.expected.turn(nat, turn);
                }
                let Some(header) = self.burst.octets(read).first_chunk::<FRAME_START>() else {
                    let lane = ingress.counters.lane(pipeline.worker());
                    lane.received_frames.add(1);
                    lane.dropped(DropReason::Runt);
                    continue;
                };
                let how = Entering::first(VnetHeader::read(header));
                let within = read.start + FRAME_START..read.end;
                kept |= self.forward(within, &how, ingress, pipeline, wires);
            }
        }
        self.finish(frames.last().map_or(0, |last| last.end), kept);
    }

    #[inline(never)]
    fn expect(&mut self, frames: &[Range<usize>], known: &Known<'_>) {
        self.expected.clear();
        for read in frames {
            let frame = self.burst.octets(read).get(FRAME_START..);
            let to = frame
                .and_then(|frame| frame.first_chunk().copied())
                .map(MacAddr);
            match (known.nat, frame) {
                (Some(nat), Some(frame)) if to == Some(known.router) => {
                    self.expected.add(nat, known.direction, frame);
                    continue;
                }
                (Some(_), _) => self.expected.skip(),
                (None, _) => {}
            }
            if let (Some(fdb), Some(to)) = (known.fdb, to) {
                fdb.fetch(known.vlan, to);
            }
        }
    }
}

/// What may be known of a port's frames, where that is much.
struct Known<'t> {
    /// Of those for the router.
    nat: Option<&'t Nat>,
    direction: Direction,
    router: MacAddr,
    /// Of the others.
    fdb: Option<&'t Fdb>,
    vlan: Vlan,
}

impl<'t> Known<'t> {
    #[inline]
    fn of(topology: &'t Topology, ingress: &Port) -> Option<Self> {
        let router = topology.router();
        let nat = router.nat.as_deref().filter(|nat| nat.is_large());
        let known = match (ingress.bridge, ingress.role) {
            (Some(bridge), _) => {
                let bridge = topology.bridge(bridge)?;
                let gateway = bridge.gateway.as_ref();
                let gateway = gateway.filter(|gateway| !gateway.policy.internal);
                Self {
                    nat: nat.filter(|_| gateway.is_some()),
                    direction: Direction::Out,
                    router: gateway.map_or(MacAddr::ZERO, |gateway| gateway.mac),
                    fdb: Some(&*bridge.fdb).filter(|fdb| fdb.is_large()),
                    vlan: ingress.vlan.into(),
                }
            }
            (None, Role::Uplink) => Self {
                nat,
                direction: Direction::In,
                router: router.uplink(ingress.id)?.mac,
                fdb: None,
                vlan: Vlan::NONE,
            },
            _ => return None,
        };
        Some(known).filter(|known| known.nat.is_some() || known.fdb.is_some())
    }
}
