//! Networks on a NIC of the host: what is asked and kept of one, and what the data path is told.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use vswitch_packet::{EtherType, MacAddr, VlanId};

use crate::id::NetworkId;
use crate::settings::BridgeSettings;

/// An interface of the host, as the caller found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostInterface {
    /// Its address; `None` if it has none that Ethernet frames could be sent from, as loopback.
    pub mac: Option<MacAddr>,
    /// In bytes.
    pub mtu: u32,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether there is a link.
    pub carrier: bool,
    /// Whether it is one of the switch's own.
    pub ours: bool,
    /// Its addresses, with the prefix lengths of their subnets.
    pub addresses: Vec<IpNet>,
}

/// Where on the physical network a network is: what was resolved when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanRecord {
    /// The NIC; `None` for a network that is in the host alone.
    #[serde(default)]
    pub parent: Option<String>,
    /// The VLAN that the switch tags; `None` is what has no tag.
    #[serde(default, with = "vlan_number", skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanId>,
    /// Whether the tag is a service tag (802.1ad).
    #[serde(default)]
    pub service: bool,
    /// The parent's MTU in bytes, as last seen.
    #[serde(default)]
    pub mtu: Option<u16>,
}

/// How a segment is on a physical network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanSettings {
    /// The NIC; `None` without a wire.
    pub parent: Option<String>,
    /// The VLAN that frames are tagged with on the wire.
    pub vlan: Option<VlanId>,
    /// Whether the tag is a service tag (802.1ad).
    pub service_tag: bool,
    /// Whom endpoints reach here.
    pub mode: LanMode,
    /// How the wire sees endpoints.
    pub face: LanFace,
    /// The host's addresses on its port of the segment, empty for those of the parent; `None` without
    /// such a port.
    pub host_access: Option<Vec<IpAddr>>,
    /// Whether an address is looked for on the wire before an endpoint has it.
    pub check_conflicts: bool,
    /// Whether endpoints' IPv4 addresses are leased for them.
    pub dhcp: bool,
}

/// How a segment is routed to the host's network without a router's address of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L3Settings {
    /// The NIC whose MAC address endpoints have.
    pub parent: String,
    /// The segment's subnets.
    pub subnets: Vec<IpNet>,
    /// Whom endpoints reach: `Bridge` or `Private`.
    pub flag: LanMode,
    /// The one network whose segments are reached; `None` is every one on the parent that has `None`.
    pub scope: Option<NetworkId>,
}

/// Whom endpoints of a network on a parent reach without the wire, as Linux' macvlan and ipvlan have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LanMode {
    /// Each other.
    #[default]
    Bridge,
    /// Nobody of this host.
    Private,
    /// Nobody, unless the switch behind the wire sends frames back (IEEE 802.1Qbg).
    Vepa,
    /// There is but one endpoint, which has the parent to itself.
    Passthru,
}

/// How the wire sees an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LanFace {
    /// By its own MAC address.
    #[default]
    Own,
    /// By the parent's MAC address, which its interface has.
    Shared,
    /// By the parent's MAC address, which is translated from its own.
    Translated,
}

impl LanSettings {
    /// The tag that frames have on the wire: its type, and the VLAN.
    #[must_use]
    pub fn tag(&self) -> Option<(EtherType, VlanId)> {
        let ethertype = match self.service_tag {
            true => EtherType::SERVICE_VLAN,
            false => EtherType::VLAN,
        };
        self.vlan.map(|vlan| (ethertype, vlan))
    }
}

impl L3Settings {
    /// Whether packets pass between endpoints of this segment and of `other`, which may be the same.
    #[must_use]
    pub fn reaches(&self, other: &BridgeSettings) -> bool {
        other.l3.as_ref().is_some_and(|other| {
            self.parent == other.parent
                && self.scope == other.scope
                && [self.flag, other.flag] == [LanMode::Bridge; 2]
        })
    }
}

/// Serde for the number of a VLAN.
mod vlan_number {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use vswitch_packet::VlanId;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        vlan: &Option<VlanId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        vlan.map(VlanId::get).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<VlanId>, D::Error> {
        let Some(number) = Option::<u16>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let vlan = VlanId::new(number);
        let refused = || D::Error::custom(format!("{number} is no VLAN; those are 1 to 4094"));
        vlan.map(Some).ok_or_else(refused)
    }
}
