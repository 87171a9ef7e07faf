//! What may cross a network's gateway.

use std::net::IpAddr;

use vswitch_nat::Filtering;
use vswitch_packet::ip::Version;

use crate::bridge::BridgeId;
use crate::gateway::GatewayLink;

/// What may cross a network's gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// No way out or in (`--internal`).
    pub internal: bool,
    /// IPv4.
    pub v4: FamilyPolicy,
    /// IPv6.
    pub v6: FamilyPolicy,
    /// Who may answer to a mapping.
    pub filtering: Filtering,
    /// The networks whose containers it exchanges packets with, untranslated. Listed on both sides.
    pub peers: Vec<BridgeId>,
    /// The other segments of the same network: nothing is held back between them. On point-to-point
    /// links also the bridge itself, if its endpoints reach each other.
    pub siblings: Vec<BridgeId>,
}

impl Policy {
    /// The part of one family.
    #[must_use]
    pub const fn family(&self, version: Version) -> &FamilyPolicy {
        match version {
            Version::V4 => &self.v4,
            Version::V6 => &self.v6,
        }
    }
}

/// One family's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyPolicy {
    /// The gateway's mode.
    pub mode: Mode,
    /// Whether the source of what goes out is translated, in the modes that translate.
    pub masquerade: bool,
    /// The host's address that it is translated to; without it, that of the way out.
    pub source: Option<IpAddr>,
}

impl FamilyPolicy {
    /// Whether packets pass both ways, on `link`s of the network, whatever went before: they are not
    /// translated, and everything is let in. Then nothing is remembered of them. On an Ethernet
    /// segment ports may be published, whose conversations have to be found.
    pub(crate) fn is_stateless(&self, link: GatewayLink) -> bool {
        link == GatewayLink::PointToPoint && self.mode == Mode::NatUnprotected && !self.masquerade
    }
}

/// Docker's gateway modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Translated; only published ports are reached, at the host's addresses.
    #[default]
    Nat,
    /// As `Nat`; every port is reached at the container's own address too.
    NatUnprotected,
    /// Not translated; published ports of the container, and echo, at its own address.
    Routed,
    /// No way out or in.
    Isolated,
}

impl Default for FamilyPolicy {
    fn default() -> Self {
        Self {
            mode: Mode::Nat,
            masquerade: true,
            source: None,
        }
    }
}
