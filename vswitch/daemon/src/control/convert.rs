//! From the model's records to the API's words.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vswitch_api as api;
use vswitch_cnm::publish::{PortRange, PublishedPort};
use vswitch_cnm::{DriverName, Endpoint, Ipam, Lease, Network, SubnetRecord, option_key};
use vswitch_ipam::Family;
use vswitch_packet::MacAddr;

use super::{ControlError, now};

/// Whether a network is of this host alone.
const fn scope(driver: DriverName) -> &'static str {
    match driver {
        DriverName::Overlay => "global",
        DriverName::Bridge
        | DriverName::Host
        | DriverName::Null
        | DriverName::Macvlan
        | DriverName::Ipvlan
        | DriverName::Plugin => "local",
    }
}

pub(super) fn mac(text: &str) -> Result<MacAddr, ControlError> {
    text.parse()
        .map_err(|error| ControlError::Request(format!("MAC address {text:?}: {error}")))
}

pub(super) fn ipam(name: Option<&str>) -> Result<Ipam, ControlError> {
    match name {
        None | Some("default") => Ok(Ipam::Default),
        Some("dhcp") => Ok(Ipam::Dhcp),
        Some("given") => Ok(Ipam::Given),
        Some(other) => Err(ControlError::Request(format!(
            "no IPAM driver {other:?} in this version; use default, dhcp or given"
        ))),
    }
}

pub(super) fn summary(network: &Network, ports: usize) -> api::NetworkSummary {
    api::NetworkSummary {
        id: network.id.to_string(),
        name: network.name.clone(),
        driver: network.driver_name().to_owned(),
        scope: scope(network.driver).to_owned(),
        subnets: subnets(network).map(|record| record.subnet).collect(),
        ports,
    }
}

pub(super) fn inspect<'a>(
    network: &Network,
    endpoints: impl Iterator<Item = (&'a Endpoint, MacAddr)>,
) -> api::NetworkInspect {
    let ipam = match &network.ipam {
        Ipam::Dhcp => "dhcp",
        Ipam::Given => "given",
        Ipam::Plugin(plugin) => &plugin.name,
        Ipam::Default if network.subnets.is_empty() => "null",
        Ipam::Default => "default",
    };
    let config = subnets(network).map(|record| api::InspectConfig {
        subnet: record.subnet,
        ip_range: record.ip_range,
        gateway: record.gateway,
        auxiliary_addresses: record.aux.clone(),
    });
    api::NetworkInspect {
        name: network.name.clone(),
        id: network.id.to_string(),
        created: timestamp(network.created),
        scope: scope(network.driver).to_owned(),
        driver: network.driver_name().to_owned(),
        enable_ipv6: network.ipv6,
        ipam: api::InspectIpam {
            driver: ipam.to_owned(),
            options: match &network.ipam {
                Ipam::Plugin(plugin) => plugin.options.clone(),
                _ => BTreeMap::new(),
            },
            config: config.collect(),
        },
        internal: network.internal,
        options: options(network),
        labels: network.labels.clone(),
        containers: endpoints
            .map(|(endpoint, mac)| (listed_as(endpoint), container(endpoint, mac)))
            .collect(),
        parent: None,
    }
}

/// As given, and what was decided where nothing was given.
fn options(network: &Network) -> BTreeMap<String, String> {
    let mut options = network.options.clone();
    let vnis: Vec<String> = network.vnis().iter().map(ToString::to_string).collect();
    if !vnis.is_empty() {
        options.insert(option_key::VXLANID_LIST.to_owned(), vnis.join(","));
        let peers: Vec<String> = network.peers().iter().map(ToString::to_string).collect();
        options.insert(option_key::PEERS.to_owned(), peers.join(","));
    }
    options
}

/// `mac` and `mtu` are its interface's, if it has one.
pub(super) fn endpoint(
    endpoint: &Endpoint,
    network: &Network,
    mac: MacAddr,
    mtu: Option<u16>,
) -> api::Endpoint {
    let segment = network.segment_of(endpoint);
    let gateway = |family| segment?.subnet(family)?.gateway;
    api::Endpoint {
        id: endpoint.id.to_string(),
        network: network.name.clone(),
        sandbox: sandbox(endpoint),
        ifname: endpoint.ifname.clone(),
        mac: endpoint.has_interface().then(|| mac.to_string()),
        mtu,
        addresses: endpoint.addresses.clone(),
        gateway: gateway(Family::V4).and_then(|ip| match ip {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        }),
        gateway6: gateway(Family::V6).and_then(|ip| match ip {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        }),
        aliases: endpoint.aliases.clone(),
        ports: endpoint
            .published
            .iter()
            .filter_map(|port| binding(endpoint, port))
            .collect(),
    }
}

/// The sandbox that an endpoint is in; empty if it is in none.
pub(super) fn sandbox(endpoint: &Endpoint) -> String {
    let sandbox = endpoint.sandbox.as_ref();
    sandbox.map(ToString::to_string).unwrap_or_default()
}

/// What stands for an endpoint in a list of sandboxes.
fn listed_as(endpoint: &Endpoint) -> String {
    match &endpoint.sandbox {
        Some(sandbox) => sandbox.to_string(),
        None => format!("endpoint {}", endpoint.id.short()),
    }
}

/// `None` if the endpoint has no address that the port could lead to.
pub(super) fn binding(endpoint: &Endpoint, port: &PublishedPort) -> Option<api::PortBinding> {
    let range = |range: PortRange| api::PortRange {
        first: range.first(),
        last: range.last(),
    };
    Some(api::PortBinding {
        protocol: port.protocol.to_string(),
        host_ip: port.host_ip,
        host_port: port.host.map(range),
        container_ip: endpoint.target(port)?,
        container_port: range(port.container),
    })
}

fn container(endpoint: &Endpoint, mac: MacAddr) -> api::InspectContainer {
    let address = |family| {
        let mut addresses = endpoint.addresses.iter();
        let found = addresses.find(|net| Family::of(**net) == family);
        found.map(ToString::to_string).unwrap_or_default()
    };
    let mac = endpoint.has_interface().then(|| mac.to_string());
    api::InspectContainer {
        name: sandbox(endpoint),
        endpoint_id: endpoint.id.to_string(),
        mac_address: mac.unwrap_or_default(),
        ipv4_address: address(Family::V4),
        ipv6_address: address(Family::V6),
        labels: endpoint.labels.clone(),
        lease: endpoint.lease.as_ref().map(|lease| api::InspectLease {
            server: lease.server,
            router: lease.router,
            expires_in: expires_in(lease),
        }),
    }
}

/// Seconds until an address must not be used any more; `None` if it may be for ever.
fn expires_in(lease: &Lease) -> Option<u64> {
    let ends = lease.seconds != vswitch_dhcp::Lease::INFINITE;
    ends.then(|| (lease.obtained + u64::from(lease.seconds)).saturating_sub(now()))
}

/// IPv4 first.
fn subnets(network: &Network) -> impl Iterator<Item = &SubnetRecord> {
    [Family::V4, Family::V6].into_iter().flat_map(|family| {
        let of_family = move |record: &&SubnetRecord| Family::of(record.subnet) == family;
        network.subnets.iter().filter(of_family)
    })
}

fn timestamp(seconds: u64) -> api::Timestamp {
    // Beyond the year 9999 there is no RFC 3339.
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| api::Timestamp::from_second(seconds).ok())
        .unwrap_or(api::Timestamp::MAX)
}
