//! Sandboxes and interfaces that go while the daemon runs.

use vswitch_cnm::{Endpoint, EndpointId, Phase, Sandbox, SandboxKey, SegmentId};

use super::engine::is_unlocated;
use super::{Control, ControlError, edge_id};
use crate::dataplane::{PortEvent, PortName};
use crate::edge;
use crate::store::{Change, Table};

impl Control {
    /// Acts on what the workers noticed.
    pub fn port_event(&mut self, event: PortEvent) {
        let port = match event {
            PortEvent::Gone(port) => port,
            PortEvent::Stranger(stranger) => return self.stranger(&stranger),
        };
        let result = match port {
            PortName::Endpoint(id) => self.endpoint_gone(id),
            PortName::Host(segment) => self.host_port_gone(segment),
            PortName::Uplink(_) => {
                self.refresh_outside();
                Ok(())
            }
            // Sockets do not vanish.
            PortName::Parent(_) | PortName::Underlay(_) | PortName::Vtep(..) => Ok(()),
        };
        if let Err(error) = result {
            tracing::error!("cannot clean up after a port that is gone: {error}");
        }
    }

    /// Looks after what nobody tells of: namespaces that only we keep alive, files of namespaces that
    /// were removed, and interfaces that could not be had. Cheap enough to be called every few seconds.
    pub fn sweep(&mut self) {
        let suspects: Vec<SandboxKey> = self
            .model
            .sandboxes()
            .filter(|sandbox| self.is_watched(sandbox))
            .filter(|sandbox| {
                let id = sandbox.netns.map(edge_id);
                id.is_some_and(|id| !edge::is_there(&sandbox.key, id))
            })
            .map(|sandbox| sandbox.key.clone())
            .collect();
        for key in suspects {
            let buried = match self.enter_if_alive(&key) {
                Ok(Some(_)) => Ok(()),
                Ok(None) => self.bury(&key),
                Err(error) => Err(error),
            };
            if let Err(error) = buried {
                tracing::error!(sandbox = %key, "cannot look after the sandbox: {error}");
            }
        }
        self.retry_waiting();
        self.locate_handed_over();
        self.look_after_tunnels();
        // The news of some interfaces is not followed, as there may be very many of their kind.
        self.refresh_parents();
        if let Err(error) = self.outside.look_at_sockets(&self.dataplane) {
            tracing::debug!("{error:#}");
        }
    }

    /// Removes a sandbox whose namespace is gone, with its endpoints.
    pub(super) fn bury(&mut self, key: &SandboxKey) -> Result<(), ControlError> {
        let Some(sandbox) = self.model.sandbox(key).cloned() else {
            return Ok(());
        };
        let endpoints: Vec<_> = self.model.endpoints_in(key).map(|e| e.id).collect();
        for id in endpoints {
            self.bury_endpoint(id, "its namespace is gone: endpoint removed")?;
        }
        // Plugins may have to be told of some before these are gone.
        if sandbox.owned && self.model.endpoints_in(key).next().is_none() {
            self.model.remove_sandbox(key)?;
            self.store
                .commit(&[Change::delete(Table::Sandboxes, key)])?;
            tracing::warn!(sandbox = %key, "its namespace is gone: sandbox removed");
        }
        Ok(())
    }

    /// Those that no event of a port tells of.
    fn is_watched(&self, sandbox: &Sandbox) -> bool {
        let mut endpoints = self.model.endpoints_in(&sandbox.key);
        let has_port = |endpoint: &Endpoint| endpoint.has_interface() && !self.is_plugins(endpoint);
        self.pinned.contains(&sandbox.key) || !endpoints.any(has_port)
    }

    fn endpoint_gone(&mut self, id: EndpointId) -> Result<(), ControlError> {
        let Some(endpoint) = self.model.endpoint(id).cloned() else {
            return Ok(());
        };
        // A command that began to undo it has the next word.
        if endpoint.phase != Phase::Attached {
            return Ok(());
        }
        // Nobody has seen it in its sandbox, so this says nothing of the others there.
        if is_unlocated(&endpoint) {
            return self.bury_endpoint(id, "its interface is gone: endpoint removed");
        }
        let Some(mut sandbox) = self.enter_sandbox_of(&endpoint)? else {
            return match &endpoint.sandbox {
                Some(key) => self.bury(key),
                None => Ok(()),
            };
        };
        self.bury_endpoint(id, "somebody deleted its interface: endpoint removed")?;
        self.set_default_routes_around(&endpoint, &mut sandbox)?;
        Ok(())
    }

    pub(super) fn bury_endpoint(&mut self, id: EndpointId, why: &str) -> Result<(), ControlError> {
        let Some(endpoint) = self.model.endpoint(id).cloned() else {
            return Ok(());
        };
        if self.part_later(&endpoint, why)? {
            return Ok(());
        }
        self.disconnect_port(id);
        self.forget_endpoint(id)?;
        self.release_later(&endpoint);
        tracing::warn!(
            sandbox = endpoint.whereabouts(),
            interface = endpoint.ifname,
            %id,
            "{why}"
        );
        Ok(())
    }

    fn host_port_gone(&mut self, segment: SegmentId) -> Result<(), ControlError> {
        self.dataplane.remove_port(&PortName::Host(segment));
        let Some(settings) = self.segment_settings(segment) else {
            return Ok(());
        };
        self.open_host_port(&settings)?;
        tracing::warn!(
            network = settings.name,
            "somebody deleted the host port: made anew"
        );
        Ok(())
    }
}
