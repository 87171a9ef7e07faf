//! Which tunnel a datagram came by.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use vswitch_vxlan::Vni;

use super::vteps::Vteps;
use crate::bridge::{Bridge, BridgeId};
use crate::port::{Port, PortId};
use crate::verdict::DropReason;

/// The tunnels by where their datagrams come in and from.
#[derive(Debug, Default)]
pub struct Tunnels {
    /// By the underlay, the segment and the peer.
    ports: HashMap<(PortId, Vni, IpAddr), PortId, RandomState>,
    segments: HashMap<(PortId, Vni), Segment, RandomState>,
    vteps: Vteps,
}

/// One segment, as one underlay sees it.
#[derive(Clone, Copy, Debug)]
struct Segment {
    bridge: BridgeId,
    accept_unknown: bool,
}

/// Why a datagram came by no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// The segment is not here.
    Vni,
    /// The host is no peer, and must not become one.
    Vtep,
    /// The host is not yet a peer of this bridge.
    Stranger(BridgeId),
}

impl Tunnels {
    pub(crate) fn new<'t>(
        bridges: impl Iterator<Item = &'t Bridge>,
        ports: impl Iterator<Item = &'t Port>,
    ) -> Self {
        let mut segments = HashMap::<_, _, RandomState>::default();
        for bridge in bridges {
            let Some(overlay) = &bridge.overlay else {
                continue;
            };
            for &underlay in &overlay.underlays {
                segments.insert(
                    (underlay, overlay.vni),
                    Segment {
                        bridge: bridge.id,
                        accept_unknown: overlay.accept_unknown,
                    },
                );
            }
        }
        let mut tunnels = HashMap::<_, _, RandomState>::default();
        let mut vteps = Vteps::default();
        for port in ports {
            let Some(tunnel) = &port.tunnel else {
                continue;
            };
            vteps.insert(tunnel);
            tunnels.insert((tunnel.underlay, tunnel.vni, tunnel.peer.ip()), port.id);
        }
        Self {
            ports: tunnels,
            segments,
            vteps,
        }
    }

    /// Where their datagrams are taken.
    #[inline]
    pub(crate) const fn vteps(&self) -> &Vteps {
        &self.vteps
    }

    /// The tunnel of segment `vni` whose datagrams come in at `underlay` from `host`; or, asked with a
    /// group, the group's.
    ///
    /// # Errors
    /// [`Foreign`] if there is none.
    #[inline]
    pub fn find(&self, underlay: PortId, vni: Vni, host: IpAddr) -> Result<PortId, Foreign> {
        match self.ports.get(&(underlay, vni, host)) {
            Some(&port) => Ok(port),
            None => Err(self.foreign(underlay, vni)),
        }
    }

    #[cold]
    fn foreign(&self, underlay: PortId, vni: Vni) -> Foreign {
        match self.segments.get(&(underlay, vni)) {
            None => Foreign::Vni,
            Some(segment) if segment.accept_unknown => Foreign::Stranger(segment.bridge),
            Some(_) => Foreign::Vtep,
        }
    }
}

impl From<Foreign> for DropReason {
    fn from(foreign: Foreign) -> Self {
        match foreign {
            Foreign::Vni => Self::UnknownVni,
            Foreign::Vtep | Foreign::Stranger(_) => Self::UnknownVtep,
        }
    }
}
