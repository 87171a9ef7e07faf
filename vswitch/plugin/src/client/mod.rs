//! Asking somebody else's plugin.

mod error;
mod exchange;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::discovery::Address;
use crate::{Activation, Method};

pub use error::CallError;

/// A plugin that was activated.
#[derive(Debug, Clone)]
pub struct Plugin {
    name: String,
    address: Address,
    timeout: Duration,
    implements: Vec<String>,
}

impl Plugin {
    /// Asks the plugin what it implements. No call takes longer than `timeout`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn activate(
        name: &str,
        address: Address,
        timeout: Duration,
    ) -> Result<Self, CallError> {
        let mut plugin = Self {
            name: name.to_owned(),
            address,
            timeout,
            implements: Vec::new(),
        };
        let activation: Activation = plugin.call(Method::Activate, &()).await?;
        plugin.implements = activation.implements;
        Ok(plugin)
    }

    /// The name given to [`Plugin::activate`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it said that it is one of these: [`NETWORK_DRIVER`](crate::NETWORK_DRIVER),
    /// [`IPAM_DRIVER`](crate::IPAM_DRIVER).
    #[must_use]
    pub fn implements(&self, driver: &str) -> bool {
        self.implements.iter().any(|name| name == driver)
    }

    /// One call, over a connection of its own, so that a plugin may be restarted between two. A method
    /// without a body ignores `request`: give `&()`.
    ///
    /// While nobody listens, it is tried again until the time is up. As in libnetwork, a plugin that
    /// knows neither `ProgramExternalConnectivity` nor its reverse (status 404) has nothing to do there.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<Q: Serialize, R: DeserializeOwned>(
        &self,
        method: Method,
        request: &Q,
    ) -> Result<R, CallError> {
        let deadline = Instant::now() + self.timeout;
        self.exchange(method, request, deadline).await
    }
}
