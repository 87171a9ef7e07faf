//! Somebody else's network and IPAM drivers: Docker's plugins, for which the daemon is what libnetwork is.
//!
//! A plugin is found by its name when it is needed, as Docker finds it, and activated once in its life. What
//! it is asked takes its time, so none of this is for the control thread, but for looking whether a plugin is
//! there at all.

mod active;
mod error;
mod ipam_driver;
mod network_driver;
mod pools;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vswitch_plugin::client::Plugin;
use vswitch_plugin::discovery::{Address, Discovery};
use vswitch_plugin::{IPAM_DRIVER, NETWORK_DRIVER};

pub use error::PluginError;
pub use ipam_driver::{IpamDriver, Lent};
pub use network_driver::NetworkDriver;
pub use pools::{Pool, PoolsWanted};

use active::{Active, Caller, Identity};

/// How long a plugin may take for one answer. Docker waits for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// All plugins that can be found. Clones know of the same.
#[derive(Debug, Clone)]
pub struct Plugins {
    discovery: Arc<Discovery>,
    /// Where the daemon is a plugin itself.
    own: Option<Arc<Path>>,
    active: Arc<Mutex<HashMap<String, Active>>>,
}

impl Plugins {
    /// Those that are found in these folders, but for the daemon itself, which is one at the socket `own`.
    #[must_use]
    pub fn new(discovery: Discovery, own: Option<&Path>) -> Self {
        Self {
            discovery: Arc::new(discovery),
            own: own.map(Arc::from),
            active: Arc::default(),
        }
    }

    /// Looks whether there is a plugin of that name; does not speak to it.
    ///
    /// # Errors
    /// [`PluginError::Missing`].
    pub fn look_for(&self, name: &str) -> Result<(), PluginError> {
        self.find(name).map(drop)
    }

    /// The network driver of that name.
    ///
    /// # Errors
    /// [`PluginError`] if it is not there, does not answer, or is no network driver.
    pub async fn network_driver(&self, name: &str) -> Result<NetworkDriver, PluginError> {
        let plugin = self.activated(name, NETWORK_DRIVER).await?;
        Ok(NetworkDriver::new(self.caller(plugin)))
    }

    /// The IPAM driver of that name.
    ///
    /// # Errors
    /// [`PluginError`] if it is not there, does not answer, or is no IPAM driver.
    pub async fn ipam_driver(&self, name: &str) -> Result<IpamDriver, PluginError> {
        let plugin = self.activated(name, IPAM_DRIVER).await?;
        Ok(IpamDriver::new(self.caller(plugin)))
    }

    /// Activates the plugin unless that was done in its present life, which begins with its socket.
    async fn activated(&self, name: &str, role: &'static str) -> Result<Plugin, PluginError> {
        let address = self.find(name)?;
        let identity = Identity::of(&address);
        let known = self.active().get(name).cloned();
        let plugin = match known.filter(|known| known.identity == identity) {
            Some(known) => known.plugin,
            None => {
                let plugin = Plugin::activate(name, address, PATIENCE).await?;
                let active = Active {
                    identity,
                    plugin: plugin.clone(),
                };
                self.active().insert(name.to_owned(), active);
                tracing::info!(plugin = name, "plugin activated");
                plugin
            }
        };
        if !plugin.implements(role) {
            return Err(PluginError::Role {
                name: name.to_owned(),
                role,
            });
        }
        Ok(plugin)
    }

    fn find(&self, name: &str) -> Result<Address, PluginError> {
        let address = self.discovery.find(name)?;
        match (&address, &self.own) {
            (Address::Unix(path), Some(own)) if is_same_file(path, own) => Err(PluginError::Own {
                name: name.to_owned(),
            }),
            _ => Ok(address),
        }
    }

    fn caller(&self, plugin: Plugin) -> Caller {
        Caller {
            plugin,
            plugins: self.clone(),
        }
    }

    /// A plugin that did not answer is activated again before it is asked the next time.
    fn forget(&self, name: &str) {
        self.active().remove(name);
    }

    fn active(&self) -> MutexGuard<'_, HashMap<String, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    file(one).is_some_and(|it| Some(it) == file(other))
}
