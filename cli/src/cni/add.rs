//! ADD: the network is made if it is not there, and the container attached to it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use ipnet::IpNet;
use vswitch_api::{Attach, Client, Endpoint, NetworkInspect, RouteOrigin};

use crate::config::{Config, unsupported};
use crate::delegate::Delegate;
use crate::environment::{Environment, Place};
use crate::failure::{Failure, code};
use crate::ipam::{Ipam, Pools, unroutable};
use crate::network;
use crate::parameters::Parameters;
use crate::result::{Address, Dns, Interface, Route, Success};

/// Attaches a container.
pub(crate) async fn add(
    config: &Config,
    environment: &Environment,
    place: &Place,
) -> Result<Success, Failure> {
    if config.prev_result.is_some() {
        return Err(Failure::config(
            "there is a prevResult: this plugin makes the interface, so it must be the first of the list",
        ));
    }
    check_namespace(&place.netns)?;
    let parameters = Parameters::read(
        &config.name,
        &place.attachment,
        &config.runtime,
        &config.args,
        &environment.args,
    )?;
    let client = Client::new(&config.socket);
    match &config.ipam {
        Ipam::Own(pools) => {
            let wanted = network::wanted(config, pools);
            let network = network::find_or_make(&client, &wanted).await?;
            attach(&client, &network, place, parameters, config.dns.clone()).await
        }
        Ipam::Plugin(name, pools) => {
            let delegate = Delegate::find(name, &environment.path, &config.bytes)?;
            let given = delegate.add()?;
            let added = add_given(&client, config, pools, place, parameters, given).await;
            if added.is_err() {
                delegate.undo();
            }
            added
        }
    }
}

/// Attaches a container with the addresses that another plugin gave.
async fn add_given(
    client: &Client,
    config: &Config,
    pools: &Pools,
    place: &Place,
    parameters: Parameters,
    given: Success,
) -> Result<Success, Failure> {
    let mut pools = pools.clone();
    let mut parameters = Parameters {
        ip: None,
        ip6: None,
        ..parameters
    };
    for Address {
        address, gateway, ..
    } in &given.ips
    {
        let earlier = match address {
            IpNet::V4(v4) => parameters.ip.replace(v4.addr()).is_some(),
            IpNet::V6(v6) => parameters.ip6.replace(v6.addr()).is_some(),
        };
        if earlier {
            return Err(Failure::config(format!(
                "the IPAM plugin gave {address} and another address of the same family, and an attachment has one"
            )));
        }
        if !pools.subnets.contains(&address.trunc()) {
            pools.subnets.push(address.trunc());
        }
        pools
            .gateways
            .extend(gateway.filter(|gateway| !pools.gateways.contains(gateway)));
    }
    for route in &given.routes {
        unsupported("the IPAM plugin's routes.", route.others.iter())?;
        if route.dst.prefix_len() != 0 || route.gw.is_some_and(|gw| !pools.gateways.contains(&gw)) {
            return Err(unroutable(route));
        }
    }
    let wanted = network::wanted(config, &pools);
    let network = network::find_or_make(client, &wanted).await?;
    let dns = match &config.dns {
        none if *none == Dns::default() => given.dns,
        said => said.clone(),
    };
    attach(client, &network, place, parameters, dns).await
}

async fn attach(
    client: &Client,
    network: &NetworkInspect,
    place: &Place,
    parameters: Parameters,
    dns: Dns,
) -> Result<Success, Failure> {
    let request = Attach {
        sandbox: place.netns.clone(),
        ip: parameters.ip,
        ip6: parameters.ip6,
        mac: parameters.mac,
        ifname: Some(place.attachment.ifname.clone()),
        aliases: parameters.aliases,
        publish: parameters.publish,
        labels: parameters.labels,
        ..Attach::default()
    };
    let endpoint = client.attach(&network.id, &request).await?;
    let told = routes(client, network, &endpoint).await;
    match told {
        Ok(routes) => Ok(success(&endpoint, place, routes, dns)),
        Err(failure) => {
            // What was not told as done has to be undone; what fails here is left to DEL.
            let _ = client.detach(&network.id, &endpoint.sandbox).await;
            Err(failure)
        }
    }
}

/// The default routes of the container that lead by this network.
async fn routes(
    client: &Client,
    network: &NetworkInspect,
    endpoint: &Endpoint,
) -> Result<Vec<Route>, Failure> {
    let routes = client.routes().await?;
    let by_it = routes.into_iter().filter(|route| {
        route.origin == RouteOrigin::Gateway
            && route.sandbox.as_ref() == Some(&endpoint.sandbox)
            && route.network.as_ref() == Some(&network.name)
    });
    Ok(by_it
        .map(|route| Route {
            dst: route.destination,
            gw: route.gateway,
            others: BTreeMap::new(),
        })
        .collect())
}

fn success(endpoint: &Endpoint, place: &Place, routes: Vec<Route>, dns: Dns) -> Success {
    let interface = endpoint.ifname.as_ref().map(|name| Interface {
        name: name.clone(),
        mac: endpoint.mac.clone(),
        mtu: endpoint.mtu,
        sandbox: place.netns.clone(),
    });
    let addresses = endpoint.addresses.iter().map(|address| Address {
        address: *address,
        gateway: match address {
            IpNet::V4(_) => endpoint.gateway.map(Into::into),
            IpNet::V6(_) => endpoint.gateway6.map(Into::into),
        },
        interface: Some(0),
    });
    Success {
        ips: addresses.collect(),
        interfaces: interface.into_iter().collect(),
        routes,
        dns,
    }
}

/// A container has a namespace of its own, and one that is there.
fn check_namespace(netns: &str) -> Result<(), Failure> {
    let Ok(theirs) = std::fs::metadata(netns) else {
        let details = format!("CNI_NETNS: there is no {netns}");
        return Err(Failure::new(code::UNKNOWN_CONTAINER, details));
    };
    let ours = std::fs::metadata("/proc/self/ns/net");
    if ours.is_ok_and(|ours| (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())) {
        let details = format!("CNI_NETNS is {netns}, which is the host's own network");
        return Err(Failure::new(code::INVALID_ENVIRONMENT, details));
    }
    Ok(())
}
