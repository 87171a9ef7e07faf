//! Commands about sandboxes.

use vswitch_api as api;
use vswitch_cnm::{Sandbox, SandboxKey};
use vswitch_netio::netns::{NamedNetns, NetnsError, NetnsName};

use super::{Control, ControlError, netns_id};
use crate::edge::{EdgeError, Namespace};
use crate::store::{Change, StoreError, Table};

impl Control {
    /// Makes a named namespace with loopback up.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn create_sandbox(&mut self, name: &str) -> Result<api::Sandbox, ControlError> {
        let key: SandboxKey = name.parse().map_err(vswitch_cnm::Error::from)?;
        let mut with = self.model.clone();
        let planned = with.add_sandbox(key, None)?;
        let key = planned.key.clone();
        let file = file_name(&key)?;
        // Nobody else's namespace may be taken for one that a crash left half-made.
        match NamedNetns::open(file.clone()) {
            Err(NetnsError::NotFound { .. }) => {}
            Ok(_) | Err(NetnsError::NotANamespace { .. }) => {
                return Err(EdgeError::from(NetnsError::Exists { name: file }).into());
            }
            Err(error) => return Err(EdgeError::from(error).into()),
        }
        self.store.commit(&[put_sandbox(&planned)?])?;
        match self.realise_sandbox(&mut with, &key, file) {
            Ok(()) => {
                self.model = with;
                tracing::info!(sandbox = %key, "sandbox created");
                self.inspect_sandbox(&key.to_string())
            }
            Err(error) => {
                if let Err(error) = self.store.commit(&[Change::delete(Table::Sandboxes, &key)]) {
                    tracing::error!(sandbox = %key, "cannot remove the record: {error}");
                }
                Err(error)
            }
        }
    }

    /// Removes a namespace that [`Control::create_sandbox`] made.
    ///
    /// # Errors
    /// [`ControlError`]; nothing has changed then.
    pub fn remove_sandbox(&mut self, name: &str) -> Result<(), ControlError> {
        let key: SandboxKey = name.parse().map_err(vswitch_cnm::Error::from)?;
        let mut without = self.model.clone();
        without.remove_sandbox(&key)?;
        match NamedNetns::delete(&file_name(&key)?) {
            // Somebody else removed it: that is what was asked for.
            Ok(()) | Err(NetnsError::NotFound { .. }) => {}
            Err(error) => return Err(EdgeError::from(error).into()),
        }
        self.model = without;
        self.store
            .commit(&[Change::delete(Table::Sandboxes, &key)])?;
        tracing::info!(sandbox = %key, "sandbox removed");
        Ok(())
    }

    /// All sandboxes, by key.
    #[must_use]
    pub fn list_sandboxes(&self) -> Vec<api::Sandbox> {
        self.model
            .sandboxes()
            .map(|sandbox| self.describe_sandbox(sandbox))
            .collect()
    }

    /// One sandbox.
    ///
    /// # Errors
    /// [`ControlError::Model`] if it is not known.
    pub fn inspect_sandbox(&self, name: &str) -> Result<api::Sandbox, ControlError> {
        let key: SandboxKey = name.parse().map_err(vswitch_cnm::Error::from)?;
        let sandbox = self.model.sandbox(&key);
        let sandbox = sandbox.ok_or(vswitch_cnm::Error::SandboxNotFound { sandbox: key })?;
        Ok(self.describe_sandbox(sandbox))
    }

    fn describe_sandbox(&self, sandbox: &Sandbox) -> api::Sandbox {
        let mut endpoints: Vec<_> = self.model.endpoints_in(&sandbox.key).collect();
        endpoints.sort_by_key(|endpoint| endpoint.created);
        api::Sandbox {
            name: sandbox.key.to_string(),
            owned: sandbox.owned,
            netns: sandbox.netns.map(|id| id.ino),
            endpoints: endpoints
                .into_iter()
                .filter_map(|endpoint| self.describe(endpoint).ok())
                .collect(),
        }
    }

    fn realise_sandbox(
        &mut self,
        with: &mut vswitch_cnm::Model,
        key: &SandboxKey,
        file: NetnsName,
    ) -> Result<(), ControlError> {
        let named = NamedNetns::create(file).map_err(EdgeError::from)?;
        let name = named.name.clone();
        let finish = || -> Result<(), ControlError> {
            let id = netns_id(named.netns.id());
            Namespace::enter(named.netns)?.set_loopback_up()?;
            let record = with.set_netns(key, Some(id))?;
            Ok(self.store.commit(&[put_sandbox(&record)?])?)
        };
        let finished = finish();
        if finished.is_err()
            && let Err(error) = NamedNetns::delete(&name)
        {
            tracing::error!(sandbox = %key, "cannot remove the namespace: {error}");
        }
        finished
    }
}

fn put_sandbox(sandbox: &Sandbox) -> Result<Change, StoreError> {
    Change::put(Table::Sandboxes, &sandbox.key, sandbox)
}

/// Of a sandbox that has a name, as those that are made here have.
fn file_name(key: &SandboxKey) -> Result<NetnsName, ControlError> {
    let name = key.to_string();
    name.parse()
        .map_err(|error| ControlError::Request(format!("{error}")))
}
