//! What of a network's parent will not be as its user may think.

use std::collections::BTreeMap;

use super::mtu::least;
use super::options::LanOptions;
use crate::lan::{HostInterface, LanMode};
use crate::network::Network;

/// A sentence each.
pub(in crate::driver) fn of(
    network: &Network,
    options: &LanOptions,
    interfaces: &BTreeMap<String, HostInterface>,
) -> Vec<String> {
    let name = &network.name;
    let parent = network
        .lan
        .as_ref()
        .and_then(|record| record.parent.as_deref());
    let Some(parent) = parent else {
        return reflected_by_nobody(name, options).into_iter().collect();
    };
    let Some(interface) = interfaces.get(parent) else {
        return vec![format!(
            "parent {parent} of network {name} is not there: its endpoints reach nobody outside until it is \
             back"
        )];
    };
    let all = [
        no_link(name, parent, interface),
        too_long(name, parent, interface, options),
        too_short(network, parent, interface),
    ];
    all.into_iter().flatten().collect()
}

fn reflected_by_nobody(name: &str, options: &LanOptions) -> Option<String> {
    (options.mode == LanMode::Vepa).then(|| {
        format!(
            "endpoints of network {name} reach nobody: vepa leaves everything to the switch behind the \
             parent, and it has no parent"
        )
    })
}

fn no_link(name: &str, parent: &str, interface: &HostInterface) -> Option<String> {
    if !interface.up {
        return Some(format!(
            "parent {parent} of network {name} is down: `ip link set {parent} up` switches it on"
        ));
    }
    (!interface.carrier).then(|| {
        format!(
            "parent {parent} of network {name} has no link: look at its cable and its other end"
        )
    })
}

fn too_long(
    name: &str,
    parent: &str,
    interface: &HostInterface,
    options: &LanOptions,
) -> Option<String> {
    let chosen = options.switch.mtu?;
    let carried = interface.mtu;
    (u32::from(chosen) > carried).then(|| {
        format!(
            "network {name} is to have an MTU of {chosen}, but parent {parent} carries {carried}, which its \
             endpoints get: raise the parent's, or leave the option out"
        )
    })
}

/// Endpoints cannot have less, so what is longer is lost.
fn too_short(network: &Network, parent: &str, interface: &HostInterface) -> Option<String> {
    let (name, least, carried) = (&network.name, least(network), interface.mtu);
    (carried < u32::from(least)).then(|| {
        format!(
            "endpoints of network {name} have an MTU of {least}, which IP needs, but parent {parent} carries \
             {carried}: raise the parent's"
        )
    })
}
