//! What is asked for: the same ports at several addresses of the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_ipam::Family;

use crate::driver::Publishing;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::model::Model;
use crate::policy::GatewayMode;
use crate::publish::{PortRange, PortSpec, PublishedPort, same_host};
use crate::segment::family_of;

/// One port, or several in a row, that are to be the same at several addresses.
pub(super) struct Wish {
    pub(super) spec: PortSpec,
    /// The host's addresses to hold the ports at.
    pub(super) held: Vec<IpAddr>,
    /// The unspecified addresses of routed families.
    pub(super) open: Vec<IpAddr>,
    /// Whether nobody asked for these very addresses.
    pub(super) implied: bool,
}

const EVERYWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

impl Model {
    /// What is asked for, by ports that are to be the same: as in Docker, those of specs that differ in
    /// nothing but the host's address.
    pub(super) fn wishes(
        &self,
        endpoint: &Endpoint,
        specs: &[PortSpec],
    ) -> Result<Vec<Wish>, Error> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let publishing = self.publishing(endpoint)?;
        let mut wishes: Vec<Wish> = Vec::new();
        for spec in specs {
            let wish = self.wish(endpoint, &publishing, spec)?;
            match wishes.iter_mut().find(|other| other.goes_with(&wish)) {
                Some(other) => other.held.extend(wish.held),
                None => wishes.push(wish),
            }
        }
        Ok(wishes)
    }

    /// The addresses of the host that a spec means.
    fn wish(
        &self,
        endpoint: &Endpoint,
        publishing: &Publishing,
        spec: &PortSpec,
    ) -> Result<Wish, Error> {
        let default = publishing
            .host_binding
            .or(self.settings.default_publish_address)
            .unwrap_or(EVERYWHERE[0]);
        // As in Docker, an unspecified IPv4 address stands for both families unless it is the user's own.
        let implied = spec.host_ip.is_none() && default == EVERYWHERE[0];
        let addresses = match spec.host_ip {
            _ if implied => EVERYWHERE.to_vec(),
            Some(address) => vec![address],
            None => vec![default],
        };
        let mut wish = Wish {
            spec: *spec,
            held: Vec::new(),
            open: Vec::new(),
            implied,
        };
        for &address in &addresses {
            match mode_at(endpoint, publishing, family_of(address)) {
                Some(GatewayMode::Routed) if address.is_ipv4() => wish.open.push(EVERYWHERE[0]),
                Some(GatewayMode::Routed) => wish.open.push(EVERYWHERE[1]),
                Some(_) => wish.held.push(address),
                None => {}
            }
        }
        if wish.held.is_empty() && wish.open.is_empty() {
            return Err(Error::PublishFamily {
                port: *spec,
                family: family_of(addresses[0]),
                holder: endpoint.called("sandbox"),
                network: self.network_or_error(endpoint.network)?.name.clone(),
            });
        }
        Ok(wish)
    }
}

impl Wish {
    pub(super) fn openings(&self) -> Vec<PublishedPort> {
        let open = |&host_ip: &IpAddr| PublishedPort {
            protocol: self.spec.protocol,
            host_ip,
            host: None,
            container: self.spec.container,
        };
        self.open.iter().map(open).collect()
    }

    pub(super) fn candidates(&self, ports: PortRange) -> Vec<PublishedPort> {
        let held = |&host_ip: &IpAddr| PublishedPort {
            protocol: self.spec.protocol,
            host_ip,
            host: Some(ports),
            container: self.spec.container,
        };
        self.held.iter().map(held).collect()
    }

    fn goes_with(&self, other: &Self) -> bool {
        let ports = |wish: &Self| {
            let PortSpec {
                host,
                container,
                protocol,
                ..
            } = wish.spec;
            (host, container, protocol)
        };
        let same = |a: &IpAddr| other.held.iter().any(|b| same_host(*a, *b));
        ports(self) == ports(other)
            && !self.implied
            && !other.implied
            && other.open.is_empty()
            && !self.held.iter().any(same)
    }
}

/// How the endpoint is reached by an address of `family`; `None` if it is not. The host itself can serve
/// IPv6 clients of an endpoint that has only IPv4, if its ports are the host's anyway.
fn mode_at(endpoint: &Endpoint, publishing: &Publishing, family: Family) -> Option<GatewayMode> {
    let v4 = publishing.v4.filter(|_| endpoint.ipv4().is_some());
    match family {
        Family::V4 => v4,
        Family::V6 if endpoint.ipv6().is_some() => publishing.v6,
        Family::V6 => v4.filter(|mode| *mode != GatewayMode::Routed),
    }
}
