//! A segment's switch: its bridge in the data plane, its host port, its tunnels and its LAN.

use ipnet::IpNet;
use vswitch_cnm::{BridgeSettings, SegmentId};
use vswitch_netio::tap::Tap;

use super::{Control, ControlError};
use crate::dataplane::PortSpec;
use crate::edge::{EdgeError, HostPort, remove_interface};

impl Control {
    /// How the host port of a segment is to be; `None` if it has none.
    pub(super) fn host_port(
        &mut self,
        settings: &BridgeSettings,
    ) -> Result<Option<HostPort>, ControlError> {
        let addresses = match settings.lan {
            Some(_) => alone(&self.host_access(settings)?),
            None => settings.gateways.clone(),
        };
        self.host_port_with(settings, addresses)
    }

    /// As [`Control::host_port`], with these addresses.
    pub(super) fn host_port_with(
        &self,
        settings: &BridgeSettings,
        addresses: Vec<IpNet>,
    ) -> Result<Option<HostPort>, ControlError> {
        let Some(name) = &settings.host_port else {
            return Ok(None);
        };
        Ok(Some(HostPort {
            name: name.parse().map_err(EdgeError::from)?,
            alias: self.alias(&id_of(settings.id())),
            mac: settings.gateway_mac,
            mtu: settings.mtu,
            addresses,
        }))
    }

    /// Makes bridge, tunnels and host port. Nothing is left of them on failure.
    pub(super) fn open_bridge(&mut self, settings: &BridgeSettings) -> Result<(), ControlError> {
        self.dataplane
            .add_bridge(settings.clone())
            .map_err(ControlError::Dataplane)?;
        let opened = self
            .open_tunnels(settings)
            .and_then(|()| self.open_lan(settings))
            .and_then(|()| self.open_host_port(settings));
        if opened.is_err() {
            self.close_bridge(settings.id());
        }
        opened
    }

    /// Makes the host port of a bridge that is there, if it is to have one.
    pub(super) fn open_host_port(&mut self, settings: &BridgeSettings) -> Result<(), ControlError> {
        let Some(port) = self.host_port(settings)? else {
            return Ok(());
        };
        let tap = port.make(&mut self.host, self.queues)?;
        let connected = self.connect_host_port(settings.id(), tap);
        if connected.is_err() {
            self.remove_host_port(&port);
        }
        connected
    }

    /// Hands the queues of a host port to the workers.
    pub(super) fn connect_host_port(
        &mut self,
        segment: SegmentId,
        tap: Tap,
    ) -> Result<(), ControlError> {
        self.dataplane
            .add_port(PortSpec::Host(segment), tap)
            .map_err(ControlError::Dataplane)
    }

    /// Takes a bridge with all its ports from the workers.
    pub(super) fn close_bridge(&mut self, segment: SegmentId) {
        self.close_tunnels(segment);
        self.dataplane.remove_bridge(segment);
        self.close_lan(segment);
    }

    /// Deletes a host port's interface, once the workers let go of it.
    pub(super) fn remove_host_port(&mut self, port: &HostPort) {
        if let Err(error) = remove_interface(&mut self.host, &port.name, &port.alias) {
            tracing::error!(interface = %port.name, "cannot remove the host port: {error}");
        }
    }
}

/// Addresses without a subnet: that is by the NIC.
pub(super) fn alone(networks: &[IpNet]) -> Vec<IpNet> {
    let alone = |net: &IpNet| IpNet::from(net.addr());
    networks.iter().map(alone).collect()
}

/// A network's first segment has the network's id, as networks of one segment are the rule.
fn id_of(SegmentId { network, index }: SegmentId) -> String {
    match index {
        0 => network.to_string(),
        _ => format!("{network}.{index}"),
    }
}
