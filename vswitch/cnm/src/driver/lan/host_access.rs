//! The host's port on a network, which it talks to the endpoints by.
//!
//! Linux' macvlan keeps the host from its own endpoints: what the host sends leaves by the parent, and what
//! they send to the parent's address never comes back from the wire.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::options::LanOptions;
use crate::error::LanError;
use crate::ipam::Ipam;
use crate::lan::{HostInterface, LanRecord};
use crate::network::Network;
use crate::segment::Segment;

/// The auxiliary names that give the host's addresses; as a name stands for one address, the second is for
/// the other family.
const AUX: [&str; 2] = ["host", "host6"];

/// The host's addresses on its port of a segment, empty for those of the parent, which may change; `None`
/// without such a port.
pub(super) fn addresses(
    record: &LanRecord,
    segment: &Segment<'_>,
    options: &LanOptions,
) -> Option<Vec<IpAddr>> {
    if !options.host_access {
        return None;
    }
    let given: Vec<IpAddr> = segment
        .subnets()
        .flat_map(|subnet| AUX.iter().filter_map(|name| subnet.aux.get(*name)))
        .copied()
        .collect();
    (!given.is_empty() || has_parents(record)).then_some(given)
}

/// Checks that the host has an address on one segment at least.
pub(in crate::driver) fn check(
    network: &Network,
    record: &LanRecord,
    options: &LanOptions,
) -> Result<(), LanError> {
    let mut aux = network.subnets.iter().flat_map(|subnet| subnet.aux.keys());
    if !options.host_access || has_parents(record) || aux.any(|name| AUX.contains(&name.as_str())) {
        return Ok(());
    }
    Err(missing(&network.ipam, record))
}

/// Checks, when a network is made, that the parent has an address where it is to be the host's.
pub(in crate::driver) fn check_parent(
    network: &Network,
    record: &LanRecord,
    options: &LanOptions,
    interfaces: &BTreeMap<String, HostInterface>,
) -> Result<(), LanError> {
    let segments = network.segments();
    let given = |segment: &Segment<'_>| {
        addresses(record, segment, options).is_some_and(|addresses| !addresses.is_empty())
    };
    if !options.host_access || segments.iter().any(given) {
        return Ok(());
    }
    let parent = record.parent.as_ref().and_then(|name| interfaces.get(name));
    let mut own = parent.into_iter().flat_map(|parent| &parent.addresses);
    let usable = |address: IpAddr| match network.ipam.is_dhcp() {
        false => network.subnet_with(address).is_some(),
        true => address.is_ipv4(),
    };
    if has_parents(record) && own.any(|net| usable(net.addr())) {
        return Ok(());
    }
    Err(missing(&network.ipam, record))
}

/// The parent's addresses are not on a VLAN that the switch tags.
const fn has_parents(record: &LanRecord) -> bool {
    record.parent.is_some() && record.vlan.is_none()
}

fn missing(ipam: &Ipam, record: &LanRecord) -> LanError {
    let place = match (&record.parent, record.vlan) {
        (None, _) => "on a network without parent".to_owned(),
        (Some(parent), Some(vlan)) => format!("on VLAN {} of {parent}", vlan.get()),
        (Some(parent), None) => match ipam.is_dhcp() {
            false => format!("of the network's subnets on {parent}"),
            true => format!("on {parent}"),
        },
    };
    LanError::NoHostAddress {
        place,
        hint: match ipam.is_dhcp() {
            false => "give it one with --aux-address host=IP",
            true => "leave the option out, or give the network its --subnet",
        },
    }
}
