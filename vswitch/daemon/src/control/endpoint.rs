//! Commands about endpoints: attach and detach.

use std::net::IpAddr;

use vswitch_api as api;
use vswitch_cnm::publish::PortHolder as _;
use vswitch_cnm::{
    AttachRequest, Configurator, Endpoint, EndpointId, GatewayChoice, NetnsId, NetworkId, NextHop,
    Phase, SandboxKey,
};
use vswitch_datapath::link_local;
use vswitch_datapath::tunnel::super_frame_segments;
use vswitch_ipam::Family;
use vswitch_netio::netlink::Link;
use vswitch_netio::tap::Tap;

use super::acquire::Acquisition;
use super::engine::is_unlocated;
use super::errand::{Begun, Errand};
use super::publish::specs;
use super::{Control, ControlError, convert, draw, edge_id, netns_id, now};
use crate::dataplane::{PortName, PortSpec};
use crate::edge::{self, DefaultRoute, EdgeError, GuestMark, Interface, Ipv6, Namespace};
use crate::leases::AcquireError;
use crate::store::{Change, StoreError, Table};

impl Control {
    /// Puts an endpoint of a network into a sandbox, or begins to: where plugins or the physical network have to be
    /// asked first.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn begin_attach(
        &mut self,
        network: &str,
        request: api::Attach,
    ) -> Result<Begun<api::Endpoint>, ControlError> {
        let network = self.model.find_network(network)?.id;
        match self.attach_by_plugins(network, &request)? {
            Some(errand) => Ok(Begun::Asking(errand)),
            None => self.begin_own_attach(network, request),
        }
    }

    /// As [`Control::begin_attach`], of a network of our own whose addresses are ours, or had already.
    pub(super) fn begin_own_attach(
        &mut self,
        network: NetworkId,
        request: api::Attach,
    ) -> Result<Begun<api::Endpoint>, ControlError> {
        let parent = self.parent_interface(network)?;
        let key: SandboxKey = request.sandbox.parse().map_err(vswitch_cnm::Error::from)?;
        let mut sandbox = enter(&key)?;
        let links = sandbox.netlink.links().map_err(EdgeError::from)?;
        self.bury_former(&key, netns_id(sandbox.id()))?;
        self.bury_namesakes(&key, netns_id(sandbox.id()), &links)?;
        let request = AttachRequest {
            netns: Some(netns_id(sandbox.id())),
            interfaces: links.iter().map(|link| link.name.to_string()).collect(),
            ip: request.ip,
            ip6: request.ip6,
            mac: request.mac.as_deref().map(convert::mac).transpose()?,
            ifname: request.ifname,
            aliases: request.aliases,
            gateway_priority: request.gateway_priority,
            options: request.options,
            publish: specs(&request.publish)?,
            labels: request.labels,
            parent,
            ..AttachRequest::new(network, key)
        };
        let id = EndpointId::from_octets(draw()?);
        let endpoint = self
            .model
            .create_endpoint(request, id, now(), &mut self.held_ports)?;
        let begun = self.begin_endpoint(&endpoint, &mut sandbox);
        if begun.is_err() {
            self.undo_endpoint(&endpoint, &mut sandbox);
        }
        begun
    }

    /// Completes what [`Control::begin_own_attach`] began, with what the physical network answered.
    ///
    /// # Errors
    /// [`ControlError`]; there is no such endpoint then.
    fn finish_attach(
        &mut self,
        id: EndpointId,
        answer: Result<Option<vswitch_dhcp::Lease>, AcquireError>,
    ) -> Result<api::Endpoint, ControlError> {
        let began = self.acquiring.remove(&id);
        let endpoint = self.model.endpoint(id).filter(|_| began).cloned();
        let endpoint = endpoint.ok_or(ControlError::Detached)?;
        let mut sandbox = match self.enter_sandbox_of(&endpoint) {
            Ok(Some(sandbox)) => sandbox,
            Ok(None) => {
                if let Some(key) = &endpoint.sandbox {
                    self.bury(key)?;
                }
                return Err(ControlError::Detached);
            }
            Err(error) => {
                self.forget_endpoint(id)?;
                return Err(error);
            }
        };
        let finished = answer
            .map_err(ControlError::from)
            .and_then(|lease| self.take_lease(&endpoint, lease.as_ref()))
            .and_then(|endpoint| self.finish_endpoint(&endpoint, &mut sandbox));
        if finished.is_err() {
            self.undo_endpoint(&endpoint, &mut sandbox);
        }
        finished
    }

    fn begin_endpoint(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
    ) -> Result<Begun<api::Endpoint>, ControlError> {
        match self.admit(endpoint)? {
            Some(acquisition) => {
                self.record_with_sandbox(endpoint)?;
                let id = endpoint.id;
                Ok(Begun::Asking(Errand::new(async move |control| {
                    let answer = acquisition.ask().await;
                    control.run(move |c| c.finish_attach(id, answer)).await?
                })))
            }
            None => Ok(Begun::Done(self.finish_endpoint(endpoint, sandbox)?)),
        }
    }

    /// Checks that an endpoint can be connected; what has to be asked before.
    pub(super) fn admit(
        &mut self,
        endpoint: &Endpoint,
    ) -> Result<Option<Acquisition>, ControlError> {
        if let Some(settings) = self.model.port_settings(endpoint.id)? {
            self.check_parent(&settings)?;
        }
        let acquisition = self.acquisition(endpoint)?;
        if acquisition.is_some() {
            self.acquiring.insert(endpoint.id);
        }
        Ok(acquisition)
    }

    fn finish_endpoint(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
    ) -> Result<api::Endpoint, ControlError> {
        let tap = self.make_interface(endpoint, sandbox)?;
        // If we die before this, the interface goes with us; if after, the next start makes it anew.
        let attached = self.model.endpoint_attached(endpoint.id)?;
        self.record_with_sandbox(&attached)?;
        self.keep_interface(endpoint, tap)?;
        tracing::info!(
            network = self.network_name(endpoint.network),
            sandbox = endpoint.whereabouts(),
            interface = endpoint.ifname,
            id = %endpoint.id,
            "attached"
        );
        self.describe(&attached)
    }

    /// A key may stand for a new namespace, while only our queues still keep the one before: it is gone then, even
    /// if the sweep has not come by yet.
    fn bury_former(&mut self, key: &SandboxKey, id: NetnsId) -> Result<(), ControlError> {
        let before = self.model.sandbox(key).and_then(|sandbox| sandbox.netns);
        match before.filter(|before| *before != id) {
            Some(before) if edge::living(key, edge_id(before))?.is_none() => self.bury(key),
            _ => Ok(()),
        }
    }

    /// The kernel gives the number of a namespace that died to the next one that is made. Sandboxes that
    /// had this number, and are not in the namespace that has it now, are gone, even if nobody told yet.
    pub(super) fn bury_namesakes(
        &mut self,
        key: &SandboxKey,
        id: NetnsId,
        links: &[Link],
    ) -> Result<(), ControlError> {
        let is_inside = |endpoint: &Endpoint| {
            let alias = self.alias(&endpoint.id);
            links.iter().any(|link| link.alias.as_ref() == Some(&alias))
        };
        let is_guest = |guest: &GuestMark| guest.among(links).is_some();
        let gone: Vec<SandboxKey> = self
            .model
            .sandboxes()
            .filter(|other| other.key != *key && other.netns == Some(id))
            .filter(|other| !edge::is_there(&other.key, edge_id(id)))
            .filter(|other| !self.model.endpoints_in(&other.key).any(is_inside))
            .filter(|other| !self.guests_in(&other.key).iter().any(is_guest))
            .map(|other| other.key.clone())
            .collect();
        gone.iter().try_for_each(|key| self.bury(key))
    }

    /// Takes a sandbox off a network, or begins to: where plugins have to be told.
    ///
    /// # Errors
    /// [`ControlError`]; an endpoint that could not be undone can be detached again.
    pub fn begin_detach(
        &mut self,
        network: &str,
        sandbox: &str,
    ) -> Result<Begun<()>, ControlError> {
        let network = self.model.find_network(network)?.id;
        let key: SandboxKey = sandbox.parse().map_err(vswitch_cnm::Error::from)?;
        let key = self.known_as(key);
        let endpoint = self.model.find_endpoint(network, &key)?.id;
        self.begin_detach_endpoint(endpoint)
    }

    /// As [`Control::begin_detach`], of an endpoint by its id.
    pub(super) fn begin_detach_endpoint(
        &mut self,
        id: EndpointId,
    ) -> Result<Begun<()>, ControlError> {
        let endpoint = self.model.endpoint(id).cloned();
        if let Some(endpoint) = endpoint
            && let Some(parting) = self.part(&endpoint)?
        {
            return Ok(parting);
        }
        self.detach_endpoint(id).map(Begun::Done)
    }

    /// Undoes an endpoint of a network of our own.
    pub(super) fn detach_endpoint(&mut self, id: EndpointId) -> Result<(), ControlError> {
        let Some(endpoint) = self.model.endpoint(id).cloned() else {
            return Ok(());
        };
        // On disk first: should that fail, the model must not have changed.
        let detaching = Endpoint {
            phase: Phase::Detaching,
            ..endpoint.clone()
        };
        self.store.commit(&[put_endpoint(&detaching)?])?;
        self.model.begin_detach(id)?;
        self.disconnect_port(id);
        if let Some(mut sandbox) = self.enter_sandbox_of(&endpoint)? {
            self.remove_endpoint_interface(&endpoint, &mut sandbox)?;
            self.set_default_routes_around(&endpoint, &mut sandbox)?;
        }
        self.remove_handed_over(&endpoint)?;
        self.forget_detached(&endpoint)
    }

    /// The last step of detaching.
    pub(super) fn forget_detached(&mut self, endpoint: &Endpoint) -> Result<(), ControlError> {
        self.forget_endpoint(endpoint.id)?;
        tracing::info!(
            sandbox = endpoint.whereabouts(),
            interface = endpoint.ifname,
            id = %endpoint.id,
            "detached"
        );
        Ok(())
    }

    /// Removes an endpoint from model and disk, and frees its addresses.
    pub(super) fn forget_endpoint(&mut self, id: EndpointId) -> Result<(), ControlError> {
        let removed = self.model.remove_endpoint(id)?;
        for port in &removed.endpoint.published {
            self.held_ports.let_go(port);
        }
        self.republish();
        self.leases.let_go(id, true);
        self.acquiring.remove(&id);
        self.follow_host_on(removed.endpoint.network);
        self.waiting.remove(&id);
        let mut changes = vec![Change::delete(Table::Endpoints, id)];
        if let Some(sandbox) = &removed.sandbox {
            changes.push(Change::delete(Table::Sandboxes, &sandbox.key));
        }
        if let Some(key) = &removed.endpoint.sandbox
            && self.model.endpoints_in(key).next().is_none()
        {
            self.pinned.remove(key);
        }
        Ok(self.store.commit(&changes)?)
    }

    /// Interface and port of an endpoint in a sandbox, as new.
    pub(super) fn connect_endpoint(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
    ) -> Result<(), ControlError> {
        let tap = self.make_interface(endpoint, sandbox)?;
        self.keep_interface(endpoint, tap)
    }

    /// The interface of an endpoint in a sandbox, and the routes by it. It goes with the daemon until it is kept.
    fn make_interface(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
    ) -> Result<Option<Tap>, ControlError> {
        let Some(interface) = self.interface(endpoint)? else {
            // `none` is loopback only; `host` has what it has.
            if !endpoint.is_in(&SandboxKey::Host) {
                sandbox.set_loopback_up()?;
            }
            return Ok(None);
        };
        let tap = interface.make(sandbox, self.queues)?;
        self.set_default_routes_around(endpoint, sandbox)?;
        Ok(Some(tap))
    }

    /// Has the interface of an endpoint survive the daemon from now on, and hands its queues to the workers.
    fn keep_interface(
        &mut self,
        endpoint: &Endpoint,
        tap: Option<Tap>,
    ) -> Result<(), ControlError> {
        let Some(tap) = tap else {
            return Ok(());
        };
        tap.set_persistent(true).map_err(EdgeError::from)?;
        self.connect_port(endpoint.id, tap)?;
        // The host's namespace is ours anyway.
        if let Some(key) = &endpoint.sandbox
            && !key.is_host()
        {
            self.pinned.insert(key.clone());
        }
        Ok(())
    }

    /// The reverse of [`Control::connect_endpoint`], whatever it came to. What fails is logged.
    pub(super) fn disconnect_endpoint(&mut self, endpoint: &Endpoint, sandbox: &mut Namespace) {
        self.disconnect_port(endpoint.id);
        if let Err(error) = self.remove_endpoint_interface(endpoint, sandbox) {
            tracing::error!(id = %endpoint.id, "cannot remove the interface: {error}");
        }
    }

    /// Hands the queues of an endpoint to the workers.
    pub(super) fn connect_port(&mut self, id: EndpointId, tap: Tap) -> Result<(), ControlError> {
        let Some(settings) = self.model.port_settings(id)? else {
            return Ok(());
        };
        self.admit_station(&settings)?;
        let mac = self.interface_mac(&settings);
        self.dataplane
            .add_port(PortSpec::Endpoint { settings, mac }, tap)
            .map_err(ControlError::Dataplane)?;
        self.republish();
        if let Some(endpoint) = self.model.endpoint(id).cloned() {
            self.follow_host_on(endpoint.network);
            self.keep_lease(&endpoint);
        }
        Ok(())
    }

    /// Takes the queues of an endpoint from the workers. Its published ports go first: a packet to one
    /// of them would begin a session again that nobody ends.
    pub(super) fn disconnect_port(&mut self, id: EndpointId) {
        self.republish_without(Some(id));
        self.dataplane.remove_port(&PortName::Endpoint(id));
        self.parents.dismiss(id);
    }

    /// How the interface of an endpoint is to be; `None` if it has none.
    pub(super) fn interface(&self, endpoint: &Endpoint) -> Result<Option<Interface>, ControlError> {
        let Some(name) = &endpoint.ifname else {
            return Ok(None);
        };
        let Some(settings) = self.model.port_settings(endpoint.id)? else {
            return Ok(None);
        };
        let segment = self.segment_settings(settings.segment_id());
        let (lan, is_routed) = segment.as_ref().map_or((None, false), |segment| {
            (segment.lan.as_ref(), segment.l3.is_some())
        });
        let mac = self.interface_mac(&settings);
        Ok(Some(Interface {
            tap_name: endpoint.tap_name().parse().map_err(EdgeError::from)?,
            name: name.parse().map_err(EdgeError::from)?,
            alias: self.alias(&endpoint.id),
            mac,
            mtu: settings.mtu,
            addresses: endpoint.addresses.clone(),
            arp: !is_routed,
            ipv6: match lan {
                _ if settings.slaac => Ipv6::Announced,
                Some(_) => Ipv6::GivenOnly,
                None => Ipv6::Given,
            },
            link_local: (mac != settings.mac).then(|| link_local(settings.mac)),
            segments: segment
                .and_then(|segment| segment.overlay)
                .map(|_| super_frame_segments(settings.mtu)),
            routes: settings
                .routes
                .into_iter()
                .map(|(to, hop)| (to, router(hop)))
                .collect(),
        }))
    }

    /// Deletes the interface of an endpoint, once the workers let go of it.
    pub(super) fn remove_endpoint_interface(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
    ) -> Result<(), ControlError> {
        if let Some(name) = &endpoint.ifname {
            let name = name.parse().map_err(EdgeError::from)?;
            edge::remove_interface(sandbox, &name, &self.alias(&endpoint.id))?;
        }
        Ok(())
    }

    /// As [`Control::set_default_routes`], of the sandbox that an endpoint is or was in.
    pub(super) fn set_default_routes_around(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
    ) -> Result<(), EdgeError> {
        match (&endpoint.sandbox, endpoint.configured_by) {
            (Some(key), Configurator::Switch) => self.set_default_routes(key, sandbox),
            _ => Ok(()),
        }
    }

    /// Sets the default routes of a sandbox to the gateways elected now, unless an engine elects them.
    pub(super) fn set_default_routes(
        &mut self,
        key: &SandboxKey,
        sandbox: &mut Namespace,
    ) -> Result<(), EdgeError> {
        if self.model.engine_rules(key) {
            return Ok(());
        }
        let gateways = self.model.gateway_of(key);
        let choices = [(Family::V4, gateways.v4), (Family::V6, gateways.v6)];
        let routes = choices
            .into_iter()
            .filter_map(|(family, choice)| Some(self.default_route(family, &choice?)))
            .collect::<Result<Vec<_>, _>>()?;
        let guests = self.guests_in(key);
        edge::set_default_routes(sandbox, self.daemon_id(), &guests, &routes)
    }

    fn default_route(
        &self,
        family: Family,
        choice: &GatewayChoice,
    ) -> Result<DefaultRoute, EdgeError> {
        Ok(DefaultRoute {
            alias: self.alias(&choice.endpoint),
            guest: self
                .model
                .endpoint(choice.endpoint)
                .and_then(|endpoint| self.guest_mark(endpoint).transpose())
                .transpose()?,
            interface: choice.ifname.parse()?,
            family,
            gateway: router(choice.next_hop),
        })
    }

    /// The namespace of a sandbox with endpoints, if it still lives.
    pub(super) fn enter_if_alive(
        &self,
        key: &SandboxKey,
    ) -> Result<Option<Namespace>, ControlError> {
        if key.is_host() {
            return Ok(Some(Namespace::current()?));
        }
        let id = self.model.sandbox(key).and_then(|sandbox| sandbox.netns);
        let Some(id) = id else {
            return Ok(None);
        };
        let netns = edge::living(key, edge_id(id))?;
        Ok(netns.map(Namespace::enter).transpose()?)
    }

    /// The namespace of the sandbox that an endpoint is in, if it is in one that still lives.
    pub(super) fn enter_sandbox_of(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Option<Namespace>, ControlError> {
        if is_unlocated(endpoint) {
            let found = self.find_handed_over(endpoint)?;
            return Ok(found.map(|(sandbox, _)| sandbox));
        }
        match &endpoint.sandbox {
            Some(key) => self.enter_if_alive(key),
            None => Ok(None),
        }
    }

    /// Puts an endpoint and the sandbox it is in on disk.
    pub(super) fn record_with_sandbox(&mut self, endpoint: &Endpoint) -> Result<(), ControlError> {
        let mut changes = vec![put_endpoint(endpoint)?];
        let sandbox = endpoint.sandbox.as_ref();
        if let Some(record) = sandbox.and_then(|key| self.model.sandbox(key)) {
            changes.push(Change::put(Table::Sandboxes, &record.key, record)?);
        }
        Ok(self.store.commit(&changes)?)
    }

    /// What the API tells of an endpoint.
    pub(super) fn describe(&self, endpoint: &Endpoint) -> Result<api::Endpoint, ControlError> {
        let network = self.model.network(endpoint.network);
        let network = network.ok_or_else(|| vswitch_cnm::Error::NetworkNotFound {
            name: endpoint.network.to_string(),
        })?;
        let settings = self.model.port_settings(endpoint.id)?;
        let mtu = settings.map(|settings| settings.mtu);
        let mac = self.mac_of(endpoint);
        Ok(convert::endpoint(endpoint, network, mac, mtu))
    }

    /// The key that a sandbox is known by, which may not be the one typed.
    pub(super) fn known_as(&self, key: SandboxKey) -> SandboxKey {
        if self.model.sandbox(&key).is_some() {
            return key;
        }
        let id = edge::open(&key).ok().map(|netns| netns_id(netns.id()));
        let known = id.and_then(|id| self.model.sandboxes().find(|s| s.netns == Some(id)));
        known.map_or(key, |sandbox| sandbox.key.clone())
    }

    /// The way back when an endpoint cannot be attached. What fails here is logged, and left to the
    /// next start.
    fn undo_endpoint(&mut self, endpoint: &Endpoint, sandbox: &mut Namespace) {
        self.disconnect_endpoint(endpoint, sandbox);
        if let Err(error) = self.forget_endpoint(endpoint.id) {
            tracing::error!(id = %endpoint.id, "cannot remove the record: {error}");
        }
        if let Err(error) = self.set_default_routes_around(endpoint, sandbox) {
            tracing::error!(id = %endpoint.id, "cannot restore the default route: {error}");
        }
    }
}

pub(super) const fn router(next_hop: NextHop) -> Option<IpAddr> {
    match next_hop {
        NextHop::Router(router) => Some(router),
        NextHop::Link => None,
    }
}

pub(super) fn put_endpoint(endpoint: &Endpoint) -> Result<Change, StoreError> {
    Change::put(Table::Endpoints, endpoint.id, endpoint)
}

pub(super) fn enter(key: &SandboxKey) -> Result<Namespace, ControlError> {
    if key.is_host() {
        return Ok(Namespace::current()?);
    }
    Ok(Namespace::enter(edge::open(key)?)?)
}
