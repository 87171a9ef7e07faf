//! A plugin as a network driver.

use vswitch_plugin::network_driver::{
    Capabilities, CreateEndpoint, CreateEndpointReply, CreateNetwork, DeleteNetwork, EndpointRef,
    Join, JoinReply, ProgramExternalConnectivity,
};
use vswitch_plugin::{Empty, Method};

use super::PluginError;
use super::active::Caller;

/// A network driver that is somebody else's.
#[derive(Debug, Clone)]
pub struct NetworkDriver(Caller);

impl NetworkDriver {
    pub(super) const fn new(caller: Caller) -> Self {
        Self(caller)
    }

    /// What it is for. libnetwork takes no driver that does not say.
    ///
    /// # Errors
    /// [`PluginError`], as with all of them.
    pub async fn capabilities(&self) -> Result<Capabilities, PluginError> {
        self.0.call(Method::NetworkCapabilities, &Empty {}).await
    }

    /// Makes a network.
    ///
    /// # Errors
    /// [`PluginError`].
    pub async fn create_network(&self, request: CreateNetwork) -> Result<(), PluginError> {
        self.0.done(Method::CreateNetwork, &request).await
    }

    /// Removes a network.
    ///
    /// # Errors
    /// [`PluginError`].
    pub async fn delete_network(&self, network_id: String) -> Result<(), PluginError> {
        let request = DeleteNetwork { network_id };
        self.0.done(Method::DeleteNetwork, &request).await
    }

    /// Makes an endpoint; what it chose of its addresses.
    ///
    /// # Errors
    /// [`PluginError`].
    pub async fn create_endpoint(
        &self,
        request: CreateEndpoint,
    ) -> Result<CreateEndpointReply, PluginError> {
        self.0.call(Method::CreateEndpoint, &request).await
    }

    /// Makes the interface that is to be moved into a sandbox.
    ///
    /// # Errors
    /// [`PluginError`].
    pub async fn join(&self, request: Join) -> Result<JoinReply, PluginError> {
        self.0.call(Method::Join, &request).await
    }

    /// Publishes an endpoint's ports.
    ///
    /// # Errors
    /// [`PluginError`].
    pub async fn program(&self, request: ProgramExternalConnectivity) -> Result<(), PluginError> {
        self.0
            .done(Method::ProgramExternalConnectivity, &request)
            .await
    }

    /// Undoes what was done for an endpoint: one of [`Method::RevokeExternalConnectivity`], [`Method::Leave`]
    /// and [`Method::DeleteEndpoint`].
    ///
    /// # Errors
    /// [`PluginError`].
    pub async fn tell(&self, what: Method, endpoint: &EndpointRef) -> Result<(), PluginError> {
        self.0.done(what, endpoint).await
    }
}
