//! Commands about networks.

use ipnet::IpNet;
use vswitch_api as api;
use vswitch_cnm::{BridgeSettings, DriverName, Ipam, IpamPlugin, NetworkId, NetworkRequest};

use super::lan::parent_of;
use super::{Control, ControlError, RouterQuestion, convert, now};
use crate::edge::{self, EdgeError};
use crate::store::{Change, Table};

impl Control {
    /// Makes a network of one of our own drivers, with its bridge and host port. What its surroundings are to be
    /// asked comes with it.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub(super) fn create_network_as(
        &mut self,
        id: NetworkId,
        request: NetworkRequest,
    ) -> Result<(api::NetworkCreated, Vec<RouterQuestion>), ControlError> {
        let interfaces = request.interfaces.clone();
        let daemon = self.daemon_id();
        let occupied = edge::occupied_routes(&mut self.host, daemon).map_err(EdgeError::from)?;
        let network = self.model.create_network(request, id, now(), &occupied)?;
        // The record comes last: without it, a crash leaves no more than an orphan for the next start.
        let result = self
            .survey_underlay(id)
            .and_then(|()| self.realise_network(id))
            .and_then(|()| {
                // With what was found out about its surroundings.
                let network = self.model.network(id).unwrap_or(&network);
                let change = Change::put(Table::Networks, id, network)?;
                Ok(self.store.commit(&[change])?)
            });
        if let Err(error) = result {
            self.undo_network(id);
            return Err(error);
        }
        self.apply_policies();
        tracing::info!(network = network.name, %id, "network created");
        let mut warnings = self.model.overlay_warnings(id);
        warnings.extend(self.model.lan_warnings(id, &interfaces));
        let id_text = id.to_string();
        let created = api::NetworkCreated {
            id: id_text,
            warnings,
        };
        Ok((created, self.router_questions(id)))
    }

    /// What a user's words ask of the model. Pools of plugins are still to be asked for.
    pub(super) fn network_request(
        &mut self,
        request: api::NetworkCreate,
    ) -> Result<NetworkRequest, ControlError> {
        let (driver, plugin) = match request.driver.parse() {
            Ok(driver) => (driver, None),
            Err(unknown) => {
                self.look_for_plugin(&request.driver, &ControlError::Model(unknown))?;
                (DriverName::Plugin, Some(request.driver))
            }
        };
        let ipam = match convert::ipam(request.ipam.as_deref()) {
            Ok(ipam) => ipam,
            Err(unknown) => {
                let name = request.ipam.unwrap_or_default();
                self.look_for_plugin(&name, &unknown)?;
                Ipam::Plugin(IpamPlugin {
                    name,
                    pools: Vec::new(),
                    options: request.ipam_options,
                })
            }
        };
        Ok(NetworkRequest {
            name: request.name,
            driver,
            ipv4: true,
            ipv6: request.ipv6,
            internal: request.internal,
            subnets: request.subnets,
            gateways: request.gateways,
            ip_ranges: request.ip_ranges,
            aux_addresses: request.aux_addresses.into_iter().collect(),
            options: request.options,
            labels: request.labels,
            ipam,
            plugin,
            interfaces: self.host_interfaces()?,
        })
    }

    /// Where there is no plugin of that name, what there is of ours is told as well.
    fn look_for_plugin(&self, name: &str, unknown: &ControlError) -> Result<(), ControlError> {
        self.plugins
            .look_for(name)
            .map_err(|error| match error.is_unknown_name() {
                true => ControlError::UnknownDriver {
                    ours: unknown.to_string(),
                    source: error,
                },
                false => error.into(),
            })
    }

    /// Removes a network that no plugin has to be told of; with `force`, what is attached is detached before.
    ///
    /// # Errors
    /// [`ControlError`]; the network is there as before then, maybe with fewer endpoints.
    pub(super) fn remove_network(&mut self, term: &str, force: bool) -> Result<(), ControlError> {
        let network = self.model.find_network(term)?;
        let (id, name) = (network.id, network.name.clone());
        if force && !network.is_predefined() {
            let endpoints: Vec<_> = self.model.endpoints_of(id).map(|e| e.id).collect();
            for endpoint in endpoints {
                self.detach_endpoint(endpoint)?;
            }
        }
        let settings = self.model.bridge_settings(id)?;
        let mut without = self.model.clone();
        without.remove_network(id)?;
        self.store.commit(&[Change::delete(Table::Networks, id)])?;
        self.model = without;
        for settings in &settings {
            self.close_bridge(settings.id());
            if let Some(port) = self.host_port(settings)? {
                self.remove_host_port(&port);
            }
        }
        self.apply_policies();
        tracing::info!(network = name, %id, "network removed");
        Ok(())
    }

    /// All networks, by name.
    #[must_use]
    pub fn list_networks(&self) -> Vec<api::NetworkSummary> {
        let mut networks: Vec<_> = self
            .model
            .networks()
            .map(|network| {
                let ports = self.model.endpoints_of(network.id).count();
                convert::summary(network, ports)
            })
            .collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        networks
    }

    /// One network in full.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is none.
    pub fn inspect_network(&self, term: &str) -> Result<api::NetworkInspect, ControlError> {
        let network = self.model.find_network(term)?;
        let endpoints = self.model.endpoints_of(network.id);
        let endpoints = endpoints.map(|endpoint| (endpoint, self.mac_of(endpoint)));
        let mut inspect = convert::inspect(network, endpoints);
        inspect.parent = self.parent_state(network);
        Ok(inspect)
    }

    /// Tells the workers what may cross each gateway, and the kernel which subnets it is to leave to
    /// us. Networks name each other, so all are looked at.
    pub(super) fn apply_policies(&mut self) {
        let ids: Vec<_> = self.model.networks().map(|network| network.id).collect();
        let settings: Vec<BridgeSettings> = ids
            .into_iter()
            .filter_map(|id| self.model.bridge_settings(id).ok())
            .flatten()
            .collect();
        self.dataplane.set_policies(&settings);
        let subnets = settings
            .iter()
            .flat_map(|network| {
                let routed = network.l3.iter().flat_map(|l3| l3.subnets.iter().copied());
                network.gateways.iter().map(IpNet::trunc).chain(routed)
            })
            .collect();
        self.outside.set_subnets(subnets);
        let routed = settings.iter().filter_map(|network| {
            network.l3.as_ref()?;
            parent_of(network).ok()?
        });
        if self.outside.set_routed(routed.collect()) {
            self.refresh_outside();
        }
    }

    fn realise_network(&mut self, id: NetworkId) -> Result<(), ControlError> {
        let segments = self.model.bridge_settings(id)?;
        segments
            .iter()
            .try_for_each(|settings| self.open_bridge(settings))
    }

    /// The way back when a network cannot be made.
    fn undo_network(&mut self, id: NetworkId) {
        for settings in self.model.bridge_settings(id).unwrap_or_default() {
            self.close_bridge(settings.id());
            if let Ok(Some(port)) = self.host_port(&settings) {
                self.remove_host_port(&port);
            }
        }
        if let Err(error) = self.model.remove_network(id) {
            tracing::error!(%id, "cannot forget the network: {error}");
        }
        self.close_unused_underlays();
    }
}
