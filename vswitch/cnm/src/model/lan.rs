//! What changes on networks that are on a NIC: its MTU, and the addresses that DHCP servers lend.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{Model, endpoint_not_found};
use crate::endpoint::{AttachRequest, Endpoint};
use crate::error::{Error, LanError};
use crate::id::{EndpointId, NetworkId};
use crate::lan::HostInterface;
use crate::lease::Lease;
use crate::network::{Network, SubnetRecord};

impl Model {
    /// Notes the MTU of a network's parent, in bytes; `None` if it is not known.
    ///
    /// # Errors
    /// [`Error::NetworkNotFound`]; [`LanError::NotOnParent`].
    pub fn set_parent_mtu(&mut self, id: NetworkId, mtu: Option<u16>) -> Result<Network, Error> {
        let network = self
            .networks
            .get_mut(&id)
            .ok_or_else(|| Error::NetworkNotFound { name: id.short() })?;
        match &mut network.lan {
            Some(record) => record.mtu = mtu,
            None => {
                return Err(Error::Lan(LanError::NotOnParent {
                    network: network.name.clone(),
                    driver: network.driver,
                }));
            }
        }
        Ok(network.clone())
    }

    /// What of a network's parent will not be as a user may think, a sentence each; none of a network
    /// that is not there.
    #[must_use]
    pub fn lan_warnings(
        &self,
        id: NetworkId,
        interfaces: &BTreeMap<String, HostInterface>,
    ) -> Vec<String> {
        let Some(network) = self.networks.get(&id) else {
            return Vec::new();
        };
        let warnings = network.driver.driver().parent_warnings(network, interfaces);
        warnings.unwrap_or_default()
    }

    /// Notes what a DHCP server lent to an endpoint, in place of what it had; with `None` it has no IPv4
    /// address. Returns the record to persist.
    ///
    /// # Errors
    /// [`Error::EndpointNotFound`]; [`LanError::NotLeased`]; [`LanError::LeaseUnusable`] and
    /// [`LanError::LeaseTaken`], after which the endpoint has what it had.
    pub fn set_lease(&mut self, id: EndpointId, lease: Option<Lease>) -> Result<Endpoint, Error> {
        let endpoint = self.endpoint_or_error(id)?;
        let network = self.network_or_error(endpoint.network)?;
        if !network.ipam.is_dhcp() {
            return Err(Error::Lan(LanError::NotLeased {
                network: network.name.clone(),
            }));
        }
        if let Some(lease) = &lease {
            self.check_lease(network, id, lease)?;
        }
        let endpoint = self
            .endpoints
            .get_mut(&id)
            .ok_or_else(|| endpoint_not_found(id))?;
        endpoint.addresses = addresses_of(lease.as_ref());
        endpoint.lease = lease;
        Ok(endpoint.clone())
    }

    /// Checks that an endpoint's record has a lease where it should, and the lease's address.
    pub(super) fn check_lease_record(
        &self,
        network: &Network,
        endpoint: &Endpoint,
    ) -> Result<(), Error> {
        let leased = network.ipam.is_dhcp();
        match &endpoint.lease {
            None if !leased => return Ok(()),
            lease if leased && endpoint.addresses == addresses_of(lease.as_ref()) => {}
            _ => {
                return Err(Error::Lan(LanError::LeaseRecord {
                    endpoint: endpoint.id.short(),
                }));
            }
        }
        match &endpoint.lease {
            Some(lease) => self.check_lease(network, endpoint.id, lease),
            None => Ok(()),
        }
    }

    /// The networks on the same link as `network`, which need not be one of the model's; itself alone if
    /// that shares none.
    pub(super) fn on_same_link(&self, network: &Network) -> Vec<&Network> {
        let link = network.driver.driver().link(network);
        let same = |other: &&Network| {
            other.id == network.id || link.is_some() && other.driver.driver().link(other) == link
        };
        self.networks.values().filter(same).collect()
    }

    /// Checks that an address is not in use outside of the address space: by the parent, or by a lease.
    pub(super) fn check_outside(
        &self,
        network: &Network,
        request: &AttachRequest,
        address: IpAddr,
    ) -> Result<(), Error> {
        if parents_addresses(network, request).any(|own| own == address) {
            return Err(LanError::HostAddress { address }.into());
        }
        match self.lessee(network, address) {
            None => Ok(()),
            Some((endpoint, network)) => Err(Error::Lan(LanError::Leased {
                address,
                holder: endpoint.called("sandbox"),
                network: network.name.clone(),
            })),
        }
    }

    /// Checks that nobody on the link has leased what a network to be sets aside.
    pub(super) fn check_set_aside(&self, network: &Network) -> Result<(), Error> {
        let records = network.subnets.iter();
        let set_aside = records.flat_map(|record| {
            record
                .gateway
                .into_iter()
                .chain(record.aux.values().copied())
        });
        for address in set_aside {
            if let Some((endpoint, holder)) = self.lessee(network, address) {
                return Err(Error::Lan(LanError::Leased {
                    address,
                    holder: endpoint.called("sandbox"),
                    network: holder.name.clone(),
                }));
            }
        }
        Ok(())
    }

    fn lessee(&self, network: &Network, address: IpAddr) -> Option<(&Endpoint, &Network)> {
        self.on_same_link(network)
            .into_iter()
            .filter(|network| network.ipam.is_dhcp())
            .flat_map(|network| {
                let endpoints = self.endpoints_of(network.id);
                endpoints.map(move |endpoint| (endpoint, network))
            })
            .find(|(endpoint, _)| endpoint.ipv4().map(IpAddr::V4) == Some(address))
    }

    fn check_lease(&self, network: &Network, id: EndpointId, lease: &Lease) -> Result<(), Error> {
        let &Lease {
            server,
            address,
            prefix_len,
            ..
        } = lease;
        if lease.network().is_none() {
            return Err(Error::Lan(LanError::LeaseUnusable {
                server,
                address,
                prefix_len,
            }));
        }
        match self.holder(network, id, address) {
            None => Ok(()),
            Some(holder) => Err(Error::Lan(LanError::LeaseTaken {
                server,
                address,
                holder,
            })),
        }
    }

    /// What an address is on the link of `network` already, but for the endpoint `id`.
    fn holder(&self, network: &Network, id: EndpointId, address: Ipv4Addr) -> Option<String> {
        self.on_same_link(network).into_iter().find_map(|network| {
            let mut endpoints = self.endpoints_of(network.id);
            let name = &network.name;
            let has = |endpoint: &&Endpoint| endpoint.id != id && endpoint.ipv4() == Some(address);
            if let Some(endpoint) = endpoints.find(has) {
                let holder = endpoint.called("sandbox");
                return Some(format!("that of {holder} on network {name}"));
            }
            let record = network.subnet_with(address.into())?;
            set_aside(record, address.into()).map(|role| format!("{role} of network {name}"))
        })
    }
}

/// The parent's addresses, where they are on the same link.
pub(super) fn parents_addresses(
    network: &Network,
    request: &AttachRequest,
) -> impl Iterator<Item = IpAddr> {
    let untagged = network.lan.as_ref().is_some_and(|lan| lan.vlan.is_none());
    let parent = request.parent.iter().filter(move |_| untagged);
    parent.flat_map(|parent| parent.addresses.iter().map(IpNet::addr))
}

fn addresses_of(lease: Option<&Lease>) -> Vec<IpNet> {
    let net = lease.and_then(Lease::network);
    net.into_iter().map(IpNet::V4).collect()
}

fn set_aside(record: &SubnetRecord, address: IpAddr) -> Option<String> {
    if record.gateway == Some(address) {
        return Some("the gateway".to_owned());
    }
    let mut aux = record.aux.iter();
    aux.find(|(_, held)| **held == address)
        .map(|(name, _)| format!("aux-address {name}"))
}
