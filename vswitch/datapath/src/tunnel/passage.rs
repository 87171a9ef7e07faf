//! What may come out of a tunnel, and how frames go into one.
//!
//! Not inlined but for a single test: the way through a bridge without tunnels must not be longer for it.

use vswitch_packet::ethernet::HEADER_LEN;
use vswitch_packet::{Frame, MacAddr, Moment, Network};

use super::Tunnel;
use crate::fdb::{Fdb, Learned};
use crate::lan::WireTag;
use crate::pipeline::Egress;
use crate::port::{Port, PortId};
use crate::router::may_be_fragmented;
use crate::verdict::DropReason;
use crate::vlan::{TagAction, Vlan};

impl Tunnel {
    /// Whether `frame`, which came by this tunnel, may enter the bridge.
    ///
    /// # Errors
    /// [`DropReason::InnerVlan`] for a tag where there should be none (RFC 7348 §6.1).
    #[inline]
    pub(crate) fn admit(&self, frame: &Frame<'_>) -> Result<(), DropReason> {
        match frame.layout().tag {
            Some(_) if !self.tagged => Err(DropReason::InnerVlan),
            _ => Ok(()),
        }
    }

    /// Learns that `mac` is behind `port`, which is this tunnel's.
    ///
    /// # Errors
    /// [`DropReason::SpoofedMac`] if it is configured to be elsewhere (as Linux' `vxlan_snoop`).
    #[inline(never)]
    pub(crate) fn learn(
        &self,
        fdb: &Fdb,
        vlan: Vlan,
        mac: MacAddr,
        port: PortId,
        now: Moment,
    ) -> Result<Learned, DropReason> {
        let learned = if self.learning {
            fdb.learn_within(self.learn_limit as usize, vlan, mac, port, now)
        } else if fdb.configured(vlan, mac).is_some_and(|at| at != port) {
            Learned::Elsewhere
        } else {
            Learned::Known
        };
        match learned {
            Learned::Elsewhere => Err(DropReason::SpoofedMac),
            learned => Ok(learned),
        }
    }

    /// How `frame` of `vlan` leaves by `port`, which is this tunnel's.
    ///
    /// # Errors
    /// The reason why it cannot.
    #[inline(never)]
    pub(crate) fn egress(
        &self,
        port: &Port,
        vlan: Vlan,
        frame: &Frame<'_>,
    ) -> Result<Egress, DropReason> {
        let tag = match frame.layout().tag {
            _ if self.tagged => TagAction::at_egress(port, vlan, WireTag::outermost(frame)),
            // Without its tag it would be in the untagged segment of the other host.
            _ if vlan != Vlan::NONE => return Err(DropReason::InnerVlan),
            Some(_) => TagAction::Pop,
            None => TagAction::Keep,
        };
        let tags = tag.applied_to(usize::from(frame.layout().link_len)) - HEADER_LEN;
        if tags > 0 && !self.tagged {
            return Err(DropReason::InnerVlan);
        }
        // Tags are no part of a packet, but of a datagram.
        let len = frame.packet_len();
        let fits = len <= usize::from(port.mtu) && len + tags <= usize::from(self.path.inner_mtu());
        let fragments = if fits {
            None
        } else if let Network::Ip(ip) = frame.network()
            && tags == 0
            && may_be_fragmented(frame, &ip)
        {
            Some(port.mtu())
        } else {
            return Err(DropReason::UnderlayMtu);
        };
        Ok(Egress {
            tag,
            in_software: false,
            fragments,
        })
    }
}
