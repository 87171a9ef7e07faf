//! Which NIC and VLAN a network is on.

use std::collections::BTreeMap;

use vswitch_packet::{MacAddr, VlanId};

use super::options::LanOptions;
use crate::driver::switched::MTU_MAX;
use crate::error::{Error, LanError};
use crate::lan::{HostInterface, LanRecord};
use crate::network::Network;
use crate::option_key as key;
use crate::options::{OptionError, invalid};

/// What the options mean on a host with these interfaces.
///
/// `eth0.100` is the interface of that name, as Docker has it, or else VLAN 100 on `eth0`.
pub(in crate::driver) fn resolve(
    options: &LanOptions,
    interfaces: &BTreeMap<String, HostInterface>,
) -> Result<LanRecord, Error> {
    let Some(given) = &options.parent else {
        if options.vlan.is_some() {
            return Err(LanError::NoParent { what: "a VLAN" }.into());
        }
        check_protocol(options, None)?;
        return Ok(LanRecord::default());
    };
    let named = interfaces.get_key_value(given);
    let (parent, interface, vlan) = match (named, spelt(given)) {
        (Some((parent, interface)), spelt) => {
            check_vlan(options, given, spelt)?;
            // What its name spells, it tags itself.
            (parent, interface, options.vlan.filter(|_| spelt.is_none()))
        }
        (None, spelt) => {
            let nic = spelt.and_then(|(nic, tag)| Some((interfaces.get_key_value(nic)?, tag)));
            let Some(((parent, interface), tag)) = nic else {
                return Err(unknown(given, interfaces));
            };
            check_vlan(options, given, spelt)?;
            (parent, interface, Some(vlan(given, tag)?))
        }
    };
    check_interface(parent, interface)?;
    check_protocol(options, vlan)?;
    Ok(LanRecord {
        parent: Some(parent.clone()),
        vlan,
        service: options.service,
        mtu: Some(u16::try_from(interface.mtu).unwrap_or(MTU_MAX).min(MTU_MAX)),
    })
}

/// The record of a network, which is as its options have it.
pub(in crate::driver) fn recorded<'a>(
    network: &'a Network,
    options: &LanOptions,
) -> Result<&'a LanRecord, LanError> {
    let fits = |record: &&LanRecord| {
        record.parent.is_some() == options.parent.is_some()
            && record.service == options.service
            && (record.vlan.is_none() || record.parent.is_some())
    };
    let record = network.lan.as_ref().filter(fits);
    record.ok_or_else(|| LanError::PlaceRecord {
        network: network.name.clone(),
    })
}

/// The NIC and the number of `eth0.100`.
fn spelt(parent: &str) -> Option<(&str, u32)> {
    let (nic, tag) = parent.rsplit_once('.')?;
    let digits = !nic.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit());
    Some((nic, tag.parse().ok().filter(|_| digits)?))
}

fn vlan(parent: &str, tag: u32) -> Result<VlanId, OptionError> {
    let id = u16::try_from(tag).ok().and_then(VlanId::new);
    let expected = "a NIC, or one and a VLAN from 1 to 4094, such as eth0.100";
    id.ok_or_else(|| invalid(key::PARENT, parent, expected))
}

fn check_vlan(
    options: &LanOptions,
    parent: &str,
    spelt: Option<(&str, u32)>,
) -> Result<(), LanError> {
    match (options.vlan, spelt) {
        (Some(vlan), Some((_, tag))) if u32::from(vlan.get()) != tag => Err(LanError::OtherVlan {
            vlan,
            parent: parent.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn check_protocol(options: &LanOptions, vlan: Option<VlanId>) -> Result<(), OptionError> {
    if options.service && vlan.is_none() {
        return Err(OptionError::Conflict {
            key: key::VLAN_PROTOCOL,
            value: "802.1ad".to_owned(),
            other: "a network whose frames the switch does not tag",
            hint: "add -o vlan=NUMBER, or leave it out",
        });
    }
    Ok(())
}

fn check_interface(parent: &str, interface: &HostInterface) -> Result<(), LanError> {
    let parent = || parent.to_owned();
    if interface.ours {
        return Err(LanError::OwnParent { parent: parent() });
    }
    if !is_ethernet(interface) {
        return Err(LanError::NotEthernet { parent: parent() });
    }
    Ok(())
}

/// Loopback's address is all zero.
fn is_ethernet(interface: &HostInterface) -> bool {
    interface.mac.is_some_and(MacAddr::is_valid_source)
}

fn unknown(parent: &str, interfaces: &BTreeMap<String, HostInterface>) -> Error {
    let usable =
        |(_, interface): &(&String, &HostInterface)| !interface.ours && is_ethernet(interface);
    Error::Lan(LanError::UnknownParent {
        parent: parent.to_owned(),
        known: interfaces
            .iter()
            .filter(usable)
            .map(|(name, _)| name.clone())
            .collect(),
    })
}
