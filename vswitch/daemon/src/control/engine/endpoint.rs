//! Endpoints of engines: made, joined, left, deleted.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_api as api;
use vswitch_cnm::publish::{PortHolder as _, PortSpec};
use vswitch_cnm::{
    AttachRequest, Configurator, Endpoint, EndpointId, JoinRequest, NetworkId, NextHop, Phase,
    SandboxKey,
};
use vswitch_ipam::Family;
use vswitch_netio::netlink::Link;

use super::{EngineEndpoint, Joined, Made};
use crate::control::endpoint::{put_endpoint, router};
use crate::control::errand::{Begun, Errand};
use crate::control::{Control, ControlError, now};
use crate::edge::{self, EdgeError};
use crate::leases::AcquireError;
use crate::store::{Change, Table};

impl Control {
    /// Gives an endpoint its addresses, or begins to: where the physical network has to be asked first.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn begin_engine_endpoint(
        &mut self,
        asked: EngineEndpoint,
    ) -> Result<Begun<Made>, ControlError> {
        self.check_settled(asked.id)?;
        if let Some(endpoint) = self.model.endpoint(asked.id) {
            return self.made_before(endpoint, &asked).map(Begun::Done);
        }
        self.evict(&asked)?;
        let request = AttachRequest {
            ip: asked.ip,
            ip6: asked.ip6,
            mac: asked.mac,
            options: asked.options,
            parent: self.parent_interface(asked.network)?,
            configured_by: Configurator::Engine,
            ..AttachRequest::without_sandbox(asked.network)
        };
        let endpoint =
            self.model
                .create_endpoint(request, asked.id, now(), &mut self.held_ports)?;
        let made = self.record_engine_endpoint(&endpoint);
        if made.is_err() {
            self.forget_logged(asked.id);
        }
        made
    }

    /// Completes what [`Control::begin_engine_endpoint`] began, with what the physical network answered.
    ///
    /// # Errors
    /// [`ControlError`]; there is no such endpoint then.
    fn finish_engine_endpoint(
        &mut self,
        id: EndpointId,
        answer: Result<Option<vswitch_dhcp::Lease>, AcquireError>,
    ) -> Result<Made, ControlError> {
        let began = self.acquiring.remove(&id);
        let endpoint = self.model.endpoint(id).filter(|_| began).cloned();
        let endpoint = endpoint.ok_or(ControlError::Detached)?;
        let taken = answer
            .map_err(ControlError::from)
            .and_then(|lease| self.take_lease(&endpoint, lease.as_ref()));
        match taken {
            Ok(endpoint) => Ok(self.made(&endpoint)),
            Err(error) => {
                self.forget_logged(id);
                Err(error)
            }
        }
    }

    /// Makes the interface of an endpoint, for the engine to put into a sandbox, which need not be there
    /// yet.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn join_engine_endpoint(
        &mut self,
        network: NetworkId,
        id: EndpointId,
        sandbox: &str,
    ) -> Result<Joined, ControlError> {
        let key: SandboxKey = sandbox.parse().map_err(vswitch_cnm::Error::from)?;
        self.check_settled(id)?;
        let endpoint = self.engine_endpoint(network, id)?.clone();
        if endpoint.phase == Phase::Attached && endpoint.is_in(&key) {
            return self.joined(&endpoint);
        }
        let endpoint = self.model.join_endpoint(id, JoinRequest::new(key))?;
        let joined = self
            .hand_over(&endpoint)
            .and_then(|endpoint| self.joined(&endpoint));
        if joined.is_err() {
            let undone = self
                .leave_engine_endpoint(network, id)
                .and_then(|()| self.remove_handed_over(&endpoint));
            if let Err(error) = undone {
                tracing::error!(%id, "cannot undo the join: {error}");
            }
        }
        joined
    }

    /// Takes an endpoint off its sandbox. The interface stays where the engine has put it, which will move
    /// it back, until the endpoint is deleted.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(super) fn leave_engine_endpoint(
        &mut self,
        network: NetworkId,
        id: EndpointId,
    ) -> Result<(), ControlError> {
        let is_joined = |endpoint: &Endpoint| endpoint.sandbox.is_some();
        if !self.engine_endpoint(network, id).is_ok_and(is_joined) {
            return Ok(());
        }
        self.disconnect_port(id);
        let left = self.model.leave_endpoint(id)?;
        for port in &left.published {
            self.held_ports.let_go(port);
        }
        self.republish();
        self.waiting.remove(&id);
        self.follow_host_on(network);
        let mut changes = vec![put_endpoint(&left.endpoint)?];
        if let Some(sandbox) = &left.sandbox {
            self.pinned.remove(&sandbox.key);
            changes.push(Change::delete(Table::Sandboxes, &sandbox.key));
        }
        self.store.commit(&changes)?;
        tracing::info!(%id, "left its sandbox");
        Ok(())
    }

    /// Removes an endpoint and its interface, wherever that is.
    ///
    /// # Errors
    /// [`ControlError`].
    pub(super) fn delete_engine_endpoint(
        &mut self,
        network: NetworkId,
        id: EndpointId,
    ) -> Result<(), ControlError> {
        match self.engine_endpoint(network, id).is_ok() {
            true => self.detach_endpoint(id),
            false => Ok(()),
        }
    }

    /// Publishes ports of an endpoint that are not published yet.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn publish_engine_endpoint(
        &mut self,
        network: NetworkId,
        id: EndpointId,
        specs: &[PortSpec],
    ) -> Result<(), ControlError> {
        let endpoint = self.engine_endpoint(network, id)?;
        let is_new =
            |spec: &&PortSpec| !endpoint.published.iter().any(|port| port.is_meant_by(spec));
        let specs: Vec<PortSpec> = specs.iter().filter(is_new).copied().collect();
        match self.publish_endpoint(id, &specs) {
            // As Docker's own driver does with macvlan: the container's ports are open at its own address.
            Err(ControlError::Model(error @ vswitch_cnm::Error::NotPublishable { .. })) => {
                tracing::warn!(%id, "{error}");
                Ok(())
            }
            published => published.map(drop),
        }
    }

    /// The reverse, of all its ports.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn unpublish_engine_endpoint(
        &mut self,
        network: NetworkId,
        id: EndpointId,
    ) -> Result<(), ControlError> {
        let Ok(endpoint) = self.engine_endpoint(network, id) else {
            return Ok(());
        };
        let specs: Vec<PortSpec> = endpoint.published.iter().map(PortSpec::from).collect();
        self.unpublish_endpoint(id, &specs).map(drop)
    }

    /// What is known of an endpoint.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is none.
    pub(super) fn inspect_engine_endpoint(
        &self,
        network: NetworkId,
        id: EndpointId,
    ) -> Result<api::Endpoint, ControlError> {
        self.describe(self.engine_endpoint(network, id)?)
    }

    /// Checks that the physical network is not just being asked for an endpoint's addresses.
    fn check_settled(&self, id: EndpointId) -> Result<(), ControlError> {
        match self.acquiring.contains(&id) {
            false => Ok(()),
            true => Err(ControlError::Unsettled {
                what: format!("endpoint {}", id.short()),
            }),
        }
    }

    /// The endpoint of an engine's request; those of others are none of its.
    fn engine_endpoint(
        &self,
        network: NetworkId,
        id: EndpointId,
    ) -> Result<&Endpoint, ControlError> {
        let endpoint = self.model.endpoint(id);
        let endpoint = endpoint.filter(|endpoint| {
            endpoint.network == network && endpoint.configured_by == Configurator::Engine
        });
        Ok(endpoint.ok_or_else(|| vswitch_cnm::Error::EndpointNotFound { id: id.short() })?)
    }

    /// The answer to a request that came a second time.
    fn made_before(
        &self,
        endpoint: &Endpoint,
        asked: &EngineEndpoint,
    ) -> Result<Made, ControlError> {
        let made = self.made(endpoint);
        let is_same = endpoint.configured_by == Configurator::Engine
            && endpoint.network == asked.network
            && endpoint.options == asked.options
            && asked.ip.is_none_or(|ip| endpoint.ipv4() == Some(ip))
            && asked.ip6.is_none_or(|ip| endpoint.ipv6() == Some(ip))
            && asked.mac.is_none_or(|mac| made.mac == mac);
        is_same
            .then_some(made)
            .ok_or_else(|| ControlError::EndpointExists {
                id: endpoint.id.short(),
            })
    }

    fn made(&self, endpoint: &Endpoint) -> Made {
        Made {
            mac: self.mac_of(endpoint),
            addresses: endpoint.addresses.clone(),
        }
    }

    fn record_engine_endpoint(&mut self, endpoint: &Endpoint) -> Result<Begun<Made>, ControlError> {
        let acquisition = self.admit(endpoint)?;
        self.record_with_sandbox(endpoint)?;
        match acquisition {
            Some(acquisition) => {
                let id = endpoint.id;
                Ok(Begun::Asking(Errand::new(async move |control| {
                    let answer = acquisition.ask().await;
                    control
                        .run(move |c| c.finish_engine_endpoint(id, answer))
                        .await?
                })))
            }
            None => Ok(Begun::Done(self.made(endpoint))),
        }
    }

    /// Interface and port of an endpoint that joined.
    fn hand_over(&mut self, endpoint: &Endpoint) -> Result<Endpoint, ControlError> {
        self.record_with_sandbox(endpoint)?;
        // Of an earlier attempt, whose answer the engine has not seen.
        self.remove_handed_over(endpoint)?;
        if let Some(interface) = self.interface(endpoint)? {
            let tap = interface.hand_over(&mut self.host, self.queues)?;
            self.connect_port(endpoint.id, tap)?;
        }
        let attached = self.model.endpoint_attached(endpoint.id)?;
        self.store.commit(&[put_endpoint(&attached)?])?;
        tracing::info!(
            network = self.network_name(endpoint.network),
            sandbox = endpoint.whereabouts(),
            id = %endpoint.id,
            "joined"
        );
        Ok(attached)
    }

    fn joined(&self, endpoint: &Endpoint) -> Result<Joined, ControlError> {
        let mut joined = Joined {
            interface: endpoint.tap_name(),
            prefix: self.model.interface_prefix(endpoint.id)?,
            gateway: None,
            gateway6: None,
            routes: Vec::new(),
        };
        if let Some(settings) = self.model.port_settings(endpoint.id)? {
            let routes = settings.routes.into_iter();
            joined
                .routes
                .extend(routes.map(|(to, hop)| (to, router(hop))));
        }
        for family in [Family::V4, Family::V6] {
            match self.model.next_hop(endpoint.id, family)? {
                Some(NextHop::Router(IpAddr::V4(router))) => joined.gateway = Some(router),
                Some(NextHop::Router(IpAddr::V6(router))) => joined.gateway6 = Some(router),
                Some(NextHop::Link) => joined.routes.push((everywhere(family), None)),
                None => {}
            }
        }
        Ok(joined)
    }

    /// Deletes the interface of an engine's endpoint in the host's namespace, where it is before an engine
    /// has moved it and after it has moved it back.
    pub(in crate::control) fn remove_handed_over(
        &mut self,
        endpoint: &Endpoint,
    ) -> Result<(), ControlError> {
        if let Some(link) = self.waits_for_engine(endpoint)? {
            let alias = self.alias(&endpoint.id);
            edge::remove_interface(&mut self.host, &link.name, &alias)?;
        }
        Ok(())
    }

    /// The interface of an engine's endpoint that is in the host's namespace.
    pub(super) fn waits_for_engine(
        &mut self,
        endpoint: &Endpoint,
    ) -> Result<Option<Link>, ControlError> {
        if endpoint.configured_by != Configurator::Engine {
            return Ok(None);
        }
        let name = endpoint.tap_name().parse().map_err(EdgeError::from)?;
        let alias = self.alias(&endpoint.id);
        let link = self.host.netlink.link(&name).map_err(EdgeError::from)?;
        Ok(link.filter(|link| link.alias.as_ref() == Some(&alias)))
    }

    fn forget_logged(&mut self, id: EndpointId) {
        if let Err(error) = self.forget_endpoint(id) {
            tracing::error!(%id, "cannot remove the record: {error}");
        }
    }
}

/// The destination of a default route.
fn everywhere(family: Family) -> IpNet {
    match family {
        Family::V4 => ipnet::Ipv4Net::default().into(),
        Family::V6 => ipnet::Ipv6Net::default().into(),
    }
}
