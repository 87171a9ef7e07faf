//! What may cross a network's gateway.

use std::net::IpAddr;

use vswitch_ipam::Family;

use crate::id::NetworkId;

/// What may cross a network's gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// IPv4's part.
    pub v4: FamilyPolicy,
    /// IPv6's part.
    pub v6: FamilyPolicy,
    /// Who may answer to a mapping.
    pub filtering: Filtering,
    /// The networks it exchanges packets with, untranslated, in order of ids: those it names and those
    /// that name it, as far as they are there.
    pub route_to: Vec<NetworkId>,
}

/// One family's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyPolicy {
    /// The gateway's mode.
    pub mode: GatewayMode,
    /// Whether the source of what goes out is translated, in the modes that translate.
    pub masquerade: bool,
    /// The host's address that it is translated to; `None` leaves it to the way out.
    pub source: Option<IpAddr>,
}

/// Docker's gateway modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GatewayMode {
    /// Translated; only published ports are reached, at the host's addresses.
    #[default]
    Nat,
    /// As `Nat`; every port is reached at the container's own address too.
    NatUnprotected,
    /// Not translated; published ports of the container are reached at its own address.
    Routed,
    /// No gateway at all.
    Isolated,
}

/// Who may answer to a mapping (RFC 4787 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Filtering {
    /// Whoever knows the mapping.
    EndpointIndependent,
    /// The addresses that the container sent to.
    #[default]
    AddressDependent,
    /// The addresses and ports that the container sent to.
    AddressAndPortDependent,
}

impl Policy {
    /// The part of `family`.
    #[must_use]
    pub const fn of(&self, family: Family) -> &FamilyPolicy {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}

impl Default for FamilyPolicy {
    fn default() -> Self {
        Self {
            mode: GatewayMode::Nat,
            masquerade: true,
            source: None,
        }
    }
}
