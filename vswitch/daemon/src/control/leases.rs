//! Leases of endpoints: kept, followed as they change, and told of.

use ipnet::Ipv4Net;
use vswitch_api as api;
use vswitch_cnm::{Endpoint, EndpointId, NetworkId};
use vswitch_dhcp::Lease;
use vswitch_netio::clock;

use super::endpoint::put_endpoint;
use super::{Control, ControlError, convert, now};
use crate::edge;
use crate::leases::{Event, LeaseState};
use crate::store::{Change, Table};

impl Control {
    /// Gives an endpoint that is about to be connected the address that it may have.
    pub(super) fn take_lease(
        &mut self,
        endpoint: &Endpoint,
        lease: Option<&Lease>,
    ) -> Result<Endpoint, ControlError> {
        let Some(lease) = lease else {
            return Ok(endpoint.clone());
        };
        let changed = self.model.set_lease(endpoint.id, Some(record(lease)))?;
        self.store.commit(&[put_endpoint(&changed)?])?;
        Ok(changed)
    }

    /// Has the lease of an endpoint renewed from now on.
    pub(super) fn keep_lease(&mut self, endpoint: &Endpoint) {
        let place = match self.place_of(endpoint) {
            Ok(Some((place, lan))) if lan.dhcp => place,
            _ => return,
        };
        let identity = self.dhcp_identity(endpoint, &place);
        let lease = endpoint.lease.as_ref().map(restored);
        self.leases.keep(endpoint.id, place, identity, lease);
    }

    /// The NIC of a network is another device now: its leases are renewed there.
    pub(super) fn renew_places(&mut self, network: NetworkId) {
        let endpoints: Vec<Endpoint> = self.model.endpoints_of(network).cloned().collect();
        for endpoint in endpoints {
            if !self.acquiring.contains(&endpoint.id) {
                self.keep_lease(&endpoint);
            }
        }
    }

    /// The leases of one network, or of all.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network.
    pub fn leases(&self, network: Option<&str>) -> Result<Vec<api::Lease>, ControlError> {
        let only = self.network_id(network)?;
        let mut rows: Vec<api::Lease> = self
            .leases
            .list()
            .into_iter()
            .filter_map(|status| {
                let endpoint = self.model.endpoint(status.endpoint)?;
                if only.is_some_and(|only| only != endpoint.network) {
                    return None;
                }
                let lease = endpoint.lease.as_ref();
                Some(api::Lease {
                    network: self.network_name(endpoint.network)?,
                    sandbox: convert::sandbox(endpoint),
                    ifname: endpoint.ifname.clone()?,
                    mac: endpoint.mac.to_string(),
                    address: lease
                        .and_then(|lease| Ipv4Net::new(lease.address, lease.prefix_len).ok()),
                    router: lease.and_then(|lease| lease.router),
                    server: lease.map(|lease| lease.server),
                    state: match status.state {
                        LeaseState::Asking => api::LeaseState::Asking,
                        LeaseState::Bound => api::LeaseState::Bound,
                        LeaseState::Renewing => api::LeaseState::Renewing,
                        LeaseState::Rebinding => api::LeaseState::Rebinding,
                    },
                    expires_in: status.expires_in.filter(|_| lease.is_some()),
                })
            })
            .collect();
        rows.sort_by(|a, b| (&a.network, &a.sandbox).cmp(&(&b.network, &b.sandbox)));
        Ok(rows)
    }

    /// Something became of a lease.
    pub fn lease_event(&mut self, id: EndpointId, event: Event) {
        let Some(endpoint) = self.model.endpoint(id).cloned() else {
            return;
        };
        // It is given to the endpoint when that is complete.
        if self.acquiring.contains(&id) {
            return;
        }
        let lease = match &event {
            Event::Bound(lease) | Event::Renewed(lease) => Some(record(lease)),
            Event::Lost(_) => None,
        };
        match self.follow_lease(&endpoint, lease) {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(
                    sandbox = endpoint.whereabouts(),
                    interface = endpoint.ifname,
                    "cannot follow the lease: {error}"
                );
            }
        }
    }

    fn follow_lease(
        &mut self,
        endpoint: &Endpoint,
        lease: Option<vswitch_cnm::Lease>,
    ) -> Result<(), ControlError> {
        let changed = self.model.set_lease(endpoint.id, lease)?;
        self.store
            .commit(&[Change::put(Table::Endpoints, changed.id, &changed)?])?;
        let is_same = changed.addresses == endpoint.addresses
            && changed.lease.as_ref().map(|lease| lease.router)
                == endpoint.lease.as_ref().map(|lease| lease.router);
        if is_same {
            return Ok(());
        }
        tracing::warn!(
            sandbox = endpoint.whereabouts(),
            interface = endpoint.ifname,
            from = ?endpoint.ipv4(),
            to = ?changed.ipv4(),
            "the address that the DHCP server gives is another one now"
        );
        if let Some(settings) = self.model.port_settings(endpoint.id)? {
            self.admit_station(&settings)?;
            let mac = self.interface_mac(&settings);
            self.dataplane.readdress(&settings, mac);
        }
        if let Some(mut sandbox) = self.enter_sandbox_of(endpoint)? {
            let alias = self.alias(&endpoint.id);
            edge::replace_addresses(
                &mut sandbox,
                &alias,
                &endpoint.addresses,
                &changed.addresses,
            )?;
            self.set_default_routes_around(endpoint, &mut sandbox)?;
        }
        self.follow_host_on(changed.network);
        Ok(())
    }
}

fn record(lease: &Lease) -> vswitch_cnm::Lease {
    let age = clock::now().since(lease.obtained).as_secs();
    vswitch_cnm::Lease {
        address: lease.address,
        prefix_len: lease.prefix_len,
        router: lease.router,
        server: lease.server,
        dns: lease.dns.clone(),
        obtained: now().saturating_sub(age),
        seconds: lease.seconds,
        renew_after: lease.renew_after,
        rebind_after: lease.rebind_after,
    }
}

fn restored(lease: &vswitch_cnm::Lease) -> Lease {
    let now = clock::now();
    let stored = Lease {
        address: lease.address,
        prefix_len: lease.prefix_len,
        router: lease.router,
        server: lease.server,
        dns: lease.dns.clone(),
        obtained: now,
        seconds: lease.seconds,
        renew_after: lease.renew_after,
        rebind_after: lease.rebind_after,
    };
    stored.resumed(self::now().saturating_sub(lease.obtained), now)
}
