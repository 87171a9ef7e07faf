//! Commands about published ports.

use std::collections::{BTreeMap, HashSet};

use vswitch_api as api;
use vswitch_cnm::publish::{PortHolder as _, PortSpec, Protocol, PublishedPort};
use vswitch_cnm::{Endpoint, EndpointId, SegmentId};
use vswitch_nat as nat;

use super::{Control, ControlError, convert};
use crate::dataplane::EndpointPorts;
use crate::store::{Change, Table};

impl Control {
    /// Publishes ports of an endpoint. Returns what is published now that was not before.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn publish(
        &mut self,
        network: &str,
        sandbox: &str,
        request: &api::Publish,
    ) -> Result<Vec<api::PublishedPort>, ControlError> {
        let id = self.endpoint_of(network, sandbox)?;
        let added = self.publish_endpoint(id, &specs(&request.ports)?)?;
        Ok(self.published(id, &added))
    }

    /// As [`Control::publish`], of an endpoint by its id.
    pub(super) fn publish_endpoint(
        &mut self,
        id: EndpointId,
        specs: &[PortSpec],
    ) -> Result<Vec<PublishedPort>, ControlError> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let mut model = self.model.clone();
        let added = model.publish(id, specs, &mut self.held_ports)?;
        if let Err(error) = self.record_ports(model.endpoint(id)) {
            for port in &added {
                self.held_ports.let_go(port);
            }
            return Err(error);
        }
        self.model = model;
        self.republish();
        Ok(added)
    }

    /// The reverse. Returns what is published no more.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn unpublish(
        &mut self,
        network: &str,
        sandbox: &str,
        request: &api::Publish,
    ) -> Result<Vec<api::PublishedPort>, ControlError> {
        let id = self.endpoint_of(network, sandbox)?;
        let removed = self.unpublish_endpoint(id, &specs(&request.ports)?)?;
        Ok(self.published(id, &removed))
    }

    /// As [`Control::unpublish`], of an endpoint by its id.
    pub(super) fn unpublish_endpoint(
        &mut self,
        id: EndpointId,
        specs: &[PortSpec],
    ) -> Result<Vec<PublishedPort>, ControlError> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let mut model = self.model.clone();
        let removed = model.unpublish(id, specs)?;
        self.record_ports(model.endpoint(id))?;
        self.model = model;
        for port in &removed {
            self.held_ports.let_go(port);
        }
        self.republish();
        Ok(removed)
    }

    /// Published ports, of one network or of all.
    ///
    /// # Errors
    /// [`ControlError::Model`] if there is no such network.
    pub fn ports(&self, network: Option<&str>) -> Result<Vec<api::PublishedPort>, ControlError> {
        let network = self.network_id(network)?;
        let mut ports: Vec<api::PublishedPort> = self
            .model
            .endpoints()
            .filter(|endpoint| network.is_none_or(|network| network == endpoint.network))
            .flat_map(|endpoint| self.published(endpoint.id, &endpoint.published))
            .collect();
        ports.sort_by(|a, b| {
            (&a.network, &a.sandbox, &a.binding).cmp(&(&b.network, &b.sandbox, &b.binding))
        });
        Ok(ports)
    }

    /// Takes the host's ports again that were published before the daemon started.
    pub(super) fn restore_published(&mut self) {
        for endpoint in self.model.endpoints() {
            for port in &endpoint.published {
                if let Err(error) = self.held_ports.try_hold(port) {
                    tracing::error!(
                        sandbox = endpoint.whereabouts(),
                        "cannot publish {port} again: {error}"
                    );
                }
            }
        }
        self.republish();
    }

    /// Tells the workers, the ingress programs and the sockets for local clients what is published
    /// now, and where it leads.
    pub(super) fn republish(&mut self) {
        self.republish_without(None);
    }

    /// As [`Control::republish`], but for an endpoint that is about to go.
    pub(super) fn republish_without(&mut self, going: Option<EndpointId>) {
        let mut ports = Vec::new();
        // There may be thousands of endpoints, and few segments.
        let mut has_host_port = BTreeMap::new();
        let publishing = self.model.endpoints().filter(|e| !e.published.is_empty());
        for endpoint in publishing.filter(|e| Some(e.id) != going) {
            // What has no port, yet or any more, cannot be led to.
            let owner = self.dataplane.owner(endpoint.id);
            let is_reached = self.segment_of(endpoint).is_some_and(|segment| {
                *has_host_port
                    .entry(segment)
                    .or_insert_with(|| self.has_host_port(segment))
            });
            for port in &endpoint.published {
                ports.extend(owner.and_then(|owner| translated(endpoint, owner, port)));
                let target = endpoint.target(port).filter(|_| is_reached);
                self.held_ports.lead(port, target);
            }
        }
        if ports != self.published {
            self.dataplane.set_published(&ports);
            let before = std::mem::replace(&mut self.published, ports);
            let (old, new): (HashSet<_>, HashSet<_>) =
                (before.iter().collect(), self.published.iter().collect());
            let changed = old.symmetric_difference(&new);
            changed.for_each(|entry| self.end_mappings(entry));
            self.outside.set_published(&self.published, &self.dataplane);
        }
    }

    /// What goes on through a port that is published no more, and what is in the way of one that is.
    fn end_mappings(&self, entry: &EndpointPorts) {
        let Some((host, ports)) = &entry.host else {
            return;
        };
        for &address in &self.host_addresses {
            let covers = host.is_unspecified() && address.is_ipv4() == host.is_ipv4();
            if covers || *host == address {
                self.dataplane
                    .end_mappings(entry.protocol, address, ports.clone());
            }
        }
    }

    fn endpoint_of(&self, network: &str, sandbox: &str) -> Result<EndpointId, ControlError> {
        let network = self.model.find_network(network)?.id;
        let key = sandbox.parse().map_err(vswitch_cnm::Error::from)?;
        let key = self.known_as(key);
        Ok(self.model.find_endpoint(network, &key)?.id)
    }

    fn record_ports(&mut self, endpoint: Option<&Endpoint>) -> Result<(), ControlError> {
        if let Some(endpoint) = endpoint {
            let change = Change::put(Table::Endpoints, endpoint.id, endpoint)?;
            self.store.commit(&[change])?;
        }
        Ok(())
    }

    fn segment_of(&self, endpoint: &Endpoint) -> Option<SegmentId> {
        let settings = self.model.port_settings(endpoint.id).ok().flatten();
        settings.map(|port| port.segment_id())
    }

    /// By that, the host's own programs come.
    fn has_host_port(&self, segment: SegmentId) -> bool {
        let settings = self.segment_settings(segment);
        settings.is_some_and(|segment| segment.host_port.is_some())
    }

    fn published(&self, id: EndpointId, ports: &[PublishedPort]) -> Vec<api::PublishedPort> {
        let Some(endpoint) = self.model.endpoint(id) else {
            return Vec::new();
        };
        let network = self.network_name(endpoint.network).unwrap_or_default();
        let row = |port: &PublishedPort| {
            Some(api::PublishedPort {
                network: network.clone(),
                sandbox: convert::sandbox(endpoint),
                endpoint: endpoint.id.to_string(),
                binding: convert::binding(endpoint, port)?,
            })
        };
        ports.iter().filter_map(row).collect()
    }
}

/// From the user's texts.
pub(super) fn specs(texts: &[String]) -> Result<Vec<PortSpec>, ControlError> {
    texts
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|error| ControlError::Model(vswitch_cnm::Error::from(error)))
        })
        .collect()
}

/// What the router does for a published port; nothing for one that only the host's own programs reach,
/// or whose clients speak another family than the endpoint.
fn translated(
    endpoint: &Endpoint,
    owner: nat::Owner,
    port: &PublishedPort,
) -> Option<EndpointPorts> {
    let inside = endpoint.target(port)?;
    if port.host_ip.is_loopback() || inside.is_ipv4() != port.host_ip.is_ipv4() {
        return None;
    }
    Some(EndpointPorts {
        owner,
        protocol: match port.protocol {
            Protocol::Tcp => nat::Protocol::Tcp,
            Protocol::Udp => nat::Protocol::Udp,
            Protocol::Sctp => nat::Protocol::Sctp,
        },
        host: port
            .host
            .map(|host| (port.host_ip, host.first()..=host.last())),
        inside,
        ports: port.container.first()..=port.container.last(),
    })
}
