//! CHECK: whether an attachment is as ADD left it.

use vswitch_api::{Client, Endpoint, Sandbox};

use crate::config::Config;
use crate::delegate::Delegate;
use crate::environment::{Environment, Place};
use crate::failure::{Failure, code};
use crate::ipam::Ipam;
use crate::namespace::Namespace;
use crate::result::{Address, Interface, Success};
use crate::version::SpecVersion;
use crate::{attachments, network};

/// Compares what ADD answered with what the switch has, and with what is in the container.
pub(crate) async fn check(
    config: &Config,
    environment: &Environment,
    place: &Place,
) -> Result<(), Failure> {
    config.version.knows("CHECK", SpecVersion::V0_4_0)?;
    let Some(result) = &config.prev_result else {
        return Err(Failure::config(
            "CHECK needs prevResult, which is what ADD answered",
        ));
    };
    let result = Success::read(result.clone(), "prevResult")?;
    let client = Client::new(&config.socket);
    let Some(network) = network::find(&client, &config.name).await? else {
        let details = format!("there is no network {} any more", config.name);
        return Err(Failure::new(code::NOT_AS_ADDED, details));
    };
    let wanted = network::wanted(config, config.ipam.pools());
    network::check(&wanted, &network)?;
    let Some(container) = attachments::find(&network, &place.attachment) else {
        let details = format!(
            "container {} is not attached to network {} any more",
            place.attachment.container, config.name
        );
        return Err(Failure::new(code::NOT_AS_ADDED, details));
    };
    let sandbox = client.sandbox(&container.name).await?;
    let mut endpoints = sandbox.endpoints.iter();
    let Some(endpoint) = endpoints.find(|endpoint| endpoint.id == container.endpoint_id) else {
        let details = format!("container {} was just detached", place.attachment.container);
        return Err(Failure::new(code::NOT_AS_ADDED, details));
    };
    let mut differences = of_switch(&result, endpoint, place);
    differences.extend(of_container(&sandbox, endpoint, place));
    if !differences.is_empty() {
        return Err(Failure::new(code::NOT_AS_ADDED, differences.join("; ")));
    }
    match &config.ipam {
        Ipam::Own(_) => Ok(()),
        Ipam::Plugin(name, _) => {
            Delegate::find(name, &environment.path, &config.bytes)?.run("CHECK")
        }
    }
}

/// What the switch has that is not as it was answered. Routes may have been changed by plugins behind this one.
fn of_switch(result: &Success, endpoint: &Endpoint, place: &Place) -> Vec<String> {
    let ifname = &place.attachment.ifname;
    let is_ours =
        |interface: &Interface| !interface.sandbox.is_empty() && interface.name == *ifname;
    let Some(index) = result.interfaces.iter().position(is_ours) else {
        return vec![format!("prevResult has no interface {ifname} in a sandbox")];
    };
    let mut differences = Vec::new();
    if endpoint.ifname.as_ref() != Some(ifname) {
        let name = endpoint.ifname.as_deref().unwrap_or("none");
        differences.push(format!("the interface is {name}, and was {ifname}"));
    }
    let mac = endpoint.mac.as_deref().unwrap_or_default();
    if let Some(was) = result.interfaces[index].mac.as_deref()
        && !was.eq_ignore_ascii_case(mac)
    {
        differences.push(format!(
            "the MAC address of {ifname} is {mac}, and was {was}"
        ));
    }
    let ours = |ip: &&Address| ip.interface.is_none_or(|at| at == index);
    for Address { address, .. } in result.ips.iter().filter(ours) {
        if !endpoint.addresses.contains(address) {
            differences.push(format!(
                "{ifname} had {address}, which is not its own any more"
            ));
        }
    }
    differences
}

/// What is in the container that is not as the switch made it.
fn of_container(sandbox: &Sandbox, endpoint: &Endpoint, place: &Place) -> Vec<String> {
    let inside = match Namespace::look(&place.netns) {
        Ok(inside) => inside,
        Err(error) => return vec![format!("cannot look into {}: {error}", place.netns)],
    };
    if sandbox.netns.is_some_and(|inode| inode != inside.inode) {
        let netns = &place.netns;
        return vec![format!(
            "{netns} is another namespace than the one that was attached"
        )];
    }
    let ifname = &place.attachment.ifname;
    if !inside.interfaces.contains(ifname) {
        return vec![format!("the container has no interface {ifname}")];
    }
    let addresses = endpoint.addresses.iter().map(ipnet::IpNet::addr);
    let missing = addresses.filter(|address| !inside.addresses.contains(address));
    missing
        .map(|address| format!("the container does not have the address {address}"))
        .collect()
}
