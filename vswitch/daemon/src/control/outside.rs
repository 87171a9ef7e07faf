//! What the host's network is like, told to the workers as it changes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vswitch_cnm::EndpointId;
use vswitch_nat::Record;
use vswitch_netio::clock;
use vswitch_netio::netlink::Neighbour;

use super::Control;
use crate::edge;

impl Control {
    /// Tells the workers by which addresses the host is reached, and which ways lead outside.
    pub fn refresh_host(&mut self) {
        match edge::addresses(&mut self.host) {
            Ok(addresses) if addresses == self.host_addresses => {}
            Ok(addresses) => {
                self.dataplane.set_host_addresses(addresses.clone());
                self.host_addresses = addresses;
            }
            Err(error) => tracing::warn!("cannot read the host's addresses: {error}"),
        }
        self.refresh_outside();
        self.refresh_parents();
    }

    /// The host's kernel knows a neighbour.
    pub fn learn_neighbour(&self, neighbour: &Neighbour) {
        self.outside.learn(neighbour, &self.dataplane);
    }

    pub(super) fn refresh_outside(&mut self) {
        if let Err(error) = self.outside.refresh(&mut self.host, &self.dataplane) {
            tracing::warn!("cannot see the ways outside: {error:#}");
        }
    }

    /// Takes up the sessions of a former daemon. Returns how many.
    pub(super) fn restore_sessions(&self, sessions: Vec<Record>) -> usize {
        let endpoints: BTreeMap<IpAddr, EndpointId> = self
            .model
            .endpoints()
            .flat_map(|endpoint| {
                endpoint
                    .addresses
                    .iter()
                    .map(|net| (net.addr(), endpoint.id))
            })
            .collect();
        let owner = |address: IpAddr| self.dataplane.owner(*endpoints.get(&address)?);
        self.dataplane
            .nat()
            .restore(sessions.into_iter(), owner, clock::now())
    }
}
