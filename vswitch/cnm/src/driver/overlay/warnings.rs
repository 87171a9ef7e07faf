//! What of an overlay network will not be as its user may think.

use super::network_options::NetworkOptions;
use super::{mtu, vnis};
use crate::error::Error;
use crate::network::{Network, SubnetRecord};
use crate::settings::Settings;

/// A sentence each.
pub(super) fn of(
    network: &Network,
    options: &NetworkOptions,
    others: &[&Network],
    settings: &Settings,
) -> Result<Vec<String>, Error> {
    let all = [
        too_long(network, options, settings),
        alone(network, options),
        addresses(network),
        numbers(network, options, others)?,
    ];
    Ok(all.into_iter().flatten().collect())
}

/// Longer packets are lost or come back, and large transfers stall where ICMP is filtered.
fn too_long(network: &Network, options: &NetworkOptions, settings: &Settings) -> Option<String> {
    let underlay = mtu::known(network)?;
    let inner = mtu::of_containers(network, options, settings);
    let fits = mtu::within(underlay, network, options);
    (inner > fits).then(|| {
        let needed = mtu::around(inner, network, options);
        // Where IPv6 is, containers cannot have less.
        let shorter = (fits >= mtu::least(network)).then(|| format!("use -o mtu={fits}, or "));
        format!(
            "containers on {} have an MTU of {inner}, but the underlay's {underlay} leaves {fits}: {}raise \
             the underlay's to {needed}",
            network.name,
            shorter.unwrap_or_default()
        )
    })
}

fn alone(network: &Network, options: &NetworkOptions) -> Option<String> {
    let alone = network.peers().is_empty() && options.group.is_none() && !options.learn_peers;
    alone.then(|| {
        format!(
            "network {0} has nobody to talk to: name another host with `vsctl vtep add {0} PEER`",
            network.name
        )
    })
}

/// Two hosts that choose from the same addresses choose the same.
fn addresses(network: &Network) -> Option<String> {
    if network.ipam.is_given() {
        return None;
    }
    let whole = |record: &&SubnetRecord| record.ip_range.is_none();
    let subnets: Vec<String> = network
        .subnets
        .iter()
        .filter(whole)
        .map(|record| record.subnet.to_string())
        .collect();
    (!subnets.is_empty()).then(|| {
        format!(
            "this host chooses addresses of {} on its own: give each host its own --ip-range, or each \
             container its --ip",
            subnets.join(", ")
        )
    })
}

/// The first network has the same number on each host; further ones depend on the order they are made in.
fn numbers(
    network: &Network,
    options: &NetworkOptions,
    others: &[&Network],
) -> Result<Option<String>, Error> {
    if options.vnis.is_some() || vnis::taken(options.port, others)?.is_empty() {
        return Ok(None);
    }
    let vnis: Vec<String> = network.vnis().iter().map(ToString::to_string).collect();
    Ok(Some(format!(
        "this host chose VNI {} for {}: where another host chose differently, networks are mixed up; give \
         it with -o on each",
        vnis.join(","),
        network.name
    )))
}
