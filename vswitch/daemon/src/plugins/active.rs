//! A plugin that was activated, and how it is asked.

use std::os::unix::fs::MetadataExt as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use vswitch_plugin::client::{CallError, Plugin};
use vswitch_plugin::discovery::Address;
use vswitch_plugin::{Empty, Method};

use super::{PluginError, Plugins};

/// A plugin in one of its lives.
#[derive(Debug, Clone)]
pub(super) struct Active {
    pub(super) identity: Identity,
    pub(super) plugin: Plugin,
}

/// What changes when a plugin is started anew: its address, and the socket there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    address: Address,
    /// Device, inode, and the time of the inode, which may be another file's again.
    socket: Option<(u64, u64, i64, i64)>,
}

/// A plugin to be asked.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) plugin: Plugin,
    pub(super) plugins: Plugins,
}

impl Identity {
    pub(super) fn of(address: &Address) -> Self {
        let metadata = match address {
            Address::Unix(path) => std::fs::metadata(path).ok(),
            Address::Tcp(..) => None,
        };
        Self {
            address: address.clone(),
            socket: metadata.map(|file| (file.dev(), file.ino(), file.ctime(), file.ctime_nsec())),
        }
    }
}

impl Caller {
    pub(super) fn name(&self) -> &str {
        self.plugin.name()
    }

    pub(super) async fn call<Q, R>(&self, method: Method, request: &Q) -> Result<R, PluginError>
    where
        Q: Serialize + Sync,
        R: DeserializeOwned,
    {
        let answer = self.plugin.call(method, request).await;
        answer.map_err(|source| {
            if !matches!(source, CallError::Refused { .. }) {
                self.plugins.forget(self.name());
            }
            source.into()
        })
    }

    /// As [`Caller::call`], where the answer says no more than that it is done.
    pub(super) async fn done<Q>(&self, method: Method, request: &Q) -> Result<(), PluginError>
    where
        Q: Serialize + Sync,
    {
        let Empty {} = self.call(method, request).await?;
        Ok(())
    }
}
