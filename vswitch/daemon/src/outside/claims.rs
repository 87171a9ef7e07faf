//! What is ours of the frames that come in for the host: published ports at its addresses, and routed
//! subnets.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_nat::Protocol;

use super::host_ports::transport;
use super::{Outside, log_failure};
use crate::dataplane::{Dataplane, EndpointPorts};

/// Published ports at one of the host's addresses: address, protocol, first and last.
pub(super) type Claim = (IpAddr, Protocol, u16, u16);

impl Outside {
    /// Replaces the published ports: outside, these ports of the host are the containers'. The mappings
    /// that were at them have ended, as each gives its port back.
    pub fn set_published(&mut self, ports: &[EndpointPorts], dataplane: &Dataplane) {
        let hosts: Vec<_> = ports
            .iter()
            .filter_map(|entry| {
                let (address, ports) = entry.host.clone()?;
                Some((address, entry.protocol, ports))
            })
            .collect();
        self.hosts = hosts;
        self.divide_again(dataplane);
        self.claim_published();
    }

    /// Replaces the subnets whose containers are reached at their own addresses.
    pub fn set_subnets(&mut self, subnets: BTreeSet<IpNet>) {
        let Some(divert) = &self.divert else {
            return;
        };
        for gone in self.subnets.difference(&subnets) {
            log_failure("give up a subnet", divert.remove_subnet(*gone));
        }
        for new in subnets.difference(&self.subnets) {
            log_failure("take over a subnet", divert.add_subnet(*new));
        }
        self.subnets = subnets;
    }

    pub(super) fn set_addresses(&mut self, addresses: &BTreeSet<IpAddr>, dataplane: &Dataplane) {
        let Some(divert) = &self.divert else {
            return;
        };
        for &gone in self.addresses.difference(addresses) {
            dataplane.nat().forget_external(gone);
            log_failure("give up an address", divert.remove_address(gone));
            self.published.retain(|&(address, ..)| address != gone);
        }
        let new: Vec<IpAddr> = addresses.difference(&self.addresses).copied().collect();
        for address in new {
            log_failure("share an address", divert.add_address(address));
        }
        self.addresses.clone_from(addresses);
        self.claim_published();
    }

    fn claim_published(&mut self) {
        let Some(divert) = &self.divert else {
            return;
        };
        let claims = divert.claims();
        let wanted: BTreeSet<Claim> = self
            .hosts
            .iter()
            .flat_map(|(host, protocol, ports)| {
                let at = self.addresses.iter().filter(move |address| {
                    address.is_ipv4() == host.is_ipv4()
                        && (host.is_unspecified() || host == *address)
                });
                at.map(move |&address| (address, *protocol, *ports.start(), *ports.end()))
            })
            .collect();
        for &(address, protocol, first, last) in self.published.difference(&wanted) {
            if let Some(transport) = transport(protocol) {
                claims.release_range(address, transport, first..=last);
            }
        }
        for &(address, protocol, first, last) in wanted.difference(&self.published) {
            if let Some(transport) = transport(protocol) {
                claims.claim_range(address, transport, first..=last);
            }
        }
        self.published = wanted;
    }
}
