//! A network's switch: its bridge in the data plane, and its host port.

use vswitch_cnm::{BridgeSettings, NetworkId};
use vswitch_netio::tap::Tap;

use super::{Control, ControlError};
use crate::dataplane::PortSpec;
use crate::edge::{EdgeError, HostPort, remove_interface};

impl Control {
    /// How the host port of a network is to be; `None` if it has none.
    pub(super) fn host_port(
        &self,
        settings: &BridgeSettings,
    ) -> Result<Option<HostPort>, EdgeError> {
        let Some(name) = &settings.host_port else {
            return Ok(None);
        };
        Ok(Some(HostPort {
            name: name.parse()?,
            alias: self.alias(&settings.network),
            mac: settings.gateway_mac,
            mtu: settings.mtu,
            gateways: settings.gateways.clone(),
        }))
    }

    /// Makes bridge and host port. Nothing is left of them on failure.
    pub(super) fn open_bridge(&mut self, settings: &BridgeSettings) -> Result<(), ControlError> {
        let network = settings.network;
        self.dataplane
            .add_bridge(settings.clone())
            .map_err(ControlError::Dataplane)?;
        let opened = self.open_host_port(settings);
        if opened.is_err() {
            self.close_bridge(network);
        }
        opened
    }

    /// Makes the host port of a bridge that is there, if it is to have one.
    pub(super) fn open_host_port(&mut self, settings: &BridgeSettings) -> Result<(), ControlError> {
        let Some(port) = self.host_port(settings)? else {
            return Ok(());
        };
        let tap = port.make(&mut self.host, self.queues)?;
        let connected = self.connect_host_port(settings.network, tap);
        if connected.is_err() {
            self.remove_host_port(&port);
        }
        connected
    }

    /// Hands the queues of a host port to the workers.
    pub(super) fn connect_host_port(
        &mut self,
        network: NetworkId,
        tap: Tap,
    ) -> Result<(), ControlError> {
        self.dataplane
            .add_port(PortSpec::Host(network), tap)
            .map_err(ControlError::Dataplane)
    }

    /// Takes a bridge with all its ports from the workers.
    pub(super) fn close_bridge(&mut self, network: NetworkId) {
        self.dataplane.remove_bridge(network);
    }

    /// Deletes a host port's interface, once the workers let go of it.
    pub(super) fn remove_host_port(&mut self, port: &HostPort) {
        if let Err(error) = remove_interface(&mut self.host, &port.name, &port.alias) {
            tracing::error!(interface = %port.name, "cannot remove the host port: {error}");
        }
    }
}
