//! The start: what is on disk against what is in the kernel, one log line for each repair.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use vswitch_cnm::{BridgeSettings, Configurator, Endpoint, Phase, SandboxKey};
use vswitch_netio::netns::NamedNetns;
use vswitch_netio::tap::TapError;

use super::engine::is_unlocated;
use super::{Control, ControlError};
use crate::edge::{self, Adopted, EdgeError, HostPort, Namespace};
use crate::predecessor;
use crate::store::{Change, Table};

/// How often something was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// At the start: a predecessor that holds interfaces is waited for until then, and failures are
    /// errors in the log.
    First(Instant),
    /// Every few seconds.
    Again,
}

impl Control {
    /// Makes the kernel agree with the records. What cannot be made to is logged.
    ///
    /// # Errors
    /// Only if the host's own namespace cannot be looked at.
    pub(super) fn reconcile(&mut self) -> Result<(), ControlError> {
        let first = Attempt::First(Instant::now() + predecessor::PATIENCE);
        self.survey_handed_over();
        let endpoints = self.model.endpoints();
        let with_interface = endpoints.filter(|e| e.has_interface() && !self.is_plugins(e));
        self.waiting = with_interface.map(|endpoint| endpoint.id).collect();
        self.reconcile_networks(first)?;
        let keys: Vec<_> = self.model.sandboxes().map(|s| s.key.clone()).collect();
        for key in keys {
            if let Err(error) = self.reconcile_sandbox(&key, first) {
                tracing::error!(sandbox = %key, "cannot restore the sandbox, trying again: {error}");
            }
        }
        self.restore_guests();
        Ok(())
    }

    /// Tries again what failed at the start.
    pub(super) fn retry_waiting(&mut self) {
        let waiting = self
            .waiting
            .iter()
            .filter_map(|&id| self.model.endpoint(id));
        let keys: BTreeSet<SandboxKey> = waiting.filter_map(|e| e.sandbox.clone()).collect();
        for key in keys {
            if let Err(error) = self.reconcile_sandbox(&key, Attempt::Again) {
                tracing::debug!(sandbox = %key, "still cannot restore the sandbox: {error}");
            }
        }
    }

    /// Bridges and host ports; and no interface of ours in the host's namespace without a network.
    fn reconcile_networks(&mut self, attempt: Attempt) -> Result<(), ControlError> {
        let ids: Vec<_> = self.model.networks().map(|network| network.id).collect();
        let mut bridges: Vec<BridgeSettings> = Vec::new();
        for id in ids {
            self.note_parent(id)?;
            bridges.extend(self.model.bridge_settings(id)?);
        }
        let mut ports: BTreeMap<String, (BridgeSettings, HostPort)> = BTreeMap::new();
        for settings in bridges {
            self.dataplane
                .add_bridge(settings.clone())
                .map_err(ControlError::Dataplane)?;
            self.restore_tunnels(&settings);
            self.restore_lan(&settings);
            if let Some(port) = self.host_port(&settings)? {
                ports.insert(port.alias.clone(), (settings, port));
            }
        }
        let mut handed_over: BTreeMap<String, Endpoint> = self
            .model
            .endpoints()
            .filter(|endpoint| self.waiting.contains(&endpoint.id) && is_unlocated(endpoint))
            .map(|endpoint| (self.alias(&endpoint.id), endpoint.clone()))
            .collect();
        // Endpoints' interfaces are here only until they are moved, which an engine may have yet to do.
        let wanted = ports.keys().chain(handed_over.keys()).cloned().collect();
        let (daemon, queues) = (self.daemon_id(), self.queues);
        let survey = edge::survey(
            &mut self.host,
            daemon,
            &wanted,
            &BTreeSet::new(),
            queues,
            attempt.deadline(),
        )?;
        for orphan in survey.orphans {
            tracing::warn!(interface = %orphan, "orphaned interface removed");
        }
        for adopted in survey.adopted {
            if let Some(endpoint) = handed_over.remove(&adopted.alias) {
                match adopted
                    .tap
                    .map_err(ControlError::from)
                    .and_then(|tap| self.connect_port(endpoint.id, tap))
                {
                    Ok(()) => drop(self.waiting.remove(&endpoint.id)),
                    Err(error) => attempt.failed(&endpoint, &error),
                }
                continue;
            }
            let Some((settings, port)) = ports.remove(&adopted.alias) else {
                continue;
            };
            if let Err(error) = self.adopt_host_port(&settings, &port, adopted) {
                let network = settings.name;
                tracing::error!(network, "cannot restore the host port: {error}");
            }
        }
        for (settings, _) in ports.into_values() {
            let network = &settings.name;
            match self.open_host_port(&settings) {
                Ok(()) => tracing::warn!(network, "the host port was missing: made anew"),
                Err(error) => tracing::error!(network, "cannot make the host port: {error}"),
            }
        }
        Ok(())
    }

    fn adopt_host_port(
        &mut self,
        settings: &BridgeSettings,
        port: &HostPort,
        adopted: Adopted,
    ) -> Result<(), ControlError> {
        let tap = adopted.tap?;
        set_mtu(&mut self.host, adopted.index, adopted.mtu, port.mtu)?;
        self.connect_host_port(settings.id(), tap)
    }

    /// A sandbox, with those of its endpoints that wait for it.
    fn reconcile_sandbox(
        &mut self,
        key: &SandboxKey,
        attempt: Attempt,
    ) -> Result<(), ControlError> {
        let Some(record) = self.model.sandbox(key).cloned() else {
            return Ok(());
        };
        if record.owned && record.netns.is_none() {
            return self.undo_half_made_sandbox(key);
        }
        if record.netns.is_none() && self.model.endpoints_in(key).any(is_unlocated) {
            return self.bury_unlocated(key);
        }
        let Some(mut sandbox) = self.enter_if_alive(key)? else {
            return self.bury(key);
        };
        let mut changed = self.finish_half_done(key, &mut sandbox)?;
        let mut missing: BTreeMap<String, Endpoint> = self
            .model
            .endpoints_in(key)
            .filter(|endpoint| self.waiting.contains(&endpoint.id))
            .map(|endpoint| (self.alias(&endpoint.id), endpoint.clone()))
            .collect();
        changed |= self.adopt(key, &mut sandbox, &mut missing, attempt)?;
        for endpoint in missing.into_values() {
            changed = true;
            if endpoint.configured_by == Configurator::Engine {
                self.bury_endpoint(endpoint.id, "its interface is gone: endpoint removed")?;
                continue;
            }
            self.recreate(&endpoint, &mut sandbox, attempt);
        }
        if changed {
            self.set_default_routes(key, &mut sandbox)?;
        }
        Ok(())
    }

    /// Opens the interfaces that are there, and takes them off `missing`. True if something was removed.
    fn adopt(
        &mut self,
        key: &SandboxKey,
        sandbox: &mut Namespace,
        missing: &mut BTreeMap<String, Endpoint>,
        attempt: Attempt,
    ) -> Result<bool, ControlError> {
        let wanted: BTreeSet<String> = missing.keys().cloned().collect();
        let known: BTreeSet<String> = self
            .model
            .endpoints_in(key)
            .map(|endpoint| self.alias(&endpoint.id))
            .collect();
        let survey = edge::survey(
            sandbox,
            self.daemon_id(),
            &wanted,
            &known,
            self.queues,
            attempt.deadline(),
        )?;
        for orphan in &survey.orphans {
            tracing::warn!(sandbox = %key, interface = %orphan, "orphaned interface removed");
        }
        for adopted in survey.adopted {
            // It was not kept yet, and has gone with the process that held it.
            if matches!(&adopted.tap, Err(EdgeError::Tap(TapError::NotFound { .. }))) {
                continue;
            }
            let Some(endpoint) = missing.remove(&adopted.alias) else {
                continue;
            };
            match self.adopt_endpoint(&endpoint, sandbox, adopted) {
                Ok(()) => {
                    self.waiting.remove(&endpoint.id);
                    // The queues were opened inside. The host's namespace is ours anyway.
                    if !key.is_host() {
                        self.pinned.insert(key.clone());
                    }
                }
                Err(error) => attempt.failed(&endpoint, &error),
            }
        }
        Ok(!survey.orphans.is_empty())
    }

    fn adopt_endpoint(
        &mut self,
        endpoint: &Endpoint,
        sandbox: &mut Namespace,
        adopted: Adopted,
    ) -> Result<(), ControlError> {
        let tap = adopted.tap?;
        if let Some(settings) = self.model.port_settings(endpoint.id)? {
            set_mtu(sandbox, adopted.index, adopted.mtu, settings.mtu)?;
            let mac = self.interface_mac(&settings);
            edge::adjust(sandbox, &adopted.alias, mac, settings.mtu)?;
        }
        self.connect_port(endpoint.id, tap)
    }

    /// An interface that somebody deleted while no daemon was there.
    fn recreate(&mut self, endpoint: &Endpoint, sandbox: &mut Namespace, attempt: Attempt) {
        match self.connect_endpoint(endpoint, sandbox) {
            Ok(()) => {
                self.waiting.remove(&endpoint.id);
                tracing::warn!(
                    sandbox = endpoint.whereabouts(),
                    interface = endpoint.ifname,
                    "the interface was missing: made anew"
                );
            }
            Err(error) => {
                self.disconnect_endpoint(endpoint, sandbox);
                attempt.failed(endpoint, &error);
            }
        }
    }

    /// Endpoints that a crash caught while they were attached or detached.
    fn finish_half_done(
        &mut self,
        key: &SandboxKey,
        sandbox: &mut Namespace,
    ) -> Result<bool, ControlError> {
        let half_done: Vec<Endpoint> = self
            .model
            .endpoints_in(key)
            .filter(|endpoint| endpoint.phase != Phase::Attached)
            .filter(|endpoint| !self.acquiring.contains(&endpoint.id))
            .filter(|endpoint| !self.is_plugins(endpoint))
            .cloned()
            .collect();
        for endpoint in &half_done {
            self.remove_endpoint_interface(endpoint, sandbox)?;
            self.forget_endpoint(endpoint.id)?;
            self.release_later(endpoint);
            let what = match endpoint.phase {
                Phase::Detaching => "detaching was interrupted: finished",
                _ => "attaching was interrupted: undone",
            };
            tracing::warn!(sandbox = %key, interface = endpoint.ifname, id = %endpoint.id, "{what}");
        }
        Ok(!half_done.is_empty())
    }

    /// A crash came between the record and the namespace, or between the namespace and its number.
    fn undo_half_made_sandbox(&mut self, key: &SandboxKey) -> Result<(), ControlError> {
        if let Ok(file) = key.to_string().parse() {
            // Not there, as likely as not.
            let _ = NamedNetns::delete(&file);
        }
        self.model.remove_sandbox(key)?;
        self.store
            .commit(&[Change::delete(Table::Sandboxes, key)])?;
        tracing::warn!(sandbox = %key, "making the sandbox was interrupted: undone");
        Ok(())
    }
}

impl Attempt {
    fn deadline(self) -> Instant {
        match self {
            Self::First(deadline) => deadline,
            Self::Again => Instant::now(),
        }
    }

    fn failed(self, endpoint: &Endpoint, error: &ControlError) {
        let (sandbox, interface) = (endpoint.whereabouts(), &endpoint.ifname);
        match self {
            Self::First(_) => tracing::error!(
                %sandbox,
                interface,
                "cannot restore the interface, trying again: {error}"
            ),
            Self::Again => {
                tracing::debug!(%sandbox, interface, "still cannot restore it: {error}");
            }
        }
    }
}

/// The default may have changed since the interface was made.
fn set_mtu(
    namespace: &mut Namespace,
    index: u32,
    present: u32,
    wanted: u16,
) -> Result<(), EdgeError> {
    if present != u32::from(wanted) {
        namespace.netlink.set_mtu(index, u32::from(wanted))?;
        tracing::info!(
            interface = index,
            from = present,
            to = wanted,
            "MTU changed"
        );
    }
    Ok(())
}
