//! How long an endpoint's packets are, given its parent's.

use super::options::LanOptions;
use crate::driver::switched::{MTU_MAX, MTU_MIN, MTU_MIN_V6};
use crate::lan::LanRecord;
use crate::network::Network;
use crate::settings::Settings;

/// Octets of a service tag (IEEE 802.1ad).
const SERVICE_TAG: u16 = 4;

/// The endpoints' MTU in bytes: the parent's, or what was chosen if that is smaller. Never less than IP
/// needs, as an interface with less has no addresses, nor more than a TAP can have.
pub(in crate::driver) fn of_endpoints(
    network: &Network,
    options: &LanOptions,
    settings: &Settings,
) -> u16 {
    let parents = network.lan.as_ref().and_then(for_packets);
    let mtu = match (options.switch.mtu, parents) {
        (Some(chosen), Some(parents)) => chosen.min(parents),
        (chosen, parents) => chosen.or(parents).unwrap_or(settings.default_mtu),
    };
    mtu.clamp(least(network), MTU_MAX)
}

/// What of the parent's MTU is left for packets. A NIC has room for one 802.1Q tag beside its MTU; a service
/// tag counts as a part of the packet (`packet_extra_vlan_len_allowed`, Linux' net/packet/af_packet.c).
fn for_packets(record: &LanRecord) -> Option<u16> {
    let tag = if record.service { SERVICE_TAG } else { 0 };
    record.mtu.map(|mtu| mtu.saturating_sub(tag))
}

/// What an interface needs to have addresses of the network.
pub(super) const fn least(network: &Network) -> u16 {
    if network.ipv6 { MTU_MIN_V6 } else { MTU_MIN }
}
