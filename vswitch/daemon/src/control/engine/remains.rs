//! What engines leave behind: where they have put interfaces, and what they have forgotten.

use vswitch_cnm::{Configurator, Endpoint, EndpointId, Phase, SandboxKey};
use vswitch_netio::netlink::Link;
use vswitch_netio::netns::NetnsError;

use super::EngineEndpoint;
use crate::control::endpoint::put_endpoint;
use crate::control::{Control, ControlError, netns_id, now};
use crate::edge::{self, EdgeError, Namespace};
use crate::store::{Change, Table};

/// An engine puts an endpoint into its sandbox within seconds of making it.
const STALE: u64 = 60;

/// Even on a machine that hardly moves, a container has its interfaces after so many seconds.
const ABANDONED: u64 = 600;

impl Control {
    /// An engine has begun anew. It deletes nothing that it does not remember, so what it left behind goes
    /// here: endpoints whose sandboxes are gone, and those that never came into one.
    pub(super) fn engine_activated(&mut self) {
        let stale: Vec<Endpoint> = self
            .model
            .endpoints()
            .filter(|endpoint| endpoint.configured_by == Configurator::Engine)
            .filter(|endpoint| !self.acquiring.contains(&endpoint.id))
            .cloned()
            .collect();
        for endpoint in stale {
            if self.is_in_use(&endpoint, now().saturating_sub(STALE)) {
                continue;
            }
            tracing::warn!(
                network = self.network_name(endpoint.network),
                id = %endpoint.id,
                "its container is gone, and nobody said so: endpoint removed"
            );
            if let Err(error) = self.delete_engine_endpoint(endpoint.network, endpoint.id) {
                tracing::error!(id = %endpoint.id, "cannot remove the endpoint: {error}");
            }
        }
    }

    /// Notes where engines have put interfaces, and what they have called them.
    pub(in crate::control) fn locate_handed_over(&mut self) {
        let attached = |endpoint: &&Endpoint| endpoint.phase == Phase::Attached;
        let endpoints = self.model.endpoints().filter(attached);
        let unlocated: Vec<EndpointId> = endpoints
            .filter(|endpoint| is_unlocated(endpoint))
            .map(|endpoint| endpoint.id)
            .collect();
        for id in unlocated {
            self.locate_joined(id);
        }
    }

    /// The same for one endpoint that has joined, if it is not known yet.
    pub(super) fn locate_joined(&mut self, id: EndpointId) {
        let Some(endpoint) = self.model.endpoint(id).filter(|e| is_unlocated(e)).cloned() else {
            return;
        };
        let located = self.locate(&endpoint);
        if let Err(error) = located.and_then(|()| self.give_up(&endpoint)) {
            tracing::debug!(%id, "cannot find its interface: {error}");
        }
    }

    /// Removes an endpoint that never came into its sandbox: the engine gave up while no daemon was there.
    fn give_up(&mut self, endpoint: &Endpoint) -> Result<(), ControlError> {
        let is_unlocated = self.model.endpoint(endpoint.id).is_some_and(is_unlocated);
        if is_unlocated && !self.is_in_use(endpoint, now().saturating_sub(ABANDONED)) {
            tracing::warn!(id = %endpoint.id, "no container has taken it: endpoint removed");
            self.detach_endpoint(endpoint.id)?;
        }
        Ok(())
    }

    /// After a start: finishes what a crash interrupted, and looks where engines have put interfaces since.
    pub(in crate::control) fn survey_handed_over(&mut self) {
        let endpoints: Vec<Endpoint> = self
            .model
            .endpoints()
            .filter(|endpoint| endpoint.configured_by == Configurator::Engine)
            .cloned()
            .collect();
        for endpoint in endpoints {
            if let Err(error) = self.settle(&endpoint) {
                tracing::error!(id = %endpoint.id, "cannot finish what was interrupted: {error}");
            }
        }
        self.locate_handed_over();
    }

    /// Finishes or undoes what a crash interrupted. The engine has had no answer, and asks again.
    fn settle(&mut self, endpoint: &Endpoint) -> Result<(), ControlError> {
        match endpoint.phase {
            Phase::Created if self.lacks_lease(endpoint) => self.forget_endpoint(endpoint.id),
            Phase::Attaching => self.leave_engine_endpoint(endpoint.network, endpoint.id),
            Phase::Detaching => self.detach_endpoint(endpoint.id),
            Phase::Created | Phase::Attached => Ok(()),
        }
    }

    /// Whether its address is a DHCP server's to give, and none was given.
    fn lacks_lease(&self, endpoint: &Endpoint) -> bool {
        let network = self.model.network(endpoint.network);
        endpoint.lease.is_none() && network.is_some_and(|network| network.ipam.is_dhcp())
    }

    /// Removes endpoints of a sandbox that nobody has seen yet, but for those whose interface still waits for
    /// the engine, or was just moved by it.
    pub(in crate::control) fn bury_unlocated(
        &mut self,
        key: &SandboxKey,
    ) -> Result<(), ControlError> {
        let waiting = |endpoint: &&Endpoint| self.waiting.contains(&endpoint.id);
        let endpoints = self.model.endpoints_in(key).filter(waiting);
        let endpoints: Vec<Endpoint> = endpoints.cloned().collect();
        for endpoint in endpoints {
            let waits = self.waits_for_engine(&endpoint)?.is_some();
            if !waits && self.find_handed_over(&endpoint)?.is_none() {
                self.bury_endpoint(endpoint.id, "its interface is gone: endpoint removed")?;
            }
        }
        Ok(())
    }

    /// Removes endpoints that have what an engine gives to another one, if they have no container any more:
    /// the engine crashed, and has begun anew with all addresses free.
    pub(super) fn evict(&mut self, asked: &EngineEndpoint) -> Result<(), ControlError> {
        let is_wanted = |endpoint: &&Endpoint| {
            (asked.ip.is_some() && endpoint.ipv4() == asked.ip)
                || (asked.ip6.is_some() && endpoint.ipv6() == asked.ip6)
                || asked.mac == Some(endpoint.mac)
        };
        let holders: Vec<Endpoint> = self
            .model
            .endpoints_of(asked.network)
            .filter(|endpoint| endpoint.configured_by == Configurator::Engine)
            .filter(is_wanted)
            .cloned()
            .collect();
        for holder in holders {
            if !self.is_in_use(&holder, u64::MAX) {
                tracing::warn!(id = %holder.id, "what it has is given to another container: endpoint removed");
                self.delete_engine_endpoint(holder.network, holder.id)?;
            }
        }
        Ok(())
    }

    /// Whether an engine's endpoint is in a container, or was made after `recently` (seconds since 1970) and
    /// may be about to be put into one.
    fn is_in_use(&mut self, endpoint: &Endpoint, recently: u64) -> bool {
        match self.find_handed_over(endpoint) {
            Ok(Some(_)) => true,
            Ok(None) => endpoint.created > recently,
            Err(error) => {
                tracing::warn!(id = %endpoint.id, "cannot find its interface: {error}");
                true
            }
        }
    }

    /// The interface of an endpoint in its sandbox, and that sandbox; `None` if it is not there.
    pub(in crate::control) fn find_handed_over(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Option<(Namespace, Link)>, ControlError> {
        let Some(key) = &endpoint.sandbox else {
            return Ok(None);
        };
        let netns = match edge::open(key) {
            Ok(netns) => netns,
            Err(edge::SandboxError::NotFound { source, .. })
                // It may be a namespace to those who see the engine's mounts, but for one that was seen. Docker
                // leaves the file for a minute.
                if !is_unlocated(endpoint) || !matches!(source, NetnsError::NotANamespace { .. }) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let mut sandbox = Namespace::enter(netns)?;
        let alias = self.alias(&endpoint.id);
        let links = sandbox.netlink.links().map_err(EdgeError::from)?;
        let mut links = links.into_iter();
        let found = links.find(|link| link.alias.as_ref() == Some(&alias));
        Ok(found.map(|link| (sandbox, link)))
    }

    fn locate(&mut self, endpoint: &Endpoint) -> Result<(), ControlError> {
        let Some((mut sandbox, link)) = self.find_handed_over(endpoint)? else {
            return Ok(());
        };
        let Some(key) = &endpoint.sandbox else {
            return Ok(());
        };
        let id = netns_id(sandbox.id());
        let links = sandbox.netlink.links().map_err(EdgeError::from)?;
        self.bury_namesakes(key, id, &links)?;
        // The move has taken it away.
        edge::unqueue(&mut sandbox.netlink, link.index);
        let record = self.model.set_netns(key, Some(id))?;
        let endpoint = self.model.set_ifname(endpoint.id, link.name.to_string())?;
        self.store.commit(&[
            Change::put(Table::Sandboxes, &record.key, &record)?,
            put_endpoint(&endpoint)?,
        ])?;
        tracing::debug!(sandbox = %key, interface = %link.name, id = %endpoint.id, "found in its sandbox");
        Ok(())
    }
}

/// Whether its interface was handed to an engine, and not seen in the sandbox since.
pub(in crate::control) fn is_unlocated(endpoint: &Endpoint) -> bool {
    endpoint.configured_by == Configurator::Engine
        && endpoint.ifname.as_deref() == Some(endpoint.tap_name().as_str())
}
